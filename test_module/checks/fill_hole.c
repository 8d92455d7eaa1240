// SPDX-License-Identifier: GPL-2.0-only
/* Allocates in one hole, and says what was refused or wrong. */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/vmalloc.h>

#include "checks/fill_hole.h"
#include "lib/areas.h"
#include "lib/room.h"
#include "lib/symbols.h"
#include "vmalloc_test.h"

/*
 * Others need space while a hole is taken: of a large one this much stays
 * free, at its end in one request and at its start in another.
 */
#define LEFT_FREE	(LARGE_HOLE / 16)
#define LARGE_HOLE	vmt_unit()

/* With KASAN_VMALLOC an area has shadow memory of an eighth of its size. */
#define MOST		(IS_ENABLED(CONFIG_KASAN_VMALLOC) ? SZ_16M : ULONG_MAX)

/*
 * Asks for an area that fills @part of a hole, in a window as large or larger.
 * An area that is wrong is not freed, as it may be somebody else's.
 */
static int fill(const struct vmt_hole *part, unsigned long start,
		unsigned long end, char *reason)
{
	unsigned long takes = min(vmt_hole_size(part), MOST);
	unsigned long size = takes;
	unsigned long flags = VM_ALLOC;
	struct vm_struct *area;
	unsigned long addr;

	if (size == PAGE_SIZE)
		flags |= VM_NO_GUARD;
	else
		size -= VMT_GUARD;
	if (vmt_hole_size(part) > MOST)
		end = part->start + MOST;

	area = vmt_get_area(size, flags, start, end);
	if (!area) {
		scnprintf(reason, VMT_REASON_LEN,
			  "refused: the hole [%lx,%lx) in the window [%lx,%lx)",
			  part->start, part->end, start, end);
		return -ENOSPC;
	}
	addr = (unsigned long)area->addr;
	if (addr != part->start) {
		scnprintf(reason, VMT_REASON_LEN,
			  "outside of the hole [%lx,%lx): %lx, in the window [%lx,%lx)",
			  part->start, part->end, addr, start, end);
		return -ERANGE;
	}
	/* A vm_struct's size has the guard page in it. */
	if (area->size != takes) {
		scnprintf(reason, VMT_REASON_LEN,
			  "missized: %lx bytes at %lx, of %lx that were asked for",
			  area->size, addr, takes);
		return -EFAULT;
	}
	free_vm_area(area);
	return 0;
}

int vmt_fill_exactly(const struct vmt_hole *hole, char *reason)
{
	struct vmt_hole part = *hole;
	int err;

	if (vmt_hole_size(hole) < LARGE_HOLE)
		return fill(hole, hole->start, hole->end, reason);

	part.end = hole->end - LEFT_FREE;
	err = fill(&part, part.start, part.end, reason);
	if (err)
		return err;
	vm_unmap_aliases();
	part.start = hole->start + LEFT_FREE;
	part.end = hole->end;
	return fill(&part, part.start, part.end, reason);
}

/* In a window in which nothing but the hole is free. */
int vmt_fill_between(const struct vmt_hole *hole, char *reason)
{
	if (!hole->below || !hole->above || vmt_hole_size(hole) >= LARGE_HOLE)
		return 0;
	return fill(hole, hole->below, hole->above, reason);
}

/* One page in the hole, with an alignment that leaves few places for it. */
int vmt_take_aligned(const struct vmt_hole *hole, char *reason)
{
	unsigned long half = min(vmt_hole_size(hole) / 2, LARGE_HOLE);
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
	if (IS_ALIGNED(addr, align) && addr >= hole->start &&
	    addr < hole->end) {
		vfree((void *)addr);
		return 0;
	}
	scnprintf(reason, VMT_REASON_LEN,
		  "misaligned: %lx, not aligned to %lx in the hole [%lx,%lx)",
		  addr, align, hole->start, hole->end);
	return -EFAULT;
}
