/* SPDX-License-Identifier: GPL-2.0-only */
/* Ways in which a thread of a test ends early: failed, skipped or stopped. */
#ifndef VMALLOC_TEST_FAIL_H
#define VMALLOC_TEST_FAIL_H

#include "vmalloc_test.h"

/* Operations between two calls of vmt_breathe(), where they are short. */
#define VMT_BREATHE_EVERY	256

__printf(3, 4)
int vmt_fail(struct vmt_thread *t, int err, const char *fmt, ...);
__printf(2, 3)
int vmt_skip(struct vmt_thread *t, const char *fmt, ...);
int vmt_breathe(const struct vmt_thread *t);

#endif /* VMALLOC_TEST_FAIL_H */
