// SPDX-License-Identifier: GPL-2.0-only
/*
 * Performance tests. One thread times a loop of allocations; what a test
 * prepares and takes down again is not timed.
 */
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "core/timed.h"
#include "lib/fail.h"
#include "lib/rng.h"
#include "lib/symbols.h"
#include "perf/hold.h"
#include "perf/perf.h"
#include "vmalloc_test.h"

/* Far larger than any area, so that both sides of the page stay free. */
#define NE_FIT_ALIGN		(4UL << 20)

#define RANDOM_SIZE_MAX_PAGES	100

/* Few enough to stay below the threshold from which the kernel purges. */
#define EARLIER_AREAS		64

static void *alloc_and_touch(struct vmt_thread *t, unsigned long pages)
{
	u8 *p = vmalloc(pages * PAGE_SIZE);

	if (!p) {
		vmt_fail(t, -ENOMEM, "-ENOMEM: vmalloc() of %lu pages", pages);
		return NULL;
	}
	WRITE_ONCE(*p, 1);
	return p;
}

int vmt_touch_and_free(struct vmt_thread *t, unsigned long pages)
{
	void *p = alloc_and_touch(t, pages);

	if (!p)
		return -ENOMEM;
	vfree(p);
	return 0;
}

static int le_fit_op(struct vmt_thread *t, void *ctx)
{
	return vmt_touch_and_free(t, 3);
}

int le_fit_alloc_test(struct vmt_thread *t)
{
	return vmt_timed_loop(t, le_fit_op, NULL);
}

static int ne_fit_op(struct vmt_thread *t, void *ctx)
{
	u8 *p = vmt_vmalloc_range(PAGE_SIZE, NE_FIT_ALIGN);

	if (!p)
		return vmt_fail(t, -ENOMEM, "-ENOMEM: a page aligned to %lu",
				NE_FIT_ALIGN);
	WRITE_ONCE(*p, 1);
	vfree(p);
	return 0;
}

/*
 * Far apart as they are, most of these need a page table of their own, which
 * the kernel then keeps: without a first round the first sample would be the
 * odd one out. Purges make the addresses repeat well before the bound.
 */
int ne_fit_alloc_test(struct vmt_thread *t)
{
	bool first = t->run->pass == VMT_PASS_SAMPLE && !t->run->repeat;
	unsigned long rounds = first ? min(vmt_params.loops, 1UL << 15) : 0;

	return vmt_warm_up(t, rounds, ne_fit_op, NULL) ?:
	       vmt_timed_loop(t, ne_fit_op, NULL);
}

static int random_size_op(struct vmt_thread *t, void *ctx)
{
	u32 pages = 1 + vmt_rng_below(&t->rng, RANDOM_SIZE_MAX_PAGES);

	return vmt_touch_and_free(t, pages);
}

static int long_busy_list_op(struct vmt_thread *t, void *ctx)
{
	void *many, *one;
	int err = -ENOMEM;

	many = alloc_and_touch(t, 100);
	if (!many)
		return err;
	one = alloc_and_touch(t, 1);
	if (one) {
		vfree(one);
		err = 0;
	}
	vfree(many);
	return err;
}

/*
 * A kernel that has run for long has free space below what it holds. So areas
 * of all sizes are allocated and freed. As they are freed lazily, what is held
 * from now on lies above them, and they become a hole. With settle=0 the
 * earlier samples have left holes.
 */
static int leave_a_hole(struct vmt_thread *t)
{
	unsigned int areas = vmt_params.settle ? EARLIER_AREAS : 0;
	unsigned int i;
	int err = 0;

	for (i = 0; i < areas && !err; i++)
		err = random_size_op(t, NULL);
	return err;
}

int long_busy_list_alloc_test(struct vmt_thread *t)
{
	struct vmt_held held;
	int err;

	err = leave_a_hole(t) ?: vmt_hold(t, &held, vmt_params.busy);
	if (err)
		return err;
	err = vmt_timed_loop(t, long_busy_list_op, NULL);
	vmt_release(&held);
	return err;
}

int random_size_alloc_test(struct vmt_thread *t)
{
	return vmt_timed_loop(t, random_size_op, NULL);
}
