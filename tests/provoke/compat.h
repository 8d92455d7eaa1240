/* SPDX-License-Identifier: GPL-2.0-only */
/* What releases of the kernel call differently, from 4.18 to 6.12. */
#ifndef PROVOKE_COMPAT_H
#define PROVOKE_COMPAT_H

#include <linux/kallsyms.h>
#include <linux/kernel.h>
#include <linux/kprobes.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/version.h>

/* 00089c048eb4 (5.10) renamed the header of STACK_FRAME_NON_STANDARD(). */
#if KERNEL_VERSION(5, 10, 0) > LINUX_VERSION_CODE
#include <linux/frame.h>
#else
#include <linux/objtool.h>
#endif

/* 23baf831a32c (6.4) counts the largest in, 5e0a760b4441 (6.8) renames it. */
#if defined(MAX_PAGE_ORDER)
#define PROVOKE_LARGEST_ORDER	MAX_PAGE_ORDER
#elif KERNEL_VERSION(6, 4, 0) <= LINUX_VERSION_CODE
#define PROVOKE_LARGEST_ORDER	MAX_ORDER
#else
#define PROVOKE_LARGEST_ORDER	(MAX_ORDER - 1)
#endif

/* Since fb041bb7c0a9 (5.5) there is nothing but full checks. */
#define PROVOKE_REFCOUNT_FULL \
	(IS_ENABLED(CONFIG_REFCOUNT_FULL) || \
	 KERNEL_VERSION(5, 5, 0) <= LINUX_VERSION_CODE)

/* Since 45975c7d21a1 (4.20) one kind of grace period waits for all readers. */
#if KERNEL_VERSION(4, 20, 0) > LINUX_VERSION_CODE
#define provoke_call_rcu_sched	call_rcu_sched
#define provoke_barrier_sched	rcu_barrier_sched
#else
#define provoke_call_rcu_sched	call_rcu
#define provoke_barrier_sched	rcu_barrier
#endif

/* cead18552660 (5.17) renamed it. */
#if KERNEL_VERSION(5, 17, 0) > LINUX_VERSION_CODE
#define kthread_complete_and_exit	complete_and_exit
#endif

/* 0bd476e6c671 (5.7) does not export kallsyms_lookup_name() any more. */
#if KERNEL_VERSION(5, 7, 0) > LINUX_VERSION_CODE

static inline void *provoke_lookup(const char *name)
{
	return (void *)kallsyms_lookup_name(name);
}

#else

static inline void *provoke_lookup(const char *name)
{
	struct kprobe probe = { .symbol_name = name };

	if (register_kprobe(&probe))
		return NULL;
	unregister_kprobe(&probe);
	return probe.addr;
}

#endif

/* 8f424750baaa (5.11) made it an inline function. */
static inline bool provoke_pages_are_poisoned(void)
{
#if KERNEL_VERSION(5, 11, 0) > LINUX_VERSION_CODE
	bool (*enabled)(void) = provoke_lookup("page_poisoning_enabled");

	return enabled && enabled();
#else
	return page_poisoning_enabled_static();
#endif
}

#endif /* PROVOKE_COMPAT_H */
