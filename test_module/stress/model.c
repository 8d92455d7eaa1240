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
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "checks/block.h"
#include "lib/fail.h"
#include "lib/rng.h"
#include "lib/settle.h"
#include "lib/symbols.h"
#include "stress/model_requests.h"
#include "stress/request.h"
#include "vmalloc_test.h"

#define MAX_PIECES	96

/* Times that a request is repeated that was refused although it fits. */
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
	struct piece pieces[MAX_PIECES];
	DECLARE_BITMAP(used, VMT_SLICE_PAGES);
};

/*
 * Repeats a request that was refused although it fits. A purge that is under
 * way holds space back for a while, and stock 4.18 passes by holes; both are
 * over once the search begins at the start of all space again.
 */
static void *insist(struct vmt_thread *t, const struct vmt_request *r)
{
	unsigned int i;
	void *addr;

	for (i = 0; i < MAX_REPEATS; i++) {
		vmt_forget_searches();
		addr = vmt_request(r);
		if (addr) {
			t->refused_once++;
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
		     const struct vmt_page_request *w, void *addr)
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
	struct vmt_page_request w;
	void *addr;
	int err;

	vmt_draw_request(&t->rng, m->used, &w);
	if (!vmt_may_hold(t, w.pages))
		return 0;
	r = (struct vmt_request){
		.size = w.pages * PAGE_SIZE,
		.align = w.align,
		.flags = w.pages == w.takes ? VM_NO_GUARD : 0,
		.start = m->base + w.start * PAGE_SIZE,
		.end = m->base + w.end * PAGE_SIZE,
	};
	place = vmt_lowest_place(m->used, m->base, &w);

	addr = vmt_request(&r);
	t->lazy_pages_max = max(t->lazy_pages_max, vmt_lazy_pages());
	if (!addr && place < VMT_SLICE_PAGES)
		addr = insist(t, &r);
	if (!addr)
		return place < VMT_SLICE_PAGES ? -ENOSPC : 0;

	/* Where there is no place, one of these two has to fail. */
	err = vmt_request_check(t, &r, addr) ?: add_piece(t, m, &w, addr);
	if (!err && (unsigned long)addr != m->base + place * PAGE_SIZE)
		t->not_lowest++;
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

/* Allocates a little more often than it frees, so that the slice fills up. */
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
	kfree(m);
	return err;
}
