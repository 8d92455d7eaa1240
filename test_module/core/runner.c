// SPDX-License-Identifier: GPL-2.0-only
/* Runs the selected tests one after the other, and reports their results. */
#include <linux/bitops.h>
#include <linux/errno.h>
#include <linux/kernel.h>

#include "core/ktap.h"
#include "core/passes.h"
#include "core/runner.h"
#include "lib/marks.h"
#include "lib/settle.h"
#include "lib/symbols.h"
#include "vmalloc_test.h"

struct session {
	struct vmt_totals totals;
	const char *skip_rest;
	bool interrupted;
};

static void run_test(struct session *session, const struct vmt_test *test)
{
	struct vmt_run run = {
		.test = test,
		.nr_threads = test->flags & VMT_STRESS ? vmt_params.threads : 1,
	};
	char reason[VMT_REASON_LEN];
	int err;

	init_waitqueue_head(&run.waiters);
	vmt_ktap_start(test);
	vmt_mark(VMT_TEST_BEGINS);
	err = vmt_run_passes(&run, reason);
	vmt_settle_if_asked();
	vmt_mark(VMT_TEST_ENDS);

	if (err == -EOPNOTSUPP)
		vmt_ktap_skip(&session->totals, test->name, reason);
	else if (err)
		vmt_ktap_fail(&session->totals, test->name, reason);
	else
		vmt_ktap_pass(&session->totals, test->name);

	if (run.fatal == -EIO)
		session->skip_rest = "a thread of an earlier test died";
	else if (run.fatal)
		session->skip_rest = "interrupted";
	session->interrupted = run.fatal == -EINTR;
}

/* Returns why @test cannot be run; NULL if it can. */
static const char *obstacle(const struct session *session,
			    const struct vmt_test *test)
{
	if (session->skip_rest)
		return session->skip_rest;
	if (test->flags & VMT_NEEDS_RANGE && !vmt_have_range())
		return "__vmalloc_node_range() was not found";
	if (test->flags & (VMT_SWEEP | VMT_NEEDS_AREAS) && !vmt_have_areas())
		return "__get_vm_area_caller() was not found";
	if (test->flags & VMT_NEEDS_PCPU && !vmt_have_pcpu())
		return "pcpu_get_vm_areas() was not found";
	return NULL;
}

/*
 * Runs test n of @tests where bit n of @selected is set. Returns 0 whatever
 * the tests found, -EINTR when the loader is to be killed.
 */
int vmt_run_selected(const struct vmt_test *tests, u64 selected)
{
	struct session session = { };
	unsigned int i;

	vmt_ktap_begin(hweight64(selected));
	for (i = 0; i < vmt_nr_tests; i++) {
		const struct vmt_test *test = &tests[i];
		const char *why;

		if (!(selected & BIT_ULL(i)))
			continue;
		why = obstacle(&session, test);
		if (why)
			vmt_ktap_skip(&session.totals, test->name, why);
		else
			run_test(&session, test);
	}
	vmt_ktap_end(&session.totals);
	return session.interrupted ? -EINTR : 0;
}
