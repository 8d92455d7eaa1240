// SPDX-License-Identifier: GPL-2.0-only
/*
 * window_test: requests whose windows straddle the ends of the vmalloc range,
 * begin below it and reach deep into it, or are as large as what is asked for.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "checks/block.h"
#include "checks/overlap.h"
#include "lib/areas.h"
#include "lib/fail.h"
#include "lib/rng.h"
#include "lib/room.h"
#include "lib/settle.h"
#include "lib/symbols.h"
#include "stress/request.h"
#include "vmalloc_test.h"

#define MAX_HELD	24
#define MAX_PAGES	16

/* The space in which windows of random places begin, or what there is. */
#define SPACE		((unsigned long)SZ_32M)

/* Pages of a window within the range, where it reaches over an end of it. */
#define WITHIN		8

/*
 * Pages of it beyond the range. There may be but 64 KiB to what comes next. In
 * later kernels of 32-bit Arm the device tree follows at once. Nobody tells the
 * allocator, which gives that place away to who asks for it. With KASAN_VMALLOC
 * nothing beyond the range has shadow memory that can be written.
 */
#define BEYOND		(IS_ENABLED(CONFIG_KASAN_VMALLOC) ? 0 : 8)
#ifdef FDT_FIXED_BASE
#define BEYOND_END	0
#else
#define BEYOND_END	BEYOND
#endif

#define MAX_REPEATS	3

/*
 * Less than there is memory, as more is refused before a place is looked for.
 */
#define ENDLESS		SZ_8M

struct held {
	struct vmt_tracked area;
	unsigned long pages;
	void *addr;
};

struct windows {
	unsigned long step;
	struct held held[MAX_HELD];
};

enum kind {
	STRADDLE_START, STRADDLE_END, FROM_BELOW, RANDOM, EXACT, TOO_SMALL,
	ALIGNED
};

/* Those that are refused are rare, as each makes the kernel purge first. */
static const enum kind kinds[] = {
	FROM_BELOW, FROM_BELOW, FROM_BELOW, FROM_BELOW, RANDOM, RANDOM, RANDOM,
	RANDOM, ALIGNED, ALIGNED, ALIGNED, EXACT, EXACT, STRADDLE_START,
	STRADDLE_END, TOO_SMALL
};

static unsigned long pages_below(struct vmt_rng *rng, unsigned int bound)
{
	return bound ? (1 + vmt_rng_below(rng, bound)) * PAGE_SIZE : 0;
}

/*
 * In the lower quarter of the range, as the middle belongs to other tests, and
 * near each other: page tables, once there, are never freed.
 */
static unsigned long draw_address(struct vmt_rng *rng)
{
	unsigned long eighth = vmt_range_size() / 8;

	return PAGE_ALIGN(VMALLOC_START + eighth) +
	       vmt_rng_below(rng, min(SPACE, eighth) / PAGE_SIZE) * PAGE_SIZE;
}

static void draw_window(struct vmt_rng *rng, enum kind kind,
			struct vmt_request *r)
{
	unsigned long quarter = (VMALLOC_END - VMALLOC_START) / 4;

	switch (kind) {
	case STRADDLE_START:
		r->start = VMALLOC_START - pages_below(rng, BEYOND);
		r->end = VMALLOC_START + pages_below(rng, WITHIN);
		break;
	case STRADDLE_END:
		r->start = VMT_RANGE_END - pages_below(rng, WITHIN);
		r->end = VMT_RANGE_END + pages_below(rng, BEYOND_END);
		break;
	case FROM_BELOW:
	case ALIGNED:
		r->start = VMALLOC_START - pages_below(rng, BEYOND);
		r->end = PAGE_ALIGN(VMALLOC_START + quarter);
		break;
	case RANDOM:
		r->start = draw_address(rng);
		r->end = r->start + pages_below(rng, 4 * MAX_PAGES);
		break;
	case EXACT:
		r->start = draw_address(rng);
		r->end = r->start + vmt_request_takes(r);
		break;
	case TOO_SMALL:
		r->start = draw_address(rng);
		r->end = r->start + pages_below(rng, MAX_PAGES) - PAGE_SIZE;
		r->end = min(r->end, r->start + vmt_request_takes(r) -
				     PAGE_SIZE);
		break;
	}
}

/* Returns whether such windows have room whatever all threads hold. */
static bool has_room(enum kind kind)
{
	return kind == FROM_BELOW;
}

static enum kind draw(struct vmt_rng *rng, struct vmt_request *r)
{
	enum kind kind = kinds[vmt_rng_below(rng, ARRAY_SIZE(kinds))];
	bool small = kind == STRADDLE_START || kind == STRADDLE_END;

