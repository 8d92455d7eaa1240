/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The nodes of mm/vmalloc.c since d093602919ad (6.9): each has a list of the
 * busy areas whose addresses are its own, and pools of free ones for reuse.
 */
#ifndef VMALLOC_TEST_NODES_H
#define VMALLOC_TEST_NODES_H

#include "lib/symbols.h"

/* Adds the list of each node to @list; none where they cannot be read. */
void vmt_find_nodes(struct vmt_area_list *list);

/* Gives the pools back to the free areas, if there are any. */
void vmt_drain_pools(void);

/* Pages of the areas in pools. */
unsigned long vmt_pool_pages(void);

#endif /* VMALLOC_TEST_NODES_H */
