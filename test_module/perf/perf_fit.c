// SPDX-License-Identifier: GPL-2.0-only
/*
 * b_fit_alloc_test: every allocation fills a hole from edge to edge.
 *
 * The holes are made by freeing every second one of a run of allocations
 * that touch. A freed area returns only with a purge, and so does the hole
 * that the timed loop filled: it purges once all holes are used up, and that
 * purge is timed, since giving areas back is part of the price of freeing.
 */
#include <linux/bsearch.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/sort.h>
#include <linux/vmalloc.h>

#include "core/ktap.h"
#include "core/timed.h"
#include "lib/fail.h"
#include "lib/settle.h"
#include "perf/hold.h"
#include "perf/perf.h"
#include "vmalloc_test.h"

/* Their pages stay below the threshold of the kernel's own purge. */
#define MAX_HOLES	1024UL

#define AREA		(PAGE_SIZE + VMT_GUARD)

struct holes {
	unsigned long nr;
	unsigned long filled;
	void **at;
};

static int compare_addresses(const void *a, const void *b)
{
	const void *x = *(void * const *)a, *y = *(void * const *)b;

	return x < y ? -1 : x > y;
}

/* Frees every second area that touches both its neighbours. */
static void make_holes(struct vmt_held *run, struct holes *holes)
{
	unsigned long i;

	sort(run->at, run->nr, sizeof(*run->at), compare_addresses, NULL);
	for (i = 1; i + 1 < run->nr && holes->nr < MAX_HOLES; i++) {
		void *below = run->at[i - 1], *here = run->at[i];

		/* A hole next to a hole would be one, twice as large. */
		if (!below || below + AREA != here ||
		    here + AREA != run->at[i + 1])
			continue;
		holes->at[holes->nr++] = here;
		vfree(here);
		run->at[i] = NULL;
	}
	vmt_settle();
}

/* Fills all holes once, and counts the allocations that landed in one. */
static int count_hits(struct vmt_thread *t, const struct holes *holes)
{
	struct vmt_held probe;
	unsigned long hits = 0;
	unsigned long i;
	int err;

	err = vmt_hold(t, &probe, holes->nr);
	if (err)
		return err;
	for (i = 0; i < probe.nr; i++)
		if (bsearch(&probe.at[i], holes->at, holes->nr,
			    sizeof(*holes->at), compare_addresses))
			hits++;
	vmt_release(&probe);
	vmt_settle();
	vmt_ktap_holes(t, holes->nr, hits);
	if (hits < holes->nr - holes->nr / 10)
		return vmt_fail(t, -ENOSPC, "only %lu of %lu holes were filled",
				hits, holes->nr);
	return 0;
}

static int b_fit_op(struct vmt_thread *t, void *ctx)
{
	struct holes *holes = ctx;
	int err;

	err = vmt_touch_and_free(t, 1);
	if (++holes->filled == holes->nr) {
		vm_unmap_aliases();
		holes->filled = 0;
	}
	return err;
}

int b_fit_alloc_test(struct vmt_thread *t)
{
	unsigned long wanted = min(vmt_params.loops, MAX_HOLES);
	struct holes holes = { };
	struct vmt_held run;
	int err;

	holes.at = kvcalloc(MAX_HOLES, sizeof(*holes.at), GFP_KERNEL);
	if (!holes.at)
		return vmt_fail(t, -ENOMEM, "-ENOMEM: a list of holes");

	vmt_settle();
	err = vmt_hold(t, &run, 2 * wanted + 1);
	if (err)
		goto out_free_list;
	make_holes(&run, &holes);
	if (!holes.nr) {
		err = vmt_fail(t, -ENOSPC, "-ENOSPC: no three areas touch");
		goto out_release;
	}
	err = count_hits(t, &holes);
	if (!err)
		err = vmt_timed_loop(t, b_fit_op, &holes);

out_release:
	vmt_release(&run);
out_free_list:
	kvfree(holes.at);
	return err;
}
