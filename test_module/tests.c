// SPDX-License-Identifier: GPL-2.0-only
/* The table of tests, and the choice among them. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitops.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "vmalloc_test.h"

/* Bit n of mask= is line n; new tests go to the end. */
const struct vmt_test vmt_tests[] = {
	{ "le_fit_alloc_test", le_fit_alloc_test, 0 },
	{ "b_fit_alloc_test", b_fit_alloc_test, 0 },
	{ "ne_fit_alloc_test", ne_fit_alloc_test, VMT_NEEDS_RANGE },
	{ "long_busy_list_alloc_test", long_busy_list_alloc_test, 0 },
	{ "random_size_alloc_test", random_size_alloc_test, 0 },
	{ "align_shift_alloc_test", align_shift_alloc_test,
	  VMT_STRESS | VMT_NEEDS_RANGE },
	{ "random_size_align_test", random_size_align_test,
	  VMT_STRESS | VMT_NEEDS_RANGE },
	{ "pcpu_alloc_test", pcpu_alloc_test, VMT_STRESS },
	{ "fragmentation_test", fragmentation_test,
	  VMT_STRESS | VMT_NEEDS_RANGE },
	{ "mix_stress_test", mix_stress_test, VMT_STRESS | VMT_NEEDS_RANGE },
	{ "sweep_no_holes", sweep_no_holes, VMT_SWEEP },
	{ "sweep_long_list", sweep_long_list, VMT_SWEEP },
	{ "sweep_two_sizes", sweep_two_sizes, VMT_SWEEP },
	{ "sweep_two_alignments", sweep_two_alignments, VMT_SWEEP },
	{ "sweep_two_windows", sweep_two_windows, VMT_SWEEP },
	{ "sweep_churn", sweep_churn, VMT_SWEEP },
	{ "sweep_free_merge", sweep_free_merge, VMT_SWEEP },
	{ "sweep_free_no_merge", sweep_free_no_merge, VMT_SWEEP },
	{ "sweep_pcpu", sweep_pcpu, VMT_SWEEP | VMT_NEEDS_PCPU },
	{ "model_test", model_test,
	  VMT_STRESS | VMT_NEEDS_RANGE | VMT_NEEDS_AREAS },
	{ "window_test", window_test, VMT_STRESS | VMT_NEEDS_RANGE },
	{ "exact_hole_test", exact_hole_test,
	  VMT_STRESS | VMT_NEEDS_RANGE | VMT_NEEDS_AREAS },
	{ "everything_test", everything_test,
	  VMT_STRESS | VMT_NEEDS_RANGE | VMT_NEEDS_AREAS },
	{ "pcpu_areas_test", pcpu_areas_test,
	  VMT_STRESS | VMT_NEEDS_PCPU | VMT_NEEDS_AREAS },
	{ "pcpu_leak_test", pcpu_leak_test, VMT_STRESS },
	{ "lazy_pages_test", lazy_pages_test, VMT_STRESS | VMT_NEEDS_RANGE },
	{ "many_threads_test", many_threads_test,
	  VMT_STRESS | VMT_NEEDS_RANGE },
	{ "fault_alloc_test", fault_alloc_test,
	  VMT_STRESS | VMT_NEEDS_RANGE | VMT_NEEDS_AREAS },
	{ "fault_pcpu_test", fault_pcpu_test, VMT_STRESS | VMT_NEEDS_PCPU },
	{ "map_ram_test", map_ram_test, VMT_STRESS },
	{ "pcpu_full_test", pcpu_full_test,
	  VMT_STRESS | VMT_NEEDS_PCPU | VMT_NEEDS_AREAS },
};

const unsigned int vmt_nr_tests = ARRAY_SIZE(vmt_tests);

static unsigned long performance_tests(void)
{
	unsigned long mask = 0;
	unsigned int i;

	for (i = 0; i < vmt_nr_tests; i++)
		if (!(vmt_tests[i].flags & (VMT_STRESS | VMT_SWEEP)))
			mask |= BIT(i);
	return mask;
}

static int find_test(const char *name)
{
	unsigned int i;

	for (i = 0; i < vmt_nr_tests; i++)
		if (!strcmp(vmt_tests[i].name, name))
			return i;
	return -EINVAL;
}

static int select_by_name(const char *names, unsigned long *selected)
{
	char *copy, *rest, *name;
	int err = 0;
	int index;

	copy = kstrdup(names, GFP_KERNEL);
	if (!copy)
		return -ENOMEM;

	rest = copy;
	while ((name = strsep(&rest, ","))) {
		name = strim(name);
		index = find_test(name);
		if (index < 0) {
			pr_err("tests=: there is no test named '%s'\n", name);
			err = index;
			break;
		}
		*selected |= BIT(index);
	}
	kfree(copy);
	return err;
}

/* Names, or a mask, or neither: all performance tests. */
int vmt_select(const char *names, unsigned long mask, unsigned long *selected)
{
	*selected = 0;
	if (names && *names && mask) {
		pr_err("tests= and mask= exclude each other\n");
		return -EINVAL;
	}
	if (names && !strcmp(names, "none"))
		return 0;
	if (names && *names)
		return select_by_name(names, selected);

	if (mask & ~GENMASK(vmt_nr_tests - 1, 0)) {
		pr_err("mask=%#lx: there are only %u tests\n", mask,
		       vmt_nr_tests);
		return -EINVAL;
	}
	*selected = mask ?: performance_tests();
	return 0;
}
