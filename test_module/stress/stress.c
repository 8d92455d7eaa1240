// SPDX-License-Identifier: GPL-2.0-only
/* Stress tests of vmalloc: every thread runs its own loop, at once. */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "checks/block.h"
#include "lib/fail.h"
#include "lib/rng.h"
#include "vmalloc_test.h"

#define MAX_BLOCKS	32

/* The blocks of one thread, and the step of the loop that it is at. */
struct stress {
	unsigned long step;
	unsigned int nr_blocks;
	struct vmt_block blocks[MAX_BLOCKS];
};

/*
 * A thread that dies leaves its blocks behind in the tree of tracked areas, so
 * they must not be on its stack.
 */
static int stress_loop(struct vmt_thread *t, unsigned int nr_blocks,
		       int (*op)(struct vmt_thread *t, struct stress *s))
{
	struct stress *s;
	unsigned int i;
	u64 began;
	int err = 0;

	s = kzalloc(sizeof(*s), GFP_KERNEL);
	if (!s)
		return vmt_fail(t, -ENOMEM, "-ENOMEM: a list of blocks");
	s->nr_blocks = nr_blocks;

	began = ktime_get_ns();
	for (s->step = 0; s->step < t->loops && !err; s->step++) {
		err = op(t, s);
		if (!err)
			err = vmt_breathe(t);
	}
	t->ns = ktime_get_ns() - began;
	t->ops = s->step;

	for (i = 0; i < s->nr_blocks; i++) {
		int free_err = vmt_block_free(t, &s->blocks[i]);

		err = err ?: free_err;
	}
	kfree(s);
	return err;
}

static int alloc_and_free(struct vmt_thread *t, struct vmt_block *block,
			  unsigned long size, unsigned long align)
{
	return vmt_block_alloc(t, block, size, align) ?:
	       vmt_block_free(t, block);
}

/* Most of these alignments cannot be had; that is not a failure. */
static int align_shift_op(struct vmt_thread *t, struct stress *s)
{
	unsigned int shift;
	int err = 0;

	for (shift = 0; shift < BITS_PER_LONG && !err; shift++)
		err = alloc_and_free(t, s->blocks, PAGE_SIZE, 1UL << shift);
	return err;
}

int align_shift_alloc_test(struct vmt_thread *t)
{
	return stress_loop(t, 1, align_shift_op);
}

/* Takes the place of the oldest block: up to 32 pages, up to 4 MB aligned. */
static int random_size_align_op(struct vmt_thread *t, struct stress *s)
{
	struct vmt_block *block = &s->blocks[s->step % s->nr_blocks];
	unsigned long size = 1 + vmt_rng_below(&t->rng, 32 * PAGE_SIZE);
	unsigned long align = 1UL << vmt_rng_below(&t->rng, 23);

	return vmt_block_free(t, block) ?:
	       vmt_block_alloc(t, block, size, align);
}

int random_size_align_test(struct vmt_thread *t)
{
	return stress_loop(t, MAX_BLOCKS, random_size_align_op);
}

/* Frees a random half, and fills up with sizes that need not fit the holes. */
static int fragmentation_op(struct vmt_thread *t, struct stress *s)
{
	unsigned int order[MAX_BLOCKS];
	unsigned int i;
	int err = 0;

	vmt_shuffle(&t->rng, order, s->nr_blocks);
	for (i = 0; i < s->nr_blocks / 2 && !err; i++)
		err = vmt_block_free(t, &s->blocks[order[i]]);

	for (i = 0; i < s->nr_blocks && !err; i++) {
		unsigned long pages = 1 + vmt_rng_below(&t->rng, 16);

		if (!s->blocks[i].addr)
			err = vmt_block_alloc(t, &s->blocks[i],
					      pages * PAGE_SIZE, 1);
	}
	return err;
}

int fragmentation_test(struct vmt_thread *t)
{
	return stress_loop(t, MAX_BLOCKS, fragmentation_op);
}

/* The loop bodies of the performance tests. */
enum mix { MIX_LE_FIT, MIX_B_FIT, MIX_NE_FIT, MIX_BUSY, MIX_RANDOM, NR_MIX };

static int mix_one(struct vmt_thread *t, struct vmt_block *blocks,
		   unsigned int mix)
{
	unsigned long pages = 1;
	unsigned long align = 1;

	switch (mix) {
	case MIX_LE_FIT:
		pages = 3;
		break;
	case MIX_NE_FIT:
		align = 4UL << 20;
		break;
	case MIX_BUSY:
		return vmt_block_alloc(t, &blocks[0], 100 * PAGE_SIZE, 1) ?:
		       alloc_and_free(t, &blocks[1], PAGE_SIZE, 1) ?:
		       vmt_block_free(t, &blocks[0]);
	case MIX_RANDOM:
		pages = 1 + vmt_rng_below(&t->rng, 100);
		break;
	}
	return alloc_and_free(t, &blocks[0], pages * PAGE_SIZE, align);
}

static int mix_op(struct vmt_thread *t, struct stress *s)
{
	unsigned int order[NR_MIX];
	unsigned int i;
	int err = 0;

	vmt_shuffle(&t->rng, order, NR_MIX);
	for (i = 0; i < NR_MIX && !err; i++)
		err = mix_one(t, s->blocks, order[i]);
	return err;
}

int mix_stress_test(struct vmt_thread *t)
{
	return stress_loop(t, 2, mix_op);
}
