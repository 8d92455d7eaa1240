// SPDX-License-Identifier: GPL-2.0-only
/*
 * The passes of one test: samples first, then those that time every single
 * operation, then one to look at memory.
 */
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/string.h>

#include "checks/area_lists.h"
#include "checks/memory.h"
#include "core/histogram.h"
#include "core/ktap.h"
#include "core/passes.h"
#include "core/threads.h"
#include "lib/settle.h"
#include "lib/symbols.h"
#include "vmalloc_test.h"

/* Copies the reason of the first thread that failed; -EINTR is no failure. */
static void explain(const struct vmt_run *run, int err, char *reason)
{
	unsigned int i;

	if (err == -EINTR)
		strscpy(reason, "interrupted", VMT_REASON_LEN);
	else
		scnprintf(reason, VMT_REASON_LEN, "error %d", err);
	for (i = 0; i < run->nr_threads; i++) {
		const struct vmt_thread *t = &run->threads[i];

		if (!t->err || t->err == -EINTR)
			continue;
		if (t->reason[0])
			strscpy(reason, t->reason, VMT_REASON_LEN);
		else
			scnprintf(reason, VMT_REASON_LEN, "error %d", t->err);
		return;
	}
}

static int first_error(const struct vmt_run *run)
{
	unsigned int i;

	for (i = 0; i < run->nr_threads; i++)
		if (run->threads[i].err)
			return run->threads[i].err;
	return 0;
}

/*
 * In a stress test a failed allocation is no failure, unless all of them fail.
 */
static bool nothing_allocated(const struct vmt_run *run)
{
	unsigned int i;

	for (i = 0; i < run->nr_threads; i++)
		if (run->threads[i].allocated)
			return false;
	return run->test->flags & VMT_STRESS;
}

/*
 * The threads of a stress test work at once, so none of them can know when to
 * switch tracing off. Other tests trace their timed loop.
 */
static int run_threads(struct vmt_run *run, char *reason)
{
	bool traced = vmt_params.trace && run->test->flags & VMT_STRESS;
	int err;

	if (traced)
		tracing_on();
	err = vmt_start_threads(run);
	if (err) {
		scnprintf(reason, VMT_REASON_LEN,
			  "error %d: the threads did not start", err);
	} else {
		run->fatal = vmt_wait_for_threads(run);
		vmt_stop_threads(run, run->nr_threads);
	}
	if (traced)
		tracing_off();
	return err;
}

static int run_pass(struct vmt_run *run, char *reason)
{
	int err;

	vmt_settle_if_asked();
	run->stop = false;
	run->threads = kvcalloc(run->nr_threads, sizeof(*run->threads),
				GFP_KERNEL);
	if (!run->threads) {
		scnprintf(reason, VMT_REASON_LEN, "-ENOMEM: for threads");
		return -ENOMEM;
	}

	err = run_threads(run, reason);
	if (err)
		goto out_free;

	vmt_ktap_pass_end(run);
	err = run->fatal ?: first_error(run);
	if (err) {
		explain(run, err, reason);
	} else if (nothing_allocated(run)) {
		scnprintf(reason, VMT_REASON_LEN, "no allocation succeeded");
		err = -ENOMEM;
	}
out_free:
	kvfree(run->threads);
	return err;
}

/* Runs @pass; after one of a stress test, also checks the kernel's lists. */
static int run_checked(struct vmt_run *run, char *reason,
		       int (*pass)(struct vmt_run *run, char *reason))
{
	struct vmt_lists before;
	int err;

	if (!(run->test->flags & VMT_STRESS))
		return pass(run, reason);
	vmt_lists_note(&before);
	err = pass(run, reason);
	return err ?: vmt_lists_check(&before, reason);
}

static int run_samples(struct vmt_run *run, char *reason)
{
	int err = 0;

	run->pass = VMT_PASS_SAMPLE;
	for (run->repeat = 0; run->repeat < vmt_params.repeat && !err;
	     run->repeat++)
		err = run_checked(run, reason, run_pass);
	return err;
}

static int run_latency(struct vmt_run *run, char *reason)
{
	int err = 0;

	run->pass = VMT_PASS_LATENCY;
	for (run->repeat = 0; run->repeat < vmt_params.latency && !err;
	     run->repeat++) {
		run->histogram = vmt_histogram_alloc();
		if (!run->histogram) {
			scnprintf(reason, VMT_REASON_LEN,
				  "-ENOMEM: for a histogram");
			return -ENOMEM;
		}
		err = run_pass(run, reason);
		if (!err)
			vmt_ktap_latency(run);
		kvfree(run->histogram);
		run->histogram = NULL;
	}
	return err;
}

static int run_memory(struct vmt_run *run, char *reason)
{
	struct vmt_memory *memory;
	int err;

	run->pass = VMT_PASS_MEMORY;
	run->repeat = 0;
	memory = vmt_memory_start();
	if (IS_ERR(memory)) {
		err = PTR_ERR(memory);
		scnprintf(reason, VMT_REASON_LEN,
			  "error %d: nothing looks at memory", err);
		return err;
	}
	err = run_pass(run, reason);
	vmt_memory_stop(memory);
	vmt_ktap_memory(run, memory);
	kvfree(memory);
	return err;
}

/*
 * @reason says in VMT_REASON_LEN characters why it failed; run->fatal is set
 * when no further test can run.
 */
int vmt_run_passes(struct vmt_run *run, char *reason)
{
	bool performance = !(run->test->flags & (VMT_STRESS | VMT_SWEEP));
	int err;

	err = run_samples(run, reason);
	if (!err && performance)
		err = run_latency(run, reason);
	if (!err && vmt_params.memory && vmt_busy_list())
		err = run_checked(run, reason, run_memory);
	return err;
}
