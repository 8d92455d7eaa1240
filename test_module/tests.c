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

#define VMT_TEST(name, flags)	{ #name, name, flags }

const struct vmt_test vmt_tests[] = {
#include "test_list.h"
};

const unsigned int vmt_nr_tests = ARRAY_SIZE(vmt_tests);

static u64 performance_tests(void)
{
	u64 mask = 0;
	unsigned int i;

	for (i = 0; i < vmt_nr_tests; i++)
		if (!(vmt_tests[i].flags & (VMT_STRESS | VMT_SWEEP)))
			mask |= BIT_ULL(i);
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

static int select_by_name(const char *names, u64 *selected)
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
		*selected |= BIT_ULL(index);
	}
	kfree(copy);
	return err;
}

/* Names, or a mask, or neither: all performance tests. */
int vmt_select(const char *names, u64 mask, u64 *selected)
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

	if (mask & ~GENMASK_ULL(vmt_nr_tests - 1, 0)) {
		pr_err("mask=%#llx: there are only %u tests\n", mask,
		       vmt_nr_tests);
		return -EINVAL;
	}
	*selected = mask ?: performance_tests();
	return 0;
}
