// SPDX-License-Identifier: GPL-2.0-only
/* An interval tree of the areas that all threads hold at the moment. */
#include <linux/errno.h>
#include <linux/interval_tree_generic.h>
#include <linux/spinlock.h>

#include "checks/overlap.h"
#include "lib/fail.h"
#include "vmalloc_test.h"

#define AREA_START(area)	((area)->start)
#define AREA_LAST(area)		((area)->last)

INTERVAL_TREE_DEFINE(struct vmt_tracked, node, unsigned long, subtree_last,
		     AREA_START, AREA_LAST, static inline, area_tree)

static struct rb_root_cached tracked_areas = RB_ROOT_CACHED;
static DEFINE_SPINLOCK(tracked_lock);

/* Adds @area; -EEXIST, and not added, if it overlaps one that is tracked. */
int vmt_track(struct vmt_thread *t, struct vmt_tracked *area,
	      const void *start, unsigned long size)
{
	unsigned long other_start = 0, other_last = 0;
	const struct vmt_tracked *other;

	area->start = (unsigned long)start;
	area->last = area->start + size - 1;

	spin_lock(&tracked_lock);
	other = area_tree_iter_first(&tracked_areas, area->start, area->last);
	if (other) {
		other_start = other->start;
		other_last = other->last;
	} else {
		area_tree_insert(area, &tracked_areas);
	}
	spin_unlock(&tracked_lock);

	if (!other)
		return 0;
	return vmt_fail(t, -EEXIST, "overlap of [%lx,%lx) with [%lx,%lx)",
			area->start, area->last + 1, other_start,
			other_last + 1);
}

void vmt_untrack(struct vmt_tracked *area)
{
	spin_lock(&tracked_lock);
	area_tree_remove(area, &tracked_areas);
	spin_unlock(&tracked_lock);
}
