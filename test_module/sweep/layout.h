/* SPDX-License-Identifier: GPL-2.0-only */
/* Areas without pages that a sweep test holds, each put where it shall be. */
#ifndef VMALLOC_TEST_LAYOUT_H
#define VMALLOC_TEST_LAYOUT_H

#include <linux/vmalloc.h>

#include "vmalloc_test.h"

/* The space that an area of @pages takes; holes are measured in it too. */
#define VMT_TAKES(pages)	((pages) * PAGE_SIZE + VMT_GUARD)

struct vmt_layout {
	unsigned long start;	/* of what belongs to it alone */
	unsigned long end;
	unsigned long most;	/* where what is held has to end */
	unsigned long top;	/* nothing is held from here on */
	unsigned long nr;
	unsigned long max;
	struct vm_struct **at;	/* NULL where the test freed one itself */
};

unsigned long vmt_nr_moving(void);
int vmt_layout_init(struct vmt_thread *t, struct vmt_layout *layout,
		    unsigned long max);
int vmt_layout_place(struct vmt_thread *t, struct vmt_layout *layout,
		     unsigned long pages);
void vmt_layout_leave(struct vmt_layout *layout, unsigned long pages);
int vmt_layout_holes(struct vmt_thread *t, struct vmt_layout *layout);
int vmt_layout_busy(struct vmt_thread *t, struct vmt_layout *layout);
void vmt_layout_release(struct vmt_layout *layout);

struct vm_struct *vmt_get_pages(struct vmt_thread *t, unsigned long pages,
				unsigned long flags, unsigned long start,
				unsigned long end);

#endif /* VMALLOC_TEST_LAYOUT_H */
