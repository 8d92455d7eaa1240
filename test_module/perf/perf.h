/* SPDX-License-Identifier: GPL-2.0-only */
/* The operation that performance tests share. */
#ifndef VMALLOC_TEST_PERF_H
#define VMALLOC_TEST_PERF_H

#include "vmalloc_test.h"

int vmt_touch_and_free(struct vmt_thread *t, unsigned long pages);

#endif /* VMALLOC_TEST_PERF_H */
