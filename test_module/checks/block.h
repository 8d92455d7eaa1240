/* SPDX-License-Identifier: GPL-2.0-only */
/* One vmalloc allocation of a stress test, checked as long as it lives. */
#ifndef VMALLOC_TEST_BLOCK_H
#define VMALLOC_TEST_BLOCK_H

#include "checks/overlap.h"
#include "vmalloc_test.h"

struct vmt_block {
	struct vmt_tracked area;
	void *addr;
	unsigned long size;
	u64 tag;
};

bool vmt_may_hold(const struct vmt_thread *t, unsigned long pages);
int vmt_block_alloc(struct vmt_thread *t, struct vmt_block *block,
		    unsigned long size, unsigned long align);
int vmt_block_free(struct vmt_thread *t, struct vmt_block *block);

#endif /* VMALLOC_TEST_BLOCK_H */
