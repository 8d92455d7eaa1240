// SPDX-License-Identifier: GPL-2.0-only
/* Brings earlier frees to their end, so that they disturb nothing later. */
#include <linux/rcupdate.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>

#include "lib/compat.h"
#include "lib/nodes.h"
#include "lib/settle.h"
#include "vmalloc_test.h"

/* What the kernel itself calls when it finds no space, where it has that. */
static void (*reclaim_all)(void);
/* NULL is all zones. */
static void (*drain_lists)(void *zone);
/* In later kernels (6.19) it frees the areas that got no pages. */
static struct work_struct *cleanup;

void vmt_find_reclaim(void)
{
	reclaim_all = (void *)vmt_lookup("reclaim_and_purge_vmap_areas");
	drain_lists = (void *)vmt_lookup("drain_all_pages");
	cleanup = (void *)vmt_lookup("cleanup_vm_area");
}

/* Waits for what was freed and left to a worker. */
void vmt_finish_frees(void)
{
	if (cleanup)
		flush_work(cleanup);
}

/*
 * Gives the areas that were freed lazily back to the allocator, and waits
 * until RCU has freed the structures that described them, which otherwise
 * would happen while a test is being timed.
 */
void vmt_settle(void)
{
	vmt_finish_frees();
	vm_unmap_aliases();
	vmt_drain_pools();
	rcu_barrier();
}

/*
 * Later kernels keep blocks of vm_map_ram() that have room, and give them back
 * where they find no space.
 */
void vmt_settle_blocks(void)
{
	if (reclaim_all)
		reclaim_all();
	vmt_settle();
}

/*
 * CPUs keep pages that were freed, in later kernels thousands, which do not
 * count as free meanwhile. This gives them back.
 */
void vmt_settle_pages(void)
{
	if (drain_lists)
		drain_lists(NULL);
}

/* With settle=0 a pass goes on from the state that earlier ones left. */
void vmt_settle_if_asked(void)
{
	if (vmt_params.settle)
		vmt_settle();
}
