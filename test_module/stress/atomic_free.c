// SPDX-License-Identifier: GPL-2.0-only
/*
 * atomic_free_test: vmalloc memory freed where one may not sleep: by vfree()
 * from hard and soft interrupts, and by vfree_atomic() with preemption or
 * interrupts off. The kernel defers such frees to a work item. Meanwhile the
 * task that was interrupted allocates and frees the same sizes.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/pfn.h>
#include <linux/preempt.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "checks/block.h"
#include "checks/leaks.h"
#include "checks/pattern.h"
#include "lib/fail.h"
#include "lib/rng.h"
#include "lib/settle.h"
#include "lib/slab.h"
#include "lib/symbols.h"
#include "lib/timer.h"
#include "vmalloc_test.h"

#define MAX_BLOCKS	16
#define MAX_PAGES	16

/* An interrupt comes at any moment of what the task does meanwhile. */
#define MAX_DELAY_NS	(200 * NSEC_PER_USEC)

/* Deferred frees get so long, in milliseconds. */
#define POLL_MS		20
#define PATIENCE_MS	4000

/* Of the pages that were freed, so many may be missing, as others use some. */
#define MISSING_SHARE	8
#define MISSING_AT_ALL	1024

enum context {
	FROM_HARDIRQ,
	FROM_SOFTIRQ,
	WITH_PREEMPTION_OFF,
	WITH_IRQS_OFF,
	FROM_TASK,
	NR_CONTEXTS,
};

/* Blocks that one context frees. */
struct batch {
	struct vmt_thread *t;
	unsigned int nr;
	struct vmt_block blocks[MAX_BLOCKS];
	enum context from;
	struct hrtimer timer;
	struct tasklet_struct tasklet;
	struct completion done;
	unsigned long freed;	/* pages, of all batches, not by a task */
	int err;
};

/* What the threads of a pass share: the memory before the first of them. */
static DEFINE_MUTEX(together);
static unsigned int nr_begun;
static unsigned int nr_ended;
static unsigned long free_before;
static unsigned long ours_before;	/* areas that earlier tests left */
static unsigned long freed_atomically;

/* What others take of slab is not counted; KASAN keeps freed objects there. */
static unsigned long free_pages_now(void)
{
	struct sysinfo info;

	vmt_settle_pages();
	si_meminfo(&info);
	return info.freeram + vmt_slab_unreclaimable() / PAGE_SIZE;
}

/* The pattern is looked at last of all, where the memory is freed. */
static void free_blocks(struct batch *b, void (*give)(const void *addr))
{
	unsigned int i;

	for (i = 0; i < b->nr; i++) {
		struct vmt_block *block = &b->blocks[i];

		if (!block->addr)
			continue;
		b->err = b->err ?: vmt_pattern_check(b->t, block->addr,
						     block->size, block->tag);
		give(block->addr);
		b->freed += PFN_UP(block->size);
	}
}

static enum hrtimer_restart on_timer(struct hrtimer *timer)
{
	struct batch *b = container_of(timer, struct batch, timer);

	if (b->from == FROM_SOFTIRQ) {
		tasklet_schedule(&b->tasklet);
		return HRTIMER_NORESTART;
	}
	free_blocks(b, vfree);
	complete(&b->done);
	return HRTIMER_NORESTART;
}

static void on_softirq(unsigned long data)
{
	struct batch *b = (struct batch *)data;

	free_blocks(b, vfree);
	complete(&b->done);
}

static void free_in_place(struct batch *b)
{
	unsigned long flags;

	if (b->from == WITH_PREEMPTION_OFF) {
		preempt_disable();
		free_blocks(b, vmt_vfree_atomic);
		preempt_enable();
	} else {
		local_irq_save(flags);
		free_blocks(b, vmt_vfree_atomic);
		local_irq_restore(flags);
	}
	complete(&b->done);
}

/*
 * Has the blocks freed in the batch's context. They are no longer tracked, as
 * that takes a lock, and their places may be somebody else's at any moment.
 */
static void hand_over(struct batch *b)
{
	unsigned int i;

	reinit_completion(&b->done);
	for (i = 0; i < b->nr; i++)
		if (b->blocks[i].addr)
			vmt_untrack(&b->blocks[i].area);
	if (b->from == FROM_HARDIRQ || b->from == FROM_SOFTIRQ)
		hrtimer_start(&b->timer,
			      ns_to_ktime(vmt_rng_below(&b->t->rng,
							MAX_DELAY_NS)),
			      VMT_TIMER_MODE);
	else
		free_in_place(b);
}

static int wait_for(struct batch *b)
{
	unsigned int i;

	wait_for_completion(&b->done);
	for (i = 0; i < b->nr; i++) {
		if (b->blocks[i].addr)
			b->t->live_pages -= PFN_UP(b->blocks[i].size);
		b->blocks[i].addr = NULL;
	}
	return b->err;
}

