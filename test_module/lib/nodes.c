// SPDX-License-Identifier: GPL-2.0-only
/*
 * No header tells what a node looks like: this has its members as 6.12 has
 * them, and is used only if by it all lists of all nodes are lists.
 */
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "lib/compat.h"
#include "lib/interface.h"
#include "lib/nodes.h"
#include "lib/symbols.h"

#define POOLS	256

struct pool {
	struct list_head head;
	unsigned long len;
};

struct rb_list {
	struct rb_root root;
	struct list_head head;
	spinlock_t lock;	/* of both */
};

struct vmt_node {
	struct pool pool[POOLS];
	spinlock_t pool_lock;	/* of the pools */
	bool skip_populate;
	struct rb_list busy;
	struct rb_list lazy;
	struct list_head purge_list;
	struct work_struct purge_work;
	unsigned long nr_purged;
};

static struct vmt_node *nodes;
static unsigned int nr_nodes;
/* It takes no notice of its arguments. */
static unsigned long (*shrink_pools)(void *shrinker, void *control);

static bool is_list(const struct list_head *head)
{
	struct list_head *next, *back;

	return vmt_read(&next, &head->next, sizeof(next)) &&
	       vmt_read(&back, &next->prev, sizeof(back)) && back == head;
}

static bool is_node(const struct vmt_node *node)
{
	unsigned int i;

	for (i = 0; i < POOLS; i++)
		if (!is_list(&node->pool[i].head))
			return false;
	return is_list(&node->busy.head) && is_list(&node->lazy.head);
}

/*
 * With 32 bits there is one node, a variable whose name says little. The
 * compiler knows it, and keeps neither the pointer nor, maybe, the number.
 */
static struct vmt_node *look_up_nodes(unsigned int *nr)
{
	struct vmt_node **first = (void *)vmt_lookup("vmap_nodes");
	const unsigned int *counted = (void *)vmt_lookup("nr_vmap_nodes");

	*nr = counted ? *counted : 1;
	if (first)
		return counted ? *first : NULL;
	return *nr == 1 ? (void *)vmt_lookup("single") : NULL;
}

void vmt_find_nodes(struct vmt_area_list *list)
{
	struct vmt_node *first;
	unsigned int i, nr;

	first = look_up_nodes(&nr);
	if (!first || nr > VMT_MAX_PARTS)
		return;
	for (i = 0; i < nr; i++)
		if (!is_node(&first[i]))
			return;
	nodes = first;
	nr_nodes = nr;
	shrink_pools = (void *)vmt_lookup("vmap_node_shrink_scan");
	for (i = 0; i < nr_nodes; i++)
		list->part[list->nr++] = (struct vmt_area_part){
			.lock = &nodes[i].busy.lock,
			.head = &nodes[i].busy.head,
			.root = &nodes[i].busy.root,
		};
}

void vmt_drain_pools(void)
{
	if (shrink_pools)
		shrink_pools(NULL, NULL);
}

unsigned long vmt_pool_pages(void)
{
	unsigned long pages = 0;
	unsigned int i, pool;

	for (i = 0; i < nr_nodes; i++)
		for (pool = 0; pool < POOLS; pool++)
			pages += READ_ONCE(nodes[i].pool[pool].len) *
				 (pool + 1);
	return pages;
}
