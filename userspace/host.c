// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory, locks and CPUs for the kernel's code under test.
 *
 * One thread does everything.  A CPU is a coroutine that goes on until it comes
 * to a point where another may run, so that a seed repeats every interleaving.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>
#include <sanitizer/common_interface_defs.h>

#include "host.h"
#include "random.h"

#define STACK_SIZE (256 << 10)
#define LATER_MAX 4096
#define INDEX_MAX 4096

void (*host_at_failure)(void);
void (*host_flushed)(unsigned long start, unsigned long end);

/* Failures */

void host_fail(const char *kind, const char *format, ...)
{
	va_list arguments;

	fflush(stdout);
	printf("failure %s ", kind);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
	if (host_at_failure)
		host_at_failure();
	fflush(stdout);
	fprintf(stderr, "failure %s\n", kind);
	__sanitizer_print_stack_trace();
	_exit(1);
}

static const char *short_name(const char *file)
{
	return strncmp(file, "./", 2) ? file : file + 2;
}

void host_bug(const char *file, int line)
{
	host_fail("bug", "kernel BUG at %s:%d!", short_name(file), line);
}

void host_warn(const char *file, int line)
{
	host_fail("warning", "WARNING: at %s:%d", short_name(file), line);
}

/* CPUs */

struct cpu {
	ucontext_t context;
	char *stack;
	void *fake_stack;
	int rcu_depth, spin_depth, preempt_depth;
	const struct host_lock *waits_for;
	bool done;
	unsigned long fail_countdown;
	bool fail_the_rest, failed_any;
};

static struct cpu cpus[HOST_CPUS_MAX];
static int cpu_count = 1, current_cpu;
static bool side_by_side, is_quiet;
static struct random schedule;
static unsigned int schedule_odds;
static void (*cpu_body)(int cpu);
static ucontext_t main_context;
static void *main_fake_stack;

int host_cpu(void)
{
	return current_cpu;
}

static void entered(void)
{
	__sanitizer_finish_switch_fiber(cpus[current_cpu].fake_stack, NULL,
					NULL);
}

static void change_to(int next)
{
	struct cpu *before = &cpus[current_cpu];
	struct cpu *after = &cpus[next];

	if (before == after)
		return;
	__sanitizer_start_switch_fiber(before->done ? NULL :
						      &before->fake_stack,
				       after->stack, STACK_SIZE);
	current_cpu = next;
	swapcontext(&before->context, &after->context);
	entered();
}

/* Give way to another CPU that is not at its end; false if none is. */
static bool change(void)
{
	int others[HOST_CPUS_MAX], count = 0;
	int cpu;

	for (cpu = 0; cpu < cpu_count; cpu++) {
		if (cpu != current_cpu && !cpus[cpu].done)
			others[count++] = cpu;
	}
	if (!count)
		return false;
	change_to(others[random_below(&schedule, count)]);
	return true;
}

void host_point(void)
{
	if (side_by_side && !is_quiet &&
	    !random_below(&schedule, schedule_odds))
		change();
}

void host_quiet(bool quiet)
{
	is_quiet = quiet;
}

static bool is_waiting(const struct cpu *cpu)
{
	return cpu->waits_for && cpu->waits_for->owner;
}

/* Wait until @lock is free, while others run. */
static void wait_for(const struct host_lock *lock, const char *name)
{
	int cpu, waiting;

	while (lock->owner) {
		if (lock->owner == current_cpu + 1)
			host_fail("deadlock",
				  "%s is taken by the CPU that holds it", name);
		cpus[current_cpu].waits_for = lock;
		for (cpu = 0, waiting = 0; cpu < cpu_count; cpu++)
			waiting += cpus[cpu].done || is_waiting(&cpus[cpu]);
		if (waiting == cpu_count || !change())
			host_fail("deadlock",
				  "all CPUs wait, the last one for %s", name);
	}
	cpus[current_cpu].waits_for = NULL;
}

