// SPDX-License-Identifier: GPL-2.0-only
/*
 * model_test: random requests in a slice of empty address space, of which a
 * bitmap knows what is free. So it is known for each whether it has to succeed.
 */
#include <linux/bitmap.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/pfn.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "block.h"
#include "ktap.h"
#include "request.h"
#include "symbols.h"
#include "vmalloc_test.h"

#define MAX_PIECES	96

/* How often a request is repeated that was refused although it fits. */
#define MAX_REPEATS	3

/* In pages from the base of the slice. */
struct piece {
	unsigned int first;
	unsigned int takes;
	unsigned int pages;	/* without the guard page */
	void *addr;
};

struct model {
	unsigned long base;
	unsigned int nr;
	unsigned long refused_once;
	unsigned long not_lowest;
	struct piece pieces[MAX_PIECES];
	DECLARE_BITMAP(used, VMT_SLICE_PAGES);
};

/* A request in pages from the base; the window may be inverted. */
struct wish {
	unsigned int pages;
	unsigned int takes;
	unsigned int start;
	unsigned int end;
	unsigned long align;
};

/* The lowest place that fits; VMT_SLICE_PAGES if there is none. */
static unsigned long place_of(const struct model *m, const struct wish *w)
{
	unsigned long mask = max(w->align >> PAGE_SHIFT, 1UL) - 1;
	unsigned long first;

	if (w->start >= w->end || w->end - w->start < w->takes)
		return VMT_SLICE_PAGES;
	first = bitmap_find_next_zero_area_off((unsigned long *)m->used,
					       w->end, w->start, w->takes,
					       mask, PFN_DOWN(m->base));
	return first + w->takes <= w->end ? first : VMT_SLICE_PAGES;
}

/* Small ones mostly, since it takes many of them to make a pattern of holes. */
static unsigned int draw_pages(struct vmt_rng *rng)
{
	switch (vmt_rng_below(rng, 8)) {
	case 0:
		return 1 + vmt_rng_below(rng, 48);
	case 1:
	case 2:
		return 1 + vmt_rng_below(rng, 16);
	default:
		return 1 + vmt_rng_below(rng, 4);
	}
}

static unsigned long draw_align(struct vmt_rng *rng)
{
	switch (vmt_rng_below(rng, 4)) {
	case 0:
		return PAGE_SIZE << vmt_rng_below(rng, 11);
	case 1:
		return PAGE_SIZE << vmt_rng_below(rng, 5);
	case 2:
		return PAGE_SIZE;
	default:
		return 1;
	}
}

/* A hole at or above some place, with its size as what is asked for. */
static void draw_hole(struct vmt_rng *rng, const struct model *m,
		      struct wish *w)
{
	unsigned long from = vmt_rng_below(rng, VMT_SLICE_PAGES);
	unsigned long used = find_next_bit(m->used, VMT_SLICE_PAGES, from);
	unsigned long start = find_next_zero_bit(m->used, VMT_SLICE_PAGES,
						 used);
	unsigned long end = find_next_bit(m->used, VMT_SLICE_PAGES, start);

	if (start >= end)
		return;
	w->start = start;
	w->end = end;
	if (end - start <= 48 && vmt_rng_below(rng, 4))
		w->takes = end - start;
}

enum window {
	WHOLE, RANDOM, INVERTED, EXACT, TOO_SMALL, HOLE, HOLE_AND_BELOW,
	HOLE_AND_ABOVE, HOLE_LESS_A_PAGE, NR_WINDOWS
};

static void draw_window(struct vmt_rng *rng, const struct model *m,
			struct wish *w)
{
	unsigned int kind = vmt_rng_below(rng, NR_WINDOWS);
	unsigned int a = vmt_rng_below(rng, VMT_SLICE_PAGES + 1);
	unsigned int b = vmt_rng_below(rng, VMT_SLICE_PAGES + 1);

	w->start = 0;
	w->end = VMT_SLICE_PAGES;
	switch (kind) {
	case RANDOM:
		w->start = min(a, b);
		w->end = max(a, b);
		break;
	case INVERTED:
		w->start = max(a, b);
		w->end = min(a, b);
		break;
	case EXACT:
		w->start = vmt_rng_below(rng, VMT_SLICE_PAGES - w->takes);
		w->end = w->start + w->takes;
		break;
	case TOO_SMALL:
		w->start = vmt_rng_below(rng, VMT_SLICE_PAGES - w->takes);
		w->end = w->start + vmt_rng_below(rng, w->takes);
		break;
	case HOLE:
	case HOLE_AND_BELOW:
	case HOLE_AND_ABOVE:
	case HOLE_LESS_A_PAGE:
		draw_hole(rng, m, w);
		if (kind == HOLE_AND_BELOW)
			w->start = vmt_rng_below(rng, w->start + 1);
		if (kind == HOLE_AND_ABOVE)
			w->end = max(w->end, a);
		if (kind == HOLE_LESS_A_PAGE)
			w->end--;
		break;
	}
}

