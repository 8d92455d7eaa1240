// SPDX-License-Identifier: GPL-2.0-only
/*
 * exact_hole_test: requests for exactly the size of a hole, in windows that
 * begin or end with it, and for an area of more than 4 GiB; and a vast area
 * that is freed. One thread at a time makes them, since what an earlier search
 * leaves behind is part of the test.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/sizes.h>
#include <linux/vmalloc.h>

#include "core/ktap.h"
#include "lib/fail.h"
#include "lib/room.h"
#include "lib/symbols.h"
#include "stress/lazy.h"
#include "stress/request.h"
#include "vmalloc_test.h"

/* In pages from the base of the slice: the hole, and a fence on either side. */
#define HOLE		32U
#define FENCE		4U
#define MAX_HOLE	16U

/* Where a page aligned to 64 has free space on both sides. */
#define SPLIT		129U
#define SPLIT_END	250U
#define SPLIT_ALIGN	64U

#define OVER_4_GIB	(4ULL * SZ_1G + SZ_256K)

/* How often a page is allocated and freed before a purge is overdue. */
#define PURGE_CHANCES	100

static DEFINE_MUTEX(one_at_a_time);

struct exact {
	struct vmt_thread *t;
	unsigned long base;
	const char *what;	/* is asked for, should it be refused */
	struct vm_struct *fences[2];
};

static unsigned long address(const struct exact *x, unsigned int page)
{
	return x->base + page * PAGE_SIZE;
}

/* The window is in pages too; so is @align. Areas of one page have no guard. */
static struct vmt_request request(const struct exact *x, unsigned int takes,
				  unsigned int align, unsigned int start,
				  unsigned int end)
{
	return (struct vmt_request){
		.size = (takes > 1 ? takes - 1 : 1) * PAGE_SIZE,
		.align = align * PAGE_SIZE,
		.flags = takes > 1 ? 0 : VM_NO_GUARD,
		.start = address(x, start),
		.end = address(x, end),
	};
}

/* A request that must succeed, at @place if that is not 0; NULL if it fails. */
static void *get(struct exact *x, struct vmt_request r, unsigned int place)
{
	void *addr = vmt_request(&r);

	x->t->lazy_pages_max = max(x->t->lazy_pages_max, vmt_lazy_pages());
	if (!addr) {
		vmt_fail(x->t, -ENOSPC,
			 "refused: %s, %lx bytes, align %lx, in [%lx,%lx)",
			 x->what, vmt_request_takes(&r), r.align, r.start,
			 r.end);
		return NULL;
	}
	if (vmt_request_check(x->t, &r, addr))
		return NULL;
	if (place && (unsigned long)addr != address(x, place)) {
		vmt_fail(x->t, -ERANGE,
			 "overlap of %lx with what is held near %lx",
			 (unsigned long)addr, address(x, place));
		return NULL;
	}
	x->t->allocated++;
	return addr;
}

static int fits(struct exact *x, unsigned int takes, unsigned int align,
		unsigned int start, unsigned int end)
{
	void *addr = get(x, request(x, takes, align, start, end), HOLE);

	if (!addr)
		return -ENOSPC;
	vfree(addr);
	vm_unmap_aliases();
	return 0;
}

static int does_not_fit(struct exact *x, unsigned int takes,
			unsigned int align, unsigned int start,
			unsigned int end)
{
	struct vmt_request r = request(x, takes, align, start, end);
	void *addr = vmt_request(&r);

	if (!addr)
		return 0;
	return vmt_request_check(x->t, &r, addr) ?:
	       vmt_fail(x->t, -EEXIST, "overlap of [%lx,%lx) with a neighbour",
			(unsigned long)addr,
			(unsigned long)addr + vmt_request_takes(&r));
}

static int fence(struct exact *x, unsigned int number, unsigned int start,
		 unsigned int pages)
{
	vmt_forget_searches();
	x->fences[number] = vmt_get_area(pages * PAGE_SIZE,
					 VM_ALLOC | VM_NO_GUARD,
					 address(x, start),
					 address(x, start + pages));
	if (!x->fences[number])
		return vmt_fail(x->t, -ENOMEM, "-ENOMEM: an area at %lx",
				address(x, start));
	return 0;
}

