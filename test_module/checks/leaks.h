/* SPDX-License-Identifier: GPL-2.0-only */
/* Areas and slab memory that a pass or a test may have left behind. */
#ifndef VMALLOC_TEST_LEAKS_H
#define VMALLOC_TEST_LEAKS_H

#include <linux/kconfig.h>
#include <linux/types.h>

/* In the kernel's lists, and in the cache that areas come from. */
struct vmt_leftovers {
	unsigned long ours;	/* areas that this module allocated */
	unsigned long mapped;	/* by vm_map_ram(): those have no vm_struct */
	long objects;		/* of areas' cache, that are in no list */
};

void vmt_leftovers_count(struct vmt_leftovers *left);
int vmt_leftovers_check(const struct vmt_leftovers *before, char *reason);

/* Of everybody's, for a test that is alone. */
struct vmt_tally {
	unsigned long areas;	/* in the vmalloc range */
	unsigned long slab;	/* bytes that cannot be reclaimed */
	unsigned long kmalloc;	/* bytes of objects; 0 if not countable */
};

/* Needs vmt_busy_list(). */
void vmt_take_tally(struct vmt_tally *tally);

/*
 * KASAN keeps what was freed in quarantine, kmemleak's notes included, which
 * alone makes slab memory grow; there kmemleak says what has leaked.
 */
static inline bool vmt_slab_tells(void)
{
	return !IS_ENABLED(CONFIG_KASAN);
}

/* The growth from @before to @after; 0 if there is none. */
static inline unsigned long vmt_growth(unsigned long before,
				       unsigned long after)
{
	return after > before ? after - before : 0;
}

#endif /* VMALLOC_TEST_LEAKS_H */
