// SPDX-License-Identifier: GPL-2.0-only
/*
 * lazy_pages_test: however hard all threads allocate and free, the pages that
 * were freed and wait for the purge must stay within a multiple of what
 * starts one.
 */
#include <linux/errno.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/vmalloc.h>

#include "core/ktap.h"
#include "lib/fail.h"
#include "lib/room.h"
#include "lib/symbols.h"
#include "stress/lazy.h"
#include "vmalloc_test.h"

static int check_lazy_pages(struct vmt_thread *t)
{
	unsigned long lazy = vmt_lazy_pages();

	t->lazy_pages_max = max(t->lazy_pages_max, lazy);
	if (!vmt_params.lazy_limit ||
	    lazy <= vmt_params.lazy_limit * vmt_lazy_max_pages())
		return 0;
	return vmt_fail(t, -EOVERFLOW,
			"lazy pages: %lu, more than %u times lazy_max_pages() (%lu)",
			lazy, vmt_params.lazy_limit, vmt_lazy_max_pages());
}

/*
 * PMD_SIZE, or as far apart as twice as many areas fit into the range as may
 * wait.
 */
static unsigned long distance(void)
{
	unsigned long areas = 4 * vmt_lazy_max_pages();

	return min(PMD_SIZE, rounddown_pow_of_two(vmt_range_size() / areas));
}

/*
 * Areas are small, so that most of the time goes into the allocator. Each needs
 * a page table of its own, which 4.18 never gives back, so that a small machine
 * runs out of memory soon. As in vmalloc(), the OOM killer may be called: where
 * lazy pages stay within a bound there is enough memory.
 */
static int lazy_op(struct vmt_thread *t)
{
	void *addr;

	addr = vmt_vmalloc_in(PAGE_SIZE, distance(), VMALLOC_START,
			      VMALLOC_END, GFP_KERNEL);
	if (!addr) {
		t->alloc_failures++;
		return 0;
	}
	t->allocated++;
	vfree(addr);
	return check_lazy_pages(t);
}

int lazy_pages_test(struct vmt_thread *t)
{
	unsigned long i;
	u64 began;
	int err = 0;

	if (!vmt_have_lazy_pages())
		return vmt_skip(t, "vmap_lazy_nr was not found");

	if (distance() < PMD_SIZE)
		vmt_ktap_scaled(t,
				"pages aligned to %lu KiB, in place of %lu KiB",
				distance() / SZ_1K, PMD_SIZE / SZ_1K);
	began = ktime_get_ns();
	for (i = 0; i < vmt_params.loops && !err; i++)
		err = lazy_op(t) ?: vmt_breathe(t);
	t->ns = ktime_get_ns() - began;
	t->ops = i;
	return err;
}
