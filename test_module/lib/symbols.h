/* SPDX-License-Identifier: GPL-2.0-only */
/* Kernel functions and figures that are not exported to modules. */
#ifndef VMALLOC_TEST_SYMBOLS_H
#define VMALLOC_TEST_SYMBOLS_H

#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>
#include <linux/types.h>

struct page;
struct task_struct;

void vmt_find_symbols(void);

/* __vmalloc_node_range() was found, which all vmt_vmalloc_...() need. */
bool vmt_have_range(void);

/*
 * Memory for a test that can do without: NULL rather than a warning, and
 * rather than the OOM killer, which would end whoever loads the module.
 */
#define VMT_GFP		(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN)

/*
 * One area within [@start, @end), with pages, allocated with VMT_GFP: nothing
 * in the log says so when it is refused. @flags may have VM_NO_GUARD.
 */
void *vmt_vmalloc_window(unsigned long size, unsigned long align,
			 unsigned long flags, unsigned long start,
			 unsigned long end);

/* One area anywhere in the vmalloc range, allocated with VMT_GFP. */
void *vmt_vmalloc_range(unsigned long size, unsigned long align);
void *vmt_vmalloc_in(unsigned long size, unsigned long align,
		     unsigned long start, unsigned long end, gfp_t gfp);

/* Makes the allocator forget its earlier searches, and purge. */
void vmt_forget_searches(void);

/* vm_map_ram(): as many as fit into a block share one, more get an area. */
void *vmt_map_pages(struct page **pages, unsigned int nr);

/* As many nodes as a kernel has at most. */
#define VMT_MAX_PARTS	128

/* Areas in the order of their addresses, in one list or in several. */
struct vmt_area_list {
	unsigned int nr;
	struct vmt_area_part {
		spinlock_t *lock;	/* held while the list is read */
		struct list_head *head;
		struct rb_root *root;	/* the same areas, or NULL */
		struct list_head *next;	/* where a walk is */
	} part[VMT_MAX_PARTS];
};

/*
 * The areas in use; before dd3b8353bae7 (5.4) lazily freed ones are among them.
 * NULL where they are not visible.
 */
struct vmt_area_list *vmt_busy_list(void);

/*
 * The free areas, where the kernel has a list of them under a name that is
 * known here; NULL elsewhere. Its lock is taken before that of the busy areas.
 */
struct vmt_area_list *vmt_free_list(void);

/* The vm_struct of a busy area; NULL if it was freed, or has none. */
struct vm_struct;
struct vmap_area;
const struct vm_struct *vmt_area_vm(const struct vmap_area *va);

/*
 * An area of @size and the guard page somewhere in [@start, @end), without
 * pages; VM_IOREMAP in @flags aligns it to its size.
 */
bool vmt_have_areas(void);
struct vm_struct *vmt_get_area(unsigned long size, unsigned long flags,
			       unsigned long start, unsigned long end);

/* pcpu_get_vm_areas(), with which percpu allocates its chunks. */
bool vmt_have_pcpu(void);
struct vm_struct **vmt_get_pcpu(const unsigned long *offsets,
				const size_t *sizes, int nr, size_t align);
void vmt_free_pcpu(struct vm_struct **areas, int nr);

/* vfree_atomic(), for where one may not sleep, be it no interrupt. */
bool vmt_have_vfree_atomic(void);
void vmt_vfree_atomic(const void *addr);

/* Has @task run before all that are not urgent. */
void vmt_make_urgent(struct task_struct *task);
void vmt_make_ordinary(struct task_struct *task);

/*
 * Raises the kernel's limit on threads, which is low where memory is small, so
 * that @more of them can start. Does nothing where it is not visible.
 */
void vmt_allow_threads(unsigned int more);

/*
 * Lets /proc/vmallocinfo print addresses as they are, for good
 * (kernel.kptr_restrict). False where it would still hide them.
 */
bool vmt_show_addresses(void);

/* Copies @count bytes from @addr on; zeros stand where nothing is mapped. */
bool vmt_have_vread(void);
/* What vm_map_ram() maps is no hole for it. */
bool vmt_vread_has_map_ram(void);
long vmt_vread(char *buf, const void *addr, unsigned long count);

bool vmt_have_lazy_pages(void);

/* Lazily freed pages not purged yet; 0 where the counter is not visible. */
unsigned long vmt_lazy_pages(void);

#endif /* VMALLOC_TEST_SYMBOLS_H */
