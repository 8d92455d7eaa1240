/* SPDX-License-Identifier: GPL-2.0-only */
/* Operations during which allocations of memory are made to fail. */
#ifndef VMALLOC_TEST_FAULT_H
#define VMALLOC_TEST_FAULT_H

#include "vmalloc_test.h"

/*
 * An operation that is done whole or not at all, and leaves nothing behind once
 * it is undone. perform() returns whether it was done; check may be NULL.
 */
struct vmt_operation {
	const char *name;
	bool (*perform)(struct vmt_thread *t, void *ctx);
	int (*check)(struct vmt_thread *t, void *ctx);
	void (*undo)(struct vmt_thread *t, void *ctx);
	bool stays;	/* its areas remain for others */
};

struct vmt_faults {
	bool lasting;	/* until the operation ends */
	unsigned long injected;
};

int vmt_inject(struct vmt_thread *t, const struct vmt_operation *operation,
	       void *ctx, struct vmt_faults *faults);

/* All of a test's operations once. */
typedef int (*vmt_fault_round)(struct vmt_thread *t, void *ctx,
			       struct vmt_faults *faults);

int vmt_fault_rounds(struct vmt_thread *t, vmt_fault_round round, void *ctx);

#endif /* VMALLOC_TEST_FAULT_H */
