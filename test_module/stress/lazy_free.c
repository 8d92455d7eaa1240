// SPDX-License-Identifier: GPL-2.0-only
/*
 * lazy_free_test: one thread that frees and does not allocate. However many
 * areas it frees, and however large they are, those that wait for the purge
 * must stay within a bound. It uses address space alone.
 */
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "core/ktap.h"
#include "lib/areas.h"
#include "lib/fail.h"
#include "lib/room.h"
#include "lib/settle.h"
#include "lib/symbols.h"
#include "stress/lazy.h"
#include "vmalloc_test.h"

/* What is freed in small areas, as a multiple of what starts a purge. */
#define PRESSURE	8

/* Each of these starts a purge; fewer than a quarter of the range. */
#define LARGE		((unsigned long)SZ_64M)
#define NR_LARGE	64UL

/*
 * Of the vmalloc range. Where that has 32 TiB they are 2^30, 3 * 2^30 and 2^32
 * pages, which as an int are a gigantic number, less than none, and none.
 */
static const unsigned int eighths[] = { 1, 3, 4 };

/* Counting walks over all areas. */
#define COUNT_EVERY	1024

struct freeing {
	struct vmt_thread *t;
	unsigned long before;	/* pages that were not owned at the start */
	unsigned long max;	/* areas that there is room for in @areas */
	unsigned long nr;
	struct vm_struct **areas;
};

static unsigned long nr_large(void)
{
	return min(vmt_range_size() / 4 / LARGE, NR_LARGE);
}

static unsigned long most_waiting(void)
{
	return vmt_params.lazy_limit * vmt_lazy_max_pages();
}

/* The bound has to hold at once, or a little later where others purge. */
static int check_unowned(struct freeing *f, const char *what)
{
	unsigned long lazy;
	unsigned int attempt;

	for (attempt = 0; attempt < 2; attempt++) {
		lazy = vmt_unowned_pages();
		lazy -= min(lazy, f->before);
		if (!vmt_params.lazy_limit || lazy <= most_waiting())
			break;
		msleep(20);
	}
	f->t->lazy_pages_max = max(f->t->lazy_pages_max, lazy);
	if (!vmt_params.lazy_limit || lazy <= most_waiting())
		return 0;
	return vmt_fail(f->t, -EOVERFLOW,
			"lazy pages: %lu %s, more than %u times lazy_max_pages() (%lu)",
			lazy, what, vmt_params.lazy_limit,
			vmt_lazy_max_pages());
}

/* Once all is purged, what is not owned is free. */
static int check_purged(struct freeing *f, const char *what)
{
	unsigned long lost;
	unsigned int attempt;

	for (attempt = 0; attempt < 3; attempt++) {
		vmt_settle();
		lost = vmt_unowned_pages();
		lost -= min(lost, f->before);
		if (!lost)
			return 0;
		msleep(20);	/* others free as well */
	}
	return vmt_fail(f->t, -EUCLEAN,
			"lost: %lu pages %s, which no purge gives back", lost,
			what);
}

static struct vm_struct *take(struct freeing *f, unsigned long size)
{
	struct vm_struct *area = vmt_get_area(size, VM_ALLOC, VMALLOC_START,
					      VMALLOC_END);

	if (area)
		f->t->allocated++;
	else
		vmt_fail(f->t, -ENOMEM, "-ENOMEM: an area of %lx", size);
	return area;
}

/* Takes areas of @size, then frees them all, one after the other. */
static int free_many(struct freeing *f, unsigned long size, unsigned long nr,
		     unsigned long count_every, const char *what)
{
	int err = 0;

	while (f->nr < min(nr, f->max) && !err) {
		f->areas[f->nr] = take(f, size);
		if (!f->areas[f->nr])
			err = -ENOMEM;
		else if (++f->nr % VMT_BREATHE_EVERY == 0)
			err = vmt_breathe(f->t);
	}
	while (f->nr) {
		free_vm_area(f->areas[--f->nr]);
		if (!err && f->nr % count_every == 0)
			err = check_unowned(f, what) ?: vmt_breathe(f->t);
	}
	return err ?: check_purged(f, what);
}

/*
 * Frees an area so large that a number of pages may not be an int, then small
 * ones. As long as fewer than start a purge were freed since, it may wait.
 */
static int free_huge(struct freeing *f, unsigned int eighth)
{
	unsigned long size = vmt_range_size() / 8 * eighth;
	const unsigned long starts_purge = vmt_lazy_max_pages();
	unsigned long nr = max(vmt_params.loops / ARRAY_SIZE(eighths),
			       starts_purge + 2 * COUNT_EVERY);
	struct vm_struct *area;
	unsigned long i;
	int err = 0;

	vmt_settle();
	area = take(f, ALIGN_DOWN(size, PAGE_SIZE));
	if (!area)
		return -ENOMEM;
	free_vm_area(area);
	for (i = 1; i <= nr && !err; i++) {
		area = take(f, PAGE_SIZE);
		if (!area)
			return -ENOMEM;
		free_vm_area(area);
		if (i >= starts_purge && i % COUNT_EVERY == 0)
			err = check_unowned(f, "after a huge area");
		if (!err && i % VMT_BREATHE_EVERY == 0)
			err = vmt_breathe(f->t);
	}
	f->t->ops += i;
	return err;
}

static int free_all_sizes(struct freeing *f)
{
	unsigned int i;
	int err;

	err = free_many(f, PAGE_SIZE, f->max, COUNT_EVERY, "of small areas") ?:
	      free_many(f, LARGE, nr_large(), 1,
			"of large areas");
	for (i = 0; i < ARRAY_SIZE(eighths) && !err; i++)
		err = free_huge(f, eighths[i]);
	return err;
}

int lazy_free_test(struct vmt_thread *t)
{
	const unsigned long most = vmt_range_size() / 4 / (2 * PAGE_SIZE);
	const unsigned long asked = PRESSURE * vmt_lazy_max_pages() / 2;
	struct freeing f = { .t = t, .max = min(asked, most) };
	u64 began;
	int err;

	if (t->id)
		return 0;
	if (!vmt_busy_list())
		return vmt_skip(t, "the list of areas was not found");
	/* Then address space has shadow memory of an eighth of its size. */
	if (IS_ENABLED(CONFIG_KASAN_VMALLOC))
		return vmt_skip(t, "address space takes memory here");
	f.areas = kvcalloc(f.max, sizeof(*f.areas), GFP_KERNEL);
	if (!f.areas)
		return vmt_fail(t, -ENOMEM, "-ENOMEM: a list of areas");
	if (f.max < asked)
		vmt_ktap_scaled(t,
				"%lu small areas and %lu large ones, in place of %lu and %lu",
				f.max, nr_large(), asked, NR_LARGE);

	vmt_settle();
	f.before = vmt_unowned_pages();
	began = ktime_get_ns();
	err = free_all_sizes(&f);
	t->ns = ktime_get_ns() - began;
	kvfree(f.areas);
	return err;
}
