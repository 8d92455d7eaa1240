// SPDX-License-Identifier: GPL-2.0-only
/* For lockdep: locks that are taken in a way that may go wrong one day. */
#include <linux/compiler.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timer.h>

#include "provoke.h"

static DEFINE_MUTEX(mutex_a);
static DEFINE_MUTEX(mutex_b);
static DEFINE_SPINLOCK(spin_a);
static DEFINE_SPINLOCK(spin_b);

int provoke_lockdep_circular(void)
{
	if (!IS_ENABLED(CONFIG_PROVE_LOCKING))
		return -EOPNOTSUPP;
	mutex_lock(&mutex_a);
	mutex_lock(&mutex_b);
	mutex_unlock(&mutex_b);
	mutex_unlock(&mutex_a);

	mutex_lock(&mutex_b);
	mutex_lock(&mutex_a);
	mutex_unlock(&mutex_a);
	mutex_unlock(&mutex_b);
	return 0;
}

int provoke_lockdep_recursive(void)
{
	static struct mutex same_class[2];
	int i;

	if (!IS_ENABLED(CONFIG_PROVE_LOCKING))
		return -EOPNOTSUPP;
	for (i = 0; i < ARRAY_SIZE(same_class); i++)
		mutex_init(&same_class[i]);
	mutex_lock(&same_class[0]);
	mutex_lock(&same_class[1]);
	mutex_unlock(&same_class[1]);
	mutex_unlock(&same_class[0]);
	return 0;
}

static void take_a_in_softirq(struct timer_list *unused)
{
	spin_lock(&spin_a);
	spin_unlock(&spin_a);
}

static void run_in_softirq(void (*function)(struct timer_list *timer))
{
	static struct timer_list timer;

	timer_setup(&timer, function, 0);
	mod_timer(&timer, jiffies + 1);
	msleep(100);
	del_timer_sync(&timer);
}

int provoke_lockdep_inconsistent(void)
{
	if (!IS_ENABLED(CONFIG_PROVE_LOCKING))
		return -EOPNOTSUPP;
	run_in_softirq(take_a_in_softirq);
	/* Should the timer come now, on this CPU, it would wait for ever. */
	spin_lock(&spin_a);
	spin_unlock(&spin_a);
	return 0;
}

int provoke_lockdep_irq_unsafe(void)
{
	if (!IS_ENABLED(CONFIG_PROVE_LOCKING))
		return -EOPNOTSUPP;
	run_in_softirq(take_a_in_softirq);
	spin_lock(&spin_b);
	spin_unlock(&spin_b);

	/* Now what a timer takes depends on what timers may interrupt. */
	spin_lock_bh(&spin_a);
	spin_lock(&spin_b);
	spin_unlock(&spin_b);
	spin_unlock_bh(&spin_a);
	return 0;
}

int provoke_lockdep_irq_inversion(void)
{
	if (!IS_ENABLED(CONFIG_PROVE_LOCKING))
		return -EOPNOTSUPP;
	spin_lock_bh(&spin_a);
	spin_lock(&spin_b);
	spin_unlock(&spin_b);
	spin_unlock_bh(&spin_a);

	spin_lock(&spin_b);
	spin_unlock(&spin_b);
	/* Only now, and only by way of the first of them, is it wrong. */
	run_in_softirq(take_a_in_softirq);
	return 0;
}

int provoke_lockdep_balance(void)
{
	if (!IS_ENABLED(CONFIG_PROVE_LOCKING))
		return -EOPNOTSUPP;
	/* With no lock held at all it would warn of its own count first. */
	mutex_lock(&mutex_b);
	mutex_unlock(&mutex_a);
	mutex_unlock(&mutex_b);
	return 0;
}

int provoke_lockdep_freed(void)
{
	struct holder {
		/* freed while it is held */
		struct mutex lock;
	} *holder;

	if (!IS_ENABLED(CONFIG_PROVE_LOCKING))
		return -EOPNOTSUPP;
	holder = kmalloc(sizeof(*holder), GFP_KERNEL);
	if (!holder)
		return -ENOMEM;
	mutex_init(&holder->lock);
	mutex_lock(&holder->lock);
	kfree(holder);
	barrier();
	return 0;
}

int provoke_lockdep_user(void)
{
	if (!IS_ENABLED(CONFIG_PROVE_LOCKING))
		return -EOPNOTSUPP;
	mutex_lock(&mutex_a);
	barrier();
	return 0;
}

static int end_with_lock(void *unused)
{
	mutex_lock(&mutex_a);
	barrier();
	return 0;
}

int provoke_lockdep_exit(void)
{
	struct task_struct *thread;

	if (!IS_ENABLED(CONFIG_PROVE_LOCKING))
		return -EOPNOTSUPP;
	thread = kthread_run(end_with_lock, NULL, "provoked/%d", 7);
	if (IS_ERR(thread))
		return PTR_ERR(thread);
	msleep(100);
	return 0;
}

int provoke_rcu_usage(void)
{
	static int __rcu *guarded;

	if (!IS_ENABLED(CONFIG_PROVE_RCU))
		return -EOPNOTSUPP;
	return rcu_dereference(guarded) ? -EBUSY : 0;
}
