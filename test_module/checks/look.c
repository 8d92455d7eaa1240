// SPDX-License-Identifier: GPL-2.0-only
/* Walks the list of busy areas. */
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/spinlock.h>
#include <linux/vmalloc.h>

#include "checks/look.h"
#include "lib/slab.h"
#include "lib/symbols.h"

/* The list is sorted by address, and holds areas outside of the range too. */
static void walk_areas(const struct vmt_area_list *list, struct vmt_look *look)
{
	const unsigned long first = VMALLOC_START;
	const unsigned long last = VMALLOC_END & PAGE_MASK;
	unsigned long free_from = first;
	struct vmap_area *va;

	spin_lock(list->lock);
	list_for_each_entry(va, list->head, list) {
		unsigned long start = clamp(va->va_start, first, last);
		unsigned long end = clamp(va->va_end, first, last);

		if (start == end)
			continue;
		look->areas++;
		look->used += end - start;
		look->largest_hole = max(look->largest_hole,
					 start - free_from);
		free_from = end;
	}
	spin_unlock(list->lock);

	look->largest_hole = max(look->largest_hole, last - free_from);
	look->free = last - first - look->used;
}

void vmt_take_look(struct vmt_look *look, u64 began)
{
	*look = (struct vmt_look){
		.ns = ktime_get_ns() - began,
		.lazy = vmt_lazy_pages() * PAGE_SIZE,
		.slab_unreclaimable = vmt_slab_unreclaimable(),
	};
	walk_areas(vmt_area_list(), look);
}
