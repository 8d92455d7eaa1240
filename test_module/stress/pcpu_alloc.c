// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stress test of the per-CPU allocator, which takes its chunks out of the
 * vmalloc range. A thread allocates until it may hold no more and then frees
 * everything in random order, so that chunks are created and destroyed.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/percpu.h>
#include <linux/pfn.h>
#include <linux/slab.h>

#include "checks/block.h"
#include "checks/overlap.h"
#include "checks/pattern.h"
#include "lib/fail.h"
#include "lib/rng.h"
#include "lib/symbols.h"
#include "vmalloc_test.h"

#define MAX_OBJECTS	512
#define SMALL_SIZE	512

/* One allocation; its copies are tracked, by the number of their CPU. */
struct object {
	u8 __percpu *ptr;
	unsigned long size;
	u64 tag;
	struct vmt_tracked copies[];
};

struct pcpu_stress {
	unsigned int nr;
	struct object *objects[MAX_OBJECTS];
	unsigned int order[MAX_OBJECTS];
};

static unsigned long pages_of(unsigned long size)
{
	return PFN_UP(size * num_possible_cpus());
}

/* Forgets the copies on the possible CPUs below @end. */
static void forget_copies(struct object *object, unsigned int end)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		if (cpu >= end)
			break;
		vmt_untrack(&object->copies[cpu]);
	}
}

static int register_copies(struct vmt_thread *t, struct object *object)
{
	unsigned int cpu;
	int err;

	for_each_possible_cpu(cpu) {
		err = vmt_track(t, &object->copies[cpu],
				per_cpu_ptr(object->ptr, cpu), object->size);
		if (err) {
			forget_copies(object, cpu);
			return err;
		}
	}
	for_each_possible_cpu(cpu)
		vmt_pattern_write(per_cpu_ptr(object->ptr, cpu), object->size,
				  object->tag);
	return 0;
}

/* NULL in @made when there is no memory; what is wrong is not freed. */
static int object_alloc(struct vmt_thread *t, struct object **made,
			unsigned long size, unsigned long align)
{
	struct object *object;
	int err;

	*made = NULL;
	object = kzalloc(struct_size(object, copies, nr_cpu_ids), VMT_GFP);
	if (!object)
		goto no_memory;
	object->size = size;
	object->tag = vmt_rng_next(&t->rng);
	/* As __alloc_percpu() does with GFP_KERNEL. */
	object->ptr = __alloc_percpu_gfp(size, align, VMT_GFP);
	t->lazy_pages_max = max(t->lazy_pages_max, vmt_lazy_pages());
	if (!object->ptr)
		goto no_memory;

	if (!IS_ALIGNED((__force unsigned long)object->ptr, align))
		err = vmt_fail(t, -EFAULT,
			       "misaligned: per-CPU %lx, not aligned to %lx",
			       (__force unsigned long)object->ptr, align);
	else
		err = register_copies(t, object);
	if (err) {
		kfree(object);
		return err;
	}
	t->live_pages += pages_of(size);
	t->allocated++;
	*made = object;
	return 0;

no_memory:
	t->alloc_failures++;
	kfree(object);
	return 0;
}

static int object_free(struct vmt_thread *t, struct object *object)
{
	unsigned int cpu;
	int err = 0;

	for_each_possible_cpu(cpu)
		err = err ?: vmt_pattern_check(t, per_cpu_ptr(object->ptr, cpu),
					       object->size, object->tag);

	/* First, as the area may be somebody else's once it is freed. */
	forget_copies(object, nr_cpu_ids);
	free_percpu(object->ptr);
	t->live_pages -= pages_of(object->size);
	kfree(object);
	return err;
}

static int free_all(struct vmt_thread *t, struct pcpu_stress *s)
{
	int err = 0;
	unsigned int i;

	vmt_shuffle(&t->rng, s->order, s->nr);
	for (i = 0; i < s->nr; i++) {
		int free_err = object_free(t, s->objects[s->order[i]]);

		err = err ?: free_err;
	}
	s->nr = 0;
	return err;
}

static int pcpu_op(struct vmt_thread *t, struct pcpu_stress *s)
{
	u32 bound = vmt_rng_below(&t->rng, 4) ? PCPU_MIN_UNIT_SIZE : SMALL_SIZE;
	unsigned long size = 1 + vmt_rng_below(&t->rng, bound);
	unsigned long align = 1UL << vmt_rng_below(&t->rng, PAGE_SHIFT + 1);
	int err = 0;

	if (s->nr == MAX_OBJECTS || !vmt_may_hold(t, pages_of(size)))
		err = free_all(t, s);
	if (!err)
		err = object_alloc(t, &s->objects[s->nr], size, align);
	if (err)
		return err;
	if (!s->objects[s->nr])
		return free_all(t, s);
	s->nr++;
	return 0;
}

int pcpu_alloc_test(struct vmt_thread *t)
{
	struct pcpu_stress *s;
	unsigned long i;
	u64 began;
	int free_err;
	int err = 0;

	s = kzalloc(sizeof(*s), GFP_KERNEL);
	if (!s)
		return vmt_fail(t, -ENOMEM, "-ENOMEM: a list of objects");

	began = ktime_get_ns();
	for (i = 0; i < t->loops && !err; i++) {
		err = pcpu_op(t, s);
		if (!err)
			err = vmt_breathe(t);
	}
	t->ns = ktime_get_ns() - began;
	t->ops = i;

	free_err = free_all(t, s);
	kfree(s);
	return err ?: free_err;
}