static void draw(struct vmt_rng *rng, const struct model *m, struct wish *w)
{
	bool guard = vmt_rng_below(rng, 4);

	w->takes = draw_pages(rng) + guard;
	w->align = draw_align(rng);
	draw_window(rng, m, w);
	if (w->takes == 1)
		guard = false;
	w->pages = w->takes - guard;
}

/*
 * What a purge under way holds back is not there at once, and stock 4.18
 * passes by holes; neither stands a look at all of the space from its start.
 */
static void *insist(struct vmt_thread *t, struct model *m,
		    const struct vmt_request *r)
{
	unsigned int i;
	void *addr;

	for (i = 0; i < MAX_REPEATS; i++) {
		vmt_forget_searches();
		addr = vmt_request(r);
		if (addr) {
			m->refused_once++;
			return addr;
		}
		vmt_settle();
	}
	vmt_fail(t, -ENOSPC,
		 "refused: %lx bytes, align %lx, in [%lx,%lx), where they fit",
		 vmt_request_takes(r), r->align, r->start, r->end);
	return NULL;
}

static int add_piece(struct vmt_thread *t, struct model *m,
		     const struct wish *w, void *addr)
{
	unsigned long first = ((unsigned long)addr - m->base) / PAGE_SIZE;
	unsigned long used = find_next_bit(m->used, first + w->takes, first);

	if (used < first + w->takes)
		return vmt_fail(t, -EEXIST,
				"overlap of [%lx,%lx) with what holds %lx",
				(unsigned long)addr,
				(unsigned long)addr + w->takes * PAGE_SIZE,
				m->base + used * PAGE_SIZE);
	bitmap_set(m->used, first, w->takes);
	m->pieces[m->nr++] = (struct piece){
		.first = first,
		.takes = w->takes,
		.pages = w->pages,
		.addr = addr,
	};
	t->live_pages += w->pages;
	t->allocated++;
	return 0;
}

static int allocate(struct vmt_thread *t, struct model *m)
{
	struct vmt_request r;
	unsigned long place;
	struct wish w;
	void *addr;
	int err;

	draw(&t->rng, m, &w);
	if (!vmt_may_hold(t, w.pages))
		return 0;
	r = (struct vmt_request){
		.size = w.pages * PAGE_SIZE,
		.align = w.align,
		.flags = w.pages == w.takes ? VM_NO_GUARD : 0,
		.start = m->base + w.start * PAGE_SIZE,
		.end = m->base + w.end * PAGE_SIZE,
	};
	place = place_of(m, &w);

	addr = vmt_request(&r);
	t->lazy_pages_max = max(t->lazy_pages_max, vmt_lazy_pages());
	if (!addr && place < VMT_SLICE_PAGES)
		addr = insist(t, m, &r);
	if (!addr)
		return place < VMT_SLICE_PAGES ? -ENOSPC : 0;

	/* Where there is no place, one of these two has to fail. */
	err = vmt_request_check(t, &r, addr) ?: add_piece(t, m, &w, addr);
	if (!err && (unsigned long)addr != m->base + place * PAGE_SIZE)
		m->not_lowest++;
	return err;
}

static void release(struct vmt_thread *t, struct model *m, unsigned int i)
{
	struct piece piece = m->pieces[i];

	vfree(piece.addr);
	bitmap_clear(m->used, piece.first, piece.takes);
	t->live_pages -= piece.pages;
	m->pieces[i] = m->pieces[--m->nr];
}

/* A little more often than not it grows, until there is no more room in it. */
static int model_op(struct vmt_thread *t, struct model *m)
{
	if (m->nr == MAX_PIECES || (m->nr && vmt_rng_below(&t->rng, 9) < 4)) {
		release(t, m, vmt_rng_below(&t->rng, m->nr));
		return 0;
	}
	return allocate(t, m);
}

int model_test(struct vmt_thread *t)
{
	struct model *m;
	unsigned long i;
	u64 began;
	int err;

	m = kzalloc(sizeof(*m), GFP_KERNEL);
	if (!m)
		return vmt_fail(t, -ENOMEM, "-ENOMEM: a model");
	err = vmt_slice(t, &m->base);

	began = ktime_get_ns();
	for (i = 0; i < t->loops && !err; i++)
		err = model_op(t, m) ?: vmt_breathe(t);
	t->ns = ktime_get_ns() - began;
	t->ops = i;

	while (m->nr)
		release(t, m, m->nr - 1);
	err = err ?: vmt_slice_is_one_hole(t, m->base);
	vmt_ktap_model(t, m->refused_once, m->not_lowest);
	kfree(m);
	return err;
}
