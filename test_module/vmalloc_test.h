/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of vmalloc_test.ko share: the parameters, a test, one
 * thread's work on it, and how that thread says what went wrong.
 */
#ifndef VMALLOC_TEST_H
#define VMALLOC_TEST_H

#include <linux/cpumask.h>
#include <linux/sched.h>
#include <linux/types.h>
#include <linux/wait.h>

#include "rng.h"

/* Operations between two looks at the scheduler and at the stop flag. */
#define VMT_BREATHE_EVERY	256

#define VMT_REASON_LEN		160

/* The guard page that the kernel adds to every vmalloc area. */
#define VMT_GUARD		PAGE_SIZE

struct vmt_params {
	unsigned long loops;
	unsigned int repeat;
	unsigned long busy;
	unsigned int threads;
	unsigned long live_pages;
	unsigned long seed;
	cpumask_t cpus;
};

extern struct vmt_params vmt_params;

struct vmt_thread;

/* Flags of a test. */
#define VMT_STRESS		BIT(0)	/* on all threads, not on one */
#define VMT_NEEDS_RANGE		BIT(1)	/* calls __vmalloc_node_range() */

struct vmt_test {
	const char *name;
	int (*run)(struct vmt_thread *t);
	unsigned int flags;
};

/* One sample of one test: what its threads share. */
struct vmt_run {
	const struct vmt_test *test;
	unsigned int repeat;
	unsigned int nr_threads;
	struct vmt_thread *threads;
	wait_queue_head_t waiters;
	bool stop;
};

struct vmt_thread {
	struct vmt_run *run;
	struct task_struct *task;
	unsigned int id;
	unsigned int cpu;
	struct vmt_rng rng;

	/* What the thread found out; read once it has finished. */
	u64 ops;
	u64 ns;
	unsigned long allocated;
	unsigned long alloc_failures;
	unsigned long lazy_pages_max;
	int err;
	char reason[VMT_REASON_LEN];
	bool finished;

	/* Pages that a stress test holds at the moment. */
	unsigned long live_pages;
};

/* tests.c: the table, and which of it the parameters ask for. */
extern const struct vmt_test vmt_tests[];
extern const unsigned int vmt_nr_tests;
int vmt_select(const char *names, unsigned long mask, unsigned long *selected);

/* runner.c */
int vmt_run_selected(unsigned long selected);
void vmt_settle(void);

/* threads.c */
__printf(3, 4)
int vmt_fail(struct vmt_thread *t, int err, const char *fmt, ...);
int vmt_breathe(const struct vmt_thread *t);

/* perf.c */
int vmt_timed_loop(struct vmt_thread *t,
		   int (*op)(struct vmt_thread *t, void *ctx), void *ctx);
int vmt_touch_and_free(struct vmt_thread *t, unsigned long pages);
int le_fit_alloc_test(struct vmt_thread *t);
int ne_fit_alloc_test(struct vmt_thread *t);
int long_busy_list_alloc_test(struct vmt_thread *t);
int random_size_alloc_test(struct vmt_thread *t);

/* perf_fit.c */
int b_fit_alloc_test(struct vmt_thread *t);

/* stress.c */
int align_shift_alloc_test(struct vmt_thread *t);
int random_size_align_test(struct vmt_thread *t);
int fragmentation_test(struct vmt_thread *t);
int mix_stress_test(struct vmt_thread *t);

/* stress_pcpu.c */
int pcpu_alloc_test(struct vmt_thread *t);

#endif /* VMALLOC_TEST_H */
