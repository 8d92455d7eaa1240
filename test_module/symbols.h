/* SPDX-License-Identifier: GPL-2.0-only */
/* Kernel functions and figures that are not exported to modules. */
#ifndef VMALLOC_TEST_SYMBOLS_H
#define VMALLOC_TEST_SYMBOLS_H

#include <linux/gfp.h>
#include <linux/types.h>

void vmt_find_symbols(void);

/* Whether __vmalloc_node_range() was found; vmt_vmalloc_range() needs it. */
bool vmt_have_range(void);

/*
 * Memory for a test that can do without: NULL rather than a warning, and
 * rather than the OOM killer, which would end whoever loads the module.
 */
#define VMT_GFP		(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN)

/* One area anywhere in the vmalloc range, allocated with VMT_GFP. */
void *vmt_vmalloc_range(unsigned long size, unsigned long align);

/* Lazily freed pages not purged yet; 0 where the counter is not visible. */
unsigned long vmt_lazy_pages(void);

#endif /* VMALLOC_TEST_SYMBOLS_H */
