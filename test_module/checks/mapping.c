// SPDX-License-Identifier: GPL-2.0-only
/*
 * Checks an area against what was asked for: who finds it, how large it is,
 * which pages its addresses lead to, and that none is mapped behind its end.
 */
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/vmalloc.h>

#include "checks/mapping.h"
#include "lib/areas.h"
#include "lib/fail.h"
#include "lib/interface.h"
#include "vmalloc_test.h"

/* Counts again where workers free what a module had. */
#define MAX_RECOUNTS	50
#define PAUSE_MS	20

#define ADDR(pointer)	((unsigned long)(pointer))

/* The alignment that VM_IOREMAP asks for. */
static unsigned long ioremap_align(unsigned long size)
{
	return 1UL << clamp_t(int, get_count_order_long(size), PAGE_SHIFT,
			      IOREMAP_MAX_ORDER);
}

/* Checks size, flags and alignment; @flags may be fewer than the area has. */
int vmt_area_check(struct vmt_thread *t, const struct vm_struct *vm,
		   unsigned long size, unsigned long flags)
{
	unsigned long start = ADDR(vm->addr);

	if (vm->size != size + (flags & VM_NO_GUARD ? 0 : VMT_GUARD))
		return vmt_fail(t, -EINVAL,
				"missized: an area of %lx with its guard page, for %lx with flags %lx, at %lx",
				vm->size, size, flags, start);
	if ((vm->flags & (flags | VM_NO_GUARD)) != flags)
		return vmt_fail(t, -EINVAL,
				"misdescribed: flags %lx instead of %lx at %lx",
				vm->flags, flags, start);
	if (!PAGE_ALIGNED(start) ||
	    (flags & VM_IOREMAP && !IS_ALIGNED(start, ioremap_align(size))))
		return vmt_fail(t, -EFAULT,
				"misaligned: [%lx,%lx), with flags %lx", start,
				start + size, flags);
	if (start < VMALLOC_START || start + vm->size - 1 > VMALLOC_END)
		return vmt_fail(t, -ERANGE,
				"outside of the vmalloc range: [%lx,%lx)",
				start, start + size);
	return 0;
}

static int check_page(struct vmt_thread *t, const void *addr,
		      const struct page *page)
{
	if (!is_vmalloc_addr(addr))
		return vmt_fail(t, -EINVAL,
				"misdescribed: %lx is no vmalloc address",
				ADDR(addr));
	if (vmalloc_to_page(addr) != page ||
	    vmalloc_to_pfn(addr) != page_to_pfn(page))
		return vmt_fail(t, -EILSEQ,
				"mismapped: %lx leads to another page",
				ADDR(addr));
	return 0;
}

/* Each byte of the area, up to its guard page, is found as part of it. */
static int check_lookup(struct vmt_thread *t, const struct vm_struct *vm)
{
	const void *last = vm->addr + vm->size - 1;
	const void *middle = vm->addr + vm->size / 2;

	if (vm->addr && vmt_find_vm(middle) == vm && vmt_find_vm(last) == vm)
		return 0;
	return vmt_fail(t, -ENOENT,
			"not found: the middle or the end of [%lx,%lx)",
			ADDR(vm->addr), ADDR(last) + 1);
}

int vmt_mapping_check(struct vmt_thread *t, const struct vmt_mapping *m)
{
	const struct vm_struct *vm = vmt_find_vm(m->addr);
	const void *end = m->addr + m->size;
	unsigned long i;
	int err;

	if (!vm || vm->addr != m->addr)
		return vmt_fail(t, -ENOENT, "not found: the area at %lx",
				ADDR(m->addr));
	err = vmt_area_check(t, vm, m->size, m->flags) ?: check_lookup(t, vm);
	for (i = 0; i < m->size / PAGE_SIZE && !err; i++)
		err = check_page(t, m->addr + i * PAGE_SIZE, m->pages[i]) ?:
		      check_page(t, m->addr + (i + 1) * PAGE_SIZE - 1,
				 m->pages[i]);
	if (err || m->flags & VM_NO_GUARD)
		return err;
	/* 4.18's vmalloc_to_page() warns where there is no page table. */
	if (vmt_readable(end))
		return vmt_fail(t, -EFAULT,
				"no guard page: there is memory at %lx, behind [%lx,%lx)",
				ADDR(end), ADDR(m->addr), ADDR(end));
	return 0;
}

int vmt_elsewhere_check(struct vmt_thread *t, unsigned long before)
{
	unsigned long after = vmt_count_areas_elsewhere();
	unsigned int i;

	for (i = 0; after > before && i < MAX_RECOUNTS; i++) {
		msleep(PAUSE_MS);
		after = vmt_count_areas_elsewhere();
	}
	if (after <= before)
		return 0;
	return vmt_fail(t, -EUCLEAN,
			"leak: %lu areas of modules, or of their shadow memory",
			after - before);
}
