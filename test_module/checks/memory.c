// SPDX-License-Identifier: GPL-2.0-only
/*
 * A thread that looks, while a test runs, at the vmalloc range and at the
 * memory that describes it.
 */
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/task.h>

#include "checks/memory.h"
#include "lib/areas.h"
#include "lib/settle.h"
#include "lib/slab.h"
#include "lib/symbols.h"
#include "vmalloc_test.h"

struct area_walk {
	struct vmt_look *look;
	unsigned long free_from;
};

static bool add_area(void *ctx, const struct vmap_area *va)
{
	struct area_walk *walk = ctx;
	struct vmt_look *look = walk->look;
	unsigned long start = clamp(va->va_start, VMALLOC_START, VMT_RANGE_END);
	unsigned long end = clamp(va->va_end, VMALLOC_START, VMT_RANGE_END);

	if (start == end)
		return false;
	look->areas++;
	look->used += end - start;
	look->largest_hole = max(look->largest_hole, start - walk->free_from);
	walk->free_from = end;
	return false;
}

static void take_look(struct vmt_look *look, u64 began)
{
	struct area_walk walk = { look, VMALLOC_START };

	*look = (struct vmt_look){
		.ns = ktime_get_ns() - began,
		.lazy = vmt_lazy_pages() * PAGE_SIZE,
		.slab_unreclaimable = vmt_slab_unreclaimable(),
	};
	vmt_each_area(vmt_busy_list(), add_area, &walk);
	look->largest_hole = max(look->largest_hole,
				 VMT_RANGE_END - walk.free_from);
	look->free = VMT_RANGE_END - VMALLOC_START - look->used;
}

/* Makes room: keeps every second look, and looks half as often from now on. */
static void thin_out(struct vmt_memory *memory)
{
	unsigned int i;

	memory->nr /= 2;
	for (i = 0; i < memory->nr; i++)
		memory->during[i] = memory->during[2 * i + 1];
	memory->interval *= 2;
}

static int look_around(void *data)
{
	struct vmt_memory *memory = data;

	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (kthread_should_stop())
			break;
		if (schedule_timeout(memory->interval))
			continue;

		if (memory->nr == VMT_MAX_LOOKS)
			thin_out(memory);
		take_look(&memory->during[memory->nr++], memory->began);
	}
	__set_current_state(TASK_RUNNING);
	return 0;
}

/*
 * Takes the look "before", and starts to look every memory= milliseconds.
 * Returns an error, or what vmt_memory_stop() ends and kvfree() frees.
 */
struct vmt_memory *vmt_memory_start(void)
{
	struct vmt_memory *memory;
	struct task_struct *task;

	memory = kvzalloc(sizeof(*memory), GFP_KERNEL);
	if (!memory)
		return ERR_PTR(-ENOMEM);
	memory->interval = max(msecs_to_jiffies(vmt_params.memory), 1UL);

	task = kthread_create(look_around, memory, "vmalloc_test/looks");
	if (IS_ERR(task)) {
		kvfree(memory);
		return ERR_CAST(task);
	}
	/* So that it can be stopped even if it died. */
	get_task_struct(task);
	memory->task = task;
	vmt_settle();
	memory->began = ktime_get_ns();
	take_look(&memory->before, memory->began);
	wake_up_process(task);
	return memory;
}

/* Takes the look "after", when all that was freed has been given back. */
void vmt_memory_stop(struct vmt_memory *memory)
{
	kthread_stop(memory->task);
	put_task_struct(memory->task);
	vmt_settle();
	take_look(&memory->after, memory->began);
}
