// SPDX-License-Identifier: GPL-2.0-only
/*
 * pcpu_full_test: what percpu asks for where next to nothing is free: no hole
 * of the size, one of exactly the size, one that was freed but not purged yet,
 * and one above where the last chunk went.
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
#include "vmalloc_test.h"

/*
 * 16 MiB, or in a small range a quarter of its unit: fewer pages than what
 * starts a purge.
 */
#define CHUNK		min_t(unsigned long, SZ_16M, vmt_unit() / 4)
#define ALIGN_LITTLE	SZ_64K

/* Where the two places are, in the middle. */
#define ROOM		(64 * CHUNK)

/* Space that others may need meanwhile, in the lowest hole. */
#define FOR_OTHERS	SZ_8M

/* Of the space between the low place and the high one. */
#define DISTANCE	(4 * CHUNK)

#define MAX_FILLS	64

struct full {
	struct vmt_thread *t;
	unsigned int nr;
	struct vm_struct *fills[MAX_FILLS];

	/* Two places for a chunk; only the low one is aligned to its size. */
	unsigned long low;
	unsigned long high;
	struct vm_struct *at_low;
	struct vm_struct *at_high;
};

struct search {
	unsigned long size;
	struct vmt_hole *hole;
	bool found;
};

static bool suits(void *ctx, struct vmt_hole hole)
{
	struct search *search = ctx;

	if (vmt_hole_size(&hole) < search->size)
		return false;
	*search->hole = hole;
	search->found = true;
	return true;
}

/* The lowest hole of the vmalloc range that has @size. */
static bool find_hole(unsigned long size, struct vmt_hole *hole)
{
	struct search search = { .size = size, .hole = hole };

	vmt_each_hole(suits, &search);
	return search.found;
}

static struct vm_struct *take(struct full *f, unsigned long start,
			      unsigned long end)
{
	struct vm_struct *area;

	vmt_forget_searches();
	area = vmt_get_area(end - start, VM_ALLOC | VM_NO_GUARD, start, end);
	if (!area)
		vmt_fail(f->t, -ENOSPC, "refused: the hole [%lx,%lx)", start,
			 end);
	return area;
}

static int fill(struct full *f, unsigned long start, unsigned long end)
{
	if (f->nr == MAX_FILLS)
		return vmt_fail(f->t, -ENOSPC, "more than %u holes of %lx",
				MAX_FILLS, CHUNK);
	f->fills[f->nr] = take(f, start, end);
	if (!f->fills[f->nr])
		return -ENOSPC;
	f->nr++;
	return 0;
}

static int fill_up(struct full *f)
{
	struct vmt_hole hole;
	int err;

	vmt_settle();
	if (!find_hole(ROOM, &hole))
		return vmt_fail(f->t, -ENOSPC, "no hole of %lx", ROOM);
	f->low = ALIGN(hole.start + ROOM / 2, CHUNK);
	f->high = f->low + CHUNK + DISTANCE + ALIGN_LITTLE;
	err = fill(f, hole.start + FOR_OTHERS, f->low) ?:
	      fill(f, f->low + CHUNK, f->high);
	if (err)
		return err;
	f->at_low = take(f, f->low, f->low + CHUNK);
	f->at_high = take(f, f->high, f->high + CHUNK);
	if (!f->at_low || !f->at_high)
		return -ENOSPC;

	while (!err && find_hole(CHUNK, &hole))
		err = fill(f, hole.start, hole.end);
	return err;
}

static void give_back(struct vm_struct **area)
{
	if (*area)
		free_vm_area(*area);
	*area = NULL;
	vm_unmap_aliases();
}

static void empty(struct full *f)
{
	while (f->nr)
		give_back(&f->fills[--f->nr]);
	give_back(&f->at_low);
	give_back(&f->at_high);
}

/* A chunk of one area, which has to be at @place, or refused if that is 0. */
static int ask(struct full *f, unsigned long place, size_t align,
	       const char *what, struct vm_struct ***chunk)
{
	const unsigned long offset = 0;
	const size_t size = CHUNK;
	unsigned long addr;

	*chunk = vmt_get_pcpu(&offset, &size, 1, align);
	if (!*chunk && place)
		return vmt_fail(f->t, -ENOMEM, "refused: %s, at %lx", what,
				place);
	if (!*chunk)
		return 0;
	addr = (unsigned long)(*chunk)[0]->addr;
	if (addr == place) {
		f->t->allocated++;
		return 0;
	}
	/* It stays, as it may be somebody else's. */
	*chunk = NULL;
	return vmt_fail(f->t, -EFAULT, "misplaced: a chunk at %lx, for %s",
			addr, what);
}

static void put(struct vm_struct ***chunk)
{
	if (*chunk)
		vmt_free_pcpu(*chunk, 1);
	*chunk = NULL;
}

static int ask_all(struct full *f)
{
	struct vm_struct **chunk, **other = NULL;
	int err;

	err = ask(f, 0, ALIGN_LITTLE, "which nothing is free", &chunk);
	if (err)
		return err;
	give_back(&f->at_low);
	err = ask(f, f->low, ALIGN_LITTLE, "a hole of exactly the size",
		  &chunk);
	if (err)
		return err;
	put(&chunk);
	err = ask(f, f->low, ALIGN_LITTLE, "a hole that is not purged yet",
		  &chunk);
	if (err)
		return err;
	put(&chunk);
	give_back(&f->at_high);
	err = ask(f, f->low, CHUNK, "the hole that is aligned", &chunk) ?:
	      ask(f, f->high, ALIGN_LITTLE, "the hole above the last chunk",
		  &other);
	put(&other);
	put(&chunk);
	vm_unmap_aliases();
	return err;
}

int pcpu_full_test(struct vmt_thread *t)
{
	struct full *f;
	unsigned long i;
	u64 began;
	int err = 0;

	/* The others would only get in the way. */
	if (t->id)
		return 0;
	if (!vmt_busy_list() || !vmt_have_range())
		return vmt_skip(t, "the kernel's areas cannot be seen");
	/* Then address space has shadow memory of an eighth of its size. */
	if (IS_ENABLED(CONFIG_KASAN_VMALLOC))
		return vmt_skip(t, "address space takes memory here");
	f = kzalloc(sizeof(*f), GFP_KERNEL);
	if (!f)
		return vmt_fail(t, -ENOMEM, "-ENOMEM: a list of areas");
	f->t = t;
	if (CHUNK < SZ_16M)
		vmt_ktap_scaled(t, "chunks of %lu KiB, in place of %u KiB",
				CHUNK / SZ_1K, SZ_16M / SZ_1K);

	began = ktime_get_ns();
	for (i = 0; i < vmt_params.loops && !err; i++) {
		err = fill_up(f) ?: ask_all(f);
		empty(f);
		err = err ?: vmt_breathe(t);
	}
	t->ns = ktime_get_ns() - began;
	t->ops = i;
	kfree(f);
	return err;
}
