/* SPDX-License-Identifier: GPL-2.0-only */
/* What a pass may have left behind in the kernel's books of areas. */
#ifndef VMALLOC_TEST_LEAKS_H
#define VMALLOC_TEST_LEAKS_H

struct vmt_area_list;

struct vmt_leftovers {
	unsigned long ours;	/* areas that this module allocated */
	unsigned long blocks;	/* areas that have no vm_struct */
	long objects;		/* of areas' cache, that are in no list */
};

void vmt_leftovers_count(struct vmt_leftovers *left,
			 const struct vmt_area_list *busy);
int vmt_leftovers_check(const struct vmt_leftovers *before,
			const struct vmt_area_list *busy, char *reason);

#endif /* VMALLOC_TEST_LEAKS_H */
