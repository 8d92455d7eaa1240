/* SPDX-License-Identifier: GPL-2.0-only */
/* KTAP version 1 on the kernel log; a line is one printk(). */
#ifndef VMALLOC_TEST_KTAP_H
#define VMALLOC_TEST_KTAP_H

#include "vmalloc_test.h"

struct vmt_memory;

struct vmt_totals {
	unsigned int pass;
	unsigned int fail;
	unsigned int skip;
};

void vmt_ktap_begin(unsigned int nr_tests);
void vmt_ktap_start(const struct vmt_test *test);
void vmt_ktap_pass_end(const struct vmt_run *run);
void vmt_ktap_latency(const struct vmt_run *run);
void vmt_ktap_memory(const struct vmt_run *run,
		     const struct vmt_memory *memory);
void vmt_ktap_holes(const struct vmt_thread *t, unsigned long holes,
		    unsigned long hits);
void vmt_ktap_space(const struct vmt_thread *t, u64 ops, u64 held, u64 span);

/*
 * Says what a test does, as the vmalloc range is small, ", in place of " what
 * it does in a large one: once, however many threads and samples it has. To be
 * called at its start.
 */
__printf(2, 3)
void vmt_ktap_scaled(const struct vmt_thread *t, const char *fmt, ...);

__printf(2, 3)
void vmt_ktap_note(const struct vmt_thread *t, const char *fmt, ...);
void vmt_ktap_pass(struct vmt_totals *totals, const char *name);
void vmt_ktap_fail(struct vmt_totals *totals, const char *name,
		   const char *reason);
void vmt_ktap_skip(struct vmt_totals *totals, const char *name,
		   const char *reason);
void vmt_ktap_end(const struct vmt_totals *totals);

#endif /* VMALLOC_TEST_KTAP_H */
