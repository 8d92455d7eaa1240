// SPDX-License-Identifier: GPL-2.0-only
/*
 * refusal_test: requests that nobody can meet. Each has to be refused with
 * nothing lost, and freeing nothing has to do nothing.
 *
 * Freeing what is no area is left out: 4.18 follows a NULL pointer there.
 */
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/vmalloc.h>

#include "lib/areas.h"
#include "lib/fail.h"
#include "lib/interface.h"
#include "lib/symbols.h"
#include "stress/request.h"
#include "vmalloc_test.h"

static unsigned long pages_of_memory(void)
{
	struct sysinfo info;

	si_meminfo(&info);
	return info.totalram;
}

static int no_area(struct vmt_thread *t, const void *addr, const char *what)
{
	if (!addr)
		return 0;
	return vmt_fail(t, -EINVAL, "not refused: %s, which got %lx", what,
			(unsigned long)addr);
}

/* The least power of two that no address in the slice is a multiple of. */
static unsigned long too_much_alignment(unsigned long base)
{
	unsigned long align = VMT_SLICE;

	while (ALIGN(base, align) - base < VMT_SLICE)
		align *= 2;
	return align;
}

static int ask_for_sizes(struct vmt_thread *t)
{
	/*
	 * Later kernels compare before they round up, so that a byte more gets
	 * address space, whose shadow memory may be more than there is.
	 */
	unsigned long more = IS_ENABLED(CONFIG_KASAN_VMALLOC) ? PAGE_SIZE : 1;
	unsigned long memory = pages_of_memory() * PAGE_SIZE;
	int err = 0;

	if (!vmt_warns_of_no_bytes)
		err = no_area(t, vmt_vmalloc_range(0, 1), "no bytes");
	return err ?:
	       no_area(t, vmt_vmalloc_range(memory + more, 1),
		       "more than all memory") ?:
	       no_area(t, vmt_vmalloc_range(1UL << (BITS_PER_LONG - 2), 1),
		       "a quarter of all addresses") ?:
	       no_area(t, vmt_vmalloc_range(-PAGE_SIZE, 1),
		       "all addresses but a page") ?:
	       no_area(t, vmt_vmalloc_range(ULONG_MAX, 1), "all addresses");
}

static int ask_for_areas(struct vmt_thread *t)
{
	struct page *page = ZERO_PAGE(0);

	return no_area(t, vmt_get_area_of(0, VM_ALLOC, no_area),
		       "an area of no bytes") ?:
	       no_area(t, vmt_get_area_of(0, VM_IOREMAP, no_area),
		       "a window of no bytes") ?:
	       no_area(t, vmap(&page, 0, VM_MAP, PAGE_KERNEL),
		       "a mapping of no pages") ?:
	       no_area(t, vmap(&page, pages_of_memory() + 1, VM_MAP,
			       PAGE_KERNEL),
		       "a mapping of more pages than there are");
}

static int ask_in_slice(struct vmt_thread *t)
{
	unsigned long align, base;
	int err;

	err = vmt_slice(t, &base);
	if (err)
		return err;
	align = too_much_alignment(base);
	err = no_area(t, vmt_vmalloc_in(PAGE_SIZE, align, base,
					base + VMT_SLICE, VMT_GFP),
		      "an alignment past the end") ?:
	      no_area(t, vmt_vmalloc_in(VMT_SLICE, 1, base, base + VMT_SLICE,
					VMT_GFP),
		      "a window's size and a guard page") ?:
	      no_area(t, vmt_vmalloc_in(PAGE_SIZE, 1, base, base + PAGE_SIZE,
					VMT_GFP),
		      "a page and a guard page in one page") ?:
	      no_area(t, vmt_vmalloc_in(PAGE_SIZE, 1, base, base, VMT_GFP),
		      "a page in no window");
	return err ?: vmt_slice_is_one_hole(t, base);
}

static void free_nothing(void)
{
	vfree(NULL);
	vunmap(NULL);
}

int refusal_test(struct vmt_thread *t)
{
	u64 began = ktime_get_ns();
	unsigned long i;
	int err = 0;

	if (!vmt_have_lookup())
		return vmt_skip(t, "find_vm_area() was not found");
	for (i = 0; i < t->loops && !err; i++) {
		err = ask_for_sizes(t) ?: ask_for_areas(t) ?: ask_in_slice(t) ?:
		      vmt_breathe(t);
		free_nothing();
		t->allocated++;
	}
	t->ns = ktime_get_ns() - began;
	t->ops = i;
	return err;
}
