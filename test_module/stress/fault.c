// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes allocations of memory fail one after the other. An operation is
 * repeated: its first allocation fails, then its second, and so on until none
 * is left to fail. In every other round all later ones in the slab fail too,
 * since a kernel that tries again hides how it handles a failure. Needs
 * CONFIG_FAULT_INJECTION, with failslab and fail_page_alloc told not to spare
 * allocations that may wait, and failslab to fail all of a task that is made to
 * fail.
 */
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "checks/leaks.h"
#include "core/ktap.h"
#include "lib/areas.h"
#include "lib/fail.h"
#include "lib/settle.h"
#include "lib/symbols.h"
#include "stress/fault.h"
#include "vmalloc_test.h"

/* Allocations in one operation. */
#define MAX_NTH		2000

/* Times that areas are counted again before a surplus is a leak. */
#define MAX_RECOUNTS	20

/* Slab memory that comes and goes of its own accord. */
#define SLAB_NOISE	SZ_64K

#ifdef CONFIG_FAULT_INJECTION

static void arm(unsigned int nth, bool lasting)
{
	current->make_it_fail = lasting;
	WRITE_ONCE(current->fail_nth, nth);
}

/* Returns whether the failure has happened. */
static bool disarm(void)
{
	bool happened = !READ_ONCE(current->fail_nth);

	WRITE_ONCE(current->fail_nth, 0);
	current->make_it_fail = false;
	return happened;
}

#else

static void arm(unsigned int nth, bool lasting)
{
}

static bool disarm(void)
{
	return false;
}

#endif

/* Returns whether a failure can be made to last. */
static bool lasts(void)
{
	void *first, *next;

	arm(1, true);
	first = kmalloc(1, VMT_GFP);
	next = kmalloc(1, VMT_GFP);
	disarm();
	kfree(first);
	kfree(next);
	return !first && !next;
}

static unsigned long count_areas(void)
{
	vmt_settle_blocks();
	return vmt_count_areas();
}

/* Stacks of the kernel's own threads and the like may come meanwhile. */
static int check_areas(struct vmt_thread *t, const char *name,
		       unsigned int nth, unsigned long before)
{
	unsigned long after = count_areas();
	unsigned int i;

	for (i = 0; after > before && i < MAX_RECOUNTS; i++) {
		msleep(20);
		after = count_areas();
	}
	if (after <= before)
		return 0;
	return vmt_fail(t, -EUCLEAN,
			"leak: %lu areas left by %s when allocation %u fails",
			after - before, name, nth);
}

static int inject_one(struct vmt_thread *t,
		      const struct vmt_operation *operation, void *ctx,
		      unsigned int nth, bool lasting, bool *happened)
{
	unsigned long before = count_areas();
	bool done;
	int err = 0;

	arm(nth, lasting);
	done = operation->perform(t, ctx);
	*happened = disarm();

	if (!done && !*happened)
		return vmt_fail(t, -ENOMEM,
				"refused: %s, though nothing was made to fail",
				operation->name);
	if (done && operation->check)
		err = operation->check(t, ctx);
	if (err)
		return err;
	if (done)
		operation->undo(t, ctx);
	return operation->stays ? 0 :
	       check_areas(t, operation->name, nth, before);
}

/* Fails each allocation of @operation in turn. */
int vmt_inject(struct vmt_thread *t, const struct vmt_operation *operation,
	       void *ctx, struct vmt_faults *faults)
{
	unsigned int nth;
	bool happened = true;
	int err = 0;

	for (nth = 1; nth <= MAX_NTH && happened && !err; nth++) {
		err = inject_one(t, operation, ctx, nth, faults->lasting,
				 &happened);
		faults->injected += happened;
		err = err ?: vmt_breathe(t);
	}
	t->allocated++;
	return err;
}

/* What there is more of than before. */
struct growth {
	unsigned long areas;
	unsigned long slab;	/* in bytes */
};

static bool is_leak(const struct growth *left)
{
	return left->areas > vmt_params.loops / 2 ||
	       (vmt_slab_tells() && left->slab > SLAB_NOISE);
}

/* Does loops= rounds, and counts what they left behind. */
static int do_rounds(struct vmt_thread *t, vmt_fault_round round, void *ctx,
		     struct vmt_faults *faults, struct growth *left)
{
	struct vmt_tally before, after;
	unsigned long i;
	int err = 0;

	faults->lasting = true;
	vmt_take_tally(&before);
	for (i = 0; i < vmt_params.loops && !err; i++) {
		faults->lasting = !faults->lasting;
		err = round(t, ctx, faults);
	}
	vmt_take_tally(&after);
	left->areas = vmt_growth(before.areas, after.areas);
	left->slab = vmt_growth(before.slab, after.slab);
	return err;
}

static int conclude(struct vmt_thread *t, const struct vmt_faults *faults,
		    const struct growth *left)
{
	vmt_ktap_note(t, "faults=%lu left_areas=%lu left_slab=%lu",
		      faults->injected, left->areas, left->slab);
	if (!faults->injected)
		return vmt_skip(t, "no fault was injected, see README.md");
	if (!is_leak(left))
		return 0;
	return vmt_fail(t, -EUCLEAN,
			"leak: %lu vmalloc areas and %lu kB of slab after %lu faults",
			left->areas, left->slab / SZ_1K, faults->injected);
}

/*
 * Does loops= timed rounds, after one to fill what caches keep. What they leave
 * may be somebody else's, such as a chunk with a percpu object of a process
 * that came meanwhile; that does not grow when all is done again.
 */
int vmt_fault_rounds(struct vmt_thread *t, vmt_fault_round round, void *ctx)
{
	struct vmt_faults faults = { .lasting = true };
	struct growth left = {};
	u64 began = ktime_get_ns();
	int err;

	if (!lasts())
		return vmt_skip(t, "failures do not last, see README.md");
	err = round(t, ctx, &faults) ?:
	      do_rounds(t, round, ctx, &faults, &left);
	if (!err && is_leak(&left))
		err = do_rounds(t, round, ctx, &faults, &left);
	err = err ?: conclude(t, &faults, &left);
	t->ns = ktime_get_ns() - began;
	return err;
}
