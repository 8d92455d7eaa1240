// SPDX-License-Identifier: GPL-2.0-only
/*
 * pcpu_areas_test: what percpu asks the allocator for, without percpu. A chunk
 * is some areas at fixed distances from each other, up to many gigabytes; the
 * gaps between them belong to whoever wants them, other chunks among them.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "checks/overlap.h"
#include "core/ktap.h"
#include "lib/fail.h"
#include "lib/rng.h"
#include "lib/room.h"
#include "lib/symbols.h"
#include "vmalloc_test.h"

#define MAX_AREAS	4
#define MAX_ALIGN	(64 * PAGE_SIZE)
#define MAX_SIZE	8	/* in units of the alignment */

/* Chunks that a thread holds in its random part, at most. */
#define MAX_SLOTS	64UL

/* Two groups whose distance all but spans all that a chunk may span. */
#define PAIR_SIZE	SZ_64K

/* A gap that all threads together cannot fill up. */
#define ROOMY		vmt_unit()

struct chunk {
	unsigned int nr;
	size_t align;
	unsigned long offsets[MAX_AREAS];
	size_t sizes[MAX_AREAS];
	struct vm_struct **vms;
	struct vmt_tracked areas[MAX_AREAS];

	/* An area between two of the chunk's. */
	struct vm_struct *between;
	struct vmt_tracked between_area;
};

/* 64 GiB between two groups, or what goes into an address space of 39 bits. */
static unsigned long longest_distance(void)
{
	unsigned long quarter = vmt_range_size() / 4;

	return ALIGN_DOWN(min_t(u64, quarter, 64ULL * SZ_1G), vmt_unit());
}

/* A small range has room for small alignments alone ... */
static unsigned long most_aligned(void)
{
	return min(MAX_ALIGN, vmt_unit() / 256);
}

/* ... and for fewer chunks: all threads hold an eighth of it at most. */
static unsigned long nr_slots(const struct vmt_thread *t)
{
	unsigned long largest = MAX_AREAS * MAX_SIZE * most_aligned();

	return clamp(vmt_range_size() / 8 / largest / t->run->nr_threads, 1UL,
		     MAX_SLOTS);
}

static unsigned long most_pairs(const struct vmt_thread *t)
{
	return vmt_range_size() / 8 / (2 * PAIR_SIZE) / t->run->nr_threads;
}

static unsigned long nr_pairs(const struct vmt_thread *t)
{
	return min(vmt_params.loops, most_pairs(t));
}

static int check_chunk(struct vmt_thread *t, const struct chunk *chunk)
{
	unsigned long first = (unsigned long)chunk->vms[0]->addr;
	unsigned int i;

	for (i = 0; i < chunk->nr; i++) {
		unsigned long start = (unsigned long)chunk->vms[i]->addr;
		unsigned long end = start + chunk->sizes[i];

		if (start - first != chunk->offsets[i] - chunk->offsets[0])
			return vmt_fail(t, -EFAULT,
					"misplaced: area %u of a chunk is at %lx, the first at %lx, and shall be %lx further",
					i, start, first,
					chunk->offsets[i] - chunk->offsets[0]);
		if (!IS_ALIGNED(start, chunk->align))
			return vmt_fail(t, -EFAULT,
					"misaligned: area %u of a chunk, [%lx,%lx), not aligned to %zx",
					i, start, end, chunk->align);
		if (start < VMALLOC_START || end > VMALLOC_END || end < start)
			return vmt_fail(t, -ERANGE,
					"[%lx,%lx) is outside of the vmalloc range",
					start, end);
		if (chunk->vms[i]->size != chunk->sizes[i])
			return vmt_fail(t, -EFAULT,
					"missized: area %u of a chunk has %lx bytes of %zx",
					i, chunk->vms[i]->size,
					chunk->sizes[i]);
	}
	return 0;
}

