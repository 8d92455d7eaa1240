/* SPDX-License-Identifier: GPL-2.0-only */
/* Looks at memory before, while and after a test runs. */
#ifndef VMALLOC_TEST_MEMORY_H
#define VMALLOC_TEST_MEMORY_H

#include <linux/types.h>

#define VMT_MAX_LOOKS		128

struct task_struct;

/* One look, in bytes, but for the time and the number of areas. */
struct vmt_look {
	u64 ns;
	unsigned long areas;
	unsigned long used;
	unsigned long free;
	unsigned long largest_hole;
	unsigned long lazy;
	unsigned long slab_unreclaimable;
};

struct vmt_memory {
	struct task_struct *task;
	u64 began;
	unsigned long interval;	/* in jiffies */
	struct vmt_look before;
	struct vmt_look after;
	unsigned int nr;
	struct vmt_look during[VMT_MAX_LOOKS];
};

/* Needs vmt_busy_list(). */
struct vmt_memory *vmt_memory_start(void);
void vmt_memory_stop(struct vmt_memory *memory);

#endif /* VMALLOC_TEST_MEMORY_H */
