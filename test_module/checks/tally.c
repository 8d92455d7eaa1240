// SPDX-License-Identifier: GPL-2.0-only
/* Counts areas and slab memory once everything that was freed is back. */
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/spinlock.h>
#include <linux/vmalloc.h>

#include "checks/tally.h"
#include "lib/slab.h"
#include "lib/symbols.h"
#include "vmalloc_test.h"

/* Those that have an address in [@start, @end). */
unsigned long vmt_count_areas(unsigned long start, unsigned long end)
{
	const struct vmt_area_list *list = vmt_area_list();
	const struct vmap_area *va;
	unsigned long areas = 0;

	spin_lock(list->lock);
	list_for_each_entry(va, list->head, list)
		if (va->va_start < end && va->va_end > start)
			areas++;
	spin_unlock(list->lock);
	return areas;
}

/* Which area @addr is in. */
bool vmt_find_area(unsigned long addr, unsigned long *start,
		   unsigned long *end)
{
	const struct vmt_area_list *list = vmt_area_list();
	const struct vmap_area *va;
	bool found = false;

	spin_lock(list->lock);
	list_for_each_entry(va, list->head, list) {
		if (addr < va->va_start || addr >= va->va_end)
			continue;
		*start = va->va_start;
		*end = va->va_end;
		found = true;
		break;
	}
	spin_unlock(list->lock);
	return found;
}

void vmt_take_tally(struct vmt_tally *tally)
{
	vmt_settle();
	tally->areas = vmt_count_areas(VMALLOC_START, VMALLOC_END & PAGE_MASK);
	vmt_shrink_slab();
	tally->slab = vmt_slab_exact();
	tally->kmalloc = vmt_kmalloc_bytes();
}
