// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests of random sizes and alignments among random areas of a slice. A
 * bitmap knows the lowest place for each. Several of a kind follow each other,
 * since the allocator may remember where it was.
 */
#include <linux/bitmap.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "lib/fail.h"
#include "lib/rng.h"
#include "lib/symbols.h"
#include "stress/first_fit.h"
#include "stress/model_requests.h"
#include "stress/request.h"
#include "vmalloc_test.h"

#define NR_RUNS		40
#define MAX_RUN		6
#define MAX_AREAS	256U
#define MAX_FENCE	6
#define MAX_HOLE	24

struct places {
	struct vmt_thread *t;
	unsigned long base;
	unsigned int nr;
	struct {
		void *addr;
		unsigned int first;
		unsigned int takes;
	} areas[MAX_AREAS];
	DECLARE_BITMAP(used, VMT_SLICE_PAGES);
};

static void *ask(struct places *p, const struct vmt_page_request *w)
{
	const struct vmt_request r = {
		.size = w->pages * PAGE_SIZE,
		.align = w->align,
		.flags = w->pages == w->takes ? VM_NO_GUARD : 0,
		.start = p->base + w->start * PAGE_SIZE,
		.end = p->base + w->end * PAGE_SIZE,
	};

	return vmt_request(&r);
}

static void add(struct places *p, const struct vmt_page_request *w, void *addr)
{
	unsigned int first = ((unsigned long)addr - p->base) / PAGE_SIZE;

	p->areas[p->nr].addr = addr;
	p->areas[p->nr].first = first;
	p->areas[p->nr++].takes = w->takes;
	bitmap_set(p->used, first, w->takes);
	p->t->allocated++;
}

static void release(struct places *p, unsigned int i)
{
	vfree(p->areas[i].addr);
	bitmap_clear(p->used, p->areas[i].first, p->areas[i].takes);
	p->areas[i] = p->areas[--p->nr];
}

/* Each at its address, so that it does not matter where others lie. */
static int lay_out(struct places *p)
{
	struct vmt_rng *rng = &p->t->rng;
	unsigned int page = vmt_rng_below(rng, MAX_HOLE);
	struct vmt_page_request w;
	void *addr;

	while (page + MAX_FENCE < VMT_SLICE_PAGES / 2) {
		w.pages = 1 + vmt_rng_below(rng, MAX_FENCE);
		w.takes = w.pages;
		w.start = page;
		w.end = page + w.pages;
		w.align = PAGE_SIZE;
		vmt_forget_searches();
		addr = ask(p, &w);
		if (!addr)
			return vmt_fail(p->t, -ENOMEM,
					"-ENOMEM: %u pages at %lx", w.pages,
					p->base + page * PAGE_SIZE);
		add(p, &w, addr);
		page = w.end + 1 + vmt_rng_below(rng, MAX_HOLE);
	}
	return 0;
}

/* A request of which it is known where it has to lie, if it fits at all. */
static int place_one(struct places *p, const struct vmt_page_request *w)
{
	unsigned long place = vmt_lowest_place(p->used, p->base, w);
	unsigned long addr = (unsigned long)ask(p, w);

	if (!addr && place < VMT_SLICE_PAGES)
		return vmt_fail(p->t, -ENOSPC,
				"refused: %u pages, align %lx, for which %lx is free",
				w->takes, w->align,
				p->base + place * PAGE_SIZE);
	if (!addr)
		return 0;
	if (addr < p->base || addr >= p->base + VMT_SLICE)
		return vmt_fail(p->t, -ERANGE,
				"outside of the window [%lx,%lx): %lx", p->base,
				p->base + VMT_SLICE, addr);
	if (vmt_params.first_fit && addr != p->base + place * PAGE_SIZE)
		return vmt_fail(p->t, -ERANGE,
				"misplaced: %u pages, align %lx, at %lx, where %lx is first",
				w->takes, w->align, addr,
				p->base + place * PAGE_SIZE);
	add(p, w, (void *)addr);
	return 0;
}

static int one_run(struct places *p)
{
	struct vmt_rng *rng = &p->t->rng;
	struct vmt_page_request w = {
		.pages = 1 + vmt_rng_below(rng, MAX_HOLE / 2),
		.align = PAGE_SIZE << vmt_rng_below(rng, 6),
		.end = VMT_SLICE_PAGES,
	};
	unsigned int i;
	int err = 0;

	w.takes = w.pages + vmt_rng_below(rng, 2);
	while (p->nr > MAX_AREAS / 2)
		release(p, vmt_rng_below(rng, p->nr));
	for (i = 0; i < MAX_RUN && p->nr; i++)
		release(p, vmt_rng_below(rng, p->nr));
	vmt_forget_searches();
	for (i = 0; i < MAX_RUN && !err; i++)
		err = place_one(p, &w);
	return err;
}

int vmt_fill_lowest_places(struct vmt_thread *t, unsigned long base)
{
	struct places *p;
	unsigned int i;
	int err;

	p = kzalloc(sizeof(*p), GFP_KERNEL);
	if (!p)
		return vmt_fail(t, -ENOMEM, "-ENOMEM: a list of areas");
	p->t = t;
	p->base = base;
	err = lay_out(p);
	for (i = 0; i < NR_RUNS && !err; i++)
		err = one_run(p);
	while (p->nr)
		release(p, p->nr - 1);
	vm_unmap_aliases();
	kfree(p);
	return err;
}
