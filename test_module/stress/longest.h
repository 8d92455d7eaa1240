/* SPDX-License-Identifier: GPL-2.0-only */
/* What tests of the longest wait and the longest call do to the allocator. */
#ifndef VMALLOC_TEST_LONGEST_H
#define VMALLOC_TEST_LONGEST_H

#include "vmalloc_test.h"

enum vmt_adversity {
	VMT_NO_EDGE_FIT,
	VMT_BACKLOG,
	VMT_MISALIGNED,
	VMT_PCPU_NOWHERE,
	VMT_MISALIGNED_ALL,
	VMT_NR_ADVERSITIES,
};

struct vmt_longest {
	u64 wait_ns;
	u64 alloc_ns;
	u64 free_ns;
};

/* Address space laid out so that searches have far to go. */
struct vmt_ground {
	struct vmt_thread *t;
	unsigned long start;	/* of what has misaligned holes alone */
	unsigned long end;
	unsigned long nr_holes;
	unsigned long nr;
	struct vm_struct **areas;
	unsigned long nr_freed;	/* room in @freed */
	struct vm_struct **freed;
	u64 began;
	struct vmt_longest longest[VMT_NR_ADVERSITIES];	/* of this round */

	/*
	 * The least of all rounds: what has nothing to do with the allocator,
	 * such as a line on the console, does not come in each of them.
	 */
	struct vmt_longest least[VMT_NR_ADVERSITIES];
};

/* What each does, for messages, and its name in notes. */
extern const char *const vmt_adversities[VMT_NR_ADVERSITIES];
extern const char *const vmt_adversity_keys[VMT_NR_ADVERSITIES];

int vmt_ground_init(struct vmt_ground *g, struct vmt_thread *t);
int vmt_ground_lay_out(struct vmt_ground *g);
void vmt_ground_clear(struct vmt_ground *g);
void vmt_ground_release(struct vmt_ground *g);

/* The first two need no layout, the others come after it. */
int vmt_adversity(struct vmt_ground *g, enum vmt_adversity which);

#endif /* VMALLOC_TEST_LONGEST_H */
