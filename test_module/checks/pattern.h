/* SPDX-License-Identifier: GPL-2.0-only */
/* A pattern over an allocation that shows when somebody else wrote there. */
#ifndef VMALLOC_TEST_PATTERN_H
#define VMALLOC_TEST_PATTERN_H

#include "vmalloc_test.h"

void vmt_pattern_write(void *base, unsigned long size, u64 tag);
int vmt_pattern_check(struct vmt_thread *t, const void *base,
		      unsigned long size, u64 tag);

#endif /* VMALLOC_TEST_PATTERN_H */
