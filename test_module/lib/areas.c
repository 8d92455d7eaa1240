// SPDX-License-Identifier: GPL-2.0-only
/*
 * Walks over the kernel's lists of areas. They are sorted by address, and the
 * busy one holds areas outside of the vmalloc range too.
 */
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/vmalloc.h>

#include "lib/areas.h"
#include "lib/nodes.h"
#include "lib/settle.h"
#include "lib/symbols.h"

/* Who holds it may lock all parts: only the module ever wants more than one. */
static DEFINE_SPINLOCK(walking);

/* For sparse, which cannot count them, no lock is held after this. */
void vmt_lock_areas(struct vmt_area_list *list)
{
	unsigned int i;

	if (list->nr > 1) {
		spin_lock(&walking);
		__release(&walking);
	}
	for (i = 0; i < list->nr; i++) {
		struct vmt_area_part *part = &list->part[i];

		if (list->nr > 1)
			spin_lock_nest_lock(part->lock, &walking);
		else
			spin_lock(part->lock);
		__release(part->lock);
		part->next = part->head->next;
	}
}

void vmt_unlock_areas(struct vmt_area_list *list)
{
	unsigned int i;

	for (i = list->nr; i--;) {
		__acquire(list->part[i].lock);
		spin_unlock(list->part[i].lock);
	}
	if (list->nr > 1) {
		__acquire(&walking);
		spin_unlock(&walking);
	}
}

struct vmap_area *vmt_next_area(struct vmt_area_list *list)
{
	struct vmt_area_part *from = NULL;
	struct vmap_area *lowest = NULL;
	unsigned int i;

	for (i = 0; i < list->nr; i++) {
		struct vmt_area_part *part = &list->part[i];
		struct vmap_area *va;

		if (part->next == part->head)
			continue;
		va = list_entry(part->next, struct vmap_area, list);
		if (lowest && lowest->va_start <= va->va_start)
			continue;
		lowest = va;
		from = part;
	}
	if (from)
		from->next = from->next->next;
	return lowest;
}

void vmt_each_area(struct vmt_area_list *list,
		   bool (*visit)(void *ctx, const struct vmap_area *va),
		   void *ctx)
{
	const struct vmap_area *va;

	vmt_lock_areas(list);
	while ((va = vmt_next_area(list)) && !visit(ctx, va))
		;
	vmt_unlock_areas(list);
}

struct hole_walk {
	struct vmt_hole hole;	/* the next one, but for its end */
	unsigned long start;	/* of the range */
	unsigned long end;
	bool (*visit)(void *ctx, struct vmt_hole hole);
	void *ctx;
	bool enough;
};

static void end_hole(struct hole_walk *walk, unsigned long end,
		     unsigned long above)
{
	walk->hole.end = end;
	walk->hole.above = above;
	if (walk->hole.end > walk->hole.start)
		walk->enough = walk->visit(walk->ctx, walk->hole);
}

/* Returns true too at the first area that is not in the range any more. */
static bool visit_hole_below(void *ctx, const struct vmap_area *va)
{
	struct hole_walk *walk = ctx;

	if (va->va_start >= walk->end)
		return true;
	if (va->va_end <= walk->start)
		return false;
	end_hole(walk, va->va_start, va->va_end);
	walk->hole.start = va->va_end;
	walk->hole.below = va->va_start;
	return walk->enough;
}

void vmt_each_hole_in(unsigned long start, unsigned long end,
		      bool (*visit)(void *ctx, struct vmt_hole hole),
		      void *ctx)
{
	struct hole_walk walk = {
		.hole.start = start,
		.start = start,
		.end = end,
		.visit = visit,
		.ctx = ctx,
	};

	vmt_each_area(vmt_busy_list(), visit_hole_below, &walk);
	if (!walk.enough)
		end_hole(&walk, end, 0);
}

void vmt_each_hole(bool (*visit)(void *ctx, struct vmt_hole hole), void *ctx)
{
	vmt_each_hole_in(VMALLOC_START, VMT_RANGE_END, visit, ctx);
}

bool vmt_is_ours(const struct vm_struct *vm)
{
	return vm && within_module((unsigned long)vm->caller, THIS_MODULE);
}

/* Of a thread of the kernel's, which come and go, or of a process. */
static bool is_stack(const struct vm_struct *vm)
{
	return IS_ENABLED(CONFIG_VMAP_STACK) && vm && !vmt_is_ours(vm) &&
	       vm->nr_pages == THREAD_SIZE / PAGE_SIZE;
}

static bool count_in_range(void *ctx, const struct vmap_area *va)
{
	unsigned long *areas = ctx;

	*areas += va->va_start < VMT_RANGE_END && va->va_end > VMALLOC_START &&
		  !is_stack(vmt_area_vm(va));
	return false;
}

unsigned long vmt_count_areas(void)
{
	unsigned long areas = 0;

	vmt_each_area(vmt_busy_list(), count_in_range, &areas);
	return areas;
}

static bool count_elsewhere(void *ctx, const struct vmap_area *va)
{
	unsigned long *areas = ctx;

	*areas += va->va_end <= VMALLOC_START || va->va_start >= VMT_RANGE_END;
	return false;
}

unsigned long vmt_count_areas_elsewhere(void)
{
	unsigned long areas = 0;

	vmt_settle();
	vmt_each_area(vmt_busy_list(), count_elsewhere, &areas);
	return areas;
}

static unsigned long pages_in_range(const struct vmap_area *va)
{
	unsigned long start = clamp(va->va_start, VMALLOC_START,
				    VMT_RANGE_END);

	return (clamp(va->va_end, VMALLOC_START, VMT_RANGE_END) - start) >>
	       PAGE_SHIFT;
}

struct page_count {
	unsigned long owned;
	unsigned long unowned;
	unsigned long free;
};

static bool add_busy(void *ctx, const struct vmap_area *va)
{
	struct page_count *count = ctx;

	if (vmt_area_vm(va))
		count->owned += pages_in_range(va);
	else
		count->unowned += pages_in_range(va);
	return false;
}

static bool add_free(void *ctx, const struct vmap_area *va)
{
	struct page_count *count = ctx;

	count->free += pages_in_range(va);
	return false;
}

/*
 * Since dd3b8353bae7 (5.4) lazily freed areas are in no list, but then there is
 * one of the free ones.
 */
unsigned long vmt_unowned_pages(void)
{
	const unsigned long all = (VMT_RANGE_END - VMALLOC_START) >> PAGE_SHIFT;
	struct page_count count = {};

	vmt_each_area(vmt_busy_list(), add_busy, &count);
	if (!vmt_free_list())
		return count.unowned;
	vmt_each_area(vmt_free_list(), add_free, &count);
	return all - min(all, count.owned + count.free + vmt_pool_pages());
}

struct area_search {
	unsigned long addr;
	unsigned long start;	/* of the area that was found */
	unsigned long end;	/* 0 where none was */
};

static bool holds_address(void *ctx, const struct vmap_area *va)
{
	struct area_search *search = ctx;

	if (search->addr < va->va_start || search->addr >= va->va_end)
		return false;
	search->start = va->va_start;
	search->end = va->va_end;
	return true;
}

bool vmt_find_area(unsigned long addr, unsigned long *start,
		   unsigned long *end)
{
	struct area_search search = { .addr = addr };

	vmt_each_area(vmt_busy_list(), holds_address, &search);
	*start = search.start;
	*end = search.end;
	return search.end;
}
