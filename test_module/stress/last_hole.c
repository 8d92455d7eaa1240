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

/* Behind it there may be an area, up to here. */
#define BEYOND		(LAST + BLOCK + PAGE_SIZE)

static struct vm_struct *fence(unsigned long base, unsigned int i)
{
	unsigned long middle = base + i * UNIT;
	unsigned long start = i ? middle - PAGE_SIZE : middle;
	unsigned long end = i < NR_FENCES ? middle + PAGE_SIZE : base + LAST;

	return vmt_get_area(end - start, VM_ALLOC | VM_NO_GUARD, start, end);
}

/* An area for I/O is aligned to its size. */
static struct vm_struct *ask(struct vmt_thread *t, unsigned long base,
			     unsigned long end)
{
	struct vm_struct *area = vmt_get_area(BLOCK, VM_IOREMAP | VM_NO_GUARD,
					      base, base + end);

	if (area)
		t->allocated++;
	return area;
}

/* Whatever lies above the window: @what. */
static int ask_for_last(struct vmt_thread *t, unsigned long base,
			const char *what)
{
	struct vm_struct *area = ask(t, base, LAST + BLOCK);
	unsigned long addr;

	if (!area)
		return vmt_fail(t, -ENOSPC,
				"refused: the last of %u holes, the only one that is aligned, %s",
				NR_FENCES + 1, what);
	addr = (unsigned long)area->addr;
	free_vm_area(area);
	if (addr != base + LAST)
		return vmt_fail(t, -ERANGE, "misplaced: %lx instead of %lx",
				addr, base + LAST);
	return 0;
}

/*
 * Just after a search that may have passed over most holes, as there is room
 * enough behind the last. What is remembered of it must not keep others out.
 */
static int ask_after_another(struct vmt_thread *t, unsigned long base)
{
	struct vm_struct *other;
	int err;

	vmt_forget_searches();
	other = ask(t, base, BEYOND + 2 * BLOCK);
	if (!other)
		return vmt_fail(t, -ENOSPC, "refused: a wide hole");
	if ((unsigned long)other->addr == base + LAST) {
		free_vm_area(other);
		vm_unmap_aliases();
		return ask_for_last(t, base, "for the second time");
	}
	err = ask_for_last(t, base, "after one that lies above it");
	free_vm_area(other);
	return err;
}

static int ask_all(struct vmt_thread *t, unsigned long base)
{
	struct vm_struct *end;
	int err;

	vmt_forget_searches();
	end = vmt_get_area(BEYOND - LAST - BLOCK, VM_ALLOC | VM_NO_GUARD,
			   base + LAST + BLOCK, base + BEYOND);
	if (!end)
		return vmt_fail(t, -ENOMEM, "-ENOMEM: an area at the end");
	err = ask_after_another(t, base);
	free_vm_area(end);
	vm_unmap_aliases();
	vmt_forget_searches();
	return err ?: ask_for_last(t, base, "with room above the window");
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
	err = err ?: ask_all(t, base);
	while (nr)
		free_vm_area(fences[--nr]);
	vm_unmap_aliases();
	kfree(fences);
	return err;
}