static void forget_areas(struct chunk *chunk, unsigned int nr)
{
	while (nr--)
		vmt_untrack(&chunk->areas[nr]);
}

static int register_areas(struct vmt_thread *t, struct chunk *chunk)
{
	unsigned int i;
	int err;

	for (i = 0; i < chunk->nr; i++) {
		err = vmt_track(t, &chunk->areas[i], chunk->vms[i]->addr,
				chunk->sizes[i]);
		if (err) {
			forget_areas(chunk, i);
			return err;
		}
	}
	return 0;
}

/*
 * There is always room for a chunk, as none spans more than a part of what is
 * free. What is wrong is not freed, as it may be somebody else's.
 */
static int get_chunk(struct vmt_thread *t, struct chunk *chunk)
{
	int err;

	chunk->vms = vmt_get_pcpu(chunk->offsets, chunk->sizes, chunk->nr,
				  chunk->align);
	t->lazy_pages_max = max(t->lazy_pages_max, vmt_lazy_pages());
	if (!chunk->vms)
		return vmt_fail(t, -ENOMEM,
				"refused: chunk %llu, %u areas at %lx, %lx, ..., aligned to %zx",
				t->ops, chunk->nr, chunk->offsets[0],
				chunk->offsets[1], chunk->align);
	err = check_chunk(t, chunk) ?: register_areas(t, chunk);
	if (err) {
		chunk->vms = NULL;
		return err;
	}
	t->allocated++;
	t->ops++;
	return 0;
}

static void put_chunk(struct chunk *chunk)
{
	if (chunk->between) {
		vmt_untrack(&chunk->between_area);
		free_vm_area(chunk->between);
		chunk->between = NULL;
	}
	if (chunk->vms) {
		forget_areas(chunk, chunk->nr);
		vmt_free_pcpu(chunk->vms, chunk->nr);
		chunk->vms = NULL;
	}
}

/* Some pages anywhere between the first area and the second. */
static int fill_gap(struct vmt_thread *t, struct chunk *chunk)
{
	unsigned long pages = 1 + vmt_rng_below(&t->rng, 16);
	unsigned long a = (unsigned long)chunk->vms[0]->addr;
	unsigned long b = (unsigned long)chunk->vms[1]->addr;
	unsigned long start = a < b ? a + chunk->sizes[0] : b + chunk->sizes[1];
	unsigned long end = max(a, b);
	struct vm_struct *vm;
	int err;

	if (end - start < ROOMY)
		return 0;
	vm = vmt_get_area(pages * PAGE_SIZE, VM_ALLOC, start, end);
	if (!vm)
		return vmt_fail(t, -ENOMEM, "refused: %lu pages in [%lx,%lx)",
				pages, start, end);
	if ((unsigned long)vm->addr < start ||
	    (unsigned long)vm->addr + (pages + 1) * PAGE_SIZE > end)
		return vmt_fail(t, -ERANGE,
				"%lu pages at %lx are outside of their window [%lx,%lx)",
				pages, (unsigned long)vm->addr, start, end);
	err = vmt_track(t, &chunk->between_area, vm->addr,
			(pages + 1) * PAGE_SIZE);
	if (!err)
		chunk->between = vm;
	return err;
}

/* A gap of nothing, of little, or of a good part of the address space. */
static unsigned long random_gap(struct vmt_thread *t, size_t align)
{
	unsigned long longest = longest_distance() / (MAX_AREAS - 1);

	switch (vmt_rng_below(&t->rng, 3)) {
	case 0:
		return 0;
	case 1:
		return align * vmt_rng_below(&t->rng, 32);
	default:
		return align * vmt_rng_below(&t->rng, longest / align);
	}
}

