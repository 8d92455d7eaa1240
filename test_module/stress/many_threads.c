// SPDX-License-Identifier: GPL-2.0-only
/*
 * many_threads_test: thousands of threads on little memory, each of which
 * holds a few pages.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "checks/block.h"
#include "lib/fail.h"
#include "lib/rng.h"
#include "vmalloc_test.h"

#define NR_BLOCKS	3
#define MAX_PAGES	4
#define MAX_ALIGN_SHIFT	5

/*
 * Page tables are asked for with the OOM killer behind them, so that a thread
 * stands back before memory is short.
 */
static bool memory_is_short(void)
{
	struct sysinfo info;

	si_meminfo(&info);
	return info.freeram < info.totalram / 8;
}

static int threads_op(struct vmt_thread *t, struct vmt_block *block)
{
	unsigned long size = 1 + vmt_rng_below(&t->rng, MAX_PAGES * PAGE_SIZE);
	unsigned long align = PAGE_SIZE << vmt_rng_below(&t->rng,
							 MAX_ALIGN_SHIFT + 1);
	int err;

	err = vmt_block_free(t, block);
	if (err)
		return err;
	if (memory_is_short()) {
		t->alloc_failures++;
		return 0;
	}
	return vmt_block_alloc(t, block, size, align);
}

int many_threads_test(struct vmt_thread *t)
{
	struct vmt_block *blocks;
	unsigned long i;
	u64 began;
	int err = 0;

	/* Not on the stack: a thread that dies leaves them in a tree. */
	blocks = kcalloc(NR_BLOCKS, sizeof(*blocks), GFP_KERNEL);
	if (!blocks)
		return vmt_fail(t, -ENOMEM, "-ENOMEM: a list of blocks");

	began = ktime_get_ns();
	for (i = 0; i < vmt_params.loops && !err; i++) {
		err = threads_op(t, &blocks[i % NR_BLOCKS]);
		/* So that all of them hold something at the same time. */
		schedule_timeout_uninterruptible(1);
		err = err ?: vmt_breathe(t);
	}
	t->ns = ktime_get_ns() - began;
	t->ops = i;

	for (i = 0; i < NR_BLOCKS; i++) {
		int free_err = vmt_block_free(t, &blocks[i]);

		err = err ?: free_err;
	}
	kfree(blocks);
	return err;
}
