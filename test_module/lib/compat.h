/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the kernel versions differ; included by files of this folder alone. */
#ifndef VMALLOC_TEST_COMPAT_H
#define VMALLOC_TEST_COMPAT_H

#include <linux/hrtimer.h>
#include <linux/mmzone.h>
#include <linux/nodemask.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/sched/rt.h>
#include <linux/slab.h>
#include <linux/mm.h>
#include <linux/version.h>
#include <linux/vmalloc.h>
#include <linux/vmstat.h>
#include <uapi/linux/sched/types.h>

/* checkpatch is right about modules in the tree; this one is outside of it. */
#if KERNEL_VERSION(5, 7, 0) > LINUX_VERSION_CODE

#include <linux/kallsyms.h>

static inline unsigned long vmt_lookup(const char *name)
{
	return kallsyms_lookup_name(name);
}

#elif defined(CONFIG_KPROBES)

#include <linux/kprobes.h>

/*
 * 5.7 no longer exports kallsyms_lookup_name() (commit 0bd476e6c671), but a
 * probe on it, never hit, still tells where it is.
 */
static inline unsigned long vmt_lookup(const char *name)
{
	struct kprobe probe = { .symbol_name = "kallsyms_lookup_name" };
	unsigned long (*lookup)(const char *name);

	if (register_kprobe(&probe))
		return 0;
	lookup = (void *)probe.addr;
	unregister_kprobe(&probe);
	return lookup(name);
}

#else

static inline unsigned long vmt_lookup(const char *name)
{
	return 0;
}

#endif

/* 88ae5fb755b0 (6.10) made a macro of it. */
#ifdef __vmalloc_node_range
#define VMT_VMALLOC_NODE_RANGE	"__vmalloc_node_range_noprof"
typedef typeof(__vmalloc_node_range_noprof) vmt_vmalloc_node_range_fn;
#else
#define VMT_VMALLOC_NODE_RANGE	"__vmalloc_node_range"
typedef typeof(__vmalloc_node_range) vmt_vmalloc_node_range_fn;
#endif

/* Until 688fcbfc06e4 (5.4) a flag said whether an area has a vm_struct. */
#if KERNEL_VERSION(5, 4, 0) > LINUX_VERSION_CODE

#define VMT_VM_VM_AREA	0x04	/* VM_VM_AREA of mm/vmalloc.c */

static inline const struct vm_struct *vmt_vm_of(const struct vmap_area *va)
{
	return va->flags & VMT_VM_VM_AREA ? va->vm : NULL;
}

#else

static inline const struct vm_struct *vmt_vm_of(const struct vmap_area *va)
{
	return va->vm;
}

#endif

/* Since d42f3245c7e2 (5.9) the item has another name and another unit. */
#if KERNEL_VERSION(5, 9, 0) > LINUX_VERSION_CODE

#define VMT_SLAB_ITEM	NR_SLAB_UNRECLAIMABLE

static inline unsigned long vmt_slab_pages(void)
{
	return global_node_page_state(VMT_SLAB_ITEM);
}

#else

#define VMT_SLAB_ITEM	NR_SLAB_UNRECLAIMABLE_B

static inline unsigned long vmt_slab_pages(void)
{
	return global_node_page_state_pages(VMT_SLAB_ITEM);
}

#endif

/* d4efd79a81ab (5.8) took the protection from its arguments. */
#if KERNEL_VERSION(5, 8, 0) > LINUX_VERSION_CODE

static inline void *vmt_vm_map_ram(struct page **pages, unsigned int nr)
{
	return vm_map_ram(pages, nr, NUMA_NO_NODE, PAGE_KERNEL);
}

#else

static inline void *vmt_vm_map_ram(struct page **pages, unsigned int nr)
{
	return vm_map_ram(pages, nr, NUMA_NO_NODE);
}

#endif

/*
 * 88dca4ca5a93 (5.8) took the protection from its arguments. vmap() of later
 * kernels warns of VM_NO_GUARD.
 */
#if KERNEL_VERSION(5, 8, 0) > LINUX_VERSION_CODE

#define VMT_VMAP_NO_GUARD	VM_NO_GUARD

static inline void *vmt_vmalloc_prot(unsigned long size, gfp_t gfp,
				     pgprot_t prot)
{
	return __vmalloc(size, gfp, prot);
}

#else

#define VMT_VMAP_NO_GUARD	0

static inline void *vmt_vmalloc_prot(unsigned long size, gfp_t gfp,
				     pgprot_t prot)
{
	return NULL;
}

#endif

