// SPDX-License-Identifier: GPL-2.0-only
/*
 * churn_space_test: how much address space it takes to hold areas of mixed
 * sizes and alignments, after many came and went. No time is measured.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "core/ktap.h"
#include "lib/fail.h"
#include "lib/rng.h"
#include "lib/room.h"
#include "lib/symbols.h"
#include "vmalloc_test.h"

#define NR_HELD		256

/* Small areas are as frequent as large ones: up to 1, 2, 4 ... 64 pages. */
#define NR_SIZES	7

/* Often enough that what is freed lazily never starts a purge of its own. */
#define PURGE_EVERY	32

/*
 * In the middle of the range, which is empty; far more than what is held, which
 * is 11 MiB. A quarter of a small range.
 */
#define WINDOW		min_t(unsigned long, SZ_1G, vmt_range_size() / 4)

struct churn {
	struct vmt_thread *t;
	unsigned long base;
	unsigned long held;	/* bytes at the moment, with guard pages */
	u64 ops;		/* that were measured */
	u64 sum_held;		/* KiB, over these */
	u64 sum_span;		/* KiB from the base to the highest end */
	struct vm_struct *areas[NR_HELD];
};

/* A third is aligned to its size, rounded up to a power of two. */
static int replace(struct churn *c, struct vm_struct **area)
{
	struct vmt_rng *rng = &c->t->rng;
	unsigned int most = 1U << vmt_rng_below(rng, NR_SIZES);
	unsigned long size = (1 + vmt_rng_below(rng, most)) * PAGE_SIZE;
	bool aligned = !vmt_rng_below(rng, 3);

	if (*area) {
		c->held -= (*area)->size;
		free_vm_area(*area);
	}
	*area = vmt_get_area(size, aligned ? VM_IOREMAP : VM_ALLOC, c->base,
			     c->base + WINDOW);
	if (!*area)
		return vmt_fail(c->t, -ENOMEM, "-ENOMEM: %lu bytes of space",
				size);
	c->held += (*area)->size;
	c->t->allocated++;
	return 0;
}

static void measure(struct churn *c)
{
	unsigned long end = c->base;
	unsigned int i;

	for (i = 0; i < NR_HELD; i++)
		end = max(end, (unsigned long)c->areas[i]->addr +
			       c->areas[i]->size);
	c->ops++;
	c->sum_held += c->held / SZ_1K;
	c->sum_span += (end - c->base) / SZ_1K;
}

static int run(struct churn *c)
{
	unsigned long i;
	int err = 0;

	vmt_forget_searches();
	for (i = 0; i < NR_HELD && !err; i++)
		err = replace(c, &c->areas[i]);
	for (i = 0; i < vmt_params.loops && !err; i++) {
		if (i % PURGE_EVERY == 0)
			vm_unmap_aliases();
		err = replace(c, &c->areas[vmt_rng_below(&c->t->rng, NR_HELD)]);
		if (!err && i >= vmt_params.loops / 2)
			measure(c);
		err = err ?: vmt_breathe(c->t);
	}
	return err;
}

int churn_space_test(struct vmt_thread *t)
{
	unsigned long middle = VMALLOC_START + vmt_range_size() / 2;
	struct churn *c;
	unsigned int i;
	int err;

	c = kzalloc(sizeof(*c), GFP_KERNEL);
	if (!c)
		return vmt_fail(t, -ENOMEM, "-ENOMEM: a list of areas");
	c->t = t;
	if (WINDOW < SZ_1G)
		vmt_ktap_scaled(t, "a window of %lu MiB, in place of %u MiB",
				WINDOW / SZ_1M, SZ_1G / SZ_1M);
	c->base = ALIGN(middle, vmt_unit());
	err = run(c);
	if (!err && t->run->pass == VMT_PASS_SAMPLE)
		vmt_ktap_space(t, c->ops, c->sum_held, c->sum_span);
	for (i = 0; i < NR_HELD; i++)
		if (c->areas[i])
			free_vm_area(c->areas[i]);
	vm_unmap_aliases();
	kfree(c);
	return err;
}
