// SPDX-License-Identifier: GPL-2.0-only
/* Finds and wraps those parts of vmalloc's interface that are not exported. */
#include <linux/mm.h>
#include <linux/vmalloc.h>

#include "lib/compat.h"
#include "lib/interface.h"

static typeof(find_vm_area) *find_vm;
static typeof(remove_vm_area) *remove_vm;
static typeof(get_vm_area_caller) *get_area_of;
static vmt_module_alloc_fn *alloc_module;
static vmt_module_free_fn *free_module;
static typeof(remap_vmalloc_range_partial) *remap_part;
static struct vm_struct *(*alloc_area)(size_t size, pte_t **ptes);
static void *(*alloc_exec)(unsigned long size);
static long (*read_nofault)(void *to, const void *from, size_t size);
static long (*write_nofault)(void *to, const void *from, size_t size);

const unsigned long vmt_no_guard = VMT_VMAP_NO_GUARD;
const unsigned long vmt_module_align = MODULE_ALIGN;
const bool vmt_module_runs = VMT_MODULE_RUNS;
const bool vmt_warns_of_no_bytes = VMT_WARNS_OF_NO_BYTES;
const bool vmt_always_notifies = VMT_ALWAYS_NOTIFIES;

void vmt_find_interface(void)
{
	find_vm = (void *)vmt_lookup("find_vm_area");
	remove_vm = (void *)vmt_lookup("remove_vm_area");
	get_area_of = (void *)vmt_lookup("get_vm_area_caller");
	alloc_module = (void *)vmt_lookup(VMT_MODULE_ALLOC);
	free_module = (void *)vmt_lookup(VMT_MODULE_FREE);
	remap_part = (void *)vmt_lookup("remap_vmalloc_range_partial");
	alloc_area = (void *)vmt_lookup("alloc_vm_area");
	alloc_exec = (void *)vmt_lookup("vmalloc_exec");

	/* Their names before and since fe557319aa06 (5.8). */
	read_nofault = (void *)vmt_lookup("probe_kernel_read") ?:
		       (void *)vmt_lookup("copy_from_kernel_nofault");
	write_nofault = (void *)vmt_lookup("probe_kernel_write") ?:
			(void *)vmt_lookup("copy_to_kernel_nofault");
}

bool vmt_have_lookup(void)
{
	return find_vm && remove_vm && get_area_of && read_nofault &&
	       write_nofault;
}

struct vm_struct *vmt_find_vm(const void *addr)
{
	return find_vm(addr);
}

struct vm_struct *vmt_remove_vm(const void *addr)
{
	return remove_vm(addr);
}

struct vm_struct *vmt_get_area_of(unsigned long size, unsigned long flags,
				  const void *caller)
{
	return get_area_of(size, flags, caller);
}

bool vmt_read(void *to, const void *addr, size_t size)
{
	return read_nofault && !read_nofault(to, addr, size);
}

bool vmt_readable(const void *addr)
{
	char byte;

	return vmt_read(&byte, addr, sizeof(byte));
}

bool vmt_writable(void *addr)
{
	char byte;

	return !read_nofault(&byte, addr, sizeof(byte)) &&
	       !write_nofault(addr, &byte, sizeof(byte));
}

bool vmt_have_alloc_vm_area(void)
{
	return alloc_area;
}

struct vm_struct *vmt_alloc_vm_area(size_t size, pte_t **ptes)
{
	return alloc_area(size, ptes);
}

void vmt_set_entry(pte_t *entry, struct page *page)
{
	VMT_SET_PTE(entry, mk_pte(page, PAGE_KERNEL));
}

bool vmt_have_exec(void)
{
	return alloc_exec;
}

void *vmt_vmalloc_exec(unsigned long size)
{
	return alloc_exec(size);
}

bool vmt_have_readonly(void)
{
	return pgprot_val(VMT_PAGE_READONLY) != pgprot_val(PAGE_KERNEL);
}

void *vmt_vmalloc_readonly(unsigned long size, gfp_t gfp)
{
	if (!vmt_have_readonly())
		return NULL;
	return vmt_vmalloc_prot(size, gfp, VMT_PAGE_READONLY);
}

void *vmt_map_readonly(struct page **pages, unsigned int nr,
		       unsigned long flags)
{
	return vmap(pages, nr, flags, VMT_PAGE_READONLY);
}

bool vmt_have_module_space(void)
{
	return alloc_module && free_module;
}

void *vmt_module_alloc(unsigned long size)
{
	return vmt_module_alloc_by(alloc_module, size);
}

void vmt_module_free(void *memory)
{
	free_module(memory);
}

void vmt_enter_user(struct mm_struct *mm)
{
	vmt_use_mm(mm);
}

void vmt_leave_user(struct mm_struct *mm)
{
	vmt_unuse_mm(mm);
}

void vmt_lock_user(struct mm_struct *mm)
{
	vmt_lock_mm(mm);
}

void vmt_unlock_user(struct mm_struct *mm)
{
	vmt_unlock_mm(mm);
}

bool vmt_have_remap_part(void)
{
	return remap_part;
}

int vmt_remap_part(struct vm_area_struct *vma, unsigned long user, void *area,
		   unsigned long skip, unsigned long size)
{
	return vmt_remap_by(remap_part, vma, user, area, skip, size);
}
