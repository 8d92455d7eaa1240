// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asks for holes: whatever books the kernel keeps of free space, what lies
 * between two busy areas can be had from edge to edge. That is not so if free
 * space was lost, not merged, or is not found.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/spinlock.h>
#include <linux/vmalloc.h>

#include "books.h"
#include "request.h"
#include "symbols.h"

/* The largest, the smallest, and so many others chosen at random. */
#define NR_RANDOM	62
#define NR_HOLES	(NR_RANDOM + 2)

/*
 * Others need space while a hole is taken: of a vast one this much stays
 * free, at its end in one request and at its start in another.
 */
#define LEAVE		SZ_64M
#define VAST		SZ_1G

/* Shadow memory is allocated for the whole of an area, if for any. */
#define MOST		(IS_ENABLED(CONFIG_KASAN_VMALLOC) ? SZ_16M : ULONG_MAX)

#define ATTEMPTS	4

struct hole {
	unsigned long start;
	unsigned long end;
	unsigned long below;	/* start of the busy area below, or 0 */
	unsigned long above;	/* end of the busy area above, or 0 */
};

struct holes {
	struct vmt_rng rng;
	unsigned long seen;
	unsigned int nr;
	struct hole at[NR_HOLES];
};

static unsigned long size_of(const struct hole *hole)
{
	return hole->end - hole->start;
}

/* Keeps the largest first, the smallest second, and some of the others. */
static void keep(struct holes *holes, struct hole hole)
{
	unsigned int i;

	if (holes->nr > 0 && size_of(&hole) > size_of(&holes->at[0]))
		swap(hole, holes->at[0]);
	if (holes->nr > 1 && size_of(&hole) < size_of(&holes->at[1]))
		swap(hole, holes->at[1]);
	holes->seen++;
	if (holes->nr < NR_HOLES) {
		holes->at[holes->nr++] = hole;
		return;
	}
	i = vmt_rng_below(&holes->rng, holes->seen - 2);
	if (i < NR_RANDOM)
		holes->at[i + 2] = hole;
}

static void find_holes(const struct vmt_area_list *list, struct holes *holes)
{
	const unsigned long last = VMALLOC_END & PAGE_MASK;
	struct hole hole = { .start = VMALLOC_START };
	struct vmap_area *va;

	spin_lock(list->lock);
	list_for_each_entry(va, list->head, list) {
		if (va->va_start >= last)
			break;
		if (va->va_end <= VMALLOC_START)
			continue;
		hole.end = va->va_start;
		hole.above = va->va_end;
		if (hole.end > hole.start)
			keep(holes, hole);
		hole.start = va->va_end;
		hole.below = va->va_start;
	}
	spin_unlock(list->lock);

	hole.end = last;
	hole.above = 0;
	if (hole.end > hole.start)
		keep(holes, hole);
}

/* Whether nothing has come to lie in it, and its neighbours are still there. */
static bool still_there(const struct hole *hole)
{
	const struct vmt_area_list *list = vmt_area_list();
	bool below = !hole->below;
	bool above = !hole->above;
	bool taken = false;
	struct vmap_area *va;

	spin_lock(list->lock);
	list_for_each_entry(va, list->head, list) {
		if (va->va_end > hole->start && va->va_start < hole->end)
			taken = true;
		below = below || (va->va_start == hole->below &&
				  va->va_end == hole->start);
		above = above || (va->va_end == hole->above &&
				  va->va_start == hole->end);
	}
	spin_unlock(list->lock);
	return below && above && !taken;
}

/* Asks for an area that fills @part of a hole, in a window as large or larger. */
static int fill(const struct hole *part, unsigned long start,
		unsigned long end, char *reason)
{
	unsigned long size = min(size_of(part), MOST);
	unsigned long flags = VM_ALLOC;
	struct vm_struct *area;
	unsigned long addr;

	if (size == PAGE_SIZE)
		flags |= VM_NO_GUARD;
	else
		size -= VMT_GUARD;
	if (size_of(part) > MOST)
		end = part->start + MOST;

	area = vmt_get_area(size, flags, start, end);
	if (!area) {
		scnprintf(reason, VMT_REASON_LEN,
			  "refused: the hole [%lx,%lx) in the window [%lx,%lx)",
			  part->start, part->end, start, end);
		return -ENOSPC;
	}
	addr = (unsigned long)area->addr;
	free_vm_area(area);
	if (addr == part->start)
		return 0;
	scnprintf(reason, VMT_REASON_LEN,
		  "outside of the hole [%lx,%lx): %lx, in the window [%lx,%lx)",
		  part->start, part->end, addr, start, end);
	return -ERANGE;
}

