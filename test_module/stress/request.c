// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests for an area within a window. They come with pages, since only then
 * can a request that is refused be kept out of the kernel log.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>

#include "lib/fail.h"
#include "lib/room.h"
#include "lib/settle.h"
#include "lib/symbols.h"
#include "stress/request.h"
#include "vmalloc_test.h"

void *vmt_request(const struct vmt_request *r)
{
	return vmt_vmalloc_window(r->size, r->align, r->flags, r->start,
				  r->end);
}

/* Checks that @addr, which the kernel returned for @r, is as @r says. */
int vmt_request_check(struct vmt_thread *t, const struct vmt_request *r,
		      const void *addr)
{
	unsigned long start = (unsigned long)addr;
	unsigned long takes = vmt_request_takes(r);

	if (start < r->start || start >= r->end || r->end - start < takes)
		return vmt_fail(t, -ERANGE,
				"outside of the window [%lx,%lx): [%lx,%lx), align %lx",
				r->start, r->end, start, start + takes,
				r->align);
	if (!IS_ALIGNED(start, r->align) || !PAGE_ALIGNED(start))
		return vmt_fail(t, -EFAULT,
				"misaligned: [%lx,%lx), not aligned to %lx",
				start, start + takes, r->align);
	return 0;
}

/* Finds the slice of thread @t, in the part of the range that is empty. */
int vmt_slice(struct vmt_thread *t, unsigned long *base)
{
	unsigned long quarter = (VMALLOC_END - VMALLOC_START) / 4;
	unsigned long start = ALIGN(VMALLOC_START + quarter, vmt_unit());
	unsigned long end = ALIGN_DOWN(VMALLOC_END - quarter, vmt_unit());

	if (t->id >= (end - start) / VMT_SLICE)
		return vmt_fail(t, -ENOSPC, "-ENOSPC: no slice for thread %u",
				t->id);
	*base = start + t->id * VMT_SLICE;
	return vmt_slice_is_one_hole(t, *base);
}

int vmt_slice_is_one_hole(struct vmt_thread *t, unsigned long base)
{
	struct vm_struct *area;

	vmt_finish_frees();
	vmt_forget_searches();
	area = vmt_get_area(VMT_SLICE - VMT_GUARD, VM_ALLOC, base,
			    base + VMT_SLICE);
	if (!area)
		return vmt_fail(t, -ENOSPC,
				"not merged: [%lx,%lx), of which all is free",
				base, base + VMT_SLICE);
	if ((unsigned long)area->addr != base)
		return vmt_fail(t, -ERANGE,
				"outside of the window [%lx,%lx): at %lx",
				base, base + VMT_SLICE,
				(unsigned long)area->addr);
	free_vm_area(area);
	vm_unmap_aliases();
	return 0;
}