static void remove_fences(struct exact *x)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(x->fences); i++) {
		if (x->fences[i])
			free_vm_area(x->fences[i]);
		x->fences[i] = NULL;
	}
}

/*
 * A search that passes by the hole, as it is a page too small, ends above it;
 * the next one, for exactly the hole, has to find it all the same.
 */
static int passed_by(struct exact *x, unsigned int pages)
{
	unsigned int end = HOLE + pages;
	void *larger;
	int err;

	x->what = "what is larger than a hole";
	larger = get(x, request(x, pages + 1, 1, HOLE - FENCE,
				VMT_SLICE_PAGES), 0);
	if (!larger)
		return -ENOSPC;
	x->what = "a hole that was passed by";
	err = fits(x, pages, 1, HOLE - FENCE, end) ?:
	      fits(x, pages, HOLE, HOLE, end + FENCE);
	vfree(larger);
	return err;
}

static int one_hole(struct exact *x, unsigned int pages)
{
	unsigned int end = HOLE + pages;
	int err;

	x->what = "a hole of exactly the size";
	err = fence(x, 0, HOLE - FENCE, FENCE) ?: fence(x, 1, end, FENCE);
	err = err ?: fits(x, pages, 1, HOLE, end);
	err = err ?: fits(x, pages, 1, HOLE - FENCE, end);
	err = err ?: fits(x, pages, 1, HOLE, end + FENCE);
	err = err ?: fits(x, pages, 1, HOLE - FENCE, end + FENCE);
	err = err ?: fits(x, pages, HOLE, HOLE, end);
	err = err ?: fits(x, pages, HOLE, HOLE - FENCE, end + FENCE);

	err = err ?: does_not_fit(x, pages, 1, HOLE + 1, end);
	err = err ?: does_not_fit(x, pages, 1, HOLE, end - 1);
	err = err ?: does_not_fit(x, pages, 1, HOLE + 1, end + 1);
	err = err ?: does_not_fit(x, pages, 1, HOLE - 1, end - 1);
	err = err ?: does_not_fit(x, pages + 1, 1, HOLE - FENCE, end + FENCE);
	err = err ?: does_not_fit(x, pages, 2 * HOLE, HOLE - FENCE,
				  end + FENCE);
	err = err ?: passed_by(x, pages);
	remove_fences(x);
	return err;
}

/* Takes an aligned page out of a hole, then all that is left on its sides. */
static int split(struct exact *x)
{
	const unsigned int middle = ALIGN(SPLIT, SPLIT_ALIGN);
	void *page, *below = NULL, *above = NULL;
	int err;

	x->what = "an aligned page at the end of its window";
	err = fence(x, 0, SPLIT - 1, 1) ?: fence(x, 1, SPLIT_END, 1);
	if (err)
		goto out;
	page = get(x, request(x, 1, SPLIT_ALIGN, SPLIT - 1, middle + 1),
		   middle);
	x->what = "what an aligned page leaves";
	if (page)
		below = get(x, request(x, middle - SPLIT, 1, SPLIT - 1,
				       SPLIT_END + 1), SPLIT);
	if (below)
		above = get(x, request(x, SPLIT_END - middle - 1, 1, SPLIT - 1,
				       SPLIT_END + 1), middle + 1);
	err = above ? 0 : -ENOSPC;
	/* The page last, so that the three become one hole again. */
	vfree(below);
	vfree(above);
	vfree(page);
out:
	remove_fences(x);
	return err;
}

/* Whether the range has room for what two parts of the test ask for. */
static bool range_is_vast(void)
{
	unsigned long eighth = vmt_range_size() / 8;

	return eighth > OVER_4_GIB && eighth / PAGE_SIZE > vmt_lazy_max_pages();
}

/*
 * An area whose size 32 bits do not hold: address space alone, since no
 * machine has to have the memory. The part of the range near its end is empty.
 */
