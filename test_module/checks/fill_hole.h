/* SPDX-License-Identifier: GPL-2.0-only */
/* Requests for a hole in the vmalloc range, from edge to edge and otherwise. */
#ifndef VMALLOC_TEST_FILL_HOLE_H
#define VMALLOC_TEST_FILL_HOLE_H

#include <linux/types.h>

struct vmt_hole {
	unsigned long start;
	unsigned long end;
	unsigned long below;	/* start of the busy area below, or 0 */
	unsigned long above;	/* end of the busy area above, or 0 */
};

static inline unsigned long vmt_hole_size(const struct vmt_hole *hole)
{
	return hole->end - hole->start;
}

/*
 * holes.c: calls @visit for each hole of the vmalloc range, from the lowest up
 * and under the lock of the kernel's list, until it returns true.
 */
void vmt_each_hole(bool (*visit)(void *ctx, struct vmt_hole hole), void *ctx);

/* @reason says in VMT_REASON_LEN characters what is wrong. */
int vmt_fill_exactly(const struct vmt_hole *hole, char *reason);
int vmt_fill_between(const struct vmt_hole *hole, char *reason);
int vmt_take_aligned(const struct vmt_hole *hole, char *reason);

#endif /* VMALLOC_TEST_FILL_HOLE_H */
