// SPDX-License-Identifier: GPL-2.0-only
/*
 * first_fit_test: holes are used. In a layout that is known, and while nobody
 * else asks, each request has one place where first fit has to put it.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "core/ktap.h"
#include "lib/fail.h"
#include "lib/room.h"
#include "lib/symbols.h"
#include "stress/first_fit.h"
#include "stress/request.h"
#include "vmalloc_test.h"

/*
 * A unit has a hole of nearly two blocks, in which no block is aligned, and
 * above it one of exactly a block, which is.
 */
#define NR_UNITS	32U
#define BLOCK		(vmt_unit() / (8 * NR_UNITS))
#define UNIT		(4 * BLOCK)
#define WIDE		PAGE_SIZE
#define WIDE_SIZE	(2 * BLOCK - 2 * PAGE_SIZE)
#define TIGHT		(3 * BLOCK)

/* The window, from the base on: a unit; the upper half of it is free. */
#define WINDOW		(2 * NR_UNITS * UNIT)

#define MAX_AREAS	(2 * NR_UNITS)

/* Areas at the top, where percpu's go. */
#define NR_TOP		12U

struct holes {
	struct vmt_thread *t;
	unsigned long base;
	unsigned int nr_fences;
	struct vm_struct *fences[2 * NR_UNITS + 1];
	unsigned int nr;
	struct vm_struct *areas[MAX_AREAS];
};

/* Requests for the same, one after the other, and where they have to lie. */
struct sequence {
	const char *what;
	unsigned long size;
	unsigned long flags;
	unsigned int nr;
	unsigned long places[2];	/* in a unit, in turn */
	unsigned int nr_places;
};

static int fence(struct holes *h, unsigned long start, unsigned long end)
{
	struct vm_struct *area;

	vmt_forget_searches();
	area = vmt_get_area(end - start, VM_ALLOC | VM_NO_GUARD,
			    h->base + start, h->base + end);
	if (!area)
		return vmt_fail(h->t, -ENOMEM, "-ENOMEM: an area at %lx",
				h->base + start);
	h->fences[h->nr_fences++] = area;
	return 0;
}

static int lay_out(struct holes *h)
{
	unsigned long unit;
	unsigned int i;
	int err = 0;

	for (i = 0; i < NR_UNITS && !err; i++) {
		unit = i * UNIT;
		err = fence(h, unit, unit + WIDE) ?:
		      fence(h, unit + WIDE + WIDE_SIZE, unit + TIGHT);
	}
	return err ?: fence(h, NR_UNITS * UNIT, NR_UNITS * UNIT + PAGE_SIZE);
}

static unsigned long place_of(const struct holes *h, const struct sequence *s,
			      unsigned int i)
{
	return h->base + i / s->nr_places * UNIT + s->places[i % s->nr_places];
}

/* All are asked for first, so that it can be said how many are where. */
static int judge(struct holes *h, const struct sequence *s)
{
	unsigned long end = h->base + NR_UNITS * UNIT;
	unsigned int used = 0;
	unsigned int i;

	for (i = 0; i < h->nr; i++)
		used += (unsigned long)h->areas[i]->addr < end;
	if (used < s->nr)
		return vmt_fail(h->t, -ENOSPC,
				"unused: %u of %u holes by %s of %lu KiB",
				s->nr - used, s->nr, s->what, s->size / SZ_1K);
	for (i = 0; i < h->nr && vmt_params.first_fit; i++) {
		unsigned long addr = (unsigned long)h->areas[i]->addr;

		if (addr != place_of(h, s, i))
			return vmt_fail(h->t, -ERANGE,
					"misplaced: number %u of the %s at %lx, where %lx is first",
					i, s->what, addr, place_of(h, s, i));
	}
	return 0;
}

static int ask(struct holes *h, const struct sequence *s)
{
	struct vm_struct *area;
	int err = 0;

	vmt_forget_searches();
	for (h->nr = 0; h->nr < s->nr; h->nr++) {
		area = vmt_get_area(s->size, s->flags | VM_NO_GUARD, h->base,
				    h->base + WINDOW);
		if (!area) {
			err = vmt_fail(h->t, -ENOSPC, "refused: %lu of the %s",
				       s->size, s->what);
			break;
		}
		h->areas[h->nr] = area;
		h->t->allocated++;
	}
	err = err ?: judge(h, s);
	while (h->nr)
		free_vm_area(h->areas[--h->nr]);
	vm_unmap_aliases();
	return err;
}

int vmt_fill_aligned_holes(struct vmt_thread *t, unsigned long base)
{
	const struct sequence sequences[] = {
		{ "aligned blocks", BLOCK, VM_IOREMAP, NR_UNITS, { TIGHT }, 1 },
		{ "wide holes", WIDE_SIZE, VM_ALLOC, NR_UNITS, { WIDE }, 1 },
		{ "blocks", BLOCK, VM_ALLOC, MAX_AREAS, { WIDE, TIGHT }, 2 },
	};
	struct holes *h;
	unsigned int i;
	int err;

	h = kzalloc(sizeof(*h), GFP_KERNEL);
	if (!h)
		return vmt_fail(t, -ENOMEM, "-ENOMEM: a list of areas");
	h->t = t;
	h->base = base;
	err = lay_out(h);
	for (i = 0; i < ARRAY_SIZE(sequences) && !err; i++)
		err = ask(h, &sequences[i]);
	while (h->nr_fences)
		free_vm_area(h->fences[--h->nr_fences]);
	vm_unmap_aliases();
	kfree(h);
	return err;
}

int first_fit_test(struct vmt_thread *t)
{
	unsigned long base, i;
	u64 began;
	int err;

	/* The others would only get in the way. */
	if (t->id)
		return 0;
	/* Then address space has shadow memory of an eighth of its size. */
	if (IS_ENABLED(CONFIG_KASAN_VMALLOC))
		return vmt_skip(t, "address space takes memory here");
	err = vmt_slice(t, &base);
	if (vmt_unit() < SZ_1G)
		vmt_ktap_scaled(t,
				"aligned holes of %lu KiB, in place of %lu KiB",
				BLOCK / SZ_1K,
				SZ_1G / (8UL * NR_UNITS) / SZ_1K);
	began = ktime_get_ns();
	for (i = 0; i < t->loops && !err; i++)
		err = vmt_free_vast_area(t, 2) ?:
		      vmt_fill_aligned_holes(t, base) ?:
		      vmt_find_last_hole(t, base) ?:
		      vmt_fill_lowest_places(t, base) ?:
		      vmt_fill_highest_places(t, NR_TOP) ?: vmt_breathe(t);
	t->ns = ktime_get_ns() - began;
	t->ops = i;
	return err ?: vmt_slice_is_one_hole(t, base);
}