/* Wait for something that another CPU has to do. */
void host_wait(void)
{
	host_might_sleep("a wait");
	if (!side_by_side || !change())
		host_fail("deadlock",
			  "a CPU waits, and no other is there to end that");
}

bool host_need_resched(void)
{
	host_point();
	return side_by_side && random_below(&schedule, 2);
}

static void run_cpu(void)
{
	int cpu;

	entered();
	cpu_body(current_cpu);
	cpus[current_cpu].done = true;
	if (change())
		abort();
	/* The last one to end wakes whoever started all. */
	for (cpu = 0; cpu < cpu_count; cpu++)
		cpus[cpu].done = true;
	__sanitizer_start_switch_fiber(NULL, NULL, 0);
	setcontext(&main_context);
}

void host_run_cpus(int count, void (*body)(int cpu), unsigned long seed,
		   unsigned int odds)
{
	int cpu;

	cpu_count = count;
	cpu_body = body;
	schedule_odds = odds;
	random_seed(&schedule, seed);
	for (cpu = 0; cpu < count; cpu++) {
		memset(&cpus[cpu], 0, sizeof(cpus[cpu]));
		cpus[cpu].stack = malloc(STACK_SIZE);
		getcontext(&cpus[cpu].context);
		cpus[cpu].context.uc_stack.ss_sp = cpus[cpu].stack;
		cpus[cpu].context.uc_stack.ss_size = STACK_SIZE;
		makecontext(&cpus[cpu].context, run_cpu, 0);
	}
	side_by_side = true;
	current_cpu = 0;
	__sanitizer_start_switch_fiber(&main_fake_stack, cpus[0].stack,
				       STACK_SIZE);
	swapcontext(&main_context, &cpus[0].context);
	__sanitizer_finish_switch_fiber(main_fake_stack, NULL, NULL);
	side_by_side = false;
	for (cpu = 0; cpu < count; cpu++) {
		free(cpus[cpu].stack);
		memset(&cpus[cpu], 0, sizeof(cpus[cpu]));
	}
	cpu_count = 1;
	current_cpu = 0;
}

/* Locks */

void host_spin_lock(struct host_lock *lock, const char *name)
{
	host_point();
	wait_for(lock, name);
	lock->owner = current_cpu + 1;
	cpus[current_cpu].spin_depth++;
}

void host_spin_unlock(struct host_lock *lock, const char *name)
{
	if (lock->owner != current_cpu + 1)
		host_fail("lock",
			  "%s is let go of by a CPU that does not hold it",
			  name);
	lock->owner = 0;
	cpus[current_cpu].spin_depth--;
	host_point();
}

void host_mutex_lock(struct host_lock *lock, const char *name)
{
	host_might_sleep(name);
	wait_for(lock, name);
	lock->owner = current_cpu + 1;
}

bool host_mutex_trylock(struct host_lock *lock)
{
	host_point();
	if (lock->owner)
		return false;
	lock->owner = current_cpu + 1;
	return true;
}

void host_mutex_unlock(struct host_lock *lock, const char *name)
{
	if (lock->owner != current_cpu + 1)
		host_fail("lock",
			  "%s is let go of by a CPU that does not hold it",
			  name);
	lock->owner = 0;
	host_point();
}

bool host_lock_is_held(const struct host_lock *lock)
{
	return lock->owner == current_cpu + 1;
}

void host_rcu_lock(void)
{
	cpus[current_cpu].rcu_depth++;
}

void host_rcu_unlock(void)
{
	if (--cpus[current_cpu].rcu_depth < 0)
		host_fail("lock", "rcu_read_unlock() without rcu_read_lock()");
	host_point();
}

void host_preempt_disable(void)
{
	cpus[current_cpu].preempt_depth++;
}

void host_preempt_enable(void)
{
	if (--cpus[current_cpu].preempt_depth < 0)
		host_fail("lock",
			  "preemption is enabled without being disabled");
}

