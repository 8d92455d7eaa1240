/* SPDX-License-Identifier: GPL-2.0-only */
/* What has to be true of an area that somebody has mapped pages in. */
#ifndef VMALLOC_TEST_MAPPING_H
#define VMALLOC_TEST_MAPPING_H

#include <linux/vmalloc.h>

#include "vmalloc_test.h"

/* Without the guard page. */
struct vmt_mapping {
	void *addr;
	unsigned long size;	/* whole pages */
	struct page **pages;
	unsigned long flags;	/* that were asked for, of the vm_struct */
};

/* Both need vmt_have_lookup(). */
int vmt_mapping_check(struct vmt_thread *t, const struct vmt_mapping *m);
int vmt_area_check(struct vmt_thread *t, const struct vm_struct *vm,
		   unsigned long size, unsigned long flags);

/*
 * No more areas than @before are left that vmt_count_areas_elsewhere() counts;
 * needs vmt_busy_list().
 */
int vmt_elsewhere_check(struct vmt_thread *t, unsigned long before);

#endif /* VMALLOC_TEST_MAPPING_H */
