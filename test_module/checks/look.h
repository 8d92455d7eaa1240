/* SPDX-License-Identifier: GPL-2.0-only */
/* One look at the vmalloc range and at the memory that describes it. */
#ifndef VMALLOC_TEST_LOOK_H
#define VMALLOC_TEST_LOOK_H

#include <linux/types.h>

/* In bytes, but for the time and the number of areas. */
struct vmt_look {
	u64 ns;
	unsigned long areas;
	unsigned long used;
	unsigned long free;
	unsigned long largest_hole;
	unsigned long lazy;
	unsigned long slab_unreclaimable;
};

/* Only where there is a vmt_area_list(). */
void vmt_take_look(struct vmt_look *look, u64 began);

#endif /* VMALLOC_TEST_LOOK_H */