/*
 * f5678e7f2ac3 (5.8) renamed them, and since 37c54f9bd486 (5.8) they switch
 * between the kernel's addresses and a process's themselves. d8ed45c5dcd4 (5.8)
 * hides mmap_sem.
 */
#if KERNEL_VERSION(5, 8, 0) > LINUX_VERSION_CODE

#include <linux/mmu_context.h>
#include <linux/uaccess.h>

static inline void vmt_use_mm(struct mm_struct *mm)
{
	use_mm(mm);
	set_fs(USER_DS);
}

static inline void vmt_unuse_mm(struct mm_struct *mm)
{
	set_fs(KERNEL_DS);
	unuse_mm(mm);
}

static inline void vmt_lock_mm(struct mm_struct *mm)
{
	down_write(&mm->mmap_sem);
}

static inline void vmt_unlock_mm(struct mm_struct *mm)
{
	up_write(&mm->mmap_sem);
}

#else

#include <linux/kthread.h>

static inline void vmt_use_mm(struct mm_struct *mm)
{
	kthread_use_mm(mm);
}

static inline void vmt_unuse_mm(struct mm_struct *mm)
{
	kthread_unuse_mm(mm);
}

static inline void vmt_lock_mm(struct mm_struct *mm)
{
	mmap_write_lock(mm);
}

static inline void vmt_unlock_mm(struct mm_struct *mm)
{
	mmap_write_unlock(mm);
}

#endif

/*
 * bdebd6a2831b (5.7) hands on by how many pages to go into the area. Stable
 * releases before 5.7 have it too, so the type tells, not the version.
 */
static inline int vmt_remap_by(typeof(remap_vmalloc_range_partial) *remap,
			       struct vm_area_struct *vma,
			       unsigned long user, void *area,
			       unsigned long skip, unsigned long size)
{
	int (*by_address)(struct vm_area_struct *vma, unsigned long user,
			  void *area, unsigned long size) = (void *)remap;
	int (*by_page)(struct vm_area_struct *vma, unsigned long user,
		       void *area, unsigned long skip, unsigned long size) =
		(void *)remap;

	if (__builtin_types_compatible_p(typeof(remap), typeof(by_address)))
		return by_address(vma, user, area + skip * PAGE_SIZE, size);
	return by_page(vma, user, area, skip, size);
}

/* Pages that CPUs have not yet added to the sum; may be negative. */
static inline long vmt_slab_pages_noted(void)
{
	unsigned int cpu;
	long pages = 0;
	int node;

	for_each_online_node(node) {
		struct per_cpu_nodestat __percpu *stat =
			NODE_DATA(node)->per_cpu_nodestats;

		for_each_online_cpu(cpu)
			pages += per_cpu_ptr(stat->vm_node_stat_diff,
					     cpu)[VMT_SLAB_ITEM];
	}
	return pages;
}

/* cc252eae85e0 (4.20) made it an array for each kind of memory. */
#if KERNEL_VERSION(4, 20, 0) > LINUX_VERSION_CODE
#define VMT_KMALLOC_CACHE(shift)	(kmalloc_caches[shift])
#else
#define VMT_KMALLOC_CACHE(shift)	(kmalloc_caches[KMALLOC_NORMAL][shift])
#endif

/*
 * Since 908a1d775422 (6.13) the function is an argument; 9779489a31d7 (6.15)
 * removed the other way.
 */
#if KERNEL_VERSION(6, 13, 0) > LINUX_VERSION_CODE

static inline void
vmt_hrtimer_setup(struct hrtimer *timer,
		  enum hrtimer_restart (*f)(struct hrtimer *timer),
		  clockid_t clock, enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock, mode);
	timer->function = f;
}

#else

static inline void
vmt_hrtimer_setup(struct hrtimer *timer,
		  enum hrtimer_restart (*f)(struct hrtimer *timer),
		  clockid_t clock, enum hrtimer_mode mode)
{
	hrtimer_setup(timer, f, clock, mode);
}

#endif

/* Since 4.19 they can be written where an architecture has no name for them. */
#ifdef PAGE_KERNEL_RO
#define VMT_PAGE_READONLY	PAGE_KERNEL_RO
#else
#define VMT_PAGE_READONLY	PAGE_KERNEL
#endif

/* On 32-bit Arm entries are set along with what the hardware alone sees. */
#ifdef set_pte_ext
#define VMT_SET_PTE(entry, pte)	set_pte_ext(entry, pte, 0)
#else
#define VMT_SET_PTE(entry, pte)	set_pte(entry, pte)
#endif