/* Areas one above the other, named in ascending, descending or any order. */
static void draw_chunk(struct vmt_thread *t, struct chunk *chunk)
{
	unsigned int order = vmt_rng_below(&t->rng, 3);
	unsigned int at[MAX_AREAS];
	unsigned long offset = 0;
	unsigned int i, area;

	chunk->nr = 2 + vmt_rng_below(&t->rng, MAX_AREAS - 1);
	chunk->align = PAGE_SIZE << vmt_rng_below(&t->rng,
						  ilog2(most_aligned() /
							PAGE_SIZE) + 1);
	vmt_shuffle(&t->rng, at, chunk->nr);
	for (i = 0; i < chunk->nr; i++) {
		area = order == 0 ? i : order == 1 ? chunk->nr - 1 - i : at[i];
		chunk->sizes[area] = chunk->align *
				     (1 + vmt_rng_below(&t->rng, MAX_SIZE));
		chunk->offsets[area] = offset;
		offset += chunk->sizes[area] + random_gap(t, chunk->align);
	}
}

static int random_part(struct vmt_thread *t, struct chunk *chunks)
{
	unsigned long i;
	int err = 0;

	for (i = 0; i < vmt_params.loops && !err; i++) {
		struct chunk *chunk;

		chunk = &chunks[vmt_rng_below(&t->rng, nr_slots(t))];
		put_chunk(chunk);
		draw_chunk(t, chunk);
		err = get_chunk(t, chunk);
		if (!err && vmt_rng_below(&t->rng, 2))
			err = fill_gap(t, chunk);
		err = err ?: vmt_breathe(t);
	}
	return err;
}

/* Each chunk's lower area goes where others have the gap between theirs. */
static int interleaved_part(struct vmt_thread *t, struct chunk *chunks)
{
	unsigned long i;
	int err = 0;

	for (i = 0; i < nr_pairs(t) && !err; i++) {
		struct chunk *chunk = &chunks[i];
		bool descending = vmt_rng_below(&t->rng, 2);

		chunk->nr = 2;
		chunk->align = PAIR_SIZE;
		chunk->sizes[0] = PAIR_SIZE;
		chunk->sizes[1] = PAIR_SIZE;
		chunk->offsets[descending] = 0;
		chunk->offsets[!descending] = longest_distance();
		err = get_chunk(t, chunk) ?: vmt_breathe(t);
	}
	return err;
}

static void put_chunks(struct vmt_thread *t, struct chunk *chunks,
		       unsigned int *order, unsigned long nr)
{
	unsigned long i;

	vmt_shuffle(&t->rng, order, nr);
	for (i = 0; i < nr; i++) {
		put_chunk(&chunks[order[i]]);
		if (i % VMT_BREATHE_EVERY == 0)
			cond_resched();
	}
}

int pcpu_areas_test(struct vmt_thread *t)
{
	unsigned long nr = max(nr_pairs(t), nr_slots(t));
	struct chunk *chunks;
	unsigned int *order;
	u64 began;
	int err;

	/* A thread that dies leaves its areas behind in the tree. */
	chunks = kvcalloc(nr, sizeof(*chunks), GFP_KERNEL);
	order = kvcalloc(nr, sizeof(*order), GFP_KERNEL);
	if (!chunks || !order) {
		err = vmt_fail(t, -ENOMEM, "-ENOMEM: a list of %lu chunks", nr);
		goto out_free;
	}

	if (nr_slots(t) < MAX_SLOTS)
		vmt_ktap_scaled(t,
				"%lu pairs at most and %lu chunks a thread, aligned to %lu KiB at most, in place of loops= pairs and %lu chunks, aligned to %lu KiB",
				most_pairs(t), nr_slots(t),
				most_aligned() / SZ_1K, MAX_SLOTS,
				MAX_ALIGN / SZ_1K);
	began = ktime_get_ns();
	err = interleaved_part(t, chunks);
	put_chunks(t, chunks, order, nr);
	err = err ?: random_part(t, chunks);
	put_chunks(t, chunks, order, nr);
	t->ns = ktime_get_ns() - began;
out_free:
	kvfree(order);
	kvfree(chunks);
	return err;
}
