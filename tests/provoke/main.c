// SPDX-License-Identifier: GPL-2.0-only
/*
 * provoke - makes the kernel report one kind of trouble.
 *
 * Loading the module with what=NAME provokes it; the load returns when it is
 * over, if ever. Only for virtual machines: most of it ends the kernel.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/string.h>

#include "provoke.h"

struct provoke_params provoke_params = {
	.seconds = 5,
};

static char *what;
module_param(what, charp, 0444);
MODULE_PARM_DESC(what, "Name of what is provoked");

module_param_named(seconds, provoke_params.seconds, uint, 0444);
MODULE_PARM_DESC(seconds, "How long a stall, lockup or hang lasts that has an end (default 5)");

module_param_named(count, provoke_params.count, ulong, 0444);
MODULE_PARM_DESC(count, "Messages of flood (0, the default: no end)");

#define PROVOKE(_name) { .name = #_name, .run = provoke_ ## _name }

static const struct {
	const char *name;
	int (*run)(void);
} table[] = {
	PROVOKE(flood),
	PROVOKE(escape),
	PROVOKE(hang_quiet),
	PROVOKE(hang_irqs_off),
	PROVOKE(hang_all),
	PROVOKE(eat_memory),

	PROVOKE(panic),
	PROVOKE(bug),
	PROVOKE(bug_in_thread),
	PROVOKE(warn),
	PROVOKE(warn_on),
	PROVOKE(null_read),
	PROVOKE(null_write),
	PROVOKE(null_exec),
	PROVOKE(null_in_irq),
	PROVOKE(page_fault),
	PROVOKE(write_rodata),
	PROVOKE(exec_data),
	PROVOKE(gpf),
	PROVOKE(divide),
	PROVOKE(invalid_opcode),
	PROVOKE(stack_overflow),
	PROVOKE(double_fault),

	PROVOKE(kasan_oob_read),
	PROVOKE(kasan_oob_write),
	PROVOKE(kasan_uaf),
	PROVOKE(kasan_double_free),
	PROVOKE(kasan_global),
	PROVOKE(kasan_stack),
	PROVOKE(kasan_null),
	PROVOKE(kasan_wild),
	PROVOKE(kasan_in_irq),
	PROVOKE(kmemleak),

	PROVOKE(ubsan_shift),
	PROVOKE(ubsan_bounds),
	PROVOKE(ubsan_bool),
	PROVOKE(ubsan_divide),

	PROVOKE(slab_redzone),
	PROVOKE(slab_poison),
	PROVOKE(slab_double_free),
	PROVOKE(slab_left),
	PROVOKE(kfree_wild),
	PROVOKE(list_add),
	PROVOKE(list_del),
	PROVOKE(refcount_zero),
	PROVOKE(refcount_underflow),
	PROVOKE(refcount_saturated),
	PROVOKE(bad_page),
	PROVOKE(page_twice),
	PROVOKE(page_poison),
	PROVOKE(vfree_twice),
	PROVOKE(vfree_unaligned),
	PROVOKE(spin_bad_magic),
	PROVOKE(spin_wrong_owner),

	PROVOKE(oom),
	PROVOKE(page_failure),
	PROVOKE(vmalloc_failure),
	PROVOKE(vmap_exhausted),

	PROVOKE(lockdep_circular),
	PROVOKE(lockdep_recursive),
	PROVOKE(lockdep_inconsistent),
	PROVOKE(lockdep_irq_unsafe),
	PROVOKE(lockdep_irq_inversion),
	PROVOKE(lockdep_balance),
	PROVOKE(lockdep_freed),
	PROVOKE(lockdep_user),
	PROVOKE(lockdep_exit),
	PROVOKE(rcu_usage),

	PROVOKE(sleep_atomic),
	PROVOKE(sched_atomic),
	PROVOKE(preemptible),
	PROVOKE(preempt_leak),
	PROVOKE(work_leak),

	PROVOKE(rcu_stall),
	PROVOKE(rcu_stall_irqs_off),
	PROVOKE(rcu_stall_task),
	PROVOKE(soft_lockup),
	PROVOKE(hung_task),
	PROVOKE(hung_mutex),
	PROVOKE(work_lockup),
};

static int __init provoke_init(void)
{
	size_t i;
	int err;

	for (i = 0; what && i < ARRAY_SIZE(table); i++) {
		if (strcmp(what, table[i].name))
			continue;
		pr_info("%s\n", what);
		err = table[i].run();
		if (err)
			pr_info("%s: error %d\n", what, err);
		return err;
	}
	pr_err("what=%s: nothing that can be provoked\n", what ?: "");
	return -EINVAL;
}
module_init(provoke_init);

/* What was provoked is over, or the kernel is. */
static void __exit provoke_exit(void)
{
	provoke_stall_over();
}
module_exit(provoke_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Makes the kernel report one kind of trouble");
