/* SPDX-License-Identifier: GPL-2.0-only */
/* Requests for an area within a window, and checks of what they got. */
#ifndef VMALLOC_TEST_REQUEST_H
#define VMALLOC_TEST_REQUEST_H

#include <linux/vmalloc.h>

#include "vmalloc_test.h"

struct vmt_request {
	unsigned long size;	/* without the guard page, whole pages */
	unsigned long align;
	unsigned long flags;	/* VM_NO_GUARD or 0 */
	unsigned long start;	/* of the window */
	unsigned long end;
};

/* The space that the area takes, with its guard page. */
static inline unsigned long vmt_request_takes(const struct vmt_request *r)
{
	return r->flags & VM_NO_GUARD ? r->size : r->size + VMT_GUARD;
}

void *vmt_request(const struct vmt_request *r);
int vmt_request_check(struct vmt_thread *t, const struct vmt_request *r,
		      const void *addr);

/*
 * Part of the vmalloc range that belongs to one thread alone and is empty
 * before and after.
 */
#define VMT_SLICE_PAGES		1024UL
#define VMT_SLICE		(VMT_SLICE_PAGES * PAGE_SIZE)

int vmt_slice(struct vmt_thread *t, unsigned long *base);
int vmt_slice_is_one_hole(struct vmt_thread *t, unsigned long base);

#endif /* VMALLOC_TEST_REQUEST_H */
