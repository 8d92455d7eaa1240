// SPDX-License-Identifier: GPL-2.0-only
/* Finds what is still there although everything was freed and purged. */
#include <linux/cpumask.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/spinlock.h>
#include <linux/vmalloc.h>

#include "checks/leaks.h"
#include "lib/slab.h"
#include "lib/symbols.h"
#include "vmalloc_test.h"

/* Objects that may be kept for the next split: one, or one for each CPU. */
#define KEPT_AT_ALL	4

#define leak(reason, fmt, ...) \
	(scnprintf(reason, VMT_REASON_LEN, "leak: " fmt, ##__VA_ARGS__), \
	 -EBUSY)

static bool is_ours(const struct vm_struct *vm)
{
	return vm && within_module((unsigned long)vm->caller, THIS_MODULE);
}

/* What vm_map_ram() takes has no vm_struct, nor has what is freed lazily. */
static void count_areas(struct vmt_leftovers *left,
			const struct vmt_area_list *busy)
{
	const struct vm_struct *vm;
	struct vmap_area *va;

	spin_lock(busy->lock);
	list_for_each_entry(va, busy->head, list) {
		vm = vmt_area_vm(va);
		left->ours += is_ours(vm);
		left->blocks += !vm;
	}
	spin_unlock(busy->lock);
}

static long count_list(const struct vmt_area_list *list)
{
	const struct list_head *at;
	long areas = 0;

	spin_lock(list->lock);
	list_for_each(at, list->head)
		areas++;
	spin_unlock(list->lock);
	return areas;
}

static long count_objects(const struct vmt_area_list *busy)
{
	const struct vmt_area_list *free = vmt_free_list();

	if (!free || !vmt_have_area_cache())
		return 0;
	return (long)vmt_area_objects() - count_list(busy) - count_list(free);
}

void vmt_leftovers_count(struct vmt_leftovers *left,
			 const struct vmt_area_list *busy)
{
	*left = (struct vmt_leftovers){ .objects = count_objects(busy) };
	count_areas(left, busy);
}

static int name_ours(const struct vmt_area_list *busy, char *reason)
{
	struct vmap_area *va;

	spin_lock(busy->lock);
	list_for_each_entry(va, busy->head, list) {
		const struct vm_struct *vm = vmt_area_vm(va);

		if (!is_ours(vm))
			continue;
		scnprintf(reason, VMT_REASON_LEN,
			  "leak: [%lx,%lx) of %ps is left", va->va_start,
			  va->va_end, vm->caller);
		break;
	}
	spin_unlock(busy->lock);
	return -EBUSY;
}

int vmt_leftovers_check(const struct vmt_leftovers *before,
			const struct vmt_area_list *busy, char *reason)
{
	struct vmt_leftovers left;
	long objects;

	vmt_leftovers_count(&left, busy);
	if (left.ours > before->ours)
		return name_ours(busy, reason);
	if (left.blocks > before->blocks)
		return leak(reason, "%lu areas of vm_map_ram() are left",
			    left.blocks - before->blocks);
	objects = left.objects - before->objects;
	if (objects > KEPT_AT_ALL + num_possible_cpus())
		return leak(reason,
			    "%ld objects of areas that are neither free nor busy",
			    objects);
	return 0;
}
