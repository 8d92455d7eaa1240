/* SPDX-License-Identifier: GPL-2.0-only */
/* Brings earlier frees to their end. */
#ifndef VMALLOC_TEST_SETTLE_H
#define VMALLOC_TEST_SETTLE_H

void vmt_find_reclaim(void);
void vmt_finish_frees(void);
void vmt_settle(void);
void vmt_settle_blocks(void);
void vmt_settle_pages(void);
void vmt_settle_if_asked(void);

#endif /* VMALLOC_TEST_SETTLE_H */