static int fill_exactly(const struct hole *hole, char *reason)
{
	struct hole part = *hole;
	int err;

	if (size_of(hole) < VAST)
		return fill(hole, hole->start, hole->end, reason);

	part.end = hole->end - LEAVE;
	err = fill(&part, part.start, part.end, reason);
	if (err)
		return err;
	vm_unmap_aliases();
	part.start = hole->start + LEAVE;
	part.end = hole->end;
	return fill(&part, part.start, part.end, reason);
}

/* A window that has nothing free but the hole. */
static int fill_between(const struct hole *hole, char *reason)
{
	if (!hole->below || !hole->above || size_of(hole) >= VAST)
		return 0;
	return fill(hole, hole->below, hole->above, reason);
}

/* One page in the hole, aligned so far that there are two places at most. */
static int take_aligned(const struct hole *hole, char *reason)
{
	unsigned long half = min_t(unsigned long, size_of(hole) / 2, SZ_1G);
	unsigned long addr;
	unsigned long align;

	if (half <= PAGE_SIZE || !vmt_have_range())
		return 0;
	align = rounddown_pow_of_two(half);
	addr = (unsigned long)vmt_vmalloc_window(PAGE_SIZE, align, VM_NO_GUARD,
						 hole->start, hole->end);
	if (!addr) {
		scnprintf(reason, VMT_REASON_LEN,
			  "refused: a page aligned to %lx in the hole [%lx,%lx)",
			  align, hole->start, hole->end);
		return -ENOSPC;
	}
	vfree((void *)addr);
	if (IS_ALIGNED(addr, align) && addr >= hole->start &&
	    addr < hole->end)
		return 0;
	scnprintf(reason, VMT_REASON_LEN,
		  "misaligned: %lx, not aligned to %lx in the hole [%lx,%lx)",
		  addr, align, hole->start, hole->end);
	return -EFAULT;
}

/* Others may take part of the hole, or wait for the purge of what they took. */
static int persistently(const struct hole *hole, char *reason,
			int (*take)(const struct hole *hole, char *reason))
{
	unsigned int attempt;
	int err = 0;

	for (attempt = 0; attempt < ATTEMPTS; attempt++) {
		if (vmt_have_range())
			vmt_forget_searches();
		vm_unmap_aliases();
		if (!still_there(hole))
			return 0;
		err = take(hole, reason);
		if (!err)
			return 0;
		vmt_settle();
	}
	return still_there(hole) ? err : 0;
}

static int higher_first(const void *a, const void *b)
{
	const struct hole *left = a;
	const struct hole *right = b;

	return left->start < right->start ? 1 : -1;
}

/*
 * From the highest hole to the lowest, since stock 4.18 forgets its earlier
 * search when a window begins lower than the one before. @reason says in
 * VMT_REASON_LEN characters what is wrong.
 */
int vmt_holes_check(char *reason)
{
	struct holes *holes;
	unsigned int i;
	int err = 0;

	if (!vmt_have_areas())
		return 0;
	holes = kzalloc(sizeof(*holes), GFP_KERNEL);
	if (!holes) {
		scnprintf(reason, VMT_REASON_LEN, "-ENOMEM: a list of holes");
		return -ENOMEM;
	}
	vmt_rng_seed(&holes->rng, vmt_params.seed, 0, 0);
	find_holes(vmt_area_list(), holes);
	sort(holes->at, holes->nr, sizeof(holes->at[0]), higher_first, NULL);

	for (i = 0; i < holes->nr && !err; i++) {
		const struct hole *hole = &holes->at[i];

		err = persistently(hole, reason, fill_exactly) ?:
		      persistently(hole, reason, fill_between) ?:
		      persistently(hole, reason, take_aligned);
		cond_resched();
	}
	kfree(holes);
	vmt_settle();
	return err;
}
