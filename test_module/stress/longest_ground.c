// SPDX-License-Identifier: GPL-2.0-only
/*
 * Adverse layouts of address space, and requests that a search may take long
 * for. Below the ground nothing of 64 KiB is free; the ground itself has 20,000
 * holes, in none of which is a page aligned to 64 KiB; above it all is free.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "core/ktap.h"
#include "lib/areas.h"
#include "lib/fail.h"
#include "lib/room.h"
#include "lib/settle.h"
#include "lib/symbols.h"
#include "stress/lazy.h"
#include "stress/longest.h"

/* Fewer in a small range, of which the ground has a third at most. */
#define MAX_HOLES	20000UL
#define PERIOD		((unsigned long)SZ_64K)
#define MAX_FILLS	64UL

/* Calls of each kind in a round. */
#define NO_EDGE_FITS	200
#define MISALIGNED	20
#define PCPU_REQUESTS	5

/* Frees between two allocations, where a backlog grows. */
#define ALLOC_EVERY	16

const char *const vmt_adversities[VMT_NR_ADVERSITIES] = {
	[VMT_NO_EDGE_FIT] = "pages that fit no edge",
	[VMT_BACKLOG] = "a backlog that is given back",
	[VMT_MISALIGNED] = "a search past misaligned holes",
	[VMT_PCPU_NOWHERE] = "percpu areas that fit nowhere",
	[VMT_MISALIGNED_ALL] = "a search among misaligned holes alone",
};

const char *const vmt_adversity_keys[VMT_NR_ADVERSITIES] = {
	[VMT_NO_EDGE_FIT] = "no_edge_fit",
	[VMT_BACKLOG] = "backlog",
	[VMT_MISALIGNED] = "misaligned",
	[VMT_PCPU_NOWHERE] = "pcpu_nowhere",
	[VMT_MISALIGNED_ALL] = "misaligned_all",
};

static int keep(struct vmt_ground *g, unsigned long size, unsigned long start,
		unsigned long end)
{
	struct vm_struct *area = vmt_get_area(size, VM_ALLOC | VM_NO_GUARD,
					      start, end);

	if (!area)
		return vmt_fail(g->t, -ENOSPC, "refused: the hole [%lx,%lx)",
				start, end);
	g->areas[g->nr++] = area;
	return g->nr % VMT_BREATHE_EVERY ? 0 : vmt_breathe(g->t);
}

struct below {
	unsigned long end;
	struct vmt_hole hole;
};

/* A hole below the ground that has room for a percpu area. */
static bool is_wide(void *ctx, struct vmt_hole hole)
{
	struct below *below = ctx;

	hole.end = min(hole.end, below->end);
	if (hole.end <= hole.start || vmt_hole_size(&hole) < PERIOD)
		return false;
	below->hole = hole;
	return true;
}

static int fill_below(struct vmt_ground *g)
{
	unsigned long left = MAX_FILLS;
	int err = 0;

	while (left-- && !err) {
		struct below below = { .end = g->start };

		vmt_each_hole(is_wide, &below);
		if (!below.hole.end)
			return 0;
		vmt_forget_searches();
		err = keep(g, vmt_hole_size(&below.hole), below.hole.start,
			   below.hole.end);
	}
	return err ?: vmt_fail(g->t, -ENOSPC, "more than %lu holes below %lx",
			       MAX_FILLS, g->start);
}

/* Two pages at each multiple of 64 KiB; the other 14 are a hole. */
int vmt_ground_lay_out(struct vmt_ground *g)
{
	unsigned long at;
	int err = 0;

	for (at = g->start; at <= g->end && !err; at += PERIOD)
		err = keep(g, 2 * PAGE_SIZE, at, at + 2 * PAGE_SIZE);
	err = err ?: fill_below(g);
	vmt_settle();
	return err;
}

/* Keeps its lists for another layout. */
void vmt_ground_clear(struct vmt_ground *g)
{
	while (g->nr) {
		free_vm_area(g->areas[--g->nr]);
		if (g->nr % VMT_BREATHE_EVERY == 0)
			cond_resched();
	}
}

int vmt_ground_init(struct vmt_ground *g, struct vmt_thread *t)
{
	unsigned long quarter = (VMALLOC_END - VMALLOC_START) / 4;

	*g = (struct vmt_ground){
		.t = t,
		.start = ALIGN(VMALLOC_START + quarter, vmt_unit()),
		.nr_holes = min(MAX_HOLES, vmt_range_size() / 3 / PERIOD),
		/* Two pages each: eight times what starts a purge. */
		.nr_freed = min(4 * vmt_lazy_max_pages(),
				vmt_range_size() / 8 / (2 * PAGE_SIZE)),
	};
	g->end = g->start + g->nr_holes * PERIOD;
	if (g->nr_holes < MAX_HOLES)
		vmt_ktap_scaled(t,
				"%lu holes and a backlog of %lu areas, in place of %lu and %lu",
				g->nr_holes, g->nr_freed, MAX_HOLES,
				4 * vmt_lazy_max_pages());
	g->areas = kvcalloc(g->nr_holes + 1 + MAX_FILLS, sizeof(*g->areas),
			    GFP_KERNEL);
	g->freed = kvcalloc(g->nr_freed, sizeof(*g->freed), GFP_KERNEL);
	if (!g->areas || !g->freed)
		return vmt_fail(t, -ENOMEM, "-ENOMEM: a list of areas");
	return 0;
}

