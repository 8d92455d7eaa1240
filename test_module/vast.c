// SPDX-License-Identifier: GPL-2.0-only
/*
 * Areas of more than 4 GiB, whose size 32 bits do not hold: address space
 * alone, since no machine has to have the memory.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/vmalloc.h>

#include "request.h"
#include "symbols.h"

#define REST	SZ_256K
#define VAST	(SZ_1G * 4UL + REST)

/* One thread at a time; the part of the range near its end is empty. */
int vmt_vast_is_whole(struct vmt_thread *t)
{
	unsigned long eighth = (VMALLOC_END - VMALLOC_START) / 8;
	unsigned long start = ALIGN(VMALLOC_END - eighth, SZ_1G);
	const struct vmt_request page = {
		PAGE_SIZE, 1, VM_NO_GUARD, start, start + VAST
	};
	struct vm_struct *area;
	void *addr;
	int err = 0;

	vmt_forget_searches();
	area = vmt_get_area(VAST, VM_ALLOC | VM_NO_GUARD, start, start + VAST);
	if (!area)
		return vmt_fail(t, -ENOSPC, "refused: %lx bytes in [%lx,%lx)",
				VAST, start, start + VAST);
	addr = vmt_request(&page);
	if (addr) {
		err = vmt_fail(t, -EEXIST, "overlap of %lx with [%lx,%lx)",
			       (unsigned long)addr, start, start + VAST);
		vfree(addr);
	}
	free_vm_area(area);
	vm_unmap_aliases();
	return err;
}
