// SPDX-License-Identifier: GPL-2.0-only
/*
 * area_lookup_test: areas without pages, from get_vm_area_caller() and
 * alloc_vm_area(), and who finds them: by each of their addresses as long as
 * they are there, and by none once they are freed.
 */
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include <asm/pgtable.h>

#include "checks/mapping.h"
#include "lib/fail.h"
#include "lib/interface.h"
#include "lib/rng.h"
#include "lib/settle.h"
#include "vmalloc_test.h"

#define MAX_PAGES	64

#define ADDR(pointer)	((unsigned long)(pointer))

/* Of the thread that works, as pointers to all entries are too many. */
struct lookup {
	struct page *page;
	pte_t *ptes[MAX_PAGES];
};

static int check_found(struct vmt_thread *t, const struct vm_struct *vm)
{
	const void *addr = vm->addr;
	unsigned long i;

	for (i = 0; i < vm->size; i += PAGE_SIZE)
		if (vmt_find_vm(addr + i) != vm ||
		    vmt_find_vm(addr + i + PAGE_SIZE - 1) != vm)
			return vmt_fail(t, -ENOENT,
					"not found: %lx, in the area [%lx,%lx)",
					ADDR(addr) + i, ADDR(addr),
					ADDR(addr) + vm->size);
	if (vmt_find_vm(addr - 1) == vm || vmt_find_vm(addr + vm->size) == vm)
		return vmt_fail(t, -EEXIST,
				"found: what lies beside [%lx,%lx)", ADDR(addr),
				ADDR(addr) + vm->size);
	return 0;
}

/* An area of this module; others may have got the place meanwhile. */
static bool finds_ours(const void *addr)
{
	const struct vm_struct *vm = vmt_find_vm(addr);

	return vm && within_module((unsigned long)vm->caller, THIS_MODULE);
}

/*
 * Frees @vm, which nobody may find then, or free once more. Its pages may be
 * read until it is purged, as TLBs still know them. Another area waits for that
 * as well, so that there is a list of them.
 */
static int free_area(struct vmt_thread *t, struct vm_struct *vm)
{
	struct vm_struct *other = vmt_get_area_of(PAGE_SIZE, VM_ALLOC,
						  free_area);
	const void *addr = vm->addr;
	unsigned long size = vm->size;

	if (other)
		free_vm_area(other);
	free_vm_area(vm);
	if (vmt_find_vm(addr) || vmt_find_vm(addr + size - 1) ||
	    vmt_remove_vm(addr))
		return vmt_fail(t, -EEXIST, "found: [%lx,%lx), which was freed",
				ADDR(addr), ADDR(addr) + size);
	vmt_settle();
	if (finds_ours(addr) || finds_ours(addr + size - 1) ||
	    (vmt_readable(addr) && !vmt_find_vm(addr)))
		return vmt_fail(t, -EEXIST,
				"found: [%lx,%lx), which was purged",
				ADDR(addr), ADDR(addr) + size);
	return 0;
}

static int reserve(struct vmt_thread *t, unsigned long size)
{
	unsigned long flags = vmt_rng_below(&t->rng, 2) ? VM_IOREMAP : VM_ALLOC;
	const void *caller = reserve;
	struct vm_struct *vm;
	int err;

	if (!vmt_rng_below(&t->rng, 3))
		flags |= VM_NO_GUARD;
	vm = vmt_get_area_of(size, flags, caller);
	if (!vm)
		return vmt_fail(t, -ENOMEM, "refused: an area of %lx", size);
	t->allocated++;
	if (vm->caller != caller)
		return vmt_fail(t, -EINVAL, "misdescribed: %ps asked for %lx",
				vm->caller, ADDR(vm->addr));
	err = vmt_area_check(t, vm, size, flags) ?: check_found(t, vm);
	if (err)
		return err;
	if (vmt_readable(vm->addr))
		return vmt_fail(t, -EEXIST,
				"mapped: a page at %lx, where none was",
				ADDR(vm->addr));
	return free_area(t, vm);
}

/* Maps a page by each of the entries that @vm came with, and finds it there. */
static int check_entries(struct vmt_thread *t, struct lookup *l,
			 const struct vm_struct *vm, unsigned long nr)
{
	unsigned long i;
	void *addr;

	for (i = 0; i < nr; i++) {
		addr = vm->addr + i * PAGE_SIZE;
		if (!l->ptes[i] || !pte_none(*l->ptes[i]))
			return vmt_fail(t, -EINVAL,
					"mismapped: no empty entry for %lx",
					ADDR(addr));
		vmt_set_entry(l->ptes[i], l->page);
		if (vmalloc_to_page(addr) != l->page || !vmt_writable(addr))
			return vmt_fail(t, -EILSEQ,
					"mismapped: the entry for %lx is another's",
					ADDR(addr));
	}
	return 0;
}

static int reserve_with_entries(struct vmt_thread *t, struct lookup *l,
				unsigned long size)
{
	struct vm_struct *vm;
	int err;

	if (!vmt_have_alloc_vm_area())
		return 0;
	memset(l->ptes, 0, sizeof(l->ptes));
	vm = vmt_alloc_vm_area(size, l->ptes);
	if (!vm)
		return vmt_fail(t, -ENOMEM, "refused: alloc_vm_area() of %lx",
				size);
	t->allocated++;
	err = vmt_area_check(t, vm, size, VM_IOREMAP) ?: check_found(t, vm) ?:
	      check_entries(t, l, vm, size / PAGE_SIZE);
	/* Freeing it takes the page out again. */
	return err ?: free_area(t, vm);
}

/* Others would get what was freed before it is looked for. */
int area_lookup_test(struct vmt_thread *t)
{
	u64 began = ktime_get_ns();
	struct lookup *l;
	unsigned long i, size;
	int err = 0;

	if (t->id)
		return 0;
	if (!vmt_have_lookup())
		return vmt_skip(t, "find_vm_area() was not found");
	l = kzalloc(sizeof(*l), GFP_KERNEL);
	if (!l)
		return vmt_fail(t, -ENOMEM, "-ENOMEM: a list of entries");
	l->page = alloc_page(GFP_KERNEL);
	if (!l->page)
		err = vmt_fail(t, -ENOMEM, "-ENOMEM: a page");
	for (i = 0; i < t->loops && !err; i++) {
		size = PAGE_SIZE * (1 + vmt_rng_below(&t->rng, MAX_PAGES));
		err = reserve(t, size) ?: reserve_with_entries(t, l, size) ?:
		      vmt_breathe(t);
	}
	t->ns = ktime_get_ns() - began;
	t->ops = i;
	if (l->page && !err)
		__free_page(l->page);
	kfree(l);
	return err;
}
