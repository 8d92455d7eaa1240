// SPDX-License-Identifier: GPL-2.0-only
/* Notes why a thread of a test ends early, and asks whether it has to. */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/sched.h>

#include "lib/fail.h"
#include "vmalloc_test.h"

/* Keeps the first failure of a thread; returns @err, to be passed on. */
int vmt_fail(struct vmt_thread *t, int err, const char *fmt, ...)
{
	va_list args;

	if (t->reason[0])
		return err;
	va_start(args, fmt);
	vscnprintf(t->reason, sizeof(t->reason), fmt, args);
	va_end(args);
	return err;
}

/* For a test that cannot be run here; the reason is what follows "SKIP". */
int vmt_skip(struct vmt_thread *t, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vscnprintf(t->reason, sizeof(t->reason), fmt, args);
	va_end(args);
	return -EOPNOTSUPP;
}

/* Lets others run; returns -EINTR when the pass is to be stopped. */
int vmt_breathe(const struct vmt_thread *t)
{
	cond_resched();
	return READ_ONCE(t->run->stop) ? -EINTR : 0;
}
