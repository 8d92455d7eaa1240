/* SPDX-License-Identifier: GPL-2.0-only */
/* The threads of one pass. */
#ifndef VMALLOC_TEST_THREADS_H
#define VMALLOC_TEST_THREADS_H

#include "vmalloc_test.h"

int vmt_start_threads(struct vmt_run *run);
int vmt_wait_for_threads(struct vmt_run *run);
void vmt_stop_threads(struct vmt_run *run, unsigned int nr);

#endif /* VMALLOC_TEST_THREADS_H */
