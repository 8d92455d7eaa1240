/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel's code under test stands on: memory, locks, CPUs, and the way
 * in which a failure ends the process.  Plain C, for both sides.
 */
#ifndef USERSPACE_HOST_H
#define USERSPACE_HOST_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#define HOST_CPUS_MAX 8

/* A failure prints its kind and a sentence, and ends the process. */
void host_fail(const char *kind, const char *format, ...)
	__attribute__((noreturn, format(printf, 2, 3)));
void host_bug(const char *file, int line) __attribute__((noreturn));
void host_warn(const char *file, int line) __attribute__((noreturn));
extern void (*host_at_failure)(void);

/* Memory. */
struct host_cache;

void *host_alloc(struct host_cache *cache, size_t size, bool may_sleep,
		 bool zero);
void host_free(struct host_cache *cache, void *object);
void host_free_later(void *object);
struct host_cache *host_cache(const char *name, size_t size);
bool host_may_fail(void);
void host_fail_at(unsigned long number, bool all_that_follow);
bool host_failed_any(void);
long host_objects(void);

/* Locks and CPUs. */
struct host_lock {
	int owner; /* number of the CPU plus one */
};

void host_spin_lock(struct host_lock *lock, const char *name);
void host_spin_unlock(struct host_lock *lock, const char *name);
void host_mutex_lock(struct host_lock *lock, const char *name);
bool host_mutex_trylock(struct host_lock *lock);
void host_mutex_unlock(struct host_lock *lock, const char *name);
bool host_lock_is_held(const struct host_lock *lock);
void host_rcu_lock(void);
void host_rcu_unlock(void);
void host_preempt_disable(void);
void host_preempt_enable(void);
void host_might_sleep(const char *what);
void host_point(void);
/* While it is quiet, no other CPU runs. */
void host_quiet(bool quiet);
void host_wait(void);
bool host_need_resched(void);
int host_cpu(void);
void host_operation_ends(void);

/* CPUs side by side: each is a coroutine, and changes at a host_point(). */
void host_run_cpus(int count, void (*body)(int cpu), unsigned long seed,
		   unsigned int odds);

/* Of the driver; called when the kernel flushes the TLB. */
extern void (*host_flushed)(unsigned long start, unsigned long end);

/* The index of blocks of vm_map_ram(). */
int host_index_insert(unsigned long key, void *value);
void *host_index_lookup(unsigned long key);
void *host_index_delete(unsigned long key);

#endif
