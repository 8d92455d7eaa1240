/* SPDX-License-Identifier: GPL-2.0-only */
/* Walks over the kernel's lists of areas, and over the holes between them. */
#ifndef VMALLOC_TEST_AREAS_H
#define VMALLOC_TEST_AREAS_H

#include <linux/mm.h>
#include <linux/types.h>
#include <linux/vmalloc.h>

#include "lib/symbols.h"

/* The end of the vmalloc range; VMALLOC_END need not be a page's. */
#define VMT_RANGE_END	(VMALLOC_END & PAGE_MASK)

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
 * Locks @list, and begins a walk from its lowest area up. Of two lists that of
 * the free areas is locked first.
 */
void vmt_lock_areas(struct vmt_area_list *list);
void vmt_unlock_areas(struct vmt_area_list *list);

/* The next area of the walk; NULL behind the last. */
struct vmap_area *vmt_next_area(struct vmt_area_list *list);

/*
 * Calls @visit for each area of @list, from the lowest up, until it returns
 * true. The list is locked meanwhile, so that it must not sleep.
 */
void vmt_each_area(struct vmt_area_list *list,
		   bool (*visit)(void *ctx, const struct vmap_area *va),
		   void *ctx);

/* The same for each hole between busy areas, in the vmalloc range ... */
void vmt_each_hole(bool (*visit)(void *ctx, struct vmt_hole hole), void *ctx);

/* ... or in another. */
void vmt_each_hole_in(unsigned long start, unsigned long end,
		      bool (*visit)(void *ctx, struct vmt_hole hole),
		      void *ctx);

/* The module allocated it. */
bool vmt_is_ours(const struct vm_struct *vm);

/* Busy areas with an address in the vmalloc range, without threads' stacks. */
unsigned long vmt_count_areas(void);

/*
 * Busy areas elsewhere, once what was freed is purged: modules, and with KASAN
 * their shadow memory.
 */
unsigned long vmt_count_areas_elsewhere(void);

/*
 * Pages of the vmalloc range that are neither free nor owned: lazily freed
 * ones, and those that vm_map_ram() took. They are counted in the lists, as the
 * kernel's own counter may be what is wrong. Needs vmt_busy_list().
 */
unsigned long vmt_unowned_pages(void);

/* Finds the busy area that @addr is in; false where there is none. */
bool vmt_find_area(unsigned long addr, unsigned long *start,
		   unsigned long *end);

#endif /* VMALLOC_TEST_AREAS_H */
