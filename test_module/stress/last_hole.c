// SPDX-License-Identifier: GPL-2.0-only
/*
 * A window full of holes that are large enough for a request and yet do not
 * suit its alignment, save for the last one. An allocator that looks at holes
 * in batches, and lets others have its lock in between, has to go on.
 */
#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "lib/fail.h"
#include "lib/symbols.h"
#include "stress/first_fit.h"
#include "vmalloc_test.h"

/* What is asked for, and its alignment. */
#define BLOCK		(4 * PAGE_SIZE)

/*
 * A fence lies around each multiple of two blocks. The hole behind it has six
 * pages, the third of which is the first one that is aligned, so that there are
 * but three from there on.
 */
#define UNIT		(2 * BLOCK)
#define NR_FENCES	700U

/* The last fence leaves no more than an aligned block to the end. */
#define LAST		(NR_FENCES * UNIT + BLOCK)

static struct vm_struct *fence(unsigned long base, unsigned int i)
{
	unsigned long middle = base + i * UNIT;
	unsigned long start = i ? middle - PAGE_SIZE : middle;
	unsigned long end = i < NR_FENCES ? middle + PAGE_SIZE : base + LAST;

	return vmt_get_area(end - start, VM_ALLOC | VM_NO_GUARD, start, end);
}

static int ask(struct vmt_thread *t, unsigned long base)
{
	struct vm_struct *area;
	unsigned long addr;

	vmt_forget_searches();
	/* An area for I/O is aligned to its size. */
	area = vmt_get_area(BLOCK, VM_IOREMAP | VM_NO_GUARD, base,
			    base + LAST + BLOCK);
	if (!area)
		return vmt_fail(t, -ENOSPC,
				"refused: the last of %u holes, the only one that is aligned",
				NR_FENCES + 1);
	t->allocated++;
	addr = (unsigned long)area->addr;
	free_vm_area(area);
	if (addr != base + LAST)
		return vmt_fail(t, -ERANGE, "misplaced: %lx instead of %lx",
				addr, base + LAST);
	return 0;
}

int vmt_find_last_hole(struct vmt_thread *t, unsigned long base)
{
	struct vm_struct **fences;
	unsigned int nr;
	int err = 0;

	fences = kcalloc(NR_FENCES + 1, sizeof(*fences), GFP_KERNEL);
	if (!fences)
		return vmt_fail(t, -ENOMEM, "-ENOMEM: a list of areas");
	for (nr = 0; nr <= NR_FENCES && !err; nr++) {
		fences[nr] = fence(base, nr);
		if (!fences[nr])
			err = vmt_fail(t, -ENOMEM, "-ENOMEM: area %u", nr);
	}
	if (err)
		nr--;
	err = err ?: ask(t, base);
	while (nr)
		free_vm_area(fences[--nr]);
	vm_unmap_aliases();
	kfree(fences);
	return err;
}
