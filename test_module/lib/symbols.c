// SPDX-License-Identifier: GPL-2.0-only
/* Finds and wraps what the kernel does not export. */
#include <linux/kallsyms.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/numa.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "lib/compat.h"
#include "lib/nodes.h"
#include "lib/symbols.h"

/* Tasks that a guest has besides the threads of a test. */
#define OTHER_TASKS	256

static vmt_vmalloc_node_range_fn *vmalloc_node_range;
static typeof(__get_vm_area_caller) *get_vm_area_in;
static typeof(pcpu_get_vm_areas) *pcpu_get;
static typeof(pcpu_free_vm_areas) *pcpu_free;
static typeof(vfree_atomic) *free_atomic;
static struct vmt_area_list busy_list;
static struct vmt_area_list free_list;
/* Stands in where the free areas have no lock of their own. */
static DEFINE_SPINLOCK(no_lock);
/* vmap_lazy_nr: one of these, or neither. */
static const u32 *lazy_nr_int;
static const unsigned long *lazy_nr_long;
static int *max_threads;
static int *kptr_restrict_setting;
static vmt_vread_fn *read_mapped;

/*
 * The names of 68ad4a330433 (5.2), with a lock of their own since e36176be1c39
 * (5.5), or those of a series that keeps them under vmap_area_lock.
 */
static void find_free_list(void)
{
	struct vmt_area_part part = {
		.head = (void *)vmt_lookup("free_vmap_area_list"),
		.root = (void *)vmt_lookup("free_vmap_area_root"),
		.lock = (void *)vmt_lookup("free_vmap_area_lock"),
	};

	if (!part.head) {
		part.head = (void *)vmt_lookup("vmap_free_list");
		part.root = (void *)vmt_lookup("vmap_free_root");
	}
	if (!part.lock)
		part.lock = &no_lock;
	if (part.head)
		free_list.part[free_list.nr++] = part;
}

static void find_busy_list(void)
{
	const struct vmt_area_part part = {
		.lock = (void *)vmt_lookup("vmap_area_lock"),
		.head = (void *)vmt_lookup("vmap_area_list"),
		.root = (void *)vmt_lookup("vmap_area_root"),
	};

	if (part.lock && part.head)
		busy_list.part[busy_list.nr++] = part;
	else
		vmt_find_nodes(&busy_list);
}

/* Up to where the next symbol begins; 0 if it is not known. */
static unsigned long symbol_size(const void *symbol)
{
	char text[KSYM_SYMBOL_LEN];
	unsigned long size;
	const char *slash;

	sprint_symbol(text, (unsigned long)symbol);
	slash = strchr(text, '/');
	if (!slash || sscanf(slash, "/%lx", &size) != 1)
		return 0;
	return size;
}

/*
 * It was an atomic_t before 4d36e6f80404 (5.2), and is an atomic_long_t since
 * then or in a series. On little endian, where the bytes behind an int belong
 * to nothing, they are zero, and it may be read as a long.
 */
static void find_lazy_nr(void)
{
	void *symbol = (void *)vmt_lookup("vmap_lazy_nr");

	if (!symbol || IS_ENABLED(CONFIG_CPU_BIG_ENDIAN))
		return;
	if (symbol_size(symbol) < sizeof(long))
		lazy_nr_int = symbol;
	else
		lazy_nr_long = symbol;
}

void vmt_find_symbols(void)
{
	vmalloc_node_range = (void *)vmt_lookup(VMT_VMALLOC_NODE_RANGE);
	get_vm_area_in = (void *)vmt_lookup("__get_vm_area_caller");
	pcpu_get = (void *)vmt_lookup("pcpu_get_vm_areas");
	pcpu_free = (void *)vmt_lookup("pcpu_free_vm_areas");
	free_atomic = (void *)vmt_lookup("vfree_atomic");

	/* Variables: only kernels with CONFIG_KALLSYMS_ALL know their names. */
	find_busy_list();
	find_free_list();
	max_threads = (void *)vmt_lookup("max_threads");
	find_lazy_nr();
	kptr_restrict_setting = (void *)vmt_lookup("kptr_restrict");
	read_mapped = (void *)vmt_lookup(VMT_VREAD);
}

