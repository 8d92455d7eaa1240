// SPDX-License-Identifier: GPL-2.0-only
/*
 * mm/vmalloc.c of the tree under test, and the calls into it.
 *
 * It is included and not linked, as much of it is static.
 */
#include <linux/kernel.h>
#include <linux/rbtree_augmented.h>
#include <linux/rculist.h>
#include <mm/vmalloc.c>

#include "allocator.h"

extern int (*shim_module_init)(void);
const struct seq_operations *shim_vmallocinfo;
unsigned long totalram_pages = 1ul << 20;

static struct page page_of_all;
static struct page *pages_of_all[4096];
static bool (*on_pressure)(void);

static int pressure(struct notifier_block *block, unsigned long event,
		    void *data)
{
	if (on_pressure())
		++*(unsigned long *)data;
	return NOTIFY_OK;
}

static struct notifier_block notifier = { .notifier_call = pressure };

void allocator_start(bool (*under_pressure)(void))
{
	static struct vm_struct early[3];
	int i;

	for (i = 0; i < ARRAY_SIZE(pages_of_all); i++)
		pages_of_all[i] = &page_of_all;
	early[0].flags = VM_ALLOC;
	early[0].size = 3 * PAGE_SIZE;
	vm_area_register_early(&early[0], PAGE_SIZE);
	early[1].flags = VM_IOREMAP;
	early[1].size = PAGE_SIZE;
	vm_area_register_early(&early[1], 16 * PAGE_SIZE);
	early[2].addr = (void *)MODULES_VADDR;
	early[2].size = 2 * PAGE_SIZE;
	vm_area_add_early(&early[2]);
	vmalloc_init();
	shim_module_init();
	on_pressure = under_pressure;
	register_vmap_purge_notifier(&notifier);
}

static gfp_t flags_of(const struct request *request)
{
	return request->may_block ? GFP_KERNEL : GFP_NOWAIT;
}

unsigned long allocator_get(const struct request *request)
{
	unsigned long flags = VM_ALLOC | (request->no_guard ? VM_NO_GUARD : 0);
	struct vm_struct *area;

	area = __get_vm_area_node(request->size, request->align, flags,
				  request->vstart, request->vend, NUMA_NO_NODE,
				  flags_of(request), NULL);
	return area ? (unsigned long)area->addr : 0;
}

void allocator_put(unsigned long address, enum freeing how)
{
	struct vm_struct *area = find_vm_area((void *)address);

	if (!area)
		host_fail("lost",
			  "find_vm_area() does not find %lx, which is allocated",
			  address);
	switch (how) {
	case FREE_BY_VUNMAP:
		vunmap((void *)address);
		break;
	case FREE_BY_REMOVE:
		if (remove_vm_area((void *)address) != area)
			host_fail("lost",
				  "remove_vm_area() returns another area than was at %lx",
				  address);
		kfree(area);
		break;
	default:
		free_vm_area(area);
	}
}

unsigned long allocator_vmalloc(const struct request *request)
{
	unsigned long flags = request->no_guard ? VM_NO_GUARD : 0;
	void *start;

	start = __vmalloc_node_range(request->size, request->align,
				     request->vstart, request->vend,
				     flags_of(request), PAGE_KERNEL, flags,
				     NUMA_NO_NODE, NULL);
	return (unsigned long)start;
}

void allocator_vfree(unsigned long address)
{
	vfree((void *)address);
}

unsigned long allocator_map_ram(unsigned int pages)
{
	return (unsigned long)vm_map_ram(pages_of_all, pages, NUMA_NO_NODE,
					 PAGE_KERNEL);
}

void allocator_unmap_ram(unsigned long address, unsigned int pages)
{
	vm_unmap_ram((void *)address, pages);
}

void *allocator_pcpu_get(const struct pcpu_request *request,
			 unsigned long *addresses)
{
	size_t sizes[PCPU_AREAS_MAX];
	struct vm_struct **areas;
	int i;

	for (i = 0; i < request->count; i++)
		sizes[i] = request->sizes[i];
	areas = pcpu_get_vm_areas(request->offsets, sizes, request->count,
				  request->align);
	for (i = 0; areas && i < request->count; i++) {
		addresses[i] = (unsigned long)areas[i]->addr;
		if (areas[i]->size != sizes[i])
			host_fail("size",
				  "percpu area %d has %lx bytes instead of %zx",
				  i, areas[i]->size, sizes[i]);
	}
	return areas;
}

void allocator_pcpu_free(void *areas, int count)
{
	pcpu_free_vm_areas(areas, count);
}

void allocator_purge(void)
{
	vm_unmap_aliases();
}

unsigned long allocator_block_size(void)
{
	return VMAP_BLOCK_SIZE;
}

unsigned int allocator_largest_small_ram(void)
{
	return VMAP_MAX_ALLOC;
}

/* /proc/vmallocinfo: a line begins with two addresses, whatever follows. */

static struct shown *shown;
static int shown_count, shown_limit;

