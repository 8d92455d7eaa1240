// SPDX-License-Identifier: GPL-2.0-only
/*
 * sweep_pcpu: what percpu asks for when it needs a chunk, two areas far apart,
 * which are looked for from the top of the vmalloc range downward. There lies
 * all that is held, with no room for them.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/vmalloc.h>

#include "core/ktap.h"
#include "core/timed.h"
#include "lib/fail.h"
#include "lib/room.h"
#include "lib/settle.h"
#include "lib/symbols.h"
#include "sweep/layout.h"
#include "vmalloc_test.h"

#define NR_AREAS	2
#define AREA_SIZE	SZ_64K

/* Chunks that may fit above what is held, of which there should be none. */
#define MAX_FILLERS	64

static const size_t sizes[NR_AREAS] = { AREA_SIZE, AREA_SIZE };

struct pcpu_sweep {
	struct vmt_layout layout;
	unsigned int nr_fillers;
	struct vm_struct **fillers[MAX_FILLERS];
};

static struct vm_struct **get_chunk(struct vmt_thread *t)
{
	const unsigned long offsets[NR_AREAS] = { 0, vmt_unit() };
	struct vm_struct **chunk;

	chunk = vmt_get_pcpu(offsets, sizes, NR_AREAS, AREA_SIZE);
	if (!chunk)
		vmt_fail(t, -ENOMEM, "-ENOMEM: a chunk of %d areas", NR_AREAS);
	return chunk;
}

/* The highest place in the vmalloc range that has @size. */
static int find_place(struct vmt_thread *t, struct vmt_layout *layout,
		      size_t size)
{
	const unsigned long offset = 0;
	struct vm_struct **place;

	if (size > vmt_range_size() / 2)
		return vmt_skip(t,
				"half of the vmalloc range has less than the %zu MiB that busy=%lu and holes=%lu ask for",
				size / SZ_1M, vmt_params.busy,
				vmt_params.holes);
	place = vmt_get_pcpu(&offset, &size, 1, PAGE_SIZE);
	if (!place)
		return vmt_fail(t, -ENOMEM, "-ENOMEM: %zu bytes at the top",
				size);
	layout->start = (unsigned long)place[0]->addr;
	layout->end = layout->start + size;
	layout->most = layout->end;
	layout->top = layout->start;
	vmt_free_pcpu(place, 1);
	vmt_settle();
	return 0;
}

/* One page below all the rest, and room for one above that no chunk gets. */
static int lay_out(struct vmt_thread *t, struct vmt_layout *layout)
{
	size_t areas = layout->max + vmt_params.holes + 1;
	int err;

	err = find_place(t, layout, areas * VMT_TAKES(1));
	err = err ?: vmt_layout_place(t, layout, 1);
	err = err ?: vmt_layout_holes(t, layout);
	return err ?: vmt_layout_busy(t, layout);
}

/* Takes the room that others left further up. */
static int fill_up(struct vmt_thread *t, struct pcpu_sweep *s)
{
	while (s->nr_fillers < MAX_FILLERS) {
		struct vm_struct **chunk = get_chunk(t);

		if (!chunk)
			return -ENOMEM;
		s->fillers[s->nr_fillers++] = chunk;
		if ((unsigned long)chunk[NR_AREAS - 1]->addr < s->layout.top)
			return 0;
	}
	return vmt_fail(t, -ENOSPC, "-ENOSPC: room for %d chunks at the top",
			MAX_FILLERS);
}

/*
 * Stock remembers where the last search ended, and begins there until an area
 * above it is given back. That is what happens here to the page at the top.
 */
static int pcpu_op(struct vmt_thread *t, void *ctx)
{
	struct pcpu_sweep *s = ctx;
	struct vm_struct **chunk;
	struct vm_struct *top;

	top = vmt_get_pages(t, 1, VM_ALLOC, s->layout.top, s->layout.end);
	if (!top)
		return -ENOMEM;
	free_vm_area(top);
	vm_unmap_aliases();

	chunk = get_chunk(t);
	if (!chunk)
		return -ENOMEM;
	vmt_free_pcpu(chunk, NR_AREAS);
	return 0;
}

int sweep_pcpu(struct vmt_thread *t)
{
	struct pcpu_sweep *s;
	int err;

	s = kvzalloc(sizeof(*s), GFP_KERNEL);
	if (!s)
		return vmt_fail(t, -ENOMEM, "-ENOMEM: a list of chunks");
	err = vmt_layout_init(t, &s->layout, 1);
	if (err)
		goto out_free;

	if (vmt_unit() < SZ_1G)
		vmt_ktap_scaled(t, "areas %lu MiB apart, in place of %u MiB",
				vmt_unit() / SZ_1M, SZ_1G / SZ_1M);
	err = lay_out(t, &s->layout) ?: fill_up(t, s);
	err = err ?: vmt_timed_loop(t, pcpu_op, s);
	while (s->nr_fillers)
		vmt_free_pcpu(s->fillers[--s->nr_fillers], NR_AREAS);
	vmt_layout_release(&s->layout);
out_free:
	kvfree(s);
	return err;
}