static int over_4_gib(struct vmt_thread *t)
{
	const unsigned long size = (unsigned long)OVER_4_GIB;
	unsigned long eighth = vmt_range_size() / 8;
	unsigned long start = ALIGN(VMALLOC_END - eighth, SZ_1G);
	unsigned long end = start + size;
	const struct vmt_request page = {
		PAGE_SIZE, 1, VM_NO_GUARD, start, end
	};
	struct vm_struct *area;
	void *addr;

	/* Then address space has shadow memory of an eighth of its size. */
	if (IS_ENABLED(CONFIG_KASAN_VMALLOC))
		return 0;

	vmt_forget_searches();
	area = vmt_get_area(size, VM_ALLOC | VM_NO_GUARD, start, end);
	if (!area)
		return vmt_fail(t, -ENOSPC, "refused: %lx bytes in [%lx,%lx)",
				size, start, end);
	if ((unsigned long)area->addr != start)
		return vmt_fail(t, -ERANGE,
				"outside of the window [%lx,%lx): at %lx",
				start, end, (unsigned long)area->addr);
	addr = vmt_request(&page);
	if (addr)
		return vmt_fail(t, -EEXIST, "overlap of %lx with [%lx,%lx)",
				(unsigned long)addr, start, end);
	free_vm_area(area);
	vm_unmap_aliases();
	return 0;
}

/*
 * A freed area of three eighths of the range, of which the upper half is empty
 * but for its end, has to be purged when others allocate and free, as it alone
 * is far beyond lazy_max_pages(). On x86_64 it has more pages than an int can
 * count.
 */
static int vast_area_is_purged(struct vmt_thread *t)
{
	unsigned long eighth = ALIGN_DOWN((VMALLOC_END - VMALLOC_START) / 8,
					  PAGE_SIZE);
	unsigned long start = VMALLOC_START + 4 * eighth;
	unsigned long size = 3 * eighth;
	struct vm_struct *area;
	unsigned int i;

	/* KASAN_VMALLOC: as above. */
	if (IS_ENABLED(CONFIG_KASAN_VMALLOC) || !vmt_have_lazy_pages())
		return 0;

	vmt_forget_searches();
	area = vmt_get_area(size, VM_ALLOC | VM_NO_GUARD, start, start + size);
	if (!area)
		return vmt_fail(t, -ENOSPC, "refused: %lx bytes in [%lx,%lx)",
				size, start, start + size);
	free_vm_area(area);
	for (i = 0; i < PURGE_CHANCES; i++) {
		vfree(vmt_vmalloc_range(PAGE_SIZE, 1));
		if (vmt_lazy_pages() < size / PAGE_SIZE / 2)
			break;
		schedule_timeout_uninterruptible(1);
	}
	if (i == PURGE_CHANCES)
		return vmt_fail(t, -EOVERFLOW,
				"lazy pages: %lu, and no purge, after %lu were freed at once",
				vmt_lazy_pages(), size / PAGE_SIZE);
	vm_unmap_aliases();
	return 0;
}

static int exact_op(struct exact *x)
{
	unsigned int pages;
	int err;

	/* Whoever dies in a BUG never gives it back; the others have to end. */
	while (!mutex_trylock(&one_at_a_time)) {
		err = vmt_breathe(x->t);
		if (err)
			return err;
		schedule_timeout_uninterruptible(1);
	}
	err = split(x);
	if (!err && range_is_vast())
		err = over_4_gib(x->t) ?: vast_area_is_purged(x->t);
	for (pages = 1; pages <= MAX_HOLE && !err; pages += pages < 4 ? 1 : 4)
		err = one_hole(x, pages);
	mutex_unlock(&one_at_a_time);
	return err ?: vmt_slice_is_one_hole(x->t, x->base);
}

int exact_hole_test(struct vmt_thread *t)
{
	struct exact x = { .t = t };
	unsigned long i;
	u64 began;
	int err;

	if (!range_is_vast())
		vmt_ktap_scaled(t,
				"holes of 1 to %u pages, in place of these, an area of more than 4 GiB and one of three eighths of the range",
				MAX_HOLE);
	err = vmt_slice(t, &x.base);
	began = ktime_get_ns();
	for (i = 0; i < t->loops && !err; i++)
		err = exact_op(&x) ?: vmt_breathe(t);
	t->ns = ktime_get_ns() - began;
	t->ops = i;
	return err;
}
