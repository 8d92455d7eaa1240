/* SPDX-License-Identifier: GPL-2.0-only */
/* Locks, atomics, RCU and what is per CPU.  Another CPU may run at each of them. */
#ifndef SHIM_LOCKING_H
#define SHIM_LOCKING_H

#include "base.h"

#define READ_ONCE(x)		({ host_point(); *(const volatile typeof(x) *)&(x); })
#define WRITE_ONCE(x, value)	({ *(volatile typeof(x) *)&(x) = (value); host_point(); })
#define smp_mb()		barrier()
#define smp_rmb()		barrier()
#define smp_wmb()		barrier()
#define smp_load_acquire(p)	READ_ONCE(*(p))
#define smp_store_release(p, value)	WRITE_ONCE(*(p), value)
#define xchg(p, value) \
	({ typeof(*(p)) __old; host_point(); __old = *(p); *(p) = (value); __old; })
#define cmpxchg(p, old, new) \
	({ typeof(*(p)) __o = (old), __was; host_point(); __was = *(p); \
	   if (__was == __o) { *(p) = (new); } __was; })
#define try_cmpxchg(p, old, new) \
	({ typeof(*(p)) __e = *(old); *(old) = cmpxchg(p, __e, new); *(old) == __e; })
#define cpu_relax()		host_point()

typedef struct { int counter; } atomic_t;
typedef struct { long counter; } atomic_long_t;

#define ATOMIC_INIT(value)	{ (value) }
#define ATOMIC_LONG_INIT(value)	{ (value) }
#define atomic_read(v)		READ_ONCE((v)->counter)
#define atomic_set(v, value)	WRITE_ONCE((v)->counter, value)
#define atomic_add_return(i, v)	({ host_point(); (v)->counter += (i); })
#define atomic_sub_return(i, v)	({ host_point(); (v)->counter -= (i); })
#define atomic_add(i, v)	((void)atomic_add_return(i, v))
#define atomic_sub(i, v)	((void)atomic_sub_return(i, v))
#define atomic_inc(v)		atomic_add(1, v)
#define atomic_dec(v)		atomic_sub(1, v)
#define atomic_inc_return(v)	atomic_add_return(1, v)
#define atomic_dec_return(v)	atomic_sub_return(1, v)
#define atomic_dec_and_test(v)	(atomic_sub_return(1, v) == 0)
#define atomic_xchg(v, value)	xchg(&(v)->counter, value)
#define atomic_cmpxchg(v, old, new)	cmpxchg(&(v)->counter, old, new)
#define atomic_long_read	atomic_read
#define atomic_long_set		atomic_set
#define atomic_long_add		atomic_add
#define atomic_long_sub		atomic_sub
#define atomic_long_add_return	atomic_add_return
#define atomic_long_sub_return	atomic_sub_return
#define atomic_long_inc		atomic_inc
#define atomic_long_dec		atomic_dec
#define atomic_long_xchg	atomic_xchg

typedef struct host_lock spinlock_t;

struct mutex {
	struct host_lock lock;
};

#define DEFINE_SPINLOCK(name)	spinlock_t name
#define DEFINE_MUTEX(name)	struct mutex name
#define spin_lock_init(lock)	((lock)->owner = 0)
#define spin_lock(lock)		host_spin_lock(lock, #lock)
#define spin_unlock(lock)	host_spin_unlock(lock, #lock)
#define spin_is_contended(lock)	(host_point(), 0)
#define spin_needbreak(lock)	spin_is_contended(lock)
#define need_resched()		host_need_resched()
#define assert_spin_locked(lock)	BUG_ON(!host_lock_is_held(lock))
#define mutex_init(mutex)	((mutex)->lock.owner = 0)
#define mutex_lock(mutex)	host_mutex_lock(&(mutex)->lock, #mutex)
#define mutex_trylock(mutex)	host_mutex_trylock(&(mutex)->lock)
#define mutex_unlock(mutex)	host_mutex_unlock(&(mutex)->lock, #mutex)
#define mutex_is_locked(mutex)	((mutex)->lock.owner != 0)
#define lockdep_assert_held(held) \
	BUG_ON(!host_lock_is_held((const struct host_lock *)(held)))
