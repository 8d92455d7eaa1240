// SPDX-License-Identifier: GPL-2.0-only
/* Counts what the slab caches have given out. */
#include <linux/kconfig.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "lib/compat.h"
#include "lib/slab.h"

/* struct slabinfo of mm/slab.h, with room for what it may grow by. */
struct slab_counts {
	unsigned long active_objs;
	unsigned long others[15];
};

static void (*get_counts)(struct kmem_cache *cache, struct slab_counts *counts);
static struct kmem_cache *area_cache;

/* The cache has mainline's name (68ad4a330433, 5.2), or one like it. */
void vmt_find_slab_symbols(void)
{
	struct kmem_cache **cache;

	get_counts = (void *)vmt_lookup("get_slabinfo");
	cache = (void *)vmt_lookup("vmap_area_cachep");
	if (!cache)
		cache = (void *)vmt_lookup("vmap_area_cache");
	/* One that may be merged with others' says little of areas. */
	if (get_counts && cache && !IS_ENABLED(CONFIG_SLAB_MERGE_DEFAULT))
		area_cache = *cache;
}

static unsigned long objects_in_use(struct kmem_cache *cache)
{
	struct slab_counts counts = { };

	get_counts(cache, &counts);
	return counts.active_objs;
}

unsigned long vmt_slab_unreclaimable(void)
{
	return vmt_slab_pages() * PAGE_SIZE;
}

unsigned long vmt_slab_exact(void)
{
	return (vmt_slab_pages() + vmt_slab_pages_noted()) * PAGE_SIZE;
}

/* Shrinking a cache also empties KASAN's quarantine of its objects. */
void vmt_shrink_slab(void)
{
	int i;

	for (i = 0; i <= KMALLOC_SHIFT_HIGH; i++)
		if (VMT_KMALLOC_CACHE(i))
			kmem_cache_shrink(VMT_KMALLOC_CACHE(i));
}

unsigned long vmt_kmalloc_bytes(void)
{
	unsigned long bytes = 0;
	int i;

	for (i = 0; i <= KMALLOC_SHIFT_HIGH && get_counts; i++)
		if (VMT_KMALLOC_CACHE(i))
			bytes += objects_in_use(VMT_KMALLOC_CACHE(i)) *
				 kmem_cache_size(VMT_KMALLOC_CACHE(i));
	return bytes;
}

bool vmt_have_area_cache(void)
{
	return area_cache;
}

unsigned long vmt_area_objects(void)
{
	kmem_cache_shrink(area_cache);
	return objects_in_use(area_cache);
}
