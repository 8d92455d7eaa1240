// SPDX-License-Identifier: GPL-2.0-only
/*
 * ioremap_test: windows of device memory where no device is, so that nothing
 * reads or writes through them. Each is aligned to its size, is described as
 * what it is, and is gone once it is unmapped.
 */
#include <linux/cpumask.h>
#include <linux/errno.h>
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "checks/mapping.h"
#include "checks/overlap.h"
#include "core/ktap.h"
#include "lib/fail.h"
#include "lib/interface.h"
#include "lib/rng.h"
#include "lib/room.h"
#include "vmalloc_test.h"

#define NR_WINDOWS	6

/*
 * Physical addresses between the memory of a VM and its device memory, or above
 * both where they have 32 bits.
 */
#define WIDE		(sizeof(phys_addr_t) > sizeof(u32))
#define NOWHERE		(WIDE ? 32ULL * SZ_1G : 2ULL * SZ_1G)
#define NOWHERE_SIZE	(WIDE ? 16ULL * SZ_1G : 1ULL * SZ_1G)
#define ROOM_ABOVE	(WIDE ? 4ULL * SZ_1G : 0)

/* Of so many windows one is larger than what any is aligned to. */
#define LARGE		(2ULL * SZ_1G)
#define LARGE_EVERY	16

/* Other windows are that large at most, or of a small range a 256th. */
#define MAX_SIZE	(PAGE_SIZE << 11)

struct window {
	struct vmt_tracked area;
	void __iomem *addr;
	phys_addr_t phys;
	unsigned long size;	/* as asked for */
};

static unsigned long max_size(void)
{
	return min(MAX_SIZE, rounddown_pow_of_two(vmt_range_size() / 256));
}

/* In half of the range, all that all threads may want at once. */
static bool large_fit(void)
{
	return vmt_range_size() / 2 / num_online_cpus() / NR_WINDOWS >= LARGE;
}

static unsigned long draw_size(struct vmt_thread *t)
{
	unsigned int shifts = 1 + ilog2(max_size() / PAGE_SIZE);

	/* With KASAN_VMALLOC an eighth of its size would be memory. */
	if (!vmt_rng_below(&t->rng, LARGE_EVERY) && large_fit() &&
	    !IS_ENABLED(CONFIG_KASAN_VMALLOC))
		return LARGE - vmt_rng_below(&t->rng, 2) * PAGE_SIZE;
	return 1 + vmt_rng_below(&t->rng,
				 PAGE_SIZE << vmt_rng_below(&t->rng, shifts));
}

static unsigned long page_of(const struct window *w)
{
	return (unsigned long)w->addr & PAGE_MASK;
}

/* The size of the area, without its guard page. */
static unsigned long size_of(const struct window *w)
{
	return PAGE_ALIGN(w->size + offset_in_page(w->phys));
}

static int check(struct vmt_thread *t, const struct window *w)
{
	const struct vm_struct *vm = vmt_find_vm((void *)page_of(w));

	if (!vm || (unsigned long)vm->addr != page_of(w))
		return vmt_fail(t, -ENOENT, "not found: the window at %lx",
				page_of(w));
	if (vm->phys_addr != (w->phys & PAGE_MASK) ||
	    offset_in_page(w->addr) != offset_in_page(w->phys))
		return vmt_fail(t, -EINVAL,
				"misdescribed: %lx is a window on %llx, not on %llx",
				(unsigned long)w->addr, (u64)vm->phys_addr,
				(u64)w->phys);
	return vmt_area_check(t, vm, size_of(w), VM_IOREMAP);
}

/* Others may get its place only once it was purged. */
static int close_window(struct vmt_thread *t, struct window *w)
{
	int err;

	if (!w->addr)
		return 0;
	err = check(t, w);
	vmt_untrack(&w->area);
	if (!err)
		iounmap(w->addr);
	w->addr = NULL;
	return err;
}

static int open_window(struct vmt_thread *t, struct window *w)
{
	int err;

	w->size = draw_size(t);
	w->phys = NOWHERE + (vmt_rng_next(&t->rng) % NOWHERE_SIZE);
	if (vmt_rng_below(&t->rng, 2))
		w->phys &= PAGE_MASK;
	if (w->size > SZ_1G)
		/* Where the machine can, few entries map it. */
		w->phys &= ~(SZ_1G - 1ULL);
	w->addr = ioremap(w->phys, w->size);
	if (!w->addr) {
		t->alloc_failures++;
		return 0;
	}
	t->allocated++;
	err = vmt_track(t, &w->area, (void *)page_of(w),
			size_of(w) + VMT_GUARD);
	if (err) {
		/* It is somebody else's as well. */
		w->addr = NULL;
		return err;
	}
	return check(t, w);
}

static bool nothing_is_there(void)
{
	return region_intersects(NOWHERE, NOWHERE_SIZE + ROOM_ABOVE,
				 IORESOURCE_SYSTEM_RAM,
				 IORES_DESC_NONE) == REGION_DISJOINT;
}

int ioremap_test(struct vmt_thread *t)
{
	u64 began = ktime_get_ns();
	struct window *windows, *w;
	unsigned long i;
	int err = 0;

	if (!vmt_have_lookup())
		return vmt_skip(t, "find_vm_area() was not found");
	if (!nothing_is_there())
		return vmt_skip(t, "there is memory from %llx on", NOWHERE);
	if (!large_fit())
		vmt_ktap_scaled(t,
				"windows of %lu KiB at most, in place of %lu KiB and some of 2 GiB",
				max_size() / SZ_1K, MAX_SIZE / SZ_1K);
	windows = kcalloc(NR_WINDOWS, sizeof(*windows), GFP_KERNEL);
	if (!windows)
		return vmt_fail(t, -ENOMEM, "-ENOMEM: a list of windows");
	for (i = 0; i < t->loops && !err; i++) {
		w = &windows[vmt_rng_below(&t->rng, NR_WINDOWS)];
		err = close_window(t, w) ?: open_window(t, w) ?:
		      vmt_breathe(t);
	}
	t->ns = ktime_get_ns() - began;
	t->ops = i;
	for (i = 0; i < NR_WINDOWS; i++) {
		int close_err = close_window(t, &windows[i]);

		err = err ?: close_err;
	}
	kfree(windows);
	return err;
}
