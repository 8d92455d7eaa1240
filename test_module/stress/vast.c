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

#include "lib/symbols.h"
#include "stress/request.h"

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

	/* Then address space has shadow memory of an eighth of its size. */
	if (IS_ENABLED(CONFIG_KASAN_VMALLOC))
		return 0;

	vmt_forget_searches();
	area = vmt_get_area(VAST, VM_ALLOC | VM_NO_GUARD, start, start + VAST);
	if (!area)
		return vmt_fail(t, -ENOSPC, "refused: %lx bytes in [%lx,%lx)",
				VAST, start, start + VAST);
	if ((unsigned long)area->addr != start)
		return vmt_fail(t, -ERANGE,
				"outside of the window [%lx,%lx): at %lx",
				start, start + VAST,
				(unsigned long)area->addr);
	addr = vmt_request(&page);
	if (addr)
		return vmt_fail(t, -EEXIST, "overlap of %lx with [%lx,%lx)",
				(unsigned long)addr, start, start + VAST);
	free_vm_area(area);
	vm_unmap_aliases();
	return 0;
}
