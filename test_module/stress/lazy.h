/* SPDX-License-Identifier: GPL-2.0-only */
/* The number of lazily freed pages, which tests of the purge start from. */
#ifndef VMALLOC_TEST_LAZY_H
#define VMALLOC_TEST_LAZY_H

#include <linux/bitops.h>
#include <linux/cpumask.h>
#include <linux/mm.h>
#include <linux/sizes.h>

/* The kernel's lazy_max_pages(). */
static inline unsigned long vmt_lazy_max_pages(void)
{
	return fls(num_online_cpus()) * (SZ_32M / PAGE_SIZE);
}

#endif /* VMALLOC_TEST_LAZY_H */
