// SPDX-License-Identifier: GPL-2.0-only
/*
 * Checks the lists in which the kernel keeps its areas, once all threads have
 * ended. Every kernel has the list of busy areas. A list of free areas is
 * checked only where it has a name that is known here, as a series may keep
 * free areas in a way of its own.
 */
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>
#include <linux/vmalloc.h>

#include "checks/area_lists.h"
#include "checks/holes.h"
#include "checks/leaks.h"
#include "lib/areas.h"
#include "lib/settle.h"
#include "lib/symbols.h"
#include "vmalloc_test.h"

/*
 * The rest of the kernel goes on allocating and freeing, and newer kernels move
 * an area from list to list in steps. So only what is wrong at each attempt
 * counts.
 */
#define ATTEMPTS	4
#define PAUSE_MS	20

/* Says in @reason, of VMT_REASON_LEN characters, what is wrong with a list. */
#define contradiction(reason, fmt, ...) \
	(scnprintf(reason, VMT_REASON_LEN, fmt, ##__VA_ARGS__), -EUCLEAN)

/* Mainline's first free area begins at 1, and its last ends at ULONG_MAX. */
static bool is_edge(unsigned long addr, bool free)
{
	return PAGE_ALIGNED(addr) || (free && (addr == 1 || addr == ULONG_MAX));
}

static int check_area(const struct vmap_area *va, unsigned long end_before,
		      bool free, char *reason)
{
	const char *what = free ? "free" : "busy";

	if (va->va_start >= va->va_end)
		return contradiction(reason,
				     "lists: %s area [%lx,%lx) is empty",
				     what, va->va_start, va->va_end);
	if (!is_edge(va->va_start, free) || !is_edge(va->va_end, free))
		return contradiction(reason,
				     "lists: %s area [%lx,%lx) is not made of pages",
				     what, va->va_start, va->va_end);
	if (va->va_start < end_before)
		return contradiction(reason,
				     "lists: %s area [%lx,%lx) comes after one that ends at %lx",
				     what, va->va_start, va->va_end,
				     end_before);
	if (free && end_before && va->va_start == end_before)
		return contradiction(reason,
				     "not merged: free area [%lx,%lx) with the one below",
				     va->va_start, va->va_end);
	return 0;
}

/* The list is sorted, its links agree, and the tree has the same areas. */
static int check_part(const struct vmt_area_part *list, bool free,
		      char *reason)
{
	const struct rb_node *node = list->root ? rb_first(list->root) : NULL;
	const struct list_head *previous = list->head;
	unsigned long end = 0;
	struct vmap_area *va;
	int err;

	list_for_each_entry(va, list->head, list) {
		err = check_area(va, end, free, reason);
		if (err)
			return err;
		if (va->list.prev != previous)
			return contradiction(reason,
					     "lists: the list's links disagree at [%lx,%lx)",
					     va->va_start, va->va_end);
		if (list->root && node != &va->rb_node)
			return contradiction(reason,
					     "lists: list and tree disagree at [%lx,%lx)",
					     va->va_start, va->va_end);
		if (node)
			node = rb_next(node);
		previous = &va->list;
		end = va->va_end;
	}
	if (list->head->prev != previous || node)
		return contradiction(reason,
				     "lists: the %s list ends at %lx, the tree does not",
				     free ? "free" : "busy", end);
	return 0;
}

/* The list is locked. */
static int check_list(const struct vmt_area_list *list, bool free,
		      char *reason)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < list->nr && !err; i++)
		err = check_part(&list->part[i], free, reason);
	return err;
}

/* The end of the last area, or 0. */
static unsigned long last_end(const struct vmt_area_list *list)
{
	const struct list_head *head = list->part[0].head;

	return list_empty(head) ? 0 :
	       list_last_entry(head, struct vmap_area, list)->va_end;
}

/* The bytes of [@start, @end) that are in the vmalloc range. */
static unsigned long bytes_in_range(unsigned long start, unsigned long end)
{
	start = clamp(start, VMALLOC_START, VMT_RANGE_END);
	return clamp(end, VMALLOC_START, VMT_RANGE_END) - start;
}

/*
 * Walks both lists at once in the order of addresses. From the first free area
 * to the last, where one area ends the next one begins.
 */
static int check_cover(struct vmt_area_list *busy, struct vmt_area_list *free,
		       unsigned long *kept, char *reason)
{
	struct vmap_area *b = vmt_next_area(busy);
	struct vmap_area *f = vmt_next_area(free);
	const unsigned long top = last_end(free);
	unsigned long end = f ? f->va_start : 0;
	bool begun = false;

	*kept = 0;
	while (b || f) {
		bool is_free = f && (!b || f->va_start < b->va_start);
		struct vmap_area *va = is_free ? f : b;

		begun = begun || is_free;
		*kept += bytes_in_range(va->va_start, va->va_end);
		if (begun && va->va_start < end)
			return contradiction(reason,
					     "lists: [%lx,%lx) is both free and busy",
					     va->va_start, end);
		if (begun && va->va_start > end && end < top)
			return contradiction(reason,
					     "lists: [%lx,%lx) is neither free nor busy",
					     end, va->va_start);
		end = va->va_end;
		if (is_free)
			f = vmt_next_area(free);
		else
			b = vmt_next_area(busy);
	}
	return 0;
}

static int check_free(struct vmt_area_list *busy, unsigned long *kept,
		      char *reason)
{
	struct vmt_area_list *free = vmt_free_list();
	int err;

	*kept = 0;
	if (!free)
		return 0;
	vmt_lock_areas(free);
	vmt_lock_areas(busy);
	err = check_list(free, true, reason) ?:
	      check_cover(busy, free, kept, reason);
	vmt_unlock_areas(busy);
	vmt_unlock_areas(free);
	return err;
}

static int check_busy(struct vmt_area_list *busy, char *reason)
{
	int err;

	vmt_lock_areas(busy);
	err = check_list(busy, false, reason);
	vmt_unlock_areas(busy);
	return err;
}

static int check_once(const struct vmt_lists *before, char *reason)
{
	struct vmt_area_list *busy = vmt_busy_list();
	unsigned long kept;
	int err;

	vmt_settle_blocks();
	err = check_busy(busy, reason) ?: check_free(busy, &kept, reason);
	if (err)
		return err;
	if (kept != before->kept)
		return contradiction(reason,
				     "lists: %lu bytes are free or busy, %lu were before",
				     kept, before->kept);
	return vmt_leftovers_check(&before->leftovers, reason);
}

/* Notes the state before a pass, for vmt_lists_check() to compare with. */
void vmt_lists_note(struct vmt_lists *before)
{
	struct vmt_area_list *busy = vmt_busy_list();
	char reason[VMT_REASON_LEN];

	*before = (struct vmt_lists){ .visible = busy };
	if (!busy)
		return;
	vmt_settle_blocks();
	vmt_leftovers_count(&before->leftovers);
	check_free(busy, &before->kept, reason);
}

/* @reason says what is wrong, in VMT_REASON_LEN characters. */
int vmt_lists_check(const struct vmt_lists *before, char *reason)
{
	unsigned int attempt;
	int err = 0;

	if (!before->visible)
		return 0;
	for (attempt = 0; attempt < ATTEMPTS; attempt++) {
		if (attempt)
			msleep(PAUSE_MS);
		err = check_once(before, reason);
		if (!err)
			return vmt_holes_check(reason);
	}
	return err;
}
