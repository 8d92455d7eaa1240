// SPDX-License-Identifier: GPL-2.0-only
/* Timers that interrupt the CPU on which they are started. */
#include <linux/hrtimer.h>

#include "lib/compat.h"
#include "lib/timer.h"

void vmt_set_timer(struct hrtimer *timer,
		   enum hrtimer_restart (*expired)(struct hrtimer *timer))
{
	vmt_hrtimer_setup(timer, expired, CLOCK_MONOTONIC, VMT_TIMER_MODE);
}
