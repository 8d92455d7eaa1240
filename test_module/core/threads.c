// SPDX-License-Identifier: GPL-2.0-only
/* Starts the threads of one pass, waits for them and stops them. */
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include "core/threads.h"
#include "lib/fail.h"
#include "lib/rng.h"
#include "lib/symbols.h"
#include "vmalloc_test.h"

static int thread_main(void *data)
{
	struct vmt_thread *t = data;
	struct vmt_run *run = t->run;

	t->err = run->test->run(t);
	if (t->err)
		WRITE_ONCE(run->stop, true);

	/* Pairs with finished(): whoever sees it sees the results too. */
	smp_store_release(&t->finished, true);
	wake_up(&run->waiters);

	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (kthread_should_stop())
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	return 0;
}

void vmt_stop_threads(struct vmt_run *run, unsigned int nr)
{
	while (nr--) {
		kthread_stop(run->threads[nr].task);
		put_task_struct(run->threads[nr].task);
	}
}

/*
 * Creates all threads, asleep; starts them only when there is none missing.
 * A thread can be bound to its CPU once it sleeps. When asked too early, the
 * kernel looks again a tick later, which adds up where there are thousands.
 */
int vmt_start_threads(struct vmt_run *run)
{
	unsigned int cpu = cpumask_first(&vmt_params.cpus);
	struct vmt_thread *t;
	unsigned int i;

	run->mm = current->mm;
	vmt_allow_threads(run->nr_threads);
	for (i = 0; i < run->nr_threads; i++) {
		t = &run->threads[i];
		t->run = run;
		t->id = i;
		t->cpu = cpu;
		t->loops = vmt_params.loops;
		vmt_rng_seed(&t->rng, vmt_params.seed, i,
			     run->test->flags & VMT_STRESS ? run->repeat : 0);

		t->task = kthread_create(thread_main, t, "vmalloc_test/%u", i);
		if (IS_ERR(t->task)) {
			vmt_stop_threads(run, i);
			return PTR_ERR(t->task);
		}
		/* So that a thread that dies can still be looked at. */
		get_task_struct(t->task);

		cpu = cpumask_next(cpu, &vmt_params.cpus);
		if (cpu >= nr_cpu_ids)
			cpu = cpumask_first(&vmt_params.cpus);
	}
	for (i = 0; i < run->nr_threads; i++)
		kthread_bind(run->threads[i].task, run->threads[i].cpu);
	for (i = 0; i < run->nr_threads; i++)
		wake_up_process(run->threads[i].task);
	return 0;
}

static bool finished(struct vmt_thread *t)
{
	/* Pairs with thread_main(). */
	return smp_load_acquire(&t->finished);
}

static bool died(struct vmt_thread *t)
{
	return READ_ONCE(t->task->exit_state) && !finished(t);
}

static bool all_over(struct vmt_run *run)
{
	unsigned int i;

	for (i = 0; i < run->nr_threads; i++) {
		struct vmt_thread *t = &run->threads[i];

		if (!finished(t) && !died(t))
			return false;
	}
	return true;
}

/*
 * A thread that dies in a BUG wakes nobody, hence the timeout of a second.
 * Returns -EIO when one died, -EINTR when the loader is to be killed.
 */
int vmt_wait_for_threads(struct vmt_run *run)
{
	unsigned int i;
	long left;
	int err = 0;

	do {
		left = wait_event_killable_timeout(run->waiters,
						   all_over(run), HZ);
		for (i = 0; i < run->nr_threads; i++) {
			struct vmt_thread *t = &run->threads[i];

			if (!died(t))
				continue;
			err = -EIO;
			t->err = err;
			vmt_fail(t, err,
				 "thread %u died, see the kernel's report", i);
			WRITE_ONCE(run->stop, true);
		}
	} while (!left);

	if (left < 0) {
		WRITE_ONCE(run->stop, true);
		err = -EINTR;
	}
	return err;
}
