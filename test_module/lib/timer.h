/* SPDX-License-Identifier: GPL-2.0-only */
/* Timers that interrupt the CPU on which they are started. */
#ifndef VMALLOC_TEST_TIMER_H
#define VMALLOC_TEST_TIMER_H

#include <linux/hrtimer.h>

/* Has @timer call @expired, a time after it is started with that mode. */
void vmt_set_timer(struct hrtimer *timer,
		   enum hrtimer_restart (*expired)(struct hrtimer *timer));

#define VMT_TIMER_MODE	HRTIMER_MODE_REL_PINNED

#endif /* VMALLOC_TEST_TIMER_H */
