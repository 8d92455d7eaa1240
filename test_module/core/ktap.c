// SPDX-License-Identifier: GPL-2.0-only
/* Prints results to the kernel log, in the format that README.md describes. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kernel.h>
#include <linux/printk.h>

#include "checks/memory.h"
#include "core/histogram.h"
#include "core/ktap.h"
#include "lib/room.h"
#include "vmalloc_test.h"

/* A line of buckets, which printk() would cut off from 990 characters on. */
#define LINE_LEN	800

/*
 * Threads that have lines of their own. The lines of thousands would push all
 * others out of the kernel's log.
 */
#define MAX_THREAD_LINES	64

/* Two numbers of 20 digits, with a colon and a comma. */
#define BUCKET_LEN	42

void vmt_ktap_begin(unsigned int nr_tests)
{
	pr_info("KTAP version 1\n");
	pr_info("# param loops=%lu repeat=%u busy=%lu holes=%lu latency=%u memory=%u trace=%d settle=%d threads=%u cpus=%*pbl seed=%llu\n",
		vmt_params.loops, vmt_params.repeat, vmt_params.busy,
		vmt_params.holes, vmt_params.latency, vmt_params.memory,
		vmt_params.trace, vmt_params.settle, vmt_params.threads,
		cpumask_pr_args(&vmt_params.cpus), vmt_params.seed);
	pr_info("1..%u\n", nr_tests);
}

void vmt_ktap_start(const struct vmt_test *test)
{
	pr_info("# start test=%s\n", test->name);
}

/* The counter is the kernel's own, so the most that a thread saw is enough. */
static void note_lazy_pages(const struct vmt_run *run)
{
	const struct vmt_thread *most = &run->threads[0];
	unsigned int i;

	for (i = 1; i < run->nr_threads; i++)
		if (run->threads[i].lazy_pages_max > most->lazy_pages_max)
			most = &run->threads[i];
	if (most->lazy_pages_max)
		pr_info("# note test=%s thread=%u lazy_pages_max=%lu\n",
			run->test->name, most->id, most->lazy_pages_max);
}

/* Counts of model_test that are no failures, of all threads together. */
static void note_model(const struct vmt_run *run)
{
	unsigned long refused_once = 0;
	unsigned long not_lowest = 0;
	unsigned int i;

	for (i = 0; i < run->nr_threads; i++) {
		refused_once += run->threads[i].refused_once;
		not_lowest += run->threads[i].not_lowest;
	}
	if (refused_once || not_lowest)
		pr_info("# note test=%s thread=0 refused_once=%lu not_lowest=%lu\n",
			run->test->name, refused_once, not_lowest);
}

void vmt_ktap_pass_end(const struct vmt_run *run)
{
	unsigned int nr = min_t(unsigned int, run->nr_threads,
				MAX_THREAD_LINES);
	const char *name = run->test->name;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		const struct vmt_thread *t = &run->threads[i];

		if (!t->err && run->pass == VMT_PASS_SAMPLE)
			pr_info("# sample test=%s repeat=%u thread=%u cpu=%u ops=%llu ns=%llu\n",
				name, run->repeat, t->id, t->cpu, t->ops,
				t->ns);
		if (t->alloc_failures)
			pr_info("# note test=%s thread=%u alloc_failures=%lu\n",
				name, t->id, t->alloc_failures);
	}
	note_lazy_pages(run);
	note_model(run);
}

void vmt_ktap_latency(const struct vmt_run *run)
{
	const struct vmt_histogram *histogram = run->histogram;
	const char *name = run->test->name;
	static char line[LINE_LEN];	/* as only one load prints at a time */
	unsigned int len = 0;
	unsigned int i;

	pr_info("# latency test=%s pass=%u ops=%llu overhead_ns=%llu max_ns=%llu\n",
		name, run->repeat, histogram->ops, histogram->overhead_ns,
		histogram->max_ns);
	for (i = 0; i < VMT_NR_BUCKETS; i++) {
		if (!histogram->count[i])
			continue;
		len += scnprintf(line + len, sizeof(line) - len, "%s%llu:%llu",
				 len ? "," : "", vmt_bucket_start(i),
				 histogram->count[i]);
		if (len + BUCKET_LEN < sizeof(line))
			continue;
		pr_info("# buckets test=%s pass=%u %s\n", name, run->repeat,
			line);
		len = 0;
		cond_resched();
	}
	if (len)
		pr_info("# buckets test=%s pass=%u %s\n", name, run->repeat,
			line);
}

static void print_look(const struct vmt_run *run, const char *at,
		       const struct vmt_look *look)
{
	pr_info("# memory test=%s at=%s ns=%llu areas=%lu used=%lu free=%lu largest_hole=%lu lazy=%lu slab_unreclaimable=%lu\n",
		run->test->name, at, look->ns, look->areas, look->used,
		look->free, look->largest_hole, look->lazy,
		look->slab_unreclaimable);
}

void vmt_ktap_memory(const struct vmt_run *run, const struct vmt_memory *memory)
{
	unsigned int i;

	print_look(run, "before", &memory->before);
	for (i = 0; i < memory->nr; i++)
		print_look(run, "during", &memory->during[i]);
	print_look(run, "after", &memory->after);
}

/* The holes that b_fit_alloc_test made, and how many of them were filled. */
void vmt_ktap_holes(const struct vmt_thread *t, unsigned long holes,
		    unsigned long hits)
{
	pr_info("# note test=%s thread=%u holes=%lu hits=%lu\n",
		t->run->test->name, t->id, holes, hits);
}

/* A sample of a test that measures space; sums over @ops operations. */
void vmt_ktap_space(const struct vmt_thread *t, u64 ops, u64 held, u64 span)
{
	pr_info("# space test=%s repeat=%u ops=%llu held=%llu span=%llu\n",
		t->run->test->name, t->run->repeat, ops, held, span);
}

/* Further figures, as NAME=NUMBER. */
void vmt_ktap_note(const struct vmt_thread *t, const char *fmt, ...)
{
	struct va_format figures = { .fmt = fmt };
	va_list args;

	va_start(args, fmt);
	figures.va = &args;
	pr_info("# note test=%s thread=%u %pV\n", t->run->test->name, t->id,
		&figures);
	va_end(args);
}

void vmt_ktap_scaled(const struct vmt_thread *t, const char *fmt, ...)
{
	struct va_format what = { .fmt = fmt };
	va_list args;

	if (t->id || t->run->pass != VMT_PASS_SAMPLE || t->run->repeat)
		return;
	va_start(args, fmt);
	what.va = &args;
	pr_info("# scaled test=%s to %lu MiB: %pV\n", t->run->test->name,
		vmt_range_size() / SZ_1M, &what);
	va_end(args);
}

static unsigned int next_number(const struct vmt_totals *totals)
{
	return totals->pass + totals->fail + totals->skip;
}

void vmt_ktap_pass(struct vmt_totals *totals, const char *name)
{
	totals->pass++;
	pr_info("ok %u %s\n", next_number(totals), name);
}

void vmt_ktap_fail(struct vmt_totals *totals, const char *name,
		   const char *reason)
{
	totals->fail++;
	pr_info("not ok %u %s # %s\n", next_number(totals), name, reason);
}

void vmt_ktap_skip(struct vmt_totals *totals, const char *name,
		   const char *reason)
{
	totals->skip++;
	pr_info("ok %u %s # SKIP %s\n", next_number(totals), name, reason);
}

void vmt_ktap_end(const struct vmt_totals *totals)
{
	pr_info("# totals: pass=%u fail=%u skip=%u\n", totals->pass,
		totals->fail, totals->skip);
}
