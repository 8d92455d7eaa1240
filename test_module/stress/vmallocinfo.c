// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmallocinfo_test: what user space sees of areas. All threads allocate and
 * free in slices of their own, and read /proc/vmallocinfo, and memory with
 * vread(). The last of them then holds areas of all kinds while nothing else
 * changes, and compares what is told of them to the line.
 */
#include <linux/atomic.h>
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "checks/vmallocinfo.h"
#include "lib/fail.h"
#include "lib/proc_file.h"
#include "lib/rng.h"
#include "lib/settle.h"
#include "lib/symbols.h"
#include "stress/request.h"
#include "stress/shown.h"
#include "vmalloc_test.h"

#define MAX_PAGES	12

/* Of so many operations one reads the whole file. */
#define INFO_EVERY	16

/* The rest of the kernel goes on allocating, and purges. */
#define ATTEMPTS	8
#define PAUSE_MS	20

/* Of the quiet moment: one mapping, one group of percpu's, and these. */
#define NR_PCPU		2
#define NR_QUIET	12

/* More than what vm_map_ram() puts into a block. */
#define RAM_PAGES	(BITS_PER_LONG + 1)

static atomic_t ended = ATOMIC_INIT(0);

static void fill(struct vmt_view *view, const struct vmt_shown *area)
{
	u64 word = vmt_rng_next(&view->t->rng);

	memset64((u64 *)area->start, word,
		 area->pages * (PAGE_SIZE / sizeof(word)));
}

static int get_pages(struct vmt_view *view, struct vmt_shown *area)
{
	struct vmt_rng *rng = &view->t->rng;
	struct vmt_request r = {
		.align = PAGE_SIZE << vmt_rng_below(rng, 5),
		.flags = vmt_rng_below(rng, 4) ? 0 : VM_NO_GUARD,
		.start = view->base,
		.end = view->base + VMT_SLICE,
	};
	void *addr;

	area->pages = 1 + vmt_rng_below(rng, MAX_PAGES);
	r.size = area->pages * PAGE_SIZE;
	addr = vmt_request(&r);
	if (!addr) {
		view->t->alloc_failures++;
		return 0;
	}
	view->t->allocated++;
	area->kind = VMT_SHOWN_PAGES;
	area->start = (unsigned long)addr;
	area->end = area->start + vmt_request_takes(&r);
	area->freed = false;
	fill(view, area);
	return vmt_request_check(view->t, &r, addr);
}

static int churn(struct vmt_view *view, unsigned long i)
{
	struct vmt_shown *area;
	int err;

	area = &view->shown[vmt_rng_below(&view->t->rng, VMT_NR_SHOWN)];
	if (area->kind == VMT_SHOWN_PAGES)
		vfree((void *)area->start);
	area->kind = VMT_SHOWN_NONE;
	err = get_pages(view, area) ?: vmt_view_memory(view);
	if (err || i % INFO_EVERY)
		return err;
	err = vmt_view_info(view, false);
	return err ? vmt_fail(view->t, err, "%s", view->reason) : 0;
}

/* An area without pages; its words in the file differ by @flags. */
static int get_space(struct vmt_view *view, struct vmt_shown *area,
		     unsigned long flags)
{
	struct vm_struct *vm;

	vmt_forget_searches();
	area->pages = 1U << vmt_rng_below(&view->t->rng, 4);
	vm = vmt_get_area(area->pages * PAGE_SIZE, flags, view->base,
			  view->base + VMT_SLICE);
	if (!vm)
		return vmt_fail(view->t, -ENOMEM, "-ENOMEM: %u pages of space",
				area->pages);
	area->kind = flags & VM_IOREMAP ? VMT_SHOWN_IOREMAP : VMT_SHOWN_SPACE;
	area->vm = vm;
	area->start = (unsigned long)vm->addr;
	area->end = area->start + vm->size;
	return 0;
}

/* One page, mapped again and again. */
static int get_ram(struct vmt_view *view, struct vmt_shown *area,
		   struct page *page)
{
	struct page *pages[RAM_PAGES];
	unsigned int i;
	void *addr;

	for (i = 0; i < RAM_PAGES; i++)
		pages[i] = page;
	addr = vmt_map_pages(pages, RAM_PAGES);
	if (!addr)
		return vmt_fail(view->t, -ENOMEM, "-ENOMEM: vm_map_ram()");
	*area = (struct vmt_shown){
		.kind = VMT_SHOWN_RAM,
		.start = (unsigned long)addr,
		.end = (unsigned long)addr + RAM_PAGES * PAGE_SIZE,
	};
	return 0;
}

static struct vm_struct **get_pcpu(struct vmt_view *view,
				   struct vmt_shown *areas)
{
	static const unsigned long offsets[NR_PCPU] = { 0, SZ_1M };
	static const size_t sizes[NR_PCPU] = { SZ_64K, SZ_128K };
	struct vm_struct **group;
	unsigned int i;

	group = vmt_get_pcpu(offsets, sizes, NR_PCPU, SZ_64K);
	if (!group) {
		vmt_fail(view->t, -ENOMEM, "-ENOMEM: areas of percpu");
		return NULL;
	}
	for (i = 0; i < NR_PCPU; i++)
		areas[i] = (struct vmt_shown){
			.kind = VMT_SHOWN_PCPU,
			.start = (unsigned long)group[i]->addr,
			.end = (unsigned long)group[i]->addr + sizes[i],
		};
	return group;
}