bool vmt_have_range(void)
{
	return vmalloc_node_range;
}

void *vmt_vmalloc_window(unsigned long size, unsigned long align,
			 unsigned long flags, unsigned long start,
			 unsigned long end)
{
	return vmalloc_node_range(size, align, start, end, VMT_GFP,
				  PAGE_KERNEL, flags, NUMA_NO_NODE,
				  __builtin_return_address(0));
}

void *vmt_vmalloc_range(unsigned long size, unsigned long align)
{
	return vmt_vmalloc_in(size, align, VMALLOC_START, VMALLOC_END, VMT_GFP);
}

void *vmt_vmalloc_in(unsigned long size, unsigned long align,
		     unsigned long start, unsigned long end, gfp_t gfp)
{
	return vmalloc_node_range(size, align, start, end, gfp, PAGE_KERNEL, 0,
				  NUMA_NO_NODE, __builtin_return_address(0));
}

/*
 * A request that nothing can satisfy. Its window begins lower than any other,
 * so that the allocator drops what it remembers of earlier searches, and it
 * purges before it gives up. Stock 4.18 remembers too much: a search that
 * passed by a hole keeps later ones from a hole of exactly their size.
 */
void vmt_forget_searches(void)
{
	vfree(vmt_vmalloc_window(PAGE_SIZE, 1, 0, 0, PAGE_SIZE));
}

void *vmt_map_pages(struct page **pages, unsigned int nr)
{
	return vmt_vm_map_ram(pages, nr);
}

bool vmt_have_areas(void)
{
	return get_vm_area_in;
}

struct vm_struct *vmt_get_area(unsigned long size, unsigned long flags,
			       unsigned long start, unsigned long end)
{
	return get_vm_area_in(size, flags, start, end,
			      __builtin_return_address(0));
}

bool vmt_have_pcpu(void)
{
	return pcpu_get && pcpu_free;
}

struct vm_struct **vmt_get_pcpu(const unsigned long *offsets,
				const size_t *sizes, int nr, size_t align)
{
	return pcpu_get(offsets, sizes, nr, align);
}

void vmt_free_pcpu(struct vm_struct **areas, int nr)
{
	pcpu_free(areas, nr);
}

struct vmt_area_list *vmt_busy_list(void)
{
	return busy_list.nr ? &busy_list : NULL;
}

struct vmt_area_list *vmt_free_list(void)
{
	return busy_list.nr && free_list.nr ? &free_list : NULL;
}

const struct vm_struct *vmt_area_vm(const struct vmap_area *va)
{
	return vmt_vm_of(va);
}

bool vmt_have_vfree_atomic(void)
{
	return free_atomic;
}

void vmt_vfree_atomic(const void *addr)
{
	free_atomic(addr);
}

void vmt_make_urgent(struct task_struct *task)
{
	vmt_set_fifo(task);
}

void vmt_make_ordinary(struct task_struct *task)
{
	vmt_set_normal(task);
}

void vmt_allow_threads(unsigned int more)
{
	int wanted = OTHER_TASKS + more;

	if (max_threads && READ_ONCE(*max_threads) < wanted)
		WRITE_ONCE(*max_threads, wanted);
}

/* With 0 they are hashed; with 1 whoever may see them does. */
bool vmt_show_addresses(void)
{
	if (kptr_restrict_setting)
		WRITE_ONCE(*kptr_restrict_setting, 1);
	return kptr_restrict_setting;
}

bool vmt_have_vread(void)
{
	return read_mapped;
}

bool vmt_vread_has_map_ram(void)
{
	return read_mapped && VMT_VREAD_MAP_RAM;
}

long vmt_vread(char *buf, const void *addr, unsigned long count)
{
	return vmt_vread_by(read_mapped, buf, addr, count);
}

bool vmt_have_lazy_pages(void)
{
	return lazy_nr_int || lazy_nr_long;
}

unsigned long vmt_lazy_pages(void)
{
	if (lazy_nr_int)
		return READ_ONCE(*lazy_nr_int);
	if (lazy_nr_long)
		return READ_ONCE(*lazy_nr_long);
	return 0;
}
