/* SPDX-License-Identifier: GPL-2.0-only */
/* Requests for a hole in the vmalloc range, from edge to edge and otherwise. */
#ifndef VMALLOC_TEST_FILL_HOLE_H
#define VMALLOC_TEST_FILL_HOLE_H

struct vmt_hole;

/* @reason says in VMT_REASON_LEN characters what is wrong. */
int vmt_fill_exactly(const struct vmt_hole *hole, char *reason);
int vmt_fill_between(const struct vmt_hole *hole, char *reason);
int vmt_take_aligned(const struct vmt_hole *hole, char *reason);

#endif /* VMALLOC_TEST_FILL_HOLE_H */
