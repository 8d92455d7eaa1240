// SPDX-License-Identifier: GPL-2.0-only
/* Finds what is still there although everything was freed and purged. */
#include <linux/cpumask.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/vmalloc.h>

#include "checks/leaks.h"
#include "lib/areas.h"
#include "lib/settle.h"
#include "lib/slab.h"
#include "lib/symbols.h"
#include "vmalloc_test.h"

/* Objects that may be kept for the next split: one, or one for each CPU. */
#define KEPT_AT_ALL	4

#define leak(reason, fmt, ...) \
	(scnprintf(reason, VMT_REASON_LEN, "leak: " fmt, ##__VA_ARGS__), \
	 -EBUSY)

/* What vm_map_ram() takes has no vm_struct, nor has what is freed lazily. */
static bool add_area(void *ctx, const struct vmap_area *va)
{
	const struct vm_struct *vm = vmt_area_vm(va);
	struct vmt_leftovers *left = ctx;

	left->ours += vmt_is_ours(vm);
	left->mapped += !vm;
	return false;
}

static bool count_one(void *ctx, const struct vmap_area *va)
{
	long *areas = ctx;

	++*areas;
	return false;
}

/* Objects of areas' cache that are in neither list. */
static long count_objects(void)
{
	struct vmt_area_list *free = vmt_free_list();
	long objects, areas = 0;

	if (!free || !vmt_have_area_cache())
		return 0;
	objects = vmt_area_objects();
	vmt_each_area(vmt_busy_list(), count_one, &areas);
	vmt_each_area(free, count_one, &areas);
	return objects - areas;
}

void vmt_leftovers_count(struct vmt_leftovers *left)
{
	*left = (struct vmt_leftovers){ .objects = count_objects() };
	vmt_each_area(vmt_busy_list(), add_area, left);
}

/* Names the lowest area that is ours in @ctx, a reason. */
static bool name_ours(void *ctx, const struct vmap_area *va)
{
	const struct vm_struct *vm = vmt_area_vm(va);

	if (!vmt_is_ours(vm))
		return false;
	scnprintf(ctx, VMT_REASON_LEN, "leak: [%lx,%lx) of %ps is left",
		  va->va_start, va->va_end, vm->caller);
	return true;
}

/* @reason says in VMT_REASON_LEN characters what is left. */
int vmt_leftovers_check(const struct vmt_leftovers *before, char *reason)
{
	struct vmt_leftovers left;
	long objects;

	vmt_leftovers_count(&left);
	if (left.ours > before->ours) {
		vmt_each_area(vmt_busy_list(), name_ours, reason);
		return -EBUSY;
	}
	if (left.mapped > before->mapped)
		return leak(reason, "%lu areas of vm_map_ram() are left",
			    left.mapped - before->mapped);
	objects = left.objects - before->objects;
	/* Unsigned, with 32 bits, less than none would be very many. */
	if (objects > KEPT_AT_ALL + (long)num_possible_cpus())
		return leak(reason,
			    "%ld objects of areas that are neither free nor busy",
			    objects);
	return 0;
}

void vmt_take_tally(struct vmt_tally *tally)
{
	vmt_settle_blocks();
	tally->areas = vmt_count_areas();
	vmt_shrink_slab();
	tally->slab = vmt_slab_exact();
	tally->kmalloc = vmt_kmalloc_bytes();
}
