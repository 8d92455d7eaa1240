// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lays out areas and holes from the bottom up, in a part of the vmalloc range
 * that is empty otherwise. Each area is asked for at its place, so that the
 * outcome is the same whatever the kernel's policy, and preparing it is cheap.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/sizes.h>

#include "lib/fail.h"
#include "lib/room.h"
#include "lib/symbols.h"
#include "sweep/layout.h"
#include "vmalloc_test.h"

/* Above what is held there is room for what is timed. */
#define FOR_CALLS	SZ_1M

/* Areas that hold the holes, one above each and one below the lowest. */
static unsigned long nr_fences(void)
{
	return vmt_params.holes ? vmt_params.holes + 1 : 0;
}

/* Areas that come and go: busy= of them, or some where that is none. */
unsigned long vmt_nr_moving(void)
{
	return vmt_params.busy ?: 1000;
}

/* Room for busy=, for what holes= takes, and for @more areas. */
int vmt_layout_init(struct vmt_thread *t, struct vmt_layout *layout,
		    unsigned long more)
{
	/* The kernel's own are near the bottom, percpu's near the top. */
	unsigned long quarter = (VMALLOC_END - VMALLOC_START) / 4;

	*layout = (struct vmt_layout){
		.start = ALIGN(VMALLOC_START + quarter, vmt_unit()),
		.end = ALIGN_DOWN(VMALLOC_END - quarter, vmt_unit()),
		.max = vmt_params.busy + nr_fences() + more,
	};
	layout->most = layout->end - FOR_CALLS;
	layout->top = layout->start;
	layout->at = kvcalloc(max(layout->max, 1UL), sizeof(*layout->at),
			      GFP_KERNEL);
	if (!layout->at)
		return vmt_fail(t, -ENOMEM, "-ENOMEM: a list of %lu",
				layout->max);
	return 0;
}

/* An area that has no pages, which is never to be touched. */
struct vm_struct *vmt_get_pages(struct vmt_thread *t, unsigned long pages,
				unsigned long flags, unsigned long start,
				unsigned long end)
{
	struct vm_struct *area;

	area = vmt_get_area(pages * PAGE_SIZE, flags, start, end);
	if (!area)
		vmt_fail(t, -ENOMEM, "-ENOMEM: %lu pages in [%lx,%lx)", pages,
			 start, end);
	return area;
}

/* Next to what was placed or left before. */
int vmt_layout_place(struct vmt_thread *t, struct vmt_layout *layout,
		     unsigned long pages)
{
	unsigned long end = layout->top + VMT_TAKES(pages);
	struct vm_struct *area;

	if (layout->nr == layout->max)
		return vmt_fail(t, -ENOSPC, "-ENOSPC: after %lu areas",
				layout->nr);
	if (end > layout->most)
		return vmt_skip(t,
				"%lu MiB have room for %lu of the areas that busy=%lu and holes=%lu ask for",
				(layout->end - layout->start) / SZ_1M,
				layout->nr, vmt_params.busy, vmt_params.holes);
	area = vmt_get_pages(t, pages, VM_ALLOC, layout->top, end);
	if (!area)
		return -ENOMEM;
	layout->at[layout->nr++] = area;
	layout->top = end;
	return layout->nr % VMT_BREATHE_EVERY ? 0 : vmt_breathe(t);
}

/* A hole that an area of @pages fits into from edge to edge. */
void vmt_layout_leave(struct vmt_layout *layout, unsigned long pages)
{
	layout->top += VMT_TAKES(pages);
}

/* One-page holes, as many as holes= says, each between two areas. */
int vmt_layout_holes(struct vmt_thread *t, struct vmt_layout *layout)
{
	unsigned long fences = nr_fences();
	int err = 0;

	while (fences-- && !err) {
		err = vmt_layout_place(t, layout, 1);
		if (fences)
			vmt_layout_leave(layout, 1);
	}
	return err;
}

/* One-page areas that touch each other, as many as busy= says. */
int vmt_layout_busy(struct vmt_thread *t, struct vmt_layout *layout)
{
	unsigned long left = vmt_params.busy;
	int err = 0;

	while (left-- && !err)
		err = vmt_layout_place(t, layout, 1);
	return err;
}

void vmt_layout_release(struct vmt_layout *layout)
{
	while (layout->nr) {
		struct vm_struct *area = layout->at[--layout->nr];

		if (area)
			free_vm_area(area);
		if (layout->nr % VMT_BREATHE_EVERY == 0)
			cond_resched();
	}
	kvfree(layout->at);
	layout->at = NULL;
}
