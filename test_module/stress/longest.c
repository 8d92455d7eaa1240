// SPDX-License-Identifier: GPL-2.0-only
/*
 * longest_wait_test: how long an urgent task that wants to run has to wait for
 * the allocator to let go of the CPU.
 * longest_call_test: how long a single allocation or free takes.
 *
 * Both have limits, which make sense where time is counted in instructions.
 */
#include <linux/errno.h>
#include <linux/hrtimer.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "core/ktap.h"
#include "lib/fail.h"
#include "lib/settle.h"
#include "lib/symbols.h"
#include "stress/longest.h"
#include "vmalloc_test.h"

/* From one time that the urgent task has run to the next that it wants to. */
#define PERIOD_NS	(20 * NSEC_PER_USEC)

struct waiter {
	struct task_struct *task;
	u64 longest_ns;
};

/*
 * Kernels that check each access are too slow for limits, and what looks at
 * memory in a pass of its own holds vmap_area_lock for as long.
 */
static bool has_limits(const struct vmt_thread *t)
{
	return !IS_ENABLED(CONFIG_KASAN) && !IS_ENABLED(CONFIG_PROVE_LOCKING) &&
	       t->run->pass == VMT_PASS_SAMPLE;
}

/* Waits from when the timer is due to when the task runs. */
static int waiter_main(void *data)
{
	struct waiter *waiter = data;

	while (!kthread_should_stop()) {
		ktime_t due = ktime_add_ns(ktime_get(), PERIOD_NS);
		s64 late;

		set_current_state(TASK_INTERRUPTIBLE);
		if (!kthread_should_stop())
			schedule_hrtimeout(&due, HRTIMER_MODE_ABS);
		__set_current_state(TASK_RUNNING);

		late = ktime_to_ns(ktime_sub(ktime_get(), due));
		if (late > 0 && late > waiter->longest_ns)
			waiter->longest_ns = late;
	}
	return 0;
}

static int start_waiter(struct vmt_thread *t, struct waiter *waiter)
{
	waiter->longest_ns = 0;
	waiter->task = kthread_create(waiter_main, waiter, "vmalloc_test/w");
	if (IS_ERR(waiter->task))
		return vmt_fail(t, PTR_ERR(waiter->task),
				"error %ld: no task that waits",
				PTR_ERR(waiter->task));
	kthread_bind(waiter->task, t->cpu);
	vmt_make_urgent(waiter->task);
	wake_up_process(waiter->task);
	return 0;
}

static int wait_during(struct vmt_ground *g, enum vmt_adversity which)
{
	struct vmt_longest *longest = &g->longest[which];
	struct waiter waiter;
	int err;

	err = start_waiter(g->t, &waiter);
	if (err)
		return err;
	err = vmt_adversity(g, which);
	kthread_stop(waiter.task);
	longest->wait_ns = max(longest->wait_ns, waiter.longest_ns);
	return err;
}

/*
 * The caller is urgent, or a call that sleeps would take as long as the
 * scheduler thinks fair to whoever wakes it.
 */
static int call_during(struct vmt_ground *g, enum vmt_adversity which)
{
	int err;

	vmt_make_urgent(current);
	err = vmt_adversity(g, which);
	vmt_make_ordinary(current);
	return err;
}

static int one_round(struct vmt_ground *g,
		     int (*during)(struct vmt_ground *g,
				   enum vmt_adversity which))
{
	return during(g, VMT_NO_EDGE_FIT) ?:
	       during(g, VMT_BACKLOG) ?:
	       vmt_ground_lay_out(g) ?:
	       during(g, VMT_MISALIGNED) ?:
	       during(g, VMT_PCPU_NOWHERE) ?:
	       during(g, VMT_MISALIGNED_ALL);
}

static void keep_least(struct vmt_ground *g, bool first)
{
	unsigned int i;

	for (i = 0; i < VMT_NR_ADVERSITIES; i++) {
		const struct vmt_longest *longest = &g->longest[i];
		struct vmt_longest *least = &g->least[i];

		if (first)
			*least = *longest;
		least->wait_ns = min(least->wait_ns, longest->wait_ns);
		least->alloc_ns = min(least->alloc_ns, longest->alloc_ns);
		least->free_ns = min(least->free_ns, longest->free_ns);
	}
}

static int rounds(struct vmt_thread *t, struct vmt_ground *g,
		  int (*during)(struct vmt_ground *g, enum vmt_adversity which))
{
	u64 began = ktime_get_ns();
	unsigned long i;
	int err;

	err = vmt_ground_init(g, t);
	for (i = 0; i < vmt_params.loops && !err; i++) {
		memset(g->longest, 0, sizeof(g->longest));
		err = one_round(g, during);
		vmt_ground_clear(g);
		keep_least(g, !i);
	}
	vmt_ground_release(g);
	t->ns = ktime_get_ns() - began;
	t->ops = i;
	return err;
}

static int check_runnable(struct vmt_thread *t)
{
	if (!vmt_busy_list() || !vmt_have_areas() || !vmt_have_pcpu())
		return vmt_skip(t, "the kernel's areas cannot be seen");
	/* Then address space has shadow memory of an eighth of its size. */
	if (IS_ENABLED(CONFIG_KASAN_VMALLOC))
		return vmt_skip(t, "address space takes memory here");
	return 0;
}

/*
 * In a window where each hole is large enough and none is aligned there is no
 * telling before all were looked at: that is noted, and fails nothing.
 */
static int judge(struct vmt_thread *t, u64 ns, unsigned int limit,
		 const char *what, enum vmt_adversity which)
{
	if (!limit || !has_limits(t) || ns <= limit ||
	    which == VMT_MISALIGNED_ALL)
		return 0;
	return vmt_fail(t, -ETIME, "%s: %llu ns, limit %u, with %s", what, ns,
			limit, vmt_adversities[which]);
}

int longest_wait_test(struct vmt_thread *t)
{
	struct vmt_ground g;
	unsigned int i;
	int err;

	/* The others would only get in the way. */
	if (t->id)
		return 0;
	err = check_runnable(t) ?: rounds(t, &g, wait_during);
	if (err)
		return err;
	for (i = 0; i < VMT_NR_ADVERSITIES; i++) {
		u64 ns = g.least[i].wait_ns;

		vmt_ktap_note(t, "%s_wait_ns=%llu", vmt_adversity_keys[i], ns);
		err = judge(t, ns, vmt_params.wait_limit, "waited", i) ?: err;
	}
	return err;
}

/* Who waits until others have given back a part of a backlog may sleep. */
static unsigned int alloc_limit(enum vmt_adversity which)
{
	return vmt_params.alloc_limit * (which == VMT_BACKLOG ? 3 : 1);
}

int longest_call_test(struct vmt_thread *t)
{
	struct vmt_ground g;
	unsigned int i;
	int err;

	if (t->id)
		return 0;
	err = check_runnable(t) ?: rounds(t, &g, call_during);
	if (err)
		return err;
	for (i = 0; i < VMT_NR_ADVERSITIES; i++) {
		const struct vmt_longest *longest = &g.least[i];

		vmt_ktap_note(t, "%s_alloc_ns=%llu %s_free_ns=%llu",
			      vmt_adversity_keys[i], longest->alloc_ns,
			      vmt_adversity_keys[i], longest->free_ns);
		err = judge(t, longest->alloc_ns, alloc_limit(i),
			    "an allocation took", i) ?:
		      judge(t, longest->free_ns, vmt_params.free_limit,
			    "a free took", i) ?: err;
	}
	return err;
}
