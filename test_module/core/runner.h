/* SPDX-License-Identifier: GPL-2.0-only */
/* Runs the selected tests one after the other. */
#ifndef VMALLOC_TEST_RUNNER_H
#define VMALLOC_TEST_RUNNER_H

#include "vmalloc_test.h"

int vmt_run_selected(const struct vmt_test *tests, u64 selected);

#endif /* VMALLOC_TEST_RUNNER_H */
