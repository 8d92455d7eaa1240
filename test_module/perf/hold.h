/* SPDX-License-Identifier: GPL-2.0-only */
/* A number of one-page allocations that a performance test holds. */
#ifndef VMALLOC_TEST_HOLD_H
#define VMALLOC_TEST_HOLD_H

#include "vmalloc_test.h"

struct vmt_held {
	unsigned long nr;
	void **at;
};

int vmt_hold(struct vmt_thread *t, struct vmt_held *held, unsigned long nr);
void vmt_release(struct vmt_held *held);

#endif /* VMALLOC_TEST_HOLD_H */
