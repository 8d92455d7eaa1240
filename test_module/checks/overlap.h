/* SPDX-License-Identifier: GPL-2.0-only */
/* Tracks the areas that threads of a stress test hold, to find overlaps. */
#ifndef VMALLOC_TEST_OVERLAP_H
#define VMALLOC_TEST_OVERLAP_H

#include <linux/rbtree.h>

#include "vmalloc_test.h"

struct vmt_tracked {
	struct rb_node node;
	unsigned long start;
	unsigned long last;
	unsigned long subtree_last;
};

int vmt_track(struct vmt_thread *t, struct vmt_tracked *area,
	      const void *start, unsigned long size);
void vmt_untrack(struct vmt_tracked *area);

#endif /* VMALLOC_TEST_OVERLAP_H */
