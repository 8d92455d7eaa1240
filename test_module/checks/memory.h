/* SPDX-License-Identifier: GPL-2.0-only */
/* Looks at memory before, while and after a test runs. */
#ifndef VMALLOC_TEST_MEMORY_H
#define VMALLOC_TEST_MEMORY_H

#include "checks/look.h"

#define VMT_MAX_LOOKS		128

struct vmt_memory {
	struct task_struct *task;
	u64 began;
	unsigned long interval;	/* in jiffies */
	struct vmt_look before;
	struct vmt_look after;
	unsigned int nr;
	struct vmt_look during[VMT_MAX_LOOKS];
};

struct vmt_memory *vmt_memory_start(void);
void vmt_memory_stop(struct vmt_memory *memory);

#endif /* VMALLOC_TEST_MEMORY_H */
