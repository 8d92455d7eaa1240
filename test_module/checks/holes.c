// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asks for holes: whatever books the kernel keeps of free space, what lies
 * between two busy areas can be had from edge to edge. That is not so if free
 * space was lost, not merged, or is not found.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/vmalloc.h>

#include "checks/fill_hole.h"
#include "checks/holes.h"
#include "lib/areas.h"
#include "lib/rng.h"
#include "lib/settle.h"
#include "lib/symbols.h"
#include "vmalloc_test.h"

/* The largest, the smallest, and so many others chosen at random. */
#define NR_RANDOM	62
#define NR_HOLES	(NR_RANDOM + 2)

#define ATTEMPTS	4

struct holes {
	struct vmt_rng rng;
	unsigned long seen;
	unsigned int nr;
	struct vmt_hole at[NR_HOLES];
};

/* Keeps the largest first, the smallest second, and some of the others. */
static bool keep(void *ctx, struct vmt_hole hole)
{
	struct holes *holes = ctx;
	struct vmt_hole *largest = &holes->at[0];
	struct vmt_hole *smallest = &holes->at[1];
	unsigned int i;

	if (holes->nr > 0 && vmt_hole_size(&hole) > vmt_hole_size(largest))
		swap(hole, *largest);
	if (holes->nr > 1 && vmt_hole_size(&hole) < vmt_hole_size(smallest))
		swap(hole, *smallest);
	holes->seen++;
	if (holes->nr < NR_HOLES) {
		holes->at[holes->nr++] = hole;
		return false;
	}
	i = vmt_rng_below(&holes->rng, holes->seen - 2);
	if (i < NR_RANDOM)
		holes->at[i + 2] = hole;
	return false;
}

struct comparison {
	const struct vmt_hole *wanted;
	bool same;
};

static bool compare(void *ctx, struct vmt_hole hole)
{
	struct comparison *comparison = ctx;
	const struct vmt_hole *wanted = comparison->wanted;

	if (hole.start < wanted->start)
		return false;
	comparison->same = hole.start == wanted->start &&
			   hole.end == wanted->end &&
			   hole.below == wanted->below &&
			   hole.above == wanted->above;
	return true;
}

/* Whether nothing has come to lie in it, and its neighbours are still there. */
static bool still_there(const struct vmt_hole *hole)
{
	struct comparison comparison = { .wanted = hole };

	vmt_each_hole(compare, &comparison);
	return comparison.same;
}

/* Others may take part of the hole, or wait for the purge of what they took. */
static int persistently(const struct vmt_hole *hole, char *reason,
			int (*take)(const struct vmt_hole *hole, char *reason))
{
	unsigned int attempt;
	int err = 0;

	for (attempt = 0; attempt < ATTEMPTS; attempt++) {
		if (vmt_have_range())
			vmt_forget_searches();
		vm_unmap_aliases();
		if (!still_there(hole))
			return 0;
		err = take(hole, reason);
		if (!err)
			return 0;
		vmt_settle();
	}
	return still_there(hole) ? err : 0;
}

static int higher_first(const void *a, const void *b)
{
	const struct vmt_hole *left = a;
	const struct vmt_hole *right = b;

	return left->start < right->start ? 1 : -1;
}

/*
 * From the highest hole to the lowest, since stock 4.18 forgets its earlier
 * search when a window begins lower than the one before. @reason says in
 * VMT_REASON_LEN characters what is wrong.
 */
int vmt_holes_check(char *reason)
{
	struct holes *holes;
	unsigned int i;
	int err = 0;

	if (!vmt_have_areas())
		return 0;
	holes = kzalloc(sizeof(*holes), GFP_KERNEL);
	if (!holes) {
		scnprintf(reason, VMT_REASON_LEN, "-ENOMEM: a list of holes");
		return -ENOMEM;
	}
	vmt_rng_seed(&holes->rng, vmt_params.seed, 0, 0);
	vmt_each_hole(keep, holes);
	sort(holes->at, holes->nr, sizeof(holes->at[0]), higher_first, NULL);

	for (i = 0; i < holes->nr && !err; i++) {
		const struct vmt_hole *hole = &holes->at[i];

		err = persistently(hole, reason, vmt_fill_exactly) ?:
		      persistently(hole, reason, vmt_fill_between) ?:
		      persistently(hole, reason, vmt_take_aligned);
		cond_resched();
	}
	kfree(holes);
	vmt_settle();
	return err;
}
