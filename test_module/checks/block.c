// SPDX-License-Identifier: GPL-2.0-only
/* Allocates and frees for the stress tests, with all of their checks. */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/pfn.h>
#include <linux/vmalloc.h>

#include "checks/block.h"
#include "checks/overlap.h"
#include "checks/pattern.h"
#include "lib/fail.h"
#include "lib/rng.h"
#include "lib/symbols.h"
#include "vmalloc_test.h"

/* Returns whether a thread may hold @pages more, as live_pages= says. */
bool vmt_may_hold(const struct vmt_thread *t, unsigned long pages)
{
	return t->live_pages + pages <= vmt_params.live_pages;
}

static int check_address(struct vmt_thread *t, const void *addr,
			 unsigned long size, unsigned long align)
{
	unsigned long start = (unsigned long)addr;

	if (start < VMALLOC_START || start > VMALLOC_END ||
	    PAGE_ALIGN(size) + VMT_GUARD > VMALLOC_END - start)
		return vmt_fail(t, -ERANGE,
				"outside of the vmalloc range: [%lx,%lx)",
				start, start + size);
	if (!IS_ALIGNED(start, align))
		return vmt_fail(t, -EFAULT,
				"misaligned: [%lx,%lx), not aligned to %lx",
				start, start + size, align);
	return 0;
}

/*
 * Where memory is short, or the thread may hold no more, the block stays empty,
 * which is no failure. An area that is wrong is not freed, as it may be
 * somebody else's.
 */
int vmt_block_alloc(struct vmt_thread *t, struct vmt_block *block,
		    unsigned long size, unsigned long align)
{
	void *addr;
	int err;

	block->addr = NULL;
	if (!vmt_may_hold(t, PFN_UP(size)))
		return 0;

	addr = vmt_vmalloc_range(size, align);
	t->lazy_pages_max = max(t->lazy_pages_max, vmt_lazy_pages());
	if (!addr) {
		t->alloc_failures++;
		return 0;
	}

	err = check_address(t, addr, size, align);
	if (err)
		return err;
	err = vmt_track(t, &block->area, addr, PAGE_ALIGN(size) + VMT_GUARD);
	if (err)
		return err;

	block->addr = addr;
	block->size = size;
	block->tag = vmt_rng_next(&t->rng);
	vmt_pattern_write(addr, size, block->tag);
	t->live_pages += PFN_UP(size);
	t->allocated++;
	return 0;
}

/* Does nothing to an empty block. */
int vmt_block_free(struct vmt_thread *t, struct vmt_block *block)
{
	int err;

	if (!block->addr)
		return 0;
	err = vmt_pattern_check(t, block->addr, block->size, block->tag);

	/* First, as the area may be somebody else's once it is freed. */
	vmt_untrack(&block->area);
	vfree(block->addr);
	block->addr = NULL;
	t->live_pages -= PFN_UP(block->size);
	return err;
}