void vmt_ground_release(struct vmt_ground *g)
{
	vmt_ground_clear(g);
	kvfree(g->areas);
	kvfree(g->freed);
}

static void call_begins(struct vmt_ground *g)
{
	g->began = ktime_get_ns();
}

static void call_ends(struct vmt_ground *g, u64 *longest)
{
	*longest = max(*longest, ktime_get_ns() - g->began);
}

/* A page is allocated and freed; that it can be had is for others to check. */
static void allocate_page(struct vmt_ground *g, struct vmt_longest *longest,
			  unsigned long align, unsigned long start,
			  unsigned long end)
{
	void *addr;

	call_begins(g);
	addr = vmt_vmalloc_in(PAGE_SIZE, align, start, end, VMT_GFP);
	call_ends(g, &longest->alloc_ns);
	if (addr)
		g->t->allocated++;
	else
		g->t->alloc_failures++;
	call_begins(g);
	vfree(addr);
	call_ends(g, &longest->free_ns);
}

static int allocate_pages(struct vmt_ground *g, struct vmt_longest *longest,
			  unsigned long align, unsigned long start,
			  unsigned long end, unsigned int nr)
{
	int err = 0;

	while (nr-- && !err) {
		allocate_page(g, longest, align, start, end);
		err = vmt_breathe(g->t);
	}
	return err;
}

/* Areas without pages are freed; on the way some of the frees start a purge. */
static int free_many(struct vmt_ground *g, struct vmt_longest *longest)
{
	unsigned long nr = 0;
	int err = 0;

	while (nr < g->nr_freed && !err) {
		call_begins(g);
		g->freed[nr] = vmt_get_area(PAGE_SIZE, VM_ALLOC, VMALLOC_START,
					    VMALLOC_END);
		call_ends(g, &longest->alloc_ns);
		if (!g->freed[nr])
			break;
		if (++nr % VMT_BREATHE_EVERY == 0)
			err = vmt_breathe(g->t);
	}
	while (nr) {
		call_begins(g);
		free_vm_area(g->freed[--nr]);
		call_ends(g, &longest->free_ns);
		if (nr % ALLOC_EVERY == 0)
			allocate_page(g, longest, PAGE_SIZE, VMALLOC_START,
				      VMALLOC_END);
	}
	return err;
}

/*
 * Two areas so far apart that the lower one would have to lie in the ground or
 * below, where no hole has its size.
 */
static int ask_for_chunks(struct vmt_ground *g, struct vmt_longest *longest)
{
	const unsigned long offsets[] = {
		0, ALIGN_DOWN(VMALLOC_END - g->end, PERIOD)
	};
	const size_t sizes[] = { PERIOD, PERIOD };
	struct vm_struct **chunk;
	unsigned int i;

	for (i = 0; i < PCPU_REQUESTS; i++) {
		call_begins(g);
		chunk = vmt_get_pcpu(offsets, sizes, ARRAY_SIZE(sizes), PERIOD);
		call_ends(g, &longest->alloc_ns);
		if (!chunk)
			continue;
		vmt_fail(g->t, -EFAULT,
			 "misplaced: a chunk at %lx, which does not fit",
			 (unsigned long)chunk[0]->addr);
		vmt_free_pcpu(chunk, ARRAY_SIZE(sizes));
		return -EFAULT;
	}
	return vmt_breathe(g->t);
}

int vmt_adversity(struct vmt_ground *g, enum vmt_adversity which)
{
	struct vmt_longest *longest = &g->longest[which];

	switch (which) {
	case VMT_NO_EDGE_FIT:
		return allocate_pages(g, longest, SZ_4M, VMALLOC_START,
				      VMALLOC_END, NO_EDGE_FITS);
	case VMT_BACKLOG:
		return free_many(g, longest);
	case VMT_MISALIGNED:
		return allocate_pages(g, longest, PERIOD, g->start,
				      VMALLOC_END, MISALIGNED);
	case VMT_MISALIGNED_ALL:
		return allocate_pages(g, longest, PERIOD, g->start, g->end,
				      MISALIGNED);
	case VMT_PCPU_NOWHERE:
		return ask_for_chunks(g, longest);
	default:
		return -EINVAL;
	}
}