#define might_sleep()		host_might_sleep("a function")
#define cond_resched()		(host_might_sleep("cond_resched()"), 0)
/* As with a kernel that somebody else always wants the processor of. */
#define cond_resched_lock(lock)	(spin_unlock(lock), spin_lock(lock), 1)

#define rcu_read_lock()		host_rcu_lock()
#define rcu_read_unlock()	host_rcu_unlock()
#define rcu_assign_pointer(p, value)	smp_store_release(&(p), value)
#define rcu_dereference(p)	READ_ONCE(p)
#define rcu_dereference_raw(p)	READ_ONCE(p)
#define kfree_rcu(object, member)	host_free_later(object)
#define synchronize_rcu()	host_might_sleep("synchronize_rcu()")

#define DEFINE_PER_CPU(type, name)	typeof(type) name[NR_CPUS]
#define DECLARE_PER_CPU(type, name)	extern typeof(type) name[NR_CPUS]
#define per_cpu(name, cpu)	(name)[cpu]
#define per_cpu_ptr(pointer, cpu)	(&(*(pointer))[cpu])
#define raw_cpu_ptr(pointer)	per_cpu_ptr(pointer, host_cpu())
#define this_cpu_ptr(pointer)	raw_cpu_ptr(pointer)
#define get_cpu_var(name)	(*({ host_preempt_disable(); &(name)[host_cpu()]; }))
#define put_cpu_var(name)	host_preempt_enable()
#define get_cpu()		({ host_preempt_disable(); host_cpu(); })
#define put_cpu()		host_preempt_enable()
#define preempt_disable()	host_preempt_disable()
#define preempt_enable()	host_preempt_enable()
#define smp_processor_id()	host_cpu()
#define raw_smp_processor_id()	host_cpu()
#define for_each_possible_cpu(cpu)	for ((cpu) = 0; (cpu) < NR_CPUS; (cpu)++)
#define for_each_online_cpu(cpu)	for_each_possible_cpu(cpu)
#define num_online_cpus()	1
#define num_possible_cpus()	NR_CPUS

struct task_struct;
#define in_interrupt()		0
#define in_nmi()		0
#define in_atomic()		0
#define fatal_signal_pending(task)	0
#define current			((struct task_struct *)NULL)

/* Waiting: whoever waits lets others run until what it waits for is so. */
typedef struct { int unused; } wait_queue_head_t;

#define DECLARE_WAIT_QUEUE_HEAD(name)	wait_queue_head_t name
#define wait_event(queue, condition) \
	do { while (!(condition)) host_wait(); } while (0)
#define wake_up(queue)		host_point()
#define wake_up_all(queue)	host_point()
#define wq_has_sleeper(queue)	1
#define schedule_timeout_uninterruptible(ticks)	({ host_wait(); 0L; })
#define msleep(ms)		host_wait()
#define HZ			250

struct work_struct {
	void (*function)(struct work_struct *work);
};

#define INIT_WORK(work, f)	((work)->function = (f))
#define DECLARE_WORK(name, f)	struct work_struct name = { (f) }
/* Whoever schedules work does it at once: it is in a process's context here. */
#define schedule_work(work)	((work)->function(work), true)

struct notifier_block;
struct blocking_notifier_head {
	struct notifier_block *first;
};

struct notifier_block {
	int (*notifier_call)(struct notifier_block *block, unsigned long event, void *data);
	struct notifier_block *next;
	int priority;
};

#define BLOCKING_NOTIFIER_HEAD(name)	struct blocking_notifier_head name
#define NOTIFY_DONE		0
#define NOTIFY_OK		1

static inline int blocking_notifier_chain_register(struct blocking_notifier_head *head,
						   struct notifier_block *block)
{
	block->next = head->first;
	head->first = block;
	return 0;
}

static inline int blocking_notifier_chain_unregister(struct blocking_notifier_head *head,
						     struct notifier_block *block)
{
	head->first = block->next;
	return 0;
}

static inline int blocking_notifier_call_chain(struct blocking_notifier_head *head,
					       unsigned long event, void *data)
{
	host_might_sleep("a notifier chain");
	if (head->first)
		head->first->notifier_call(head->first, event, data);
	return 0;
}

#endif