	*r = (struct vmt_request){
		.size = pages_below(rng, small ? 3 : MAX_PAGES),
		.align = vmt_rng_below(rng, 2) ? PAGE_SIZE : 1,
		.flags = vmt_rng_below(rng, 2) ? VM_NO_GUARD : 0,
	};
	if (kind == ALIGNED)
		r->align = PAGE_SIZE << vmt_rng_below(rng, 27 - PAGE_SHIFT);
	else if (!vmt_rng_below(rng, 4))
		r->align = PAGE_SIZE << vmt_rng_below(rng, 4);
	draw_window(rng, kind, r);
	return kind;
}

static void *ask(struct vmt_thread *t, enum kind kind,
		 const struct vmt_request *r)
{
	void *addr = vmt_request(r);
	unsigned int i;

	t->lazy_pages_max = max(t->lazy_pages_max, vmt_lazy_pages());
	for (i = 0; !addr && has_room(kind) && i < MAX_REPEATS; i++) {
		vmt_settle();
		addr = vmt_request(r);
	}
	if (!addr && has_room(kind))
		vmt_fail(t, -ENOSPC,
			 "refused: %lx bytes, align %lx, in [%lx,%lx)",
			 vmt_request_takes(r), r->align, r->start, r->end);
	return addr;
}

static void give_back(struct vmt_thread *t, struct held *held)
{
	if (!held->addr)
		return;
	/* First, as the area may be somebody else's once it is freed. */
	vmt_untrack(&held->area);
	vfree(held->addr);
	held->addr = NULL;
	t->live_pages -= held->pages;
}

/* Replaces the oldest area; requests that may be refused often are. */
static int window_op(struct vmt_thread *t, struct windows *w)
{
	struct held *held = &w->held[w->step++ % MAX_HELD];
	struct vmt_request r;
	enum kind kind;
	void *addr;
	int err;

	give_back(t, held);
	kind = draw(&t->rng, &r);
	held->pages = r.size / PAGE_SIZE;
	if (!vmt_may_hold(t, held->pages))
		return 0;
	addr = ask(t, kind, &r);
	if (!addr)
		return has_room(kind) ? -ENOSPC : 0;

	err = vmt_request_check(t, &r, addr);
	if (err)
		return err;
	err = vmt_track(t, &held->area, addr, vmt_request_takes(&r));
	if (err)
		return err;
	held->addr = addr;
	t->live_pages += held->pages;
	t->allocated++;
	return 0;
}

/* Requests whose end, or size with the guard page, is beyond ULONG_MAX. */
static int check_endless(struct vmt_thread *t)
{
	const unsigned long top = ULONG_MAX & PAGE_MASK;
	const struct vmt_request endless[] = {
		{ ENDLESS, 1, VM_NO_GUARD, top - ENDLESS / 2, top },
		{ ENDLESS, 1, 0, top - ENDLESS / 2, top },
		{ ENDLESS, PMD_SIZE, 0, top - ENDLESS / 2, top },
		{ ENDLESS, 1, VM_NO_GUARD, top + PAGE_SIZE - ENDLESS, top },
		{ ULONG_MAX, 1, 0, VMALLOC_START, VMALLOC_END },
		{ top, 1, 0, VMALLOC_START, VMALLOC_END },
		{ top - PAGE_SIZE, PMD_SIZE, 0, VMALLOC_START, top },
	};
	unsigned int i;
	void *addr;

	for (i = 0; i < ARRAY_SIZE(endless); i++) {
		addr = vmt_request(&endless[i]);
		if (addr)
			return vmt_fail(t, -EOVERFLOW,
					"outside of the window [%lx,%lx): %lx bytes at %lx",
					endless[i].start, endless[i].end,
					endless[i].size, (unsigned long)addr);
	}
	return 0;
}

int window_test(struct vmt_thread *t)
{
	struct windows *w;
	unsigned int i;
	u64 began;
	int err;

	/* Not on the stack, as a thread that dies leaves its areas behind. */
	w = kzalloc(sizeof(*w), GFP_KERNEL);
	if (!w)
		return vmt_fail(t, -ENOMEM, "-ENOMEM: a list of areas");

	err = check_endless(t);
	began = ktime_get_ns();
	while (w->step < t->loops && !err)
		err = window_op(t, w) ?: vmt_breathe(t);
	t->ns = ktime_get_ns() - began;
	t->ops = w->step;

	for (i = 0; i < MAX_HELD; i++)
		give_back(t, &w->held[i]);
	kfree(w);
	return err;
}
