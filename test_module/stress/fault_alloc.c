// SPDX-License-Identifier: GPL-2.0-only
/*
 * fault_alloc_test: allocations of the vmalloc range in which memory runs out
 * at every single point.
 */
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/pfn.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "lib/fail.h"
#include "lib/rng.h"
#include "lib/room.h"
#include "lib/symbols.h"
#include "stress/fault.h"
#include "vmalloc_test.h"

/* More than a block of vb_alloc() takes, so that either way is gone. */
#define MAX_MAPPED	(BITS_PER_LONG + 8)
#define WINDOW		(64 * PAGE_SIZE)

struct fault_alloc {
	/* Nobody else has anything in here. */
	unsigned long start;
	unsigned long end;

	unsigned long size;
	unsigned long align;
	void *addr;
	struct vm_struct *vm;
	struct page *page;
	struct page *pages[MAX_MAPPED];
	unsigned int nr_pages;
};

static bool do_vmalloc(struct vmt_thread *t, void *ctx)
{
	struct fault_alloc *f = ctx;

	f->addr = vmt_vmalloc_in(f->size, f->align, f->start, f->end, VMT_GFP);
	return f->addr;
}

static int check_vmalloc(struct vmt_thread *t, void *ctx)
{
	const struct fault_alloc *f = ctx;
	unsigned long start = (unsigned long)f->addr;

	if (start < f->start || start + f->size > f->end)
		return vmt_fail(t, -ERANGE,
				"[%lx,%lx) is outside of its window [%lx,%lx)",
				start, start + f->size, f->start, f->end);
	if (!IS_ALIGNED(start, f->align))
		return vmt_fail(t, -EFAULT,
				"misaligned: [%lx,%lx), not aligned to %lx",
				start, start + f->size, f->align);
	memset(f->addr, 0xa5, f->size);
	return 0;
}

static void undo_vmalloc(struct vmt_thread *t, void *ctx)
{
	struct fault_alloc *f = ctx;

	vfree(f->addr);
}

static bool do_get_area(struct vmt_thread *t, void *ctx)
{
	struct fault_alloc *f = ctx;

	f->vm = vmt_get_area(f->size, VM_ALLOC, f->start, f->end);
	return f->vm;
}

static void undo_get_area(struct vmt_thread *t, void *ctx)
{
	struct fault_alloc *f = ctx;

	free_vm_area(f->vm);
}

static bool do_map(struct vmt_thread *t, void *ctx)
{
	struct fault_alloc *f = ctx;

	f->addr = vmt_map_pages(f->pages, f->nr_pages);
	return f->addr;
}

static int check_map(struct vmt_thread *t, void *ctx)
{
	const struct fault_alloc *f = ctx;

	memset(f->addr, 0x5a, f->nr_pages * PAGE_SIZE);
	return 0;
}

static void undo_map(struct vmt_thread *t, void *ctx)
{
	struct fault_alloc *f = ctx;

	vm_unmap_ram(f->addr, f->nr_pages);
}

static const struct vmt_operation operations[] = {
	{ "__vmalloc_node_range()", do_vmalloc, check_vmalloc, undo_vmalloc },
	{ "get_vm_area()", do_get_area, NULL, undo_get_area },
	{ "vm_map_ram()", do_map, check_map, undo_map },
};

/* All of the window is one hole again if one area fits from end to end. */
static int check_window(struct vmt_thread *t, struct fault_alloc *f)
{
	struct vm_struct *vm;

	vm_unmap_aliases();
	vm = vmt_get_area(f->end - f->start - VMT_GUARD, VM_ALLOC, f->start,
			  f->end);
	if (!vm)
		return vmt_fail(t, -ENOMEM,
				"refused: all of [%lx,%lx), which is free",
				f->start, f->end);
	free_vm_area(vm);
	vm_unmap_aliases();
	return 0;
}

static int inject_all(struct vmt_thread *t, void *ctx,
		      struct vmt_faults *faults)
{
	struct fault_alloc *f = ctx;
	unsigned int i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(operations) && !err; i++) {
		f->size = PAGE_SIZE * (1 + vmt_rng_below(&t->rng, 12));
		f->align = PAGE_SIZE << vmt_rng_below(&t->rng, 5);
		f->nr_pages = vmt_rng_below(&t->rng, 2) ? MAX_MAPPED :
			      1 + vmt_rng_below(&t->rng, BITS_PER_LONG);
		err = vmt_inject(t, &operations[i], f, faults) ?:
		      check_window(t, f);
	}
	t->ops += i;
	return err;
}

/* The others would count as what is left behind. */
int fault_alloc_test(struct vmt_thread *t)
{
	struct fault_alloc *f;
	unsigned int i;
	int err;

	if (t->id)
		return 0;
	if (!IS_ENABLED(CONFIG_FAULT_INJECTION) || !vmt_busy_list())
		return vmt_skip(t, "the kernel cannot make allocations fail");
	f = kzalloc(sizeof(*f), GFP_KERNEL);
	if (!f)
		return vmt_fail(t, -ENOMEM, "-ENOMEM: a list of pages");
	f->page = alloc_page(GFP_KERNEL);
	if (!f->page) {
		err = vmt_fail(t, -ENOMEM, "-ENOMEM: a page");
		goto out_free;
	}
	for (i = 0; i < MAX_MAPPED; i++)
		f->pages[i] = f->page;
	f->start = VMALLOC_START + (VMALLOC_END - VMALLOC_START) / 2;
	f->start = ALIGN(f->start, vmt_unit()) + PAGE_SIZE;
	f->end = f->start + WINDOW;

	err = vmt_fault_rounds(t, inject_all, f);
	__free_page(f->page);
out_free:
	kfree(f);
	return err;
}
