// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmalloc_test - measures and stresses the vmalloc area allocator.
 *
 * Loading the module runs the selected tests and returns when they are over;
 * what they found is in the kernel log, see README.md. The load itself fails
 * only when the parameters make no sense or the loader is killed.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpumask.h>
#include <linux/errno.h>
#include <linux/module.h>

#include "core/runner.h"
#include "lib/interface.h"
#include "lib/settle.h"
#include "lib/slab.h"
#include "lib/symbols.h"
#include "vmalloc_test.h"

struct vmt_params vmt_params = {
	.loops = 1000,
	.repeat = 5,
	.busy = 15000,
	.settle = true,
	.threads = 0,
	.live_pages = 2048,
	.lazy_limit = 4,
	.first_fit = true,
	.wait_limit = 200000,
	.alloc_limit = 150000,
	.free_limit = 10000000,
	.seed = 42,
	.second = "/vmalloc_second.ko",
};

static char *tests;
module_param(tests, charp, 0444);
MODULE_PARM_DESC(tests, "Names of the tests to run, separated by commas; none to load the module and do nothing");

static unsigned long long mask;
module_param(mask, ullong, 0444);
MODULE_PARM_DESC(mask, "Tests to run as bits in the order of the table (0, the default: all performance tests)");

module_param_named(loops, vmt_params.loops, ulong, 0444);
MODULE_PARM_DESC(loops, "Iterations of the timed loop (default 1000)");

module_param_named(repeat, vmt_params.repeat, uint, 0444);
MODULE_PARM_DESC(repeat, "Samples of each test (default 5)");

module_param_named(busy, vmt_params.busy, ulong, 0444);
MODULE_PARM_DESC(busy, "One-page allocations that long_busy_list_alloc_test holds, areas that a sweep test holds (default 15000)");

module_param_named(holes, vmt_params.holes, ulong, 0444);
MODULE_PARM_DESC(holes, "One-page holes that a sweep test leaves between areas (default 0)");

module_param_named(latency, vmt_params.latency, uint, 0444);
MODULE_PARM_DESC(latency, "Further passes of each performance test that time every single operation (default 0)");

module_param_named(memory, vmt_params.memory, uint, 0444);
MODULE_PARM_DESC(memory, "Milliseconds between two looks at memory in a further pass of each test (0, the default: no such pass)");

module_param_named(trace, vmt_params.trace, bool, 0444);
MODULE_PARM_DESC(trace, "1 switches the kernel's tracing on for timed loops and stress tests' threads, and off after them (default 0)");

module_param_named(threads, vmt_params.threads, uint, 0444);
MODULE_PARM_DESC(threads, "Threads of a stress test (0, the default: one for each CPU in cpus=)");

module_param_named(settle, vmt_params.settle, bool, 0444);
MODULE_PARM_DESC(settle, "1 lets each pass begin from the same state, 0 from what earlier ones left behind (default 1)");

static char *cpus;
module_param(cpus, charp, 0444);
MODULE_PARM_DESC(cpus, "CPUs to run on, such as 0-3 (default: all online); performance tests use the first");

module_param_named(live_pages, vmt_params.live_pages, ulong, 0444);
MODULE_PARM_DESC(live_pages, "Pages that a thread of a stress test may hold at a time (default 2048, at least 128)");

module_param_named(lazy_limit, vmt_params.lazy_limit, uint, 0444);
MODULE_PARM_DESC(lazy_limit, "Lazily freed pages that fail lazy_pages_test, lazy_pcpu_test and lazy_free_test, as a multiple of lazy_max_pages() (default 4; 0: whatever there are)");

module_param_named(first_fit, vmt_params.first_fit, bool, 0444);
MODULE_PARM_DESC(first_fit, "1 expects areas at the lowest place that fits, and percpu's at the highest; 0 only that holes are used (default 1)");

module_param_named(wait_limit, vmt_params.wait_limit, uint, 0444);
MODULE_PARM_DESC(wait_limit, "Nanoseconds that an urgent task may wait in longest_wait_test (default 200000; 0: for ever)");

module_param_named(alloc_limit, vmt_params.alloc_limit, uint, 0444);
MODULE_PARM_DESC(alloc_limit, "Nanoseconds that an allocation may take in longest_call_test (default 150000; 0: for ever)");

module_param_named(free_limit, vmt_params.free_limit, uint, 0444);
MODULE_PARM_DESC(free_limit, "Nanoseconds that a free may take in longest_call_test (default 10000000; 0: for ever)");

module_param_named(seed, vmt_params.seed, ullong, 0444);
MODULE_PARM_DESC(seed, "Seed of the pseudo random numbers (default 42)");

module_param_named(second, vmt_params.second, charp, 0444);
MODULE_PARM_DESC(second, "File of the module that module_load_test loads (default /vmalloc_second.ko)");

#define MAX_THREADS	4096
#define MIN_LIVE_PAGES	128

static int __init select_cpus(void)
{
	if (!cpus || !*cpus) {
		cpumask_copy(&vmt_params.cpus, cpu_online_mask);
		return 0;
	}
	if (cpulist_parse(cpus, &vmt_params.cpus) ||
	    cpumask_empty(&vmt_params.cpus)) {
		pr_err("cpus=%s: not a list of CPUs that can be\n", cpus);
		return -EINVAL;
	}
	if (!cpumask_subset(&vmt_params.cpus, cpu_online_mask)) {
		pr_err("cpus=%s: online are only %*pbl\n", cpus,
		       cpumask_pr_args(cpu_online_mask));
		return -EINVAL;
	}
	return 0;
}

static int __init check_params(void)
{
	if (!vmt_params.loops || !vmt_params.repeat) {
		pr_err("loops= and repeat= must be at least 1\n");
		return -EINVAL;
	}
	if (vmt_params.live_pages < MIN_LIVE_PAGES) {
		pr_err("live_pages= must be at least %d\n", MIN_LIVE_PAGES);
		return -EINVAL;
	}
	if (!vmt_params.threads)
		vmt_params.threads = cpumask_weight(&vmt_params.cpus);
	if (vmt_params.threads > MAX_THREADS) {
		pr_err("threads= must be at most %d\n", MAX_THREADS);
		return -EINVAL;
	}
	return 0;
}

static int __init vmalloc_test_init(void)
{
	u64 selected;
	int err;

	err = vmt_select(tests, mask, &selected);
	if (err || !selected)
		return err;
	err = select_cpus();
	if (err)
		return err;
	err = check_params();
	if (err)
		return err;

	vmt_find_interface();
	vmt_find_symbols();
	vmt_find_reclaim();
	vmt_find_slab_symbols();
	return vmt_run_selected(vmt_tests, selected);
}
module_init(vmalloc_test_init);

/* All threads ended and all memory was freed before the load was over. */
static void __exit vmalloc_test_exit(void)
{
}
module_exit(vmalloc_test_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Performance and stress tests of the vmalloc allocator");
