// SPDX-License-Identifier: GPL-2.0-only
/*
 * Areas that percpu asks for lie as high in the vmalloc range as they can. The
 * highest place follows from the kernel's list of areas.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "lib/areas.h"
#include "lib/fail.h"
#include "lib/settle.h"
#include "lib/symbols.h"
#include "stress/first_fit.h"
#include "vmalloc_test.h"

#define MAX_BUSY	4096

#define FENCE_SIZE	SZ_1M
#define ALIGN_LITTLE	SZ_64K

#define MAX_NR		3

/* The rest of the kernel may allocate between looking and asking. */
#define ATTEMPTS	4

struct group {
	int nr;
	size_t align;
	unsigned long offsets[MAX_NR];
	size_t sizes[MAX_NR];
};

static const struct group groups[] = {
	{ 1, SZ_64K, { 0 }, { SZ_1M } },
	{ 1, SZ_64K, { 0 }, { SZ_1M + SZ_64K } },
	{ 1, SZ_1M, { 0 }, { SZ_1M } },
	{ 2, SZ_64K, { 0, SZ_2M }, { SZ_512K, SZ_1M } },
	{ 3, SZ_64K, { SZ_4M, 0, SZ_2M }, { SZ_64K, SZ_1M, SZ_128K } },
	{ 2, SZ_256K, { SZ_1M, 0 }, { SZ_256K, SZ_512K } },
};

struct tops {
	struct vmt_thread *t;
	struct vm_struct **fences[VMT_MAX_FENCES];
	unsigned long last_page;	/* the highest that is free */
	unsigned int nr;
	struct {
		unsigned long start;
		unsigned long end;
	} busy[MAX_BUSY];
};

static bool note_busy(void *ctx, const struct vmap_area *va)
{
	struct tops *tops = ctx;

	if (va->va_end <= VMALLOC_START || va->va_start >= VMT_RANGE_END)
		return false;
	if (tops->nr < MAX_BUSY) {
		tops->busy[tops->nr].start = va->va_start;
		tops->busy[tops->nr].end = va->va_end;
	}
	return tops->nr++ == MAX_BUSY;
}

static bool note_hole(void *ctx, struct vmt_hole hole)
{
	struct tops *tops = ctx;

	tops->last_page = hole.end - PAGE_SIZE;
	return false;
}

/* The start of the highest area that overlaps; 0 where none does. */
static unsigned long overlapping(const struct tops *tops, unsigned long start,
				 unsigned long end)
{
	unsigned int i = tops->nr;

	while (i--)
		if (tops->busy[i].start < end && tops->busy[i].end > start)
			return tops->busy[i].start;
	return 0;
}

/* Moves the group down until none of it overlaps. */
static unsigned long highest_place(const struct tops *tops,
				   const struct group *g)
{
	unsigned long base, area, busy, span = 0;
	int i;

	for (i = 0; i < g->nr; i++)
		span = max(span, g->offsets[i] + g->sizes[i]);
	base = ALIGN_DOWN(VMT_RANGE_END, g->align) - span;
	for (i = 0; i < g->nr; i++) {
		area = base + g->offsets[i];
		busy = overlapping(tops, area, area + g->sizes[i]);
		if (!busy)
			continue;
		base = ALIGN_DOWN(busy - g->sizes[i] - g->offsets[i], g->align);
		i = -1;
	}
	return base;
}

/*
 * Stock looks no higher than where its last group went or an area was given
 * back, so one is given back above all that is free.
 */
static int look_from_the_top(struct tops *tops)
{
	struct vm_struct *area;

	vmt_settle();
	vmt_forget_searches();
	vmt_each_hole(note_hole, tops);
	area = vmt_get_area(PAGE_SIZE, VM_ALLOC | VM_NO_GUARD, tops->last_page,
			    tops->last_page + PAGE_SIZE);
	if (!area)
		return vmt_fail(tops->t, -ENOSPC, "refused: the page at %lx",
				tops->last_page);
	free_vm_area(area);
	vm_unmap_aliases();
	return 0;
}

static int place_group(struct tops *tops, const struct group *g)
{
	unsigned long place, addr = 0;
	struct vm_struct **got;
	unsigned int attempt;
	int err;

	for (attempt = 0; attempt < ATTEMPTS; attempt++) {
		err = look_from_the_top(tops);
		if (err)
			return err;
		tops->nr = 0;
		vmt_each_area(vmt_busy_list(), note_busy, tops);
		if (tops->nr > MAX_BUSY)
			return vmt_skip(tops->t, "too many areas to look at");
		place = highest_place(tops, g);
		got = vmt_get_pcpu(g->offsets, g->sizes, g->nr, g->align);
		if (!got)
			return vmt_fail(tops->t, -ENOMEM,
					"refused: percpu's areas, at %lx",
					place);
		tops->t->allocated++;
		addr = (unsigned long)got[0]->addr - g->offsets[0];
		vmt_free_pcpu(got, g->nr);
		if (addr == place)
			return 0;
	}
	return vmt_fail(tops->t, -ERANGE,
			"misplaced: percpu's %d areas at %lx, where %lx is highest",
			g->nr, addr, place);
}

/* Every second is freed again, to make holes. */
static int lay_out(struct tops *tops, unsigned int fences)
{
	const unsigned long offset = 0;
	const size_t size = FENCE_SIZE;
	unsigned int i;

	for (i = 0; i < fences; i++) {
		tops->fences[i] = vmt_get_pcpu(&offset, &size, 1, ALIGN_LITTLE);
		if (!tops->fences[i])
			return vmt_fail(tops->t, -ENOMEM,
					"-ENOMEM: %zu bytes at the top", size);
	}
	for (i = 0; i < fences; i += 2) {
		vmt_free_pcpu(tops->fences[i], 1);
		tops->fences[i] = NULL;
	}
	return 0;
}

int vmt_fill_highest_places(struct vmt_thread *t, unsigned int fences)
{
	struct tops *tops;
	unsigned int i;
	int err;

	if (!vmt_busy_list() || !vmt_have_pcpu() || !vmt_params.first_fit)
		return 0;
	tops = kvzalloc(sizeof(*tops), GFP_KERNEL);
	if (!tops)
		return vmt_fail(t, -ENOMEM, "-ENOMEM: a list of areas");
	tops->t = t;
	err = lay_out(tops, fences);
	for (i = 0; i < ARRAY_SIZE(groups) && !err; i++)
		err = place_group(tops, &groups[i]);
	for (i = 0; i < fences; i++)
		if (tops->fences[i])
			vmt_free_pcpu(tops->fences[i], 1);
	vm_unmap_aliases();
	kvfree(tops);
	return err;
}
