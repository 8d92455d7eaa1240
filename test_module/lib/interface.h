/* SPDX-License-Identifier: GPL-2.0-only */
/* The rest of vmalloc's interface, as far as modules cannot simply call it. */
#ifndef VMALLOC_TEST_INTERFACE_H
#define VMALLOC_TEST_INTERFACE_H

#include <linux/mm.h>
#include <linux/types.h>
#include <linux/vmalloc.h>

void vmt_find_interface(void);

/* All that most tests of the interface need was found. */
bool vmt_have_lookup(void);

/* find_vm_area(): NULL where no area is, or one without a vm_struct. */
struct vm_struct *vmt_find_vm(const void *addr);

/*
 * remove_vm_area(): frees the area at @addr and returns its vm_struct, which is
 * then the caller's; NULL where find_vm_area() says so.
 */
struct vm_struct *vmt_remove_vm(const void *addr);

/* get_vm_area_caller(): an area without pages, anywhere. */
struct vm_struct *vmt_get_area_of(unsigned long size, unsigned long flags,
				  const void *caller);

/* Reads @size bytes, or one, or writes one; false if it is not allowed. */
bool vmt_read(void *to, const void *addr, size_t size);
bool vmt_readable(const void *addr);
bool vmt_writable(void *addr);

/* alloc_vm_area(), which 301fa9f2ddf7 (5.10) removed. */
bool vmt_have_alloc_vm_area(void);
struct vm_struct *vmt_alloc_vm_area(size_t size, pte_t **ptes);

/* Maps a page of the kernel's by an entry of the page table. */
void vmt_set_entry(pte_t *entry, struct page *page);

/* vmalloc_exec(), which 7a0e27b2a0ce (5.8) removed. */
bool vmt_have_exec(void);
void *vmt_vmalloc_exec(unsigned long size);

/* Pages that cannot be written, where the kernel has a name for them. */
bool vmt_have_readonly(void);
void *vmt_map_readonly(struct page **pages, unsigned int nr,
		       unsigned long flags);

/* __vmalloc() of such pages; NULL from 5.8 on, and where there are none. */
void *vmt_vmalloc_readonly(unsigned long size, gfp_t gfp);

/* VM_NO_GUARD where vmap() takes it, or 0. */
extern const unsigned long vmt_no_guard;

/* What the kernel makes of requests for nothing, and of those not to sleep. */
extern const bool vmt_warns_of_no_bytes;
extern const bool vmt_always_notifies;

/* Memory for a module's code, which has a range of addresses of its own. */
bool vmt_have_module_space(void);
extern const unsigned long vmt_module_align;
extern const bool vmt_module_runs;	/* without being loaded */
void *vmt_module_alloc(unsigned long size);
void vmt_module_free(void *memory);

/* A thread of the kernel's enters the addresses of a process, and leaves. */
struct mm_struct;
void vmt_enter_user(struct mm_struct *mm);
void vmt_leave_user(struct mm_struct *mm);

/*
 * remap_vmalloc_range_partial(): @size bytes of @area from page @skip on, at
 * @user.
 */
bool vmt_have_remap_part(void);
int vmt_remap_part(struct vm_area_struct *vma, unsigned long user, void *area,
		   unsigned long skip, unsigned long size);

/* Keeps its mappings from changing but by who locked them. */
void vmt_lock_user(struct mm_struct *mm);
void vmt_unlock_user(struct mm_struct *mm);

#endif /* VMALLOC_TEST_INTERFACE_H */
