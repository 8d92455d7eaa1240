// SPDX-License-Identifier: GPL-2.0-only
/*
 * A freed area of 2^32 pages and some, the guard page being one, is not taken
 * for an area of some. Kernels keep small ones at hand by their size in pages,
 * each CPU some, and warn where one has another size.
 */
#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/vmalloc.h>

#include "lib/fail.h"
#include "lib/symbols.h"
#include "stress/first_fit.h"
#include "vmalloc_test.h"

/* As many pages as an unsigned int cannot count. */
#define UINT_PAGES	((u64)PAGE_SIZE << 32)

int vmt_free_vast_area(struct vmt_thread *t, unsigned long more)
{
	u64 size = UINT_PAGES + (more - 1) * PAGE_SIZE;
	struct vm_struct *area;

	/* All but a little of the range may be as large as two of them. */
	if (VMALLOC_END - VMALLOC_START < 2 * UINT_PAGES - SZ_1G)
		return 0;
	area = vmt_get_area(size, VM_ALLOC, VMALLOC_START, VMALLOC_END);
	if (!area)
		return vmt_fail(t, -ENOSPC, "refused: %llx bytes", size);
	t->allocated++;
	free_vm_area(area);
	vm_unmap_aliases();
	vfree(vmt_vmalloc_range((more - 1) * PAGE_SIZE, 1));
	/* Where it is at hand as a small one, it is given back. */
	vmt_forget_searches();
	return 0;
}
