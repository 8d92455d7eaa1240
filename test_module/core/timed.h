/* SPDX-License-Identifier: GPL-2.0-only */
/* The loops that performance and sweep tests time. */
#ifndef VMALLOC_TEST_TIMED_H
#define VMALLOC_TEST_TIMED_H

#include "vmalloc_test.h"

void vmt_clock_start(struct vmt_thread *t);
void vmt_clock_stop(struct vmt_thread *t);
int vmt_warm_up(struct vmt_thread *t, unsigned long rounds,
		int (*op)(struct vmt_thread *t, void *ctx), void *ctx);
int vmt_timed_loop(struct vmt_thread *t,
		   int (*op)(struct vmt_thread *t, void *ctx), void *ctx);

#endif /* VMALLOC_TEST_TIMED_H */
