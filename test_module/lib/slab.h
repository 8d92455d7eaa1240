/* SPDX-License-Identifier: GPL-2.0-only */
/* Slab memory, in pages and in objects. */
#ifndef VMALLOC_TEST_SLAB_H
#define VMALLOC_TEST_SLAB_H

#include <linux/types.h>

void vmt_find_slab_symbols(void);

/* Bytes of slab memory that cannot be reclaimed. */
unsigned long vmt_slab_unreclaimable(void);

/* The same, with what per-CPU counters have not yet added to the sum. */
unsigned long vmt_slab_exact(void);

/* Has the caches of kmalloc() give back what nobody uses. */
void vmt_shrink_slab(void);

/*
 * Bytes of the objects that kmalloc() has given out, which do not depend on
 * how full slabs are; 0 where they cannot be counted. Call vmt_shrink_slab()
 * before, which gives up what CPUs have set aside.
 */
unsigned long vmt_kmalloc_bytes(void);

/*
 * The objects in use of the cache that areas come from, where they have one to
 * themselves. It is shrunk before.
 */
bool vmt_have_area_cache(void);
unsigned long vmt_area_objects(void);

#endif /* VMALLOC_TEST_SLAB_H */
