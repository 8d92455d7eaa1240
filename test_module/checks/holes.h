/* SPDX-License-Identifier: GPL-2.0-only */
/* Checks that the holes between busy areas can be filled. */
#ifndef VMALLOC_TEST_HOLES_H
#define VMALLOC_TEST_HOLES_H

int vmt_holes_check(char *reason);

#endif /* VMALLOC_TEST_HOLES_H */
