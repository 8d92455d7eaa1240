/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's own lists of areas, and what has to be true of them. */
#ifndef VMALLOC_TEST_AREA_LISTS_H
#define VMALLOC_TEST_AREA_LISTS_H

#include "checks/leaks.h"
#include "vmalloc_test.h"

/* What a pass of a test begins from. */
struct vmt_books {
	bool visible;
	struct vmt_leftovers leftovers;
	unsigned long kept;	/* bytes of the range that are free or busy */
};

void vmt_books_open(struct vmt_books *before);
int vmt_books_check(const struct vmt_books *before, char *reason);

#endif /* VMALLOC_TEST_AREA_LISTS_H */