static int get_quiet(struct vmt_view *view)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < NR_QUIET && !err; i++) {
		struct vmt_shown *area = &view->shown[i];

		if (i % 3 == 0)
			err = get_pages(view, area);
		else
			err = get_space(view, area,
					i % 3 == 1 ? VM_ALLOC : VM_IOREMAP);
	}
	return err;
}

static void put(struct vmt_shown *area)
{
	if (area->freed)
		return;
	if (area->kind == VMT_SHOWN_PAGES)
		vfree((void *)area->start);
	else if (area->kind == VMT_SHOWN_SPACE ||
		 area->kind == VMT_SHOWN_IOREMAP)
		free_vm_area(area->vm);
	area->freed = true;
}

/* What is wrong at one attempt may be somebody else's doing. */
static int look(struct vmt_view *view, const char *when)
{
	unsigned int attempt;
	int err = 0;

	for (attempt = 0; attempt < ATTEMPTS; attempt++) {
		if (attempt)
			msleep(PAUSE_MS);
		err = vmt_view_info(view, true) ?:
		      vmt_info_is_the_list(view->reason);
		if (!err)
			return vmt_view_memory(view);
	}
	return vmt_fail(view->t, err, "%s, %s", view->reason, when);
}

static int look_at_all(struct vmt_view *view)
{
	unsigned int i;
	int err;

	err = look(view, "while held");
	for (i = 0; i < NR_QUIET; i += 2)
		put(&view->shown[i]);
	err = err ?: look(view, "after a free");
	vm_unmap_aliases();
	view->purged = true;
	return err ?: look(view, "after the purge");
}

static int quiet(struct vmt_view *view)
{
	struct vm_struct **group = NULL;
	struct vmt_shown *ram = &view->shown[NR_QUIET];
	struct page *page;
	unsigned int i;
	int err;

	memset(view->shown, 0, sizeof(view->shown));
	vmt_settle();
	page = alloc_page(GFP_KERNEL);
	if (!page)
		return vmt_fail(view->t, -ENOMEM, "-ENOMEM: a page");
	err = get_quiet(view) ?: get_ram(view, ram, page);
	if (!err && vmt_have_pcpu()) {
		group = get_pcpu(view, ram + 1);
		err = group ? 0 : -ENOMEM;
	}
	/* Requests purge on their way; what others freed is not in question. */
	vmt_settle();
	err = err ?: look_at_all(view);
	for (i = 0; i < NR_QUIET; i++)
		put(&view->shown[i]);
	if (group)
		vmt_free_pcpu(group, NR_PCPU);
	if (ram->kind == VMT_SHOWN_RAM)
		vm_unmap_ram((void *)ram->start, RAM_PAGES);
	__free_page(page);
	return err;
}

/* The size of the range; and no less in use than a page, where it is told. */
static int check_total(void *ctx, const char *line, bool begins)
{
	unsigned long total = (VMALLOC_END - VMALLOC_START) / 1024;
	struct vmt_thread *t = ctx;
	unsigned long kb;

	if (sscanf(line, "VmallocTotal: %lu kB", &kb) == 1 && kb != total)
		return vmt_fail(t, -EUCLEAN, "meminfo: %lu kB, not %lu: '%s'",
				kb, total, line);
	if (sscanf(line, "VmallocUsed: %lu kB", &kb) == 1 && kb > total)
		return vmt_fail(t, -EUCLEAN, "meminfo: more than %lu kB: '%s'",
				total, line);
	return 0;
}

static int run(struct vmt_view *view)
{
	struct vmt_thread *t = view->t;
	u64 began = ktime_get_ns();
	unsigned long i;
	int err = 0;

	for (i = 0; i < t->loops && !err; i++)
		err = churn(view, i) ?: vmt_breathe(t);
	t->ns = ktime_get_ns() - began;
	t->ops = i;
	for (i = 0; i < VMT_NR_SHOWN; i++)
		put(&view->shown[i]);
	return err;
}

int vmallocinfo_test(struct vmt_thread *t)
{
	struct vmt_view *view;
	int err;

	if (!vmt_show_addresses() || !vmt_have_vread())
		return vmt_skip(t, "addresses are hidden, or vread() is");
	view = kzalloc(sizeof(*view), GFP_KERNEL);
	if (!view) {
		if (atomic_inc_return(&ended) == t->run->nr_threads)
			atomic_set(&ended, 0);
		return vmt_fail(t, -ENOMEM, "-ENOMEM: a list of areas");
	}
	view->t = t;
	err = vmt_slice(t, &view->base) ?: run(view);
	if (atomic_inc_return(&ended) == t->run->nr_threads) {
		atomic_set(&ended, 0);
		err = err ?: vmt_breathe(t);
		err = err ?: vmt_each_line("/proc/meminfo", check_total, t);
		err = err ?: quiet(view);
	}
	err = err ?: vmt_slice_is_one_hole(t, view->base);
	kfree(view);
	return err;
}
