// SPDX-License-Identifier: GPL-2.0-only
/* Allocations that fail. */
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/oom.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/vmalloc.h>

#include "compat.h"
#include "provoke.h"

static void give_back(struct list_head *pages, unsigned int order)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, pages, lru) {
		list_del(&page->lru);
		__free_pages(page, order);
	}
}

int provoke_oom(void)
{
	struct page *page;
	LIST_HEAD(pages);

	/* The loader of the module is the one to be killed. */
	current->signal->oom_score_adj = OOM_SCORE_ADJ_MAX;
	while (!fatal_signal_pending(current)) {
		page = alloc_page(GFP_KERNEL);
		if (!page)
			break;
		list_add(&page->lru, &pages);
	}
	give_back(&pages, 0);
	return -EINTR;
}

int provoke_page_failure(void)
{
	unsigned int order = PROVOKE_LARGEST_ORDER;
	struct page *page;
	LIST_HEAD(pages);

	while ((page = alloc_pages(GFP_KERNEL | __GFP_NORETRY, order)))
		list_add(&page->lru, &pages);
	give_back(&pages, order);
	return 0;
}

int provoke_vmalloc_failure(void)
{
	/* More than any machine's memory, less than its address space. */
	void *area = vmalloc(1UL << 37);

	vfree(area);
	return 0;
}

int provoke_vmap_exhausted(void)
{
	typeof(get_vm_area) *find = provoke_lookup("get_vm_area");
	struct vm_struct *area;

	if (!find)
		return -EOPNOTSUPP;
	area = find(VMALLOC_END - VMALLOC_START, VM_MAP);
	barrier();
	return area ? -EBUSY : 0;
}
