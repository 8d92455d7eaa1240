/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Types that all parts of vmalloc_test.ko share: the parameters, a test, a pass
 * of it, and one thread's work in that.
 */
#ifndef VMALLOC_TEST_H
#define VMALLOC_TEST_H

#include <linux/cpumask.h>
#include <linux/sched.h>
#include <linux/types.h>
#include <linux/wait.h>

#include "lib/rng.h"

#define VMT_REASON_LEN		160

/* The guard page that the kernel adds to every vmalloc area. */
#define VMT_GUARD		PAGE_SIZE

struct vmt_params {
	unsigned long loops;
	unsigned int repeat;
	unsigned long busy;
	unsigned long holes;
	unsigned int latency;
	unsigned int memory;
	bool trace;
	bool settle;
	unsigned int threads;
	unsigned long live_pages;
	unsigned int lazy_limit;
	bool first_fit;
	unsigned int wait_limit;
	unsigned int alloc_limit;
	unsigned int free_limit;
	unsigned long long seed;
	char *second;	/* the file of vmalloc_second */
	cpumask_t cpus;
};

extern struct vmt_params vmt_params;

struct vmt_histogram;
struct vmt_thread;

/* Flags of a test. */
#define VMT_STRESS		BIT(0)	/* on all threads, not on one */
#define VMT_NEEDS_RANGE		BIT(1)	/* calls __vmalloc_node_range() */
#define VMT_SWEEP		BIT(2)	/* cost against busy= and holes= */
#define VMT_NEEDS_PCPU		BIT(3)	/* calls pcpu_get_vm_areas() */
#define VMT_NEEDS_AREAS		BIT(4)	/* calls __get_vm_area_caller() */

typedef int vmt_test_fn(struct vmt_thread *t);

struct vmt_test {
	const char *name;
	vmt_test_fn *run;
	unsigned int flags;
};

/* The purpose of a pass. */
enum vmt_pass {
	VMT_PASS_SAMPLE,	/* the loop's time as a whole */
	VMT_PASS_LATENCY,	/* each operation's time */
	VMT_PASS_MEMORY,	/* looks at memory meanwhile */
};

/* One pass of one test: what its threads share. */
struct vmt_run {
	const struct vmt_test *test;
	enum vmt_pass pass;
	unsigned int repeat;	/* passes of the same kind before this one */
	struct vmt_histogram *histogram;	/* in latency passes alone */
	unsigned int nr_threads;
	struct vmt_thread *threads;
	struct mm_struct *mm;	/* of the loader, which waits meanwhile */
	wait_queue_head_t waiters;
	bool stop;
	int fatal;	/* set when no further test can run */
};

struct vmt_thread {
	struct vmt_run *run;
	struct task_struct *task;
	unsigned int id;
	unsigned int cpu;
	struct vmt_rng rng;
	unsigned long loops;	/* of a stress test, for this thread to do */

	/* The thread's results; read once it has finished. */
	u64 ops;
	u64 ns;
	unsigned long allocated;
	unsigned long alloc_failures;
	unsigned long lazy_pages_max;
	unsigned long refused_once;	/* granted when asked for again */
	unsigned long not_lowest;	/* not at the lowest place that fits */
	int err;
	char reason[VMT_REASON_LEN];
	bool finished;

	/* Pages that a stress test holds at the moment. */
	unsigned long live_pages;
};

/* tests.c: the table, and which tests of it the parameters ask for. */
extern const struct vmt_test vmt_tests[];
extern const unsigned int vmt_nr_tests;
int vmt_select(const char *names, u64 mask, u64 *selected);

/* The function of each test. */
#define VMT_TEST(name, flags)	name
vmt_test_fn
#include "test_list.h"
;
#undef VMT_TEST

#endif /* VMALLOC_TEST_H */
