// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fills holes. However the kernel keeps free space, an area that is as large as
 * the hole between two busy ones must fit into it. It does not if free space
 * was lost, was not merged, or is not found.
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

struct chosen {
	struct vmt_rng rng;
	unsigned long seen;
	unsigned int nr;
	struct vmt_hole at[NR_HOLES];
};

/* Keeps the largest first, the smallest second, and some of the others. */
static bool keep(void *ctx, struct vmt_hole hole)
{
	struct chosen *chosen = ctx;
	struct vmt_hole *largest = &chosen->at[0];
	struct vmt_hole *smallest = &chosen->at[1];
	unsigned int i;

	if (chosen->nr > 0 && vmt_hole_size(&hole) > vmt_hole_size(largest))
		swap(hole, *largest);
	if (chosen->nr > 1 && vmt_hole_size(&hole) < vmt_hole_size(smallest))
		swap(hole, *smallest);
	chosen->seen++;
	if (chosen->nr < NR_HOLES) {
		chosen->at[chosen->nr++] = hole;
		return false;
	}
	i = vmt_rng_below(&chosen->rng, chosen->seen - 2);
	if (i < NR_RANDOM)
		chosen->at[i + 2] = hole;
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

/* Returns whether the hole is still free, between the same neighbours. */
static bool still_there(const struct vmt_hole *hole)
{
	struct comparison comparison = { .wanted = hole };

	vmt_each_hole(compare, &comparison);
	return comparison.same;
}

/*
 * A failure counts only while the hole is there. Others may take part of it,
 * and free that lazily, so that there are several attempts.
 */
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
	struct chosen *chosen;
	unsigned int i;
	int err = 0;

	if (!vmt_have_areas())
		return 0;
	chosen = kzalloc(sizeof(*chosen), GFP_KERNEL);
	if (!chosen) {
		scnprintf(reason, VMT_REASON_LEN, "-ENOMEM: a list of holes");
		return -ENOMEM;
	}
	vmt_rng_seed(&chosen->rng, vmt_params.seed, 0, 0);
	vmt_each_hole(keep, chosen);
	sort(chosen->at, chosen->nr, sizeof(chosen->at[0]), higher_first, NULL);

	for (i = 0; i < chosen->nr && !err; i++) {
		const struct vmt_hole *hole = &chosen->at[i];

		err = persistently(hole, reason, vmt_fill_exactly) ?:
		      persistently(hole, reason, vmt_fill_between) ?:
		      persistently(hole, reason, vmt_take_aligned);
		cond_resched();
	}
	kfree(chosen);
	vmt_settle();
	return err;
}
