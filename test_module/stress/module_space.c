// SPDX-License-Identifier: GPL-2.0-only
/*
 * module_space_test: module_alloc() where only a hole is left of the range in
 * which modules lie, beside the vmalloc range or in a part of it. Memory for
 * modules has to fill the hole, to run, and to leave nothing behind, with KASAN
 * the shadow memory that it has of its own included.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <asm/cacheflush.h>

#include "checks/mapping.h"
#include "checks/pattern.h"
#include "lib/areas.h"
#include "lib/fail.h"
#include "lib/interface.h"
#include "lib/marks.h"
#include "lib/rng.h"
#include "lib/symbols.h"
#include "vmalloc_test.h"

/* The space of one piece, with its guard page. */
#define UNIT		max(vmt_module_align, 2 * PAGE_SIZE)
#define NR_PIECES	16
#define HOLE		(NR_PIECES * UNIT)

#define MAX_FILLS	256

struct space {
	struct vmt_thread *t;
	unsigned long hole;
	unsigned int nr;
	struct vm_struct *fills[MAX_FILLS];
	void *pieces[NR_PIECES];
};

static int fill(struct space *s, unsigned long start, unsigned long end)
{
	struct vm_struct *area;

	if (start >= end)
		return 0;
	if (s->nr == MAX_FILLS)
		return vmt_fail(s->t, -ENOSPC, "more than %u holes", MAX_FILLS);
	area = vmt_get_area(end - start, VM_ALLOC | VM_NO_GUARD, start, end);
	if (!area)
		return vmt_fail(s->t, -ENOSPC, "refused: the hole [%lx,%lx)",
				start, end);
	s->fills[s->nr++] = area;
	return 0;
}

struct holes {
	unsigned int nr;
	struct vmt_hole *largest;
	struct vmt_hole all[MAX_FILLS];
};

static bool note_hole(void *ctx, struct vmt_hole hole)
{
	struct holes *holes = ctx;

	if (holes->nr == MAX_FILLS)
		return true;
	holes->all[holes->nr] = hole;
	if (!holes->largest ||
	    vmt_hole_size(&hole) > vmt_hole_size(holes->largest))
		holes->largest = &holes->all[holes->nr];
	holes->nr++;
	return false;
}

/* Fills the range but for a hole in the middle of what is free there. */
static int fill_up(struct space *s, struct holes *holes)
{
	struct vmt_hole *largest;
	unsigned int i;
	int err = 0;

	vmt_forget_searches();
	holes->nr = 0;
	holes->largest = NULL;
	vmt_each_hole_in(MODULES_VADDR, MODULES_END, note_hole, holes);
	largest = holes->largest;
	if (!largest || vmt_hole_size(largest) < 2 * HOLE)
		return vmt_fail(s->t, -ENOSPC, "no hole of %lx for modules",
				2 * HOLE);
	s->hole = ALIGN(largest->start + vmt_hole_size(largest) / 2, UNIT);
	for (i = 0; i < holes->nr && !err; i++) {
		struct vmt_hole *hole = &holes->all[i];

		if (hole == largest)
			err = fill(s, hole->start, s->hole) ?:
			      fill(s, s->hole + HOLE, hole->end);
		else
			err = fill(s, hole->start, hole->end);
	}
	return err;
}

static void empty(struct space *s)
{
	while (s->nr)
		free_vm_area(s->fills[--s->nr]);
}

static u64 tag_of(const struct space *s, const void *piece)
{
	return vmt_params.seed + (unsigned long)piece;
}

static void run(void *piece)
{
	const u32 code = VMT_RETURN;

	if (!code || !vmt_module_runs)
		return;
	memcpy(piece, &code, sizeof(code));
	flush_icache_range((unsigned long)piece,
			   (unsigned long)piece + sizeof(code));
	((void (*)(void))piece)();
}

