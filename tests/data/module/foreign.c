// SPDX-License-Identifier: GPL-2.0-only
/*
 * A test module that is not the rig's own, for tests of the rig: it reports in
 * KTAP with subtests and as lib/test_vmalloc.c does, uses a function that is
 * not exported, and ends in -EAGAIN, so that it is gone once it has run.
 */
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/vmalloc.h>

static int loops = 100;
module_param(loops, int, 0444);
MODULE_PARM_DESC(loops, "allocations of each test");

static int fails;
module_param(fails, int, 0444);
MODULE_PARM_DESC(fails, "results that are not ok");

static int allocate(unsigned long align)
{
	void *place;
	int i;

	for (i = 0; i < loops; i++) {
		place = __vmalloc_node_range(PAGE_SIZE, align, VMALLOC_START,
					     VMALLOC_END, GFP_KERNEL,
					     PAGE_KERNEL, 0, NUMA_NO_NODE,
					     __builtin_return_address(0));
		if (!place)
			return -ENOMEM;
		vfree(place);
	}
	return 0;
}

static int __init foreign_init(void)
{
	ktime_t begun = ktime_get();
	int error = allocate(PAGE_SIZE);
	s64 spent = ktime_us_delta(ktime_get(), begun);

	pr_info("Summary: page_test passed: %d failed: %d repeat: 1 loops: %d avg: %lld usec\n",
		!error, !!error, loops, spent);
	pr_info("All test took worker0=1 cycles\n");

	error = fails ? -EINVAL : allocate(PAGE_SIZE << 4);
	pr_info("KTAP version 1\n");
	pr_info("1..1\n");
	pr_info("    # Subtest: aligned\n");
	pr_info("    1..2\n");
	pr_info("    %s 1 by_16_pages\n", error ? "not ok" : "ok");
	pr_info("    ok 2 by_nothing # SKIP it has no alignment\n");
	pr_info("%s 1 aligned\n", error ? "not ok" : "ok");
	return -EAGAIN;
}

static void __exit foreign_exit(void)
{
}

module_init(foreign_init);
module_exit(foreign_exit);
MODULE_LICENSE("GPL v2");
MODULE_DESCRIPTION("A test module that is not the rig's own");
