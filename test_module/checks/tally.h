/* SPDX-License-Identifier: GPL-2.0-only */
/* What a test may have left behind: areas, and memory of the slab caches. */
#ifndef VMALLOC_TEST_TALLY_H
#define VMALLOC_TEST_TALLY_H

#include <linux/kconfig.h>
#include <linux/types.h>

struct vmt_tally {
	unsigned long areas;	/* in the vmalloc range */
	unsigned long slab;	/* bytes that cannot be reclaimed */
	unsigned long kmalloc;	/* bytes of objects; 0 if not countable */
};

/* Needs vmt_area_list(). */
void vmt_take_tally(struct vmt_tally *tally);
unsigned long vmt_count_areas(unsigned long start, unsigned long end);
bool vmt_find_area(unsigned long addr, unsigned long *start,
		   unsigned long *end);

/*
 * KASAN keeps what was freed in quarantine, kmemleak's notes included, which
 * alone makes slab memory grow; there kmemleak says what has leaked.
 */
static inline bool vmt_slab_tells(void)
{
	return !IS_ENABLED(CONFIG_KASAN);
}

/* How much more @after is than @before; 0 if it is less. */
static inline unsigned long vmt_growth(unsigned long before,
				       unsigned long after)
{
	return after > before ? after - before : 0;
}

#endif /* VMALLOC_TEST_TALLY_H */
