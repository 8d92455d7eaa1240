// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs the selected tests one after the other, and tells ktap.c what became
 * of them.
 */
#include <linux/bitops.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "ktap.h"
#include "symbols.h"
#include "threads.h"
#include "vmalloc_test.h"

struct session {
	struct vmt_totals totals;
	const char *skip_rest;
	int err;
};

/*
 * Ends what earlier frees left to be done: gives the areas that were freed
 * lazily back to the allocator, and waits until RCU has freed the structures
 * that described them, which else would happen while a test is being timed.
 */
void vmt_settle(void)
{
	vm_unmap_aliases();
	rcu_barrier();
}

/* The reason of the first thread that has one; -EINTR only says "stopped". */
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

/* A stress test shrugs at a failed allocation, but not if all of them fail. */
static bool nothing_allocated(const struct vmt_run *run)
{
	unsigned int i;

	for (i = 0; i < run->nr_threads; i++)
		if (run->threads[i].allocated)
			return false;
	return run->test->flags & VMT_STRESS;
}

/* @session->err is set when no further test can run. */
static int run_sample(struct session *session, struct vmt_run *run,
		      char *reason)
{
	int err;

	vmt_settle();
	run->stop = false;
	run->threads = kvcalloc(run->nr_threads, sizeof(*run->threads),
				GFP_KERNEL);
	if (!run->threads) {
		scnprintf(reason, VMT_REASON_LEN, "-ENOMEM: for threads");
		return -ENOMEM;
	}

	err = vmt_start_threads(run);
	if (err) {
		scnprintf(reason, VMT_REASON_LEN,
			  "error %d: the threads did not start", err);
		goto out_free;
	}
	session->err = vmt_wait_for_threads(run);
	vmt_stop_threads(run, run->nr_threads);

	vmt_ktap_samples(run);
	err = session->err ?: first_error(run);
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

static void run_test(struct session *session, const struct vmt_test *test)
{
	struct vmt_run run = {
		.test = test,
		.nr_threads = test->flags & VMT_STRESS ? vmt_params.threads : 1,
	};
	char reason[VMT_REASON_LEN];
	int err = 0;

	init_waitqueue_head(&run.waiters);
	vmt_ktap_start(test);
	for (run.repeat = 0; run.repeat < vmt_params.repeat && !err;
	     run.repeat++)
		err = run_sample(session, &run, reason);
	vmt_settle();

	if (err)
		vmt_ktap_fail(&session->totals, test->name, reason);
	else
		vmt_ktap_pass(&session->totals, test->name);

	if (session->err == -EIO)
		session->skip_rest = "a thread of an earlier test died";
	else if (session->err)
		session->skip_rest = "interrupted";
}

/* 0 whatever the tests found; -EINTR when the loader is to be killed. */
int vmt_run_selected(unsigned long selected)
{
	struct session session = { };
	unsigned int i;

	vmt_ktap_begin(hweight_long(selected));
	for_each_set_bit(i, &selected, vmt_nr_tests) {
		const struct vmt_test *test = &vmt_tests[i];

		if (session.skip_rest)
			vmt_ktap_skip(&session.totals, test->name,
				      session.skip_rest);
		else if (test->flags & VMT_NEEDS_RANGE && !vmt_have_range())
			vmt_ktap_skip(&session.totals, test->name,
				      "__vmalloc_node_range() was not found");
		else
			run_test(&session, test);
	}
	vmt_ktap_end(&session.totals);
	return session.err == -EINTR ? -EINTR : 0;
}
