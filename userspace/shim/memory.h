/* SPDX-License-Identifier: GPL-2.0-only */
/* The slab, pages, and the index of vm_map_ram()'s blocks. */
#ifndef SHIM_MEMORY_H
#define SHIM_MEMORY_H

#include "locking.h"

#define __GFP_DMA		0x01u
#define __GFP_HIGHMEM		0x02u
#define __GFP_DMA32		0x04u
#define __GFP_ZERO		0x08u
#define __GFP_NOWARN		0x10u
#define __GFP_NORETRY		0x20u
#define __GFP_IO		0x40u
#define __GFP_FS		0x80u
#define __GFP_DIRECT_RECLAIM	0x100u
#define __GFP_KSWAPD_RECLAIM	0x200u
#define __GFP_HIGH		0x400u
#define __GFP_ATOMIC		0x800u
#define __GFP_ACCOUNT		0x1000u
#define __GFP_NOFAIL		0x2000u
#define __GFP_RETRY_MAYFAIL	0x4000u
#define __GFP_NOMEMALLOC	0x8000u
#define __GFP_MEMALLOC		0x10000u
#define __GFP_RECLAIM		(__GFP_DIRECT_RECLAIM | __GFP_KSWAPD_RECLAIM)
#define GFP_KERNEL		(__GFP_RECLAIM | __GFP_IO | __GFP_FS)
#define GFP_NOWAIT		__GFP_KSWAPD_RECLAIM
#define GFP_ATOMIC		(__GFP_HIGH | __GFP_ATOMIC | __GFP_KSWAPD_RECLAIM)
#define GFP_DMA			__GFP_DMA
#define GFP_DMA32		__GFP_DMA32
#define GFP_RECLAIM_MASK \
	(__GFP_RECLAIM | __GFP_HIGH | __GFP_IO | __GFP_FS | __GFP_NOWARN | \
	 __GFP_RETRY_MAYFAIL | __GFP_NOFAIL | __GFP_NORETRY | __GFP_MEMALLOC | \
	 __GFP_NOMEMALLOC | __GFP_ATOMIC)
#define gfpflags_allow_blocking(flags)	(!!((flags) & __GFP_DIRECT_RECLAIM))

#define NUMA_NO_NODE		(-1)
#define numa_node_id()		0
#define nr_node_ids		1
#define N_HIGH_MEMORY		0
#define for_each_node_state(node, state)	for ((node) = 0; (node) < 1; (node)++)

#define SLAB_PANIC		1u
#define SLAB_HWCACHE_ALIGN	2u
#define kmem_cache		host_cache

#define __shim_alloc(cache, size, flags) \
	host_alloc(cache, size, gfpflags_allow_blocking(flags), (flags) & __GFP_ZERO)
#define kmalloc(size, flags)	__shim_alloc(NULL, size, flags)
#define kzalloc(size, flags)	__shim_alloc(NULL, size, (flags) | __GFP_ZERO)
#define kcalloc(n, size, flags)	kzalloc((n) * (size), flags)
#define kmalloc_array(n, size, flags)	kmalloc((n) * (size), flags)
#define kmalloc_node(size, flags, node)	kmalloc(size, flags)
#define kzalloc_node(size, flags, node)	kzalloc(size, flags)
#define kfree(object)		host_free(NULL, (void *)(object))
#define KMEM_CACHE(type, flags)	host_cache(#type, sizeof(struct type))
#define kmem_cache_create(name, size, align, flags, constructor) \
	host_cache(name, size)
#define kmem_cache_alloc(cache, flags)	__shim_alloc(cache, 0, flags)
#define kmem_cache_zalloc(cache, flags)	__shim_alloc(cache, 0, (flags) | __GFP_ZERO)
#define kmem_cache_alloc_node(cache, flags, node)	kmem_cache_alloc(cache, flags)
#define kmem_cache_free(cache, object)	host_free(cache, object)

struct shrink_control {
	unsigned long nr_to_scan;
};

struct shrinker {
	unsigned long (*count_objects)(struct shrinker *s, struct shrink_control *c);
	unsigned long (*scan_objects)(struct shrinker *s, struct shrink_control *c);
	int seeks;
};

#define DEFAULT_SEEKS		2
#define SHRINK_STOP		(~0UL)
#define SHRINK_EMPTY		(~0UL - 1)
#define register_shrinker(shrinker)	0

#define kmemleak_scan_area(object, size, flags)	((void)(object))
#define kmemleak_free(object)			((void)(object))
#define kmemleak_vmalloc(area, size, flags)	((void)(area))
#define kmemleak_ignore(object)			((void)(object))
#define kmemleak_not_leak(object)		((void)(object))
#define kmemleak_alloc(object, size, n, flags)	((void)(object))
#define kasan_free_shadow(vm)			((void)(vm))
#define debug_check_no_locks_freed(from, size)	((void)(from))
#define debug_check_no_obj_freed(from, size)	((void)(from))
#define debug_pagealloc_enabled()		0

/* A page is one byte of the host's memory: enough to miss it. */
struct page {
	char unused;
};

extern unsigned long totalram_pages;

#define alloc_page(flags)	((struct page *)kmalloc(sizeof(struct page), flags))
#define alloc_pages_node(node, flags, order)	alloc_page(flags)
#define __free_pages(page, order)	kfree(page)
#define page_to_nid(page)	0
#define page_to_pfn(page)	((unsigned long)(page))
#define pfn_to_page(pfn)	((struct page *)(pfn))
#define kmap_atomic(page)	((void *)(page))
#define kunmap_atomic(map)	((void)(map))
#define vm_insert_page(vma, address, page)	((void)(vma), -EINVAL)
#define VM_DONTEXPAND		0
#define VM_DONTDUMP		0

struct vm_area_struct {
	unsigned long vm_start, vm_end, vm_flags;
};

struct radix_tree_root {
	int unused;
};

#define RADIX_TREE(name, flags)	struct radix_tree_root name
#define radix_tree_preload(flags) \
	(host_may_fail() ? -ENOMEM : (host_preempt_disable(), 0))
#define radix_tree_preload_end()	host_preempt_enable()
#define radix_tree_insert(root, key, value)	((void)(root), host_index_insert(key, value))
#define radix_tree_lookup(root, key)	((void)(root), host_index_lookup(key))
#define radix_tree_delete(root, key)	((void)(root), host_index_delete(key))

#endif