void shim_seq_printf(const char *format, ...)
{
	static const char begin[] = "0x%pK-0x%pK";
	struct shown *area;
	va_list arguments;
	int i;

	for (i = 0; begin[i]; i++) {
		if (format[i] != begin[i])
			return;
	}
	if (shown_count == shown_limit)
		host_fail("rig", "more areas than the driver can hold");
	area = &shown[shown_count++];
	va_start(arguments, format);
	area->start = (unsigned long)va_arg(arguments, void *);
	area->end = (unsigned long)va_arg(arguments, void *);
	va_arg(arguments, unsigned long);
	/* What has a name has no vm_struct: freed, or of vm_map_ram(). */
	area->ram = false;
	area->freed = false;
	for (; format[i]; i++) {
		if (format[i] != '%' || format[i + 1] != 's')
			continue;
		area->ram = va_arg(arguments, const char *)[0] == 'v';
		area->freed = !area->ram;
	}
	va_end(arguments);
}

int allocator_shown(struct shown *areas, int limit)
{
	struct seq_file file = { NULL };
	loff_t position = 0;
	void *at;

	shown = areas;
	shown_count = 0;
	shown_limit = limit;
	for (at = shim_vmallocinfo->start(&file, &position); at;
	     at = shim_vmallocinfo->next(&file, at, &position))
		shim_vmallocinfo->show(&file, at);
	shim_vmallocinfo->stop(&file, NULL);
	return shown_count;
}

/* The tree's own structures, as far as it has them. */

static struct vmap_area *last_seen;
static int black_depth;

static void check_order(struct vmap_area *area, const char *tree)
{
	if (area->va_start >= area->va_end)
		host_fail("tree", "%s: the area %lx-%lx has no size", tree,
			  area->va_start, area->va_end);
	if (last_seen && last_seen->va_end > area->va_start)
		host_fail("tree", "%s: %lx-%lx does not lie above %lx-%lx",
			  tree, area->va_start, area->va_end,
			  last_seen->va_start, last_seen->va_end);
	last_seen = area;
}

/* Walk a subtree in order; returns the number of its areas. */
static int check_subtree(struct rb_node *node, struct rb_node *parent,
			 int blacks, const char *tree)
{
	int count;

	if (!node) {
		if (black_depth >= 0 && black_depth != blacks)
			host_fail("tree",
				  "%s is out of balance: %d and %d black nodes on two paths",
				  tree, black_depth, blacks);
		black_depth = blacks;
		return 0;
	}
	if (rb_parent(node) != parent)
		host_fail("tree",
			  "%s: a node has another parent than the one that leads to it",
			  tree);
	if (rb_is_red(node) && parent && rb_is_red(parent))
		host_fail("tree", "%s: a red node is below a red one", tree);
	blacks += rb_is_black(node);
	count = check_subtree(node->rb_left, node, blacks, tree);
	check_order(rb_entry(node, struct vmap_area, rb_node), tree);
	return count + 1 + check_subtree(node->rb_right, node, blacks, tree);
}

static void check_both(struct rb_root *root, struct list_head *list,
		       const char *name)
{
	struct vmap_area *area;
	int in_tree, in_list = 0;

	last_seen = NULL;
	black_depth = -1;
	in_tree = check_subtree(root->rb_node, NULL, 0, name);
	last_seen = NULL;
	list_for_each_entry(area, list, list) {
		if (area->list.next->prev != &area->list)
			host_fail("tree", "%s: the list is broken", name);
		check_order(area, name);
		in_list++;
	}
	if (in_tree != in_list)
		host_fail("tree",
			  "%s: %d areas in the tree, and %d in the list", name,
			  in_tree, in_list);
}

#ifdef HAVE_VMAP_FREE_LIST
/* Every page of the vmalloc range is in one area, a busy or a free one. */
static void check_free(void)
{
	struct vmap_area *free, *busy, *last = NULL, *area;
	unsigned long end = 0;

	check_both(&vmap_free_root, &vmap_free_list, "the free areas");
	free = list_first_entry(&vmap_free_list, struct vmap_area, list);
	busy = list_first_entry(&vmap_area_list, struct vmap_area, list);
	while (&free->list != &vmap_free_list ||
	       &busy->list != &vmap_area_list) {
		if (&busy->list == &vmap_area_list ||
		    (&free->list != &vmap_free_list &&
		     free->va_start < busy->va_start)) {
			area = free;
			free = list_next_entry(free, list);
			if (last && last->va_end == area->va_start)
				host_fail("tree", "two free areas touch at %lx",
					  area->va_start);
			last = area;
		} else {
			area = busy;
			busy = list_next_entry(busy, list);
			last = NULL;
		}
		if (area->va_start < end)
			host_fail("tree", "%lx-%lx is free and busy",
				  area->va_start, end);
		if (area->va_start > end && area->va_start > VMALLOC_START &&
		    end < VMALLOC_END)
			host_fail("tree", "%lx-%lx is neither free nor busy",
				  end, area->va_start);
		end = area->va_end;
	}
}
#else
static void check_free(void)
{
}
#endif

/* Let no other CPU run from here on, once none is at work on the lists. */
void allocator_quiet(void)
{
	spin_lock(&vmap_area_lock);
	host_quiet(true);
	spin_unlock(&vmap_area_lock);
}

void allocator_check(void)
{
	spin_lock(&vmap_area_lock);
	check_both(&vmap_area_root, &vmap_area_list, "the busy areas");
	check_free();
	spin_unlock(&vmap_area_lock);
}
