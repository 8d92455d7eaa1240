/* SPDX-License-Identifier: GPL-2.0-only */
/* Whether the holes that the busy areas leave can be had. */
#ifndef VMALLOC_TEST_HOLES_H
#define VMALLOC_TEST_HOLES_H

int vmt_holes_check(char *reason);

#endif /* VMALLOC_TEST_HOLES_H */
