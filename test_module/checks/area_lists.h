/* SPDX-License-Identifier: GPL-2.0-only */
/* Checks of the kernel's own lists of areas. */
#ifndef VMALLOC_TEST_AREA_LISTS_H
#define VMALLOC_TEST_AREA_LISTS_H

#include "checks/leaks.h"
#include "vmalloc_test.h"

/* The state before a pass. */
struct vmt_lists {
	bool visible;
	struct vmt_leftovers leftovers;
	unsigned long kept;	/* bytes of the range that are free or busy */
};

void vmt_lists_note(struct vmt_lists *before);
int vmt_lists_check(const struct vmt_lists *before, char *reason);

#endif /* VMALLOC_TEST_AREA_LISTS_H */