void host_might_sleep(const char *what)
{
	struct cpu *cpu = &cpus[current_cpu];

	if (cpu->spin_depth || cpu->rcu_depth || cpu->preempt_depth)
		host_fail("sleep",
			  "%s may sleep, and is called with %d spinlocks, %d RCU read locks and preemption disabled %d times",
			  what, cpu->spin_depth, cpu->rcu_depth,
			  cpu->preempt_depth);
	host_point();
}

/* Memory */

struct host_cache {
	const char *name;
	size_t size;
};

struct header {
	struct host_cache *cache;
	size_t magic;
};

#define MAGIC ((size_t)0x5ca1ab1e)

static long objects;
static void *later[LATER_MAX];
static int later_count;

void host_fail_at(unsigned long number, bool all_that_follow)
{
	struct cpu *cpu = &cpus[current_cpu];

	cpu->fail_countdown = number;
	cpu->fail_the_rest = all_that_follow;
	cpu->failed_any = false;
}

bool host_failed_any(void)
{
	return cpus[current_cpu].failed_any;
}

bool host_may_fail(void)
{
	struct cpu *cpu = &cpus[current_cpu];

	if (!cpu->fail_countdown || --cpu->fail_countdown)
		return false;
	if (cpu->fail_the_rest)
		cpu->fail_countdown = 1;
	cpu->failed_any = true;
	return true;
}

struct host_cache *host_cache(const char *name, size_t size)
{
	struct host_cache *cache = malloc(sizeof(*cache));

	cache->name = name;
	cache->size = size;
	return cache;
}

void *host_alloc(struct host_cache *cache, size_t size, bool may_sleep,
		 bool zero)
{
	struct header *header;

	if (may_sleep)
		host_might_sleep("an allocation of memory");
	if (host_may_fail())
		return NULL;
	if (cache)
		size = cache->size;
	header = malloc(sizeof(*header) + size);
	header->cache = cache;
	header->magic = MAGIC;
	memset(header + 1, zero ? 0 : 0xa5, size);
	objects++;
	return header + 1;
}

void host_free(struct host_cache *cache, void *object)
{
	struct header *header = (struct header *)object - 1;

	if (!object)
		return;
	if (header->magic != MAGIC)
		host_fail("memory",
			  "what is freed was overwritten below its begin, or is no object");
	if (cache && header->cache != cache)
		host_fail("memory", "an object of another cache is freed to %s",
			  cache->name);
	header->magic = 0;
	free(header);
	objects--;
}

void host_free_later(void *object)
{
	if (later_count == LATER_MAX)
		host_fail("rig",
			  "too many objects wait for the end of an RCU grace period");
	later[later_count++] = object;
}

/* The grace period ends where no CPU is in a section of RCU's. */
void host_operation_ends(void)
{
	int cpu;

	for (cpu = 0; cpu < cpu_count; cpu++) {
		if (cpus[cpu].rcu_depth)
			return;
	}
	while (later_count)
		host_free(NULL, later[--later_count]);
}

long host_objects(void)
{
	return objects - later_count;
}

/* The index of blocks of vm_map_ram() */

static struct entry {
	unsigned long key;
	void *value;
} entries[INDEX_MAX];
static int entry_count;

int host_index_insert(unsigned long key, void *value)
{
	if (host_index_lookup(key))
		return -EEXIST;
	if (entry_count == INDEX_MAX)
		host_fail("rig", "too many blocks of vm_map_ram()");
	entries[entry_count++] = (struct entry){ key, value };
	return 0;
}

void *host_index_lookup(unsigned long key)
{
	int i;

	for (i = 0; i < entry_count; i++) {
		if (entries[i].key == key)
			return entries[i].value;
	}
	return NULL;
}

void *host_index_delete(unsigned long key)
{
	void *value;
	int i;

	for (i = 0; i < entry_count; i++) {
		if (entries[i].key == key) {
			value = entries[i].value;
			entries[i] = entries[--entry_count];
			return value;
		}
	}
	return NULL;
}
