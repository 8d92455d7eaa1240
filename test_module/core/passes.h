/* SPDX-License-Identifier: GPL-2.0-only */
/* Runs the passes of one test. */
#ifndef VMALLOC_TEST_PASSES_H
#define VMALLOC_TEST_PASSES_H

#include "vmalloc_test.h"

int vmt_run_passes(struct vmt_run *run, char *reason);

#endif /* VMALLOC_TEST_PASSES_H */
