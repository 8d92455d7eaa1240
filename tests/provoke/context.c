// SPDX-License-Identifier: GPL-2.0-only
/* Sleeping, scheduling and the like where that must not be. */
#include <linux/compiler.h>
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mutex.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "provoke.h"

int provoke_sleep_atomic(void)
{
	static DEFINE_SPINLOCK(held);
	static DEFINE_MUTEX(sleeping);

	if (!IS_ENABLED(CONFIG_DEBUG_ATOMIC_SLEEP))
		return -EOPNOTSUPP;
	spin_lock(&held);
	mutex_lock(&sleeping);
	mutex_unlock(&sleeping);
	spin_unlock(&held);
	return 0;
}

int provoke_sched_atomic(void)
{
	preempt_disable();
	/* It says so, and enables preemption itself. */
	schedule();
	barrier();
	return 0;
}

int provoke_preemptible(void)
{
	int cpu;

	if (!IS_ENABLED(CONFIG_DEBUG_PREEMPT))
		return -EOPNOTSUPP;
	cpu = smp_processor_id();
	OPTIMIZER_HIDE_VAR(cpu);
	return 0;
}

int provoke_preempt_leak(void)
{
	preempt_disable();
	return 0;
}

static void leaking_work(struct work_struct *unused)
{
	preempt_disable();
}

int provoke_work_leak(void)
{
	static DECLARE_WORK(work, leaking_work);

	schedule_work(&work);
	msleep(100);
	return 0;
}
