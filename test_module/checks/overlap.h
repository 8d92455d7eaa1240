/* SPDX-License-Identifier: GPL-2.0-only */
/* All that the threads of a stress test hold, to find what overlaps. */
#ifndef VMALLOC_TEST_OVERLAP_H
#define VMALLOC_TEST_OVERLAP_H

#include <linux/rbtree.h>

#include "vmalloc_test.h"

struct vmt_area {
	struct rb_node node;
	unsigned long start;
	unsigned long last;
	unsigned long subtree_last;
};

int vmt_live_add(struct vmt_thread *t, struct vmt_area *area,
		 const void *start, unsigned long size);
void vmt_live_del(struct vmt_area *area);

#endif /* VMALLOC_TEST_OVERLAP_H */
