/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Durations of single operations, counted in buckets that keep three
 * significant decimal digits of the nanoseconds: up to 2047 each value has its
 * own, from there on each power of two is cut into 1024.
 */
#ifndef VMALLOC_TEST_HISTOGRAM_H
#define VMALLOC_TEST_HISTOGRAM_H

#include <linux/types.h>

#define VMT_SUB_BUCKETS		1024U
#define VMT_SUB_BITS		10	/* of which that is the power */

/* Some 18 minutes; what takes longer counts as that long. */
#define VMT_NS_BITS		40

#define VMT_NR_BUCKETS		((VMT_NS_BITS - VMT_SUB_BITS + 1) * \
				 VMT_SUB_BUCKETS)

struct vmt_histogram {
	u64 ops;
	u64 overhead_ns;
	u64 max_ns;
	u64 count[VMT_NR_BUCKETS];
};

struct vmt_histogram *vmt_histogram_alloc(void);
void vmt_histogram_add(struct vmt_histogram *histogram, u64 ns);
u64 vmt_bucket_start(unsigned int bucket);

#endif /* VMALLOC_TEST_HISTOGRAM_H */
