// SPDX-License-Identifier: GPL-2.0-only
/* sweep_churn: areas of random size come and go among busy= others. */
#include <linux/kernel.h>
#include <linux/vmalloc.h>

#include "core/timed.h"
#include "lib/rng.h"
#include "sweep/layout.h"
#include "vmalloc_test.h"

#define MAX_PAGES	32

struct churn {
	struct vmt_layout layout;
	unsigned long first;
	unsigned long nr;
};

static u32 random_pages(struct vmt_thread *t)
{
	return 1 + vmt_rng_below(&t->rng, MAX_PAGES);
}

/* In the long run there is a hole for every second area, so begin with that. */
static int lay_out(struct vmt_thread *t, struct churn *c)
{
	unsigned long left = c->nr;
	int err = 0;

	c->first = c->layout.nr;
	while (left-- && !err) {
		if (vmt_rng_below(&t->rng, 2))
			vmt_layout_leave(&c->layout, random_pages(t));
		err = vmt_layout_place(t, &c->layout, random_pages(t));
	}
	return err;
}

static int churn_op(struct vmt_thread *t, void *ctx)
{
	struct churn *c = ctx;
	struct vm_struct **area;

	area = &c->layout.at[c->first + vmt_rng_below(&t->rng, c->nr)];
	free_vm_area(*area);
	*area = vmt_get_pages(t, random_pages(t), VM_ALLOC, c->layout.start,
			      c->layout.end);
	return *area ? 0 : -ENOMEM;
}

int sweep_churn(struct vmt_thread *t)
{
	struct churn c = { .nr = vmt_nr_moving() };
	int err;

	err = vmt_layout_init(t, &c.layout, c.nr);
	if (err)
		return err;
	err = vmt_layout_holes(t, &c.layout) ?: lay_out(t, &c);
	/* First fit leaves small holes at the bottom, but not at once. */
	err = err ?: vmt_warm_up(t, c.nr, churn_op, &c);
	err = err ?: vmt_timed_loop(t, churn_op, &c);
	vmt_layout_release(&c.layout);
	return err;
}
