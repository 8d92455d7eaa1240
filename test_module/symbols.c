// SPDX-License-Identifier: GPL-2.0-only
/* Finds and wraps what the kernel does not export. */
#include <linux/mm.h>
#include <linux/numa.h>
#include <linux/vmalloc.h>

#include "compat.h"
#include "symbols.h"

static typeof(__vmalloc_node_range) *vmalloc_node_range;
static const int *lazy_nr;

void vmt_find_symbols(void)
{
	vmalloc_node_range = (void *)vmt_lookup("__vmalloc_node_range");
	/*
	 * A variable: only kernels with CONFIG_KALLSYMS_ALL know its name.
	 * It was an atomic_t before 4d36e6f80404 (5.2) and is an
	 * atomic_long_t since; on little endian an int reads either.
	 */
	if (!IS_ENABLED(CONFIG_CPU_BIG_ENDIAN))
		lazy_nr = (void *)vmt_lookup("vmap_lazy_nr");
}

bool vmt_have_range(void)
{
	return vmalloc_node_range;
}

void *vmt_vmalloc_range(unsigned long size, unsigned long align)
{
	return vmalloc_node_range(size, align, VMALLOC_START, VMALLOC_END,
				  VMT_GFP, PAGE_KERNEL, 0, NUMA_NO_NODE,
				  __builtin_return_address(0));
}

unsigned long vmt_lazy_pages(void)
{
	return lazy_nr ? max(READ_ONCE(*lazy_nr), 0) : 0;
}
