/* SPDX-License-Identifier: GPL-2.0-only */
/* Addresses, and page tables that are never there. */
#ifndef SHIM_PAGING_H
#define SHIM_PAGING_H

#include "memory.h"
#include "../layout.h"

#define PAGE_SHIFT		12
#define PAGE_SIZE		(1UL << PAGE_SHIFT)
#define PAGE_MASK		(~(PAGE_SIZE - 1))
#define PAGE_ALIGN(address)	ALIGN(address, PAGE_SIZE)
#define PAGE_ALIGNED(address)	IS_ALIGNED((unsigned long)(address), PAGE_SIZE)
#define PFN_ALIGN(x)		PAGE_ALIGN((unsigned long)(x))
#define PFN_UP(x)		(((x) + PAGE_SIZE - 1) >> PAGE_SHIFT)
#define offset_in_page(p)	((unsigned long)(p) & ~PAGE_MASK)
#define SHMLBA			PAGE_SIZE
#define PMD_SIZE		(1UL << 21)
#define VMALLOC_START		(layout->start)
#define VMALLOC_END		(layout->end)
#define MODULES_VADDR		(layout->modules_start)
#define MODULES_END		(layout->modules_end)
#define VMALLOC_TOTAL		(VMALLOC_END - VMALLOC_START)
#define is_vmalloc_addr(p) \
	((unsigned long)(p) >= VMALLOC_START && (unsigned long)(p) < VMALLOC_END)
#define kvfree(p)		(is_vmalloc_addr(p) ? vfree(p) : kfree(p))

static inline int get_order(unsigned long size)
{
	size = (size - 1) >> PAGE_SHIFT;
	return size ? fls_long(size) : 0;
}

/*
 * Entries are never read or written, and pointers to them lead nowhere.  Tables
 * can be had, unless a failure is asked for; what is to be unmapped has none.
 */
typedef unsigned long pte_t, pgprot_t;
typedef struct { unsigned long value; } pmd_t;
typedef struct { unsigned long value; } pud_t;
typedef struct { unsigned long value; } p4d_t;
typedef struct { unsigned long value; } pgd_t;
typedef void *pgtable_t;
struct mm_struct;

#define PAGE_KERNEL		0UL
#define PAGE_KERNEL_EXEC	0UL
#define SHIM_TABLE		(1UL << (BITS_PER_LONG - 2))
#define SHIM_TABLES_END(address, end) \
	({ unsigned long __n = ((address) + (1UL << 30)) & ~((1UL << 30) - 1); \
	   __n - 1 < (end) - 1 ? __n : (end); })
#define pgd_offset_k(address)	((pgd_t *)(SHIM_TABLE + ((address) >> 30)))
#define p4d_offset(pgd, a)	((void)(pgd), (p4d_t *)SHIM_TABLE)
#define pud_offset(p4d, a)	((void)(p4d), (pud_t *)SHIM_TABLE)
#define pmd_offset(pud, a)	((void)(pud), (pmd_t *)SHIM_TABLE)
#define pte_offset_kernel(pmd, a)	((void)(pmd), (pte_t *)SHIM_TABLE)
#define pte_offset_map(pmd, a)	pte_offset_kernel(pmd, a)
#define pte_unmap(pte)		((void)(pte))
#define __shim_table(type)	((type *)(host_may_fail() ? 0 : SHIM_TABLE))
#define p4d_alloc(mm, pgd, a)	__shim_table(p4d_t)
#define pud_alloc(mm, p4d, a)	__shim_table(pud_t)
#define pmd_alloc(mm, pud, a)	__shim_table(pmd_t)
#define pte_alloc_kernel(pmd, a)	__shim_table(pte_t)
#define pgd_addr_end(a, end)	(end)
#define p4d_addr_end(a, end)	(end)
#define pud_addr_end(a, end)	(end)
#define pmd_addr_end(a, end)	(end)
#define pgd_none_or_clear_bad(pgd)	1
#define p4d_none_or_clear_bad(p4d)	1
#define pud_none_or_clear_bad(pud)	1
#define pmd_none_or_clear_bad(pmd)	1
#define p4d_clear_huge(p4d)	0
#define pud_clear_huge(pud)	0
#define pmd_clear_huge(pmd)	0
#define pgd_none(pgd)		1
#define p4d_none(p4d)		1
#define pud_none(pud)		1
#define pmd_none(pmd)		1
#define pud_bad(pud)		0
#define pmd_bad(pmd)		0
#define pte_none(pte)		1
#define pte_present(pte)	0
#define pte_page(pte)		((struct page *)NULL)
#define ptep_get_and_clear(mm, a, pte)	((pte_t)0)
#define mk_pte(page, prot)	0
#define set_pte_at(mm, a, pte, value)	((void)(page), (void)(prot))
#define apply_to_page_range(mm, a, size, f, data)	((void)(f), (void)(data), -ENOMEM)

#define flush_cache_vmap(start, end)	((void)(start), (void)(end))
#define flush_cache_vunmap(start, end)	((void)(start), (void)(end))
#define flush_tlb_kernel_range(start, end)	shim_flush_tlb(start, end)
#define flush_tlb_all()		shim_flush_tlb(0, ULONG_MAX)

static inline void shim_flush_tlb(unsigned long start, unsigned long end)
{
	host_might_sleep("a flush of the TLB");
	host_flushed(start, end);
}

#endif