/* Of @units, with a guard page, as it has to be in the hole. */
static void *alloc_piece(struct space *s, unsigned long units)
{
	unsigned long size = units * UNIT - VMT_GUARD;
	void *piece;

	vmt_forget_searches();
	piece = vmt_module_alloc(size);
	if (!piece) {
		vmt_fail(s->t, -ENOMEM,
			 "refused: %lx for a module, in the hole [%lx,%lx)",
			 size, s->hole, s->hole + HOLE);
		return NULL;
	}
	s->t->allocated++;
	if ((unsigned long)piece < s->hole ||
	    (unsigned long)piece + size > s->hole + HOLE) {
		vmt_fail(s->t, -ERANGE,
			 "outside of the hole [%lx,%lx): %lx for a module, at %lx",
			 s->hole, s->hole + HOLE, size, (unsigned long)piece);
		/* It stays, as it may be somebody else's. */
		return NULL;
	}
	run(piece);
	vmt_pattern_write(piece, size, tag_of(s, piece));
	return piece;
}

static int free_piece(struct space *s, void **piece, unsigned long units)
{
	int err;

	if (!*piece)
		return 0;
	err = vmt_pattern_check(s->t, *piece, units * UNIT - VMT_GUARD,
				tag_of(s, *piece));
	if (!err)
		vmt_module_free(*piece);
	*piece = NULL;
	return err;
}

static int alloc_missing(struct space *s)
{
	unsigned int i;

	for (i = 0; i < NR_PIECES; i++) {
		if (s->pieces[i])
			continue;
		s->pieces[i] = alloc_piece(s, 1);
		if (!s->pieces[i])
			return -ENOMEM;
	}
	return 0;
}

/* Frees each @step-th piece, the last ones first. */
static int free_some(struct space *s, unsigned int step)
{
	unsigned int i;
	int err = 0;

	for (i = NR_PIECES; i--;)
		if (!(i % step))
			err = err ?: free_piece(s, &s->pieces[i], 1);
	return err;
}

/* The hole is filled, in part freed, filled again, and taken as a whole. */
static int use_hole(struct space *s)
{
	void *whole;
	int err;

	err = alloc_missing(s) ?:
	      free_some(s, 2 + vmt_rng_below(&s->t->rng, 3)) ?:
	      alloc_missing(s);
	err = free_some(s, 1) ?: err;
	if (err)
		return err;
	whole = alloc_piece(s, NR_PIECES);
	return whole ? free_piece(s, &whole, NR_PIECES) : -ENOMEM;
}

static int work(struct space *s, struct holes *holes)
{
	unsigned long before = vmt_count_areas_elsewhere();
	int err;

	err = fill_up(s, holes) ?: use_hole(s);
	empty(s);
	return err ?: vmt_elsewhere_check(s->t, before);
}

/* One thread alone, as there is one range for modules. */
int module_space_test(struct vmt_thread *t)
{
	u64 began = ktime_get_ns();
	struct holes *holes;
	unsigned long i;
	struct space *s;
	int err = 0;

	if (t->id)
		return 0;
	if (!vmt_have_module_space() || !vmt_busy_list())
		return vmt_skip(t, "module_alloc() was not found");
	/* Then address space has shadow memory of an eighth of its size. */
	if (IS_ENABLED(CONFIG_KASAN_VMALLOC))
		return vmt_skip(t, "address space takes memory here");
	s = kzalloc(sizeof(*s), GFP_KERNEL);
	holes = kvzalloc(sizeof(*holes), GFP_KERNEL);
	if (!s || !holes)
		err = vmt_fail(t, -ENOMEM, "-ENOMEM: a list of areas");
	else
		s->t = t;
	for (i = 0; i < t->loops && !err; i++)
		err = work(s, holes) ?: vmt_breathe(t);
	t->ns = ktime_get_ns() - began;
	t->ops = i;
	kvfree(holes);
	kfree(s);
	return err;
}