static int allocate(struct vmt_thread *t, struct batch *b,
		    const unsigned long *sizes, unsigned int nr)
{
	int err = 0;

	for (b->nr = 0; b->nr < nr && !err; b->nr++)
		err = vmt_block_alloc(t, &b->blocks[b->nr], sizes[b->nr], 1);
	return err;
}

static int free_by_task(struct vmt_thread *t, struct batch *b)
{
	int err = 0;

	while (b->nr) {
		int failed = vmt_block_free(t, &b->blocks[--b->nr]);

		err = err ?: failed;
	}
	return err;
}

/* batches[0] is freed in its context, batches[1] by the task meanwhile. */
static int atomic_op(struct vmt_thread *t, struct batch *batches)
{
	unsigned int nr = 1 + vmt_rng_below(&t->rng, MAX_BLOCKS);
	unsigned long sizes[MAX_BLOCKS];
	struct batch *away = &batches[0];
	unsigned int i;
	int err;

	away->from = vmt_rng_below(&t->rng, NR_CONTEXTS);
	for (i = 0; i < nr; i++)
		sizes[i] = 1 + vmt_rng_below(&t->rng, MAX_PAGES * PAGE_SIZE);

	err = allocate(t, away, sizes, nr);
	if (err || away->from == FROM_TASK)
		return free_by_task(t, away) ?: err;
	hand_over(away);
	err = allocate(t, &batches[1], sizes, nr);
	err = free_by_task(t, &batches[1]) ?: err;
	return wait_for(away) ?: err;
}

/*
 * When earlier work is done: a single block, which must not wait for another to
 * be freed.
 */
static int free_alone(struct vmt_thread *t, struct batch *away)
{
	const unsigned long size = PAGE_SIZE;
	int err;

	msleep(POLL_MS);
	away->from = FROM_HARDIRQ;
	err = allocate(t, away, &size, 1);
	if (err)
		return err;
	hand_over(away);
	return wait_for(away);
}

static struct batch *new_batches(struct vmt_thread *t)
{
	struct batch *batches = kcalloc(2, sizeof(*batches), GFP_KERNEL);
	struct batch *away = batches;

	if (!batches)
		return NULL;
	away->t = t;
	init_completion(&away->done);
	vmt_set_timer(&away->timer, on_timer);
	tasklet_init(&away->tasklet, on_softirq, (unsigned long)away);
	return batches;
}

static void begin(void)
{
	struct vmt_leftovers left;

	mutex_lock(&together);
	if (!nr_begun++) {
		if (vmt_busy_list()) {
			vmt_leftovers_count(&left);
			ours_before = left.ours;
		}
		free_before = free_pages_now();
		freed_atomically = 0;
	}
	mutex_unlock(&together);
}

/* All areas are to be gone, and their pages free, once the work has run. */
static int all_is_back(struct vmt_thread *t)
{
	unsigned long allowed = max_t(unsigned long, MISSING_AT_ALL,
				      freed_atomically / MISSING_SHARE);
	unsigned int waited = 0;
	struct vmt_leftovers left;
	unsigned long missing, ours;

	do {
		vmt_leftovers_count(&left);
		ours = vmt_growth(ours_before, left.ours);
		if (ours)
			msleep(POLL_MS);
		waited += POLL_MS;
	} while (ours && waited < PATIENCE_MS);
	if (ours)
		return vmt_fail(t, -EBUSY,
				"leak: %lu areas that were freed where one may not sleep are still there",
				ours);

	missing = vmt_growth(free_pages_now(), free_before);
	if (missing <= allowed)
		return 0;
	return vmt_fail(t, -EBUSY,
			"leak: %lu pages are missing after %lu were freed where one may not sleep",
			missing, freed_atomically);
}

/* Only the last thread can tell, as nobody else holds anything then. */
static int end(struct vmt_thread *t, unsigned long freed)
{
	int err = 0;

	mutex_lock(&together);
	freed_atomically += freed;
	if (++nr_ended == t->run->nr_threads) {
		if (vmt_busy_list() && !READ_ONCE(t->run->stop))
			err = all_is_back(t);
		nr_begun = 0;
		nr_ended = 0;
	}
	mutex_unlock(&together);
	return err;
}

int atomic_free_test(struct vmt_thread *t)
{
	struct batch *batches;
	unsigned long i;
	u64 began;
	int err = 0;

	if (!vmt_have_vfree_atomic())
		return vmt_skip(t, "vfree_atomic() was not found");
	/* Not on the stack: a thread that dies leaves blocks in a tree. */
	begin();
	batches = new_batches(t);
	if (!batches) {
		end(t, 0);
		return vmt_fail(t, -ENOMEM, "-ENOMEM: a list of blocks");
	}

	began = ktime_get_ns();
	for (i = 0; i < t->loops && !err; i++)
		err = atomic_op(t, batches) ?: vmt_breathe(t);
	t->ns = ktime_get_ns() - began;
	t->ops = i;
	err = err ?: free_alone(t, batches);
	err = end(t, batches->freed) ?: err;
	hrtimer_cancel(&batches->timer);
	tasklet_kill(&batches->tasklet);
	kfree(batches);
	return err;
}
