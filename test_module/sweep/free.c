// SPDX-License-Identifier: GPL-2.0-only
/*
 * Measures the cost of giving areas back: freeing them, and the purge that
 * follows. In between they are put back where they were, which is not timed.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/vmalloc.h>

#include "core/timed.h"
#include "lib/fail.h"
#include "lib/rng.h"
#include "sweep/layout.h"
#include "vmalloc_test.h"

/*
 * Areas freed before each purge: as many whatever is there, since what a purge
 * costs beside its areas is shared by them.
 */
#define BATCH		500U

/* One that is freed for each one that stays. */
struct frees {
	struct vmt_layout layout;
	unsigned long first;
	unsigned int nr;
	unsigned int *order;
	unsigned long *addr;
};

static struct vm_struct **nth(struct frees *f, unsigned int i)
{
	return &f->layout.at[f->first + 2 * i];
}

/* With @merge each has a hole below and above it, else it touches others. */
static int lay_out(struct vmt_thread *t, struct frees *f, bool merge)
{
	unsigned int i;
	int err;

	err = vmt_layout_place(t, &f->layout, 1);
	f->first = f->layout.nr;
	for (i = 0; i < f->nr && !err; i++) {
		if (merge)
			vmt_layout_leave(&f->layout, 1);
		err = vmt_layout_place(t, &f->layout, 1);
		if (err)
			break;
		f->addr[i] = (unsigned long)(*nth(f, i))->addr;
		if (merge)
			vmt_layout_leave(&f->layout, 1);
		err = vmt_layout_place(t, &f->layout, 1);
	}
	return err;
}

/* The first @nr in the order. */
static int free_some(struct vmt_thread *t, struct frees *f, unsigned int nr)
{
	unsigned int i;
	int err = 0;

	vmt_clock_start(t);
	for (i = 0; i < nr && !err; i++) {
		struct vm_struct **area = nth(f, f->order[i]);

		free_vm_area(*area);
		*area = NULL;
		if (i % VMT_BREATHE_EVERY == VMT_BREATHE_EVERY - 1)
			err = vmt_breathe(t);
	}
	vm_unmap_aliases();
	vmt_clock_stop(t);
	t->ops += i;
	return err;
}

static int put_back(struct vmt_thread *t, struct frees *f, unsigned int nr)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < nr && !err; i++) {
		unsigned long addr = f->addr[f->order[i]];
		struct vm_struct **area = nth(f, f->order[i]);

		*area = vmt_get_pages(t, 1, VM_ALLOC, addr,
				      addr + VMT_TAKES(1));
		if (!*area)
			err = -ENOMEM;
		else if (i % VMT_BREATHE_EVERY == VMT_BREATHE_EVERY - 1)
			err = vmt_breathe(t);
	}
	return err;
}

static int free_in_batches(struct vmt_thread *t, struct frees *f)
{
	int err = 0;

	while (t->ops < vmt_params.loops && !err) {
		unsigned int nr = min_t(u64, vmt_params.loops - t->ops,
					min(f->nr, BATCH));

		vmt_shuffle(&t->rng, f->order, f->nr);
		err = free_some(t, f, nr) ?: put_back(t, f, nr);
	}
	return err;
}

static int sweep_free(struct vmt_thread *t, bool merge)
{
	struct frees f = { .nr = max(vmt_nr_moving() / 2, 1UL) };
	int err;

	err = vmt_layout_init(t, &f.layout, 2 * f.nr + 1);
	if (err)
		return err;
	f.order = kvcalloc(f.nr, sizeof(*f.order), GFP_KERNEL);
	f.addr = kvcalloc(f.nr, sizeof(*f.addr), GFP_KERNEL);
	if (!f.order || !f.addr)
		err = vmt_fail(t, -ENOMEM, "-ENOMEM: lists of %u", f.nr);

	err = err ?: vmt_layout_holes(t, &f.layout);
	err = err ?: lay_out(t, &f, merge);
	err = err ?: free_in_batches(t, &f);
	kvfree(f.addr);
	kvfree(f.order);
	vmt_layout_release(&f.layout);
	return err;
}

int sweep_free_merge(struct vmt_thread *t)
{
	return sweep_free(t, true);
}

int sweep_free_no_merge(struct vmt_thread *t)
{
	return sweep_free(t, false);
}
