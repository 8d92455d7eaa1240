// SPDX-License-Identifier: GPL-2.0-only
/* The loops that performance and sweep tests time. */
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/pid.h>
#include <linux/sched.h>

#include "core/histogram.h"
#include "core/ktap.h"
#include "core/timed.h"
#include "lib/fail.h"
#include "lib/marks.h"
#include "lib/settle.h"
#include "vmalloc_test.h"

#define OVERHEAD_TRIALS		1000

/* May be started and stopped several times; the times add up. */
void vmt_clock_start(struct vmt_thread *t)
{
	vmt_settle_if_asked();
	if (vmt_params.trace) {
		/* ftrace knows only names of threads that it saw switched. */
		if (!t->ns)
			vmt_ktap_note(t, "pid=%d", task_pid_nr(current));
		tracing_on();
	}
	t->ns -= ktime_get_ns();
	vmt_mark(VMT_LOOP_BEGINS);
}

void vmt_clock_stop(struct vmt_thread *t)
{
	vmt_mark(VMT_LOOP_ENDS);
	t->ns += ktime_get_ns();
	if (vmt_params.trace)
		tracing_off();
}

/* The time that reading the clock before and after an operation adds. */
static u64 clock_overhead(void)
{
	u64 least = U64_MAX;
	unsigned int i;

	for (i = 0; i < OVERHEAD_TRIALS; i++) {
		u64 began = ktime_get_ns();

		least = min(least, ktime_get_ns() - began);
	}
	return least;
}

static int add_op(struct vmt_thread *t, struct vmt_histogram *histogram,
		  int (*op)(struct vmt_thread *t, void *ctx), void *ctx)
{
	u64 began = ktime_get_ns();
	int err = op(t, ctx);

	vmt_histogram_add(histogram, ktime_get_ns() - began);
	return err;
}

/* Does what the timed loop does, but is not timed. */
int vmt_warm_up(struct vmt_thread *t, unsigned long rounds,
		int (*op)(struct vmt_thread *t, void *ctx), void *ctx)
{
	int err = 0;

	while (rounds-- && !err) {
		err = op(t, ctx);
		if (!err && rounds % VMT_BREATHE_EVERY == 0)
			err = vmt_breathe(t);
	}
	return err;
}

int vmt_timed_loop(struct vmt_thread *t,
		   int (*op)(struct vmt_thread *t, void *ctx), void *ctx)
{
	struct vmt_histogram *histogram = t->run->histogram;
	unsigned long i;
	int err = 0;

	if (histogram)
		histogram->overhead_ns = clock_overhead();

	vmt_clock_start(t);
	for (i = 0; i < vmt_params.loops && !err; i++) {
		if (histogram)
			err = add_op(t, histogram, op, ctx);
		else
			err = op(t, ctx);
		if (!err && i % VMT_BREATHE_EVERY == VMT_BREATHE_EVERY - 1)
			err = vmt_breathe(t);
	}
	vmt_clock_stop(t);
	t->ops = i;
	return err;
}
