// SPDX-License-Identifier: GPL-2.0-only
/* A CPU, a task or a workqueue that makes no progress for a while. */
#include <linux/compiler.h>
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/mutex.h>
#include <linux/preempt.h>
#include <linux/processor.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/time64.h>
#include <linux/timekeeping.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "provoke.h"

/* This clock goes on with interrupts off; local_clock() may not. */
static __always_inline void spin(void)
{
	u64 end = ktime_get_mono_fast_ns() +
		  provoke_params.seconds * (u64)NSEC_PER_SEC;
	unsigned int i;

	/* Seldom asked for, so that it is not what the CPU is seen doing. */
	while (ktime_get_mono_fast_ns() < end)
		for (i = 0; i < 1000000; i++)
			cpu_relax();
}

static void nothing(struct rcu_head *unused)
{
}

/* Only a grace period that somebody waits for can stall. */
static struct rcu_head waiting;

void provoke_stall_over(void)
{
	rcu_barrier();
	provoke_barrier_sched();
}

int provoke_rcu_stall(void)
{
	provoke_call_rcu_sched(&waiting, nothing);
	preempt_disable();
	spin();
	preempt_enable();
	return 0;
}

static DECLARE_COMPLETION(waited);

static int wait_for_readers(void *unused)
{
	msleep(100);
	synchronize_rcu();
	kthread_complete_and_exit(&waited, 0);
}

int provoke_rcu_stall_irqs_off(void)
{
	struct task_struct *waiter;
	int other;

	/* A CPU without interrupts starts no grace period; another has to. */
	waiter = kthread_create(wait_for_readers, NULL, "provoked/%d", 7);
	if (IS_ERR(waiter))
		return PTR_ERR(waiter);
	other = cpumask_any_but(cpu_online_mask, get_cpu());
	if (other < nr_cpu_ids)
		kthread_bind(waiter, other);
	wake_up_process(waiter);

	local_irq_disable();
	spin();
	local_irq_enable();
	put_cpu();
	wait_for_completion(&waited);
	return 0;
}

int provoke_rcu_stall_task(void)
{
	call_rcu(&waiting, nothing);
	rcu_read_lock();
	spin();
	rcu_read_unlock();
	return 0;
}

int provoke_soft_lockup(void)
{
	preempt_disable();
	spin();
	preempt_enable();
	return 0;
}

int provoke_hung_task(void)
{
	schedule_timeout_uninterruptible(provoke_params.seconds * HZ);
	barrier();
	return 0;
}

static DEFINE_MUTEX(held);

static int take_what_is_held(void *unused)
{
	mutex_lock(&held);
	mutex_unlock(&held);
	return 0;
}

int provoke_hung_mutex(void)
{
	struct task_struct *thread;

	mutex_lock(&held);
	thread = kthread_run(take_what_is_held, NULL, "provoked/%d", 7);
	if (!IS_ERR(thread))
		msleep_interruptible(1000 * provoke_params.seconds);
	mutex_unlock(&held);
	return PTR_ERR_OR_ZERO(thread);
}

static void busy_work(struct work_struct *unused)
{
	spin();
}

static void other_work(struct work_struct *unused)
{
}

int provoke_work_lockup(void)
{
	static DECLARE_WORK(busy, busy_work);
	static DECLARE_WORK(second, other_work);

	/* The first never sleeps, so that no worker is woken for the other. */
	schedule_work_on(0, &busy);
	schedule_work_on(0, &second);
	flush_work(&second);
	return 0;
}
