// SPDX-License-Identifier: GPL-2.0-only
/* Counts durations in buckets that grow with them. */
#include <linux/bitops.h>
#include <linux/kernel.h>
#include <linux/mm.h>

#include "core/histogram.h"

/* To be freed with kvfree(). */
struct vmt_histogram *vmt_histogram_alloc(void)
{
	return kvzalloc(sizeof(struct vmt_histogram), GFP_KERNEL);
}

static unsigned int bucket_of(u64 ns)
{
	unsigned int shift;

	if (ns < 2 * VMT_SUB_BUCKETS)
		return ns;
	ns = min(ns, BIT_ULL(VMT_NS_BITS) - 1);
	shift = fls64(ns) - VMT_SUB_BITS - 1;
	return shift * VMT_SUB_BUCKETS + (ns >> shift);
}

/* The least number of nanoseconds that counts in @bucket. */
u64 vmt_bucket_start(unsigned int bucket)
{
	unsigned int shift;

	if (bucket < 2 * VMT_SUB_BUCKETS)
		return bucket;
	shift = bucket / VMT_SUB_BUCKETS - 1;
	return (u64)(bucket - shift * VMT_SUB_BUCKETS) << shift;
}

void vmt_histogram_add(struct vmt_histogram *histogram, u64 ns)
{
	histogram->count[bucket_of(ns)]++;
	histogram->max_ns = max(histogram->max_ns, ns);
	histogram->ops++;
}