/*
 * 4c91c07c93bb (6.4) reads into an iterator; by then what vm_map_ram() maps is
 * read as well (06c8994626d1, 6.3).
 */
#if KERNEL_VERSION(6, 4, 0) > LINUX_VERSION_CODE

#define VMT_VREAD		"vread"
#define VMT_VREAD_MAP_RAM	false
typedef long vmt_vread_fn(char *buf, char *addr, unsigned long count);

static inline long vmt_vread_by(vmt_vread_fn *vread, char *buf,
				const void *addr, unsigned long count)
{
	return vread(buf, (char *)addr, count);
}

#else

#include <linux/uio.h>

#define VMT_VREAD		"vread_iter"
#define VMT_VREAD_MAP_RAM	true
typedef typeof(vread_iter) vmt_vread_fn;

static inline long vmt_vread_by(vmt_vread_fn *vread, char *buf,
				const void *addr, unsigned long count)
{
	struct kvec vec = { .iov_base = buf, .iov_len = count };
	struct iov_iter iter;

	iov_iter_kvec(&iter, ITER_DEST, &vec, 1, count);
	return vread(&iter, addr, count);
}

#endif

/*
 * Since 12e376a6f859 (5.15) those who can free something are asked to whether
 * or not the request may sleep; from 6.19 on one that may not is refused first.
 */
#define VMT_ALWAYS_NOTIFIES						\
	(KERNEL_VERSION(5, 15, 0) <= LINUX_VERSION_CODE &&		\
	 KERNEL_VERSION(6, 19, 0) > LINUX_VERSION_CODE)

/* Since 121e6f3258fe (5.13) a request for no bytes is warned of. */
#define VMT_WARNS_OF_NO_BYTES	(KERNEL_VERSION(5, 13, 0) <= LINUX_VERSION_CODE)

/* 7318d4cc14c8 (5.9) took the priority from its callers. */
#if KERNEL_VERSION(5, 9, 0) > LINUX_VERSION_CODE

static inline void vmt_set_fifo(struct task_struct *task)
{
	const struct sched_param param = { .sched_priority = MAX_RT_PRIO / 2 };

	sched_setscheduler_nocheck(task, SCHED_FIFO, &param);
}

static inline void vmt_set_normal(struct task_struct *task)
{
	const struct sched_param param = { .sched_priority = 0 };

	sched_setscheduler_nocheck(task, SCHED_NORMAL, &param);
}

#else

static inline void vmt_set_fifo(struct task_struct *task)
{
	sched_set_fifo(task);
}

static inline void vmt_set_normal(struct task_struct *task)
{
	sched_set_normal(task, 0);
}

#endif

/*
 * 12af2b83d0b1 (6.10) replaced module_alloc(). What it returns cannot be run
 * any more before a module is loaded there, since f2c65fb3221a (5.2) on x86 and
 * 7dfac3c5f40e (5.3) on arm64.
 */
#if KERNEL_VERSION(6, 10, 0) > LINUX_VERSION_CODE

#include <linux/moduleloader.h>

#define VMT_MODULE_ALLOC	"module_alloc"
#define VMT_MODULE_FREE		"module_memfree"
typedef typeof(module_alloc) vmt_module_alloc_fn;
typedef typeof(module_memfree) vmt_module_free_fn;

static inline void *vmt_module_alloc_by(vmt_module_alloc_fn *alloc,
					unsigned long size)
{
	return alloc(size);
}

#else

#include <linux/execmem.h>

#define VMT_MODULE_ALLOC	"execmem_alloc"
#define VMT_MODULE_FREE		"execmem_free"
typedef typeof(execmem_alloc) vmt_module_alloc_fn;
typedef typeof(execmem_free) vmt_module_free_fn;

/*
 * On x86_64 code that may not be written to shares huge pages (6.13). They are
 * not for us to fill; a module's data has the same range.
 */
#ifdef CONFIG_ARCH_HAS_EXECMEM_ROX
#define VMT_MODULE_MEMORY	EXECMEM_MODULE_DATA
#else
#define VMT_MODULE_MEMORY	EXECMEM_MODULE_TEXT
#endif

static inline void *vmt_module_alloc_by(vmt_module_alloc_fn *alloc,
					unsigned long size)
{
	return alloc(VMT_MODULE_MEMORY, size);
}

#endif

#define VMT_MODULE_RUNS	(KERNEL_VERSION(5, 2, 0) > LINUX_VERSION_CODE)

#endif /* VMALLOC_TEST_COMPAT_H */
