// SPDX-License-Identifier: GPL-2.0-only
/*
 * pcpu_leak_test: percpu chunks that come and go must leave nothing behind.
 * The first thread makes percpu create chunks, frees what is in them, waits
 * until percpu has destroyed them, and compares what there is before and after.
 */
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "checks/leaks.h"
#include "core/ktap.h"
#include "lib/areas.h"
#include "lib/fail.h"
#include "lib/settle.h"
#include "lib/symbols.h"
#include "vmalloc_test.h"

/* In a round; their pages are all there at the same time. */
#define MAX_CHUNKS	16
#define MAX_OBJECTS	4096
#define MAX_BYTES	SZ_32M

/* Rounds after which caches are as full as they get. */
#define WARM_UP		2

/* percpu destroys chunks in a work item; these are milliseconds. */
#define POLL_MS		5
#define PATIENCE_MS	400

/* Growth that is noise: for each chunk, of slabs' objects, and by a slab. */
#define LEAK_PER_CHUNK	64
#define LEAK_OF_OBJECTS	SZ_16K
#define LEAK_OF_SLABS	SZ_32K

struct leak {
	unsigned int nr_objects;
	void __percpu *objects[MAX_OBJECTS];
	unsigned int nr_chunks;
	struct {
		unsigned long start;
		unsigned long end;
	} chunks[MAX_CHUNKS];
	unsigned long destroyed;
};

/* Notes the chunk that @addr is in: the area of its first CPU's group. */
static void note_chunk(struct leak *leak, unsigned long addr)
{
	unsigned long start, end;
	unsigned int i;

	for (i = 0; i < leak->nr_chunks; i++)
		if (addr >= leak->chunks[i].start && addr < leak->chunks[i].end)
			return;

	/* percpu's first chunk is elsewhere, and stays. */
	if (!is_vmalloc_addr((void *)addr) ||
	    !vmt_find_area(addr, &start, &end))
		return;
	leak->chunks[leak->nr_chunks].start = start;
	leak->chunks[leak->nr_chunks].end = end;
	leak->nr_chunks++;
}

static unsigned long most_bytes(void)
{
	struct sysinfo info;

	si_meminfo(&info);
	return min_t(unsigned long, MAX_BYTES, info.totalram * PAGE_SIZE / 8);
}

static void fill_chunks(struct vmt_thread *t, struct leak *leak)
{
	unsigned long object = PCPU_MIN_UNIT_SIZE * num_possible_cpus();
	unsigned long left = most_bytes() / object;
	void __percpu *ptr;

	left = min_t(unsigned long, left, MAX_OBJECTS);
	leak->nr_objects = 0;
	leak->nr_chunks = 0;
	while (leak->nr_objects < left && leak->nr_chunks < MAX_CHUNKS) {
		ptr = __alloc_percpu_gfp(PCPU_MIN_UNIT_SIZE, PAGE_SIZE,
					 VMT_GFP);
		if (!ptr) {
			t->alloc_failures++;
			break;
		}
		t->allocated++;
		leak->objects[leak->nr_objects++] = ptr;
		note_chunk(leak, (unsigned long)
			   per_cpu_ptr(ptr, cpumask_first(cpu_possible_mask)));
		cond_resched();
	}
}

static unsigned int chunks_left(const struct leak *leak)
{
	unsigned long start, end;
	unsigned int left = 0;
	unsigned int i;

	vmt_settle();
	for (i = 0; i < leak->nr_chunks; i++)
		if (vmt_find_area(leak->chunks[i].start, &start, &end))
			left++;
	return left;
}

/* percpu keeps one chunk that is empty, and any that others use. */
static unsigned int wait_for_chunks(struct vmt_thread *t,
				    const struct leak *leak)
{
	unsigned int left = chunks_left(leak);
	unsigned int waited = 0;

	while (left > 1 && waited < PATIENCE_MS && !vmt_breathe(t)) {
		unsigned int before = left;

		msleep(POLL_MS);
		left = chunks_left(leak);
		waited = left == before ? waited + POLL_MS : 0;
	}
	return left;
}

static int leak_round(struct vmt_thread *t, struct leak *leak)
{
	fill_chunks(t, leak);
	while (leak->nr_objects)
		free_percpu(leak->objects[--leak->nr_objects]);
	leak->destroyed += leak->nr_chunks - wait_for_chunks(t, leak);
	return vmt_breathe(t);
}

static int leak_rounds(struct vmt_thread *t, struct leak *leak,
		       unsigned long rounds)
{
	int err = 0;

	leak->destroyed = 0;
	while (rounds-- && !err)
		err = leak_round(t, leak);
	return err;
}

static int judge(struct vmt_thread *t, unsigned long destroyed,
		 const struct vmt_tally *before, const struct vmt_tally *after)
{
	unsigned long areas = vmt_growth(before->areas, after->areas);
	unsigned long kmalloc = vmt_growth(before->kmalloc, after->kmalloc);
	/* Leaked objects may lie in slabs that were there before. */
	unsigned long slab = max(vmt_growth(before->slab, after->slab),
				 kmalloc);

	vmt_ktap_note(t,
		      "destroyed_chunks=%lu left_areas=%lu left_slab=%lu left_kmalloc=%lu",
		      destroyed, areas, slab, kmalloc);
	if (!destroyed)
		return vmt_skip(t, "percpu destroyed no chunk");
	if (areas <= destroyed / 4 &&
	    (!vmt_slab_tells() || slab <= destroyed * LEAK_PER_CHUNK ||
	     (slab <= LEAK_OF_SLABS && kmalloc <= LEAK_OF_OBJECTS)))
		return 0;
	return vmt_fail(t, -EUCLEAN,
			"leak: %lu vmalloc areas and %lu kB of slab in %lu destroyed chunks",
			areas, slab / SZ_1K, destroyed);
}

int pcpu_leak_test(struct vmt_thread *t)
{
	struct vmt_tally before, after;
	struct leak *leak;
	u64 began;
	int err;

	if (t->id)
		return 0;
	if (!vmt_busy_list())
		return vmt_skip(t, "the list of areas was not found");
	leak = kvzalloc(sizeof(*leak), GFP_KERNEL);
	if (!leak)
		return vmt_fail(t, -ENOMEM, "-ENOMEM: a list of objects");

	began = ktime_get_ns();
	err = leak_rounds(t, leak, WARM_UP);
	if (err)
		goto out_free;
	vmt_take_tally(&before);
	err = leak_rounds(t, leak, vmt_params.loops);
	if (err)
		goto out_free;
	vmt_take_tally(&after);
	t->ns = ktime_get_ns() - began;
	t->ops = vmt_params.loops;
	err = judge(t, leak->destroyed, &before, &after);
out_free:
	kvfree(leak);
	return err;
}
