/* SPDX-License-Identifier: GPL-2.0-only */
/* All that can be provoked; reports have to blame these very functions. */
#ifndef PROVOKE_H
#define PROVOKE_H

#include <linux/types.h>

struct provoke_params {
	/* of the provocations that take their time */
	unsigned int seconds;
	/* messages of flood; 0 for no end */
	unsigned long count;
};

extern struct provoke_params provoke_params;

/*
 * Each returns 0 or an errno if it returns at all: -EOPNOTSUPP where this
 * kernel or processor does not know the trouble.
 */

/* chaos.c: what a test rig has to survive */
int provoke_flood(void);
int provoke_escape(void);
int provoke_hang_quiet(void);
int provoke_hang_irqs_off(void);
int provoke_hang_all(void);
int provoke_eat_memory(void);

/* crash.c: what the processor or the kernel itself stops at */
int provoke_panic(void);
int provoke_bug(void);
int provoke_bug_in_thread(void);
int provoke_warn(void);
int provoke_warn_on(void);
int provoke_null_read(void);
int provoke_null_write(void);
int provoke_null_exec(void);
int provoke_null_in_irq(void);
int provoke_page_fault(void);
int provoke_write_rodata(void);
int provoke_exec_data(void);
int provoke_gpf(void);
int provoke_divide(void);
int provoke_invalid_opcode(void);
int provoke_stack_overflow(void);
int provoke_double_fault(void);

/* sanitize.c: for KASAN and kmemleak */
int provoke_kasan_oob_read(void);
int provoke_kasan_oob_write(void);
int provoke_kasan_uaf(void);
int provoke_kasan_double_free(void);
int provoke_kasan_global(void);
int provoke_kasan_stack(void);
int provoke_kasan_null(void);
int provoke_kasan_wild(void);
int provoke_kasan_in_irq(void);
int provoke_kmemleak(void);

/* undefined.c: for UBSAN */
int provoke_ubsan_shift(void);
int provoke_ubsan_bounds(void);
int provoke_ubsan_bool(void);
int provoke_ubsan_divide(void);

/* corrupt.c: data structures of the kernel's that are overwritten or misused */
int provoke_slab_redzone(void);
int provoke_slab_poison(void);
int provoke_slab_double_free(void);
int provoke_slab_left(void);
int provoke_kfree_wild(void);
int provoke_list_add(void);
int provoke_list_del(void);
int provoke_refcount_zero(void);
int provoke_refcount_underflow(void);
int provoke_refcount_saturated(void);
int provoke_bad_page(void);
int provoke_page_twice(void);
int provoke_page_poison(void);
int provoke_vfree_twice(void);
int provoke_vfree_unaligned(void);
int provoke_spin_bad_magic(void);
int provoke_spin_wrong_owner(void);

/* memory.c: allocations that fail */
int provoke_oom(void);
int provoke_page_failure(void);
int provoke_vmalloc_failure(void);
int provoke_vmap_exhausted(void);

/* locks.c: for lockdep */
int provoke_lockdep_circular(void);
int provoke_lockdep_recursive(void);
int provoke_lockdep_inconsistent(void);
int provoke_lockdep_irq_unsafe(void);
int provoke_lockdep_irq_inversion(void);
int provoke_lockdep_balance(void);
int provoke_lockdep_freed(void);
int provoke_lockdep_user(void);
int provoke_lockdep_exit(void);
int provoke_rcu_usage(void);

/* context.c: sleeping and scheduling where that must not be */
int provoke_sleep_atomic(void);
int provoke_sched_atomic(void);
int provoke_preemptible(void);
int provoke_preempt_leak(void);
int provoke_work_leak(void);

/* stall.c: nothing goes on */
int provoke_rcu_stall(void);
int provoke_rcu_stall_irqs_off(void);
int provoke_rcu_stall_task(void);
int provoke_soft_lockup(void);
int provoke_hung_task(void);
int provoke_hung_mutex(void);
int provoke_work_lockup(void);

/* What has to end before the module may be unloaded */
void provoke_stall_over(void);

#endif /* PROVOKE_H */
