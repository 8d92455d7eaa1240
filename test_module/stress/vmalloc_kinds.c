// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmalloc_kinds_test: each function that allocates as vmalloc() does, and what
 * it promises beyond that: zeroes, memory for user mappings, code that can run,
 * pages that cannot be written. /proc/vmallocinfo has to show who called it.
 */
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/numa.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include <asm/cacheflush.h>
#include <asm/shmparam.h>

#include "checks/mapping.h"
#include "checks/overlap.h"
#include "checks/pattern.h"
#include "lib/fail.h"
#include "lib/interface.h"
#include "lib/marks.h"
#include "lib/rng.h"
#include "vmalloc_test.h"

#define NR_BLOCKS	8
#define MAX_PAGES	16

/* Promises. */
#define ZEROED		BIT(0)
#define USERMAP		BIT(1)
#define READONLY	BIT(2)
#define RUNS		BIT(3)

struct kind {
	const char *name;
	void *(*alloc)(unsigned long size);
	unsigned int promises;
};

struct block {
	const struct kind *kind;
	struct vmt_tracked area;
	void *addr;
	unsigned long size;
	u64 tag;
};

/* They are macros since 88ae5fb755b0 (6.10), which have no address. */
#define FUNCTION_OF(alloc)						\
	static void *by_##alloc(unsigned long size)			\
	{								\
		return alloc(size);					\
	}

FUNCTION_OF(vmalloc)
FUNCTION_OF(vzalloc)
FUNCTION_OF(vmalloc_user)
FUNCTION_OF(vmalloc_32)
FUNCTION_OF(vmalloc_32_user)

static void *on_node(unsigned long size)
{
	return vmalloc_node(size, numa_node_id());
}

static void *zeroed_on_node(unsigned long size)
{
	return vzalloc_node(size, numa_node_id());
}

static void *readonly(unsigned long size)
{
	return vmt_vmalloc_readonly(size, GFP_KERNEL | __GFP_HIGHMEM |
				    __GFP_ZERO);
}

static void *runs(unsigned long size)
{
	return vmt_have_exec() ? vmt_vmalloc_exec(size) : NULL;
}

static const struct kind kinds[] = {
	{ "vmalloc()", by_vmalloc, 0 },
	{ "vzalloc()", by_vzalloc, ZEROED },
	{ "vmalloc_user()", by_vmalloc_user, ZEROED | USERMAP },
	{ "vmalloc_32()", by_vmalloc_32, 0 },
	{ "vmalloc_32_user()", by_vmalloc_32_user, ZEROED | USERMAP },
	{ "vmalloc_node()", on_node, 0 },
	{ "vzalloc_node()", zeroed_on_node, ZEROED },
	{ "__vmalloc()", readonly, ZEROED | READONLY },
	{ "vmalloc_exec()", runs, RUNS },
};

static int broken(struct vmt_thread *t, const struct block *b,
		  const char *promise)
{
	return vmt_fail(t, -EPROTO, "not %s: [%lx,%lx) of %s", promise,
			(unsigned long)b->addr,
			(unsigned long)b->addr + b->size, b->kind->name);
}

/* Runs code in @b, which returns at once; a fault kills the thread. */
static void run(const struct block *b)
{
	const u32 code = VMT_RETURN;

	if (!code)
		return;
	memcpy(b->addr, &code, sizeof(code));
	flush_icache_range((unsigned long)b->addr,
			   (unsigned long)b->addr + sizeof(code));
	((void (*)(void))b->addr)();
}

static int check_promises(struct vmt_thread *t, const struct block *b)
{
	unsigned int promises = b->kind->promises;
	bool may_write = !(promises & READONLY);

	if (promises & ZEROED && memchr_inv(b->addr, 0, b->size))
		return broken(t, b, "zeroed");
	if (promises & USERMAP && !IS_ALIGNED((unsigned long)b->addr, SHMLBA))
		return broken(t, b, "aligned for users");
	if (vmt_writable(b->addr) != may_write)
		return broken(t, b, may_write ? "writable" : "read-only");
	if (promises & RUNS)
		run(b);
	return 0;
}

static int check_mapping(struct vmt_thread *t, const struct block *b)
{
	const struct vm_struct *vm = vmt_find_vm(b->addr);
	struct vmt_mapping m = {
		.addr = b->addr,
		.size = PAGE_ALIGN(b->size),
		.pages = vm ? vm->pages : NULL,
		.flags = VM_ALLOC,
	};

	if (b->kind->promises & USERMAP)
		m.flags |= VM_USERMAP;
	if (vm && (vm->nr_pages != m.size / PAGE_SIZE ||
		   (vm->flags ^ m.flags) & (VM_USERMAP | VM_UNINITIALIZED)))
		return broken(t, b, "described as it is");
	if (vm && !within_module((unsigned long)vm->caller, THIS_MODULE))
		return broken(t, b, "told as this module's");
	return vmt_mapping_check(t, &m);
}

static int free_block(struct vmt_thread *t, struct block *b)
{
	bool written = !(b->kind && b->kind->promises & READONLY);
	int err = 0;

	if (!b->addr)
		return 0;
	if (written)
		err = vmt_pattern_check(t, b->addr, b->size, b->tag);
	err = err ?: check_mapping(t, b);
	vmt_untrack(&b->area);
	if (!err && written)
		/* So that pages that come back are not zero by chance. */
		memset(b->addr, 0xa5, b->size);
	if (!err)
		vfree(b->addr);
	b->addr = NULL;
	return err;
}

static int alloc_block(struct vmt_thread *t, struct block *b)
{
	int err;

	b->kind = &kinds[vmt_rng_below(&t->rng, ARRAY_SIZE(kinds))];
	b->size = 1 + vmt_rng_below(&t->rng, MAX_PAGES * PAGE_SIZE);
	b->tag = vmt_rng_next(&t->rng);
	b->addr = b->kind->alloc(b->size);
	if (!b->addr) {
		t->alloc_failures++;
		return 0;
	}
	t->allocated++;
	err = vmt_track(t, &b->area, b->addr, PAGE_ALIGN(b->size) + VMT_GUARD);
	if (err) {
		/* It is somebody else's as well. */
		b->addr = NULL;
		return err;
	}
	err = check_promises(t, b) ?: check_mapping(t, b);
	if (!err && !(b->kind->promises & READONLY))
		vmt_pattern_write(b->addr, b->size, b->tag);
	return err;
}

int vmalloc_kinds_test(struct vmt_thread *t)
{
	u64 began = ktime_get_ns();
	struct block *blocks, *b;
	unsigned long i;
	int err = 0;

	if (!vmt_have_lookup())
		return vmt_skip(t, "find_vm_area() was not found");
	blocks = kcalloc(NR_BLOCKS, sizeof(*blocks), GFP_KERNEL);
	if (!blocks)
		return vmt_fail(t, -ENOMEM, "-ENOMEM: a list of blocks");
	for (i = 0; i < t->loops && !err; i++) {
		b = &blocks[vmt_rng_below(&t->rng, NR_BLOCKS)];
		err = free_block(t, b) ?: alloc_block(t, b) ?: vmt_breathe(t);
	}
	t->ns = ktime_get_ns() - began;
	t->ops = i;
	for (i = 0; i < NR_BLOCKS; i++) {
		int free_err = free_block(t, &blocks[i]);

		err = err ?: free_err;
	}
	kfree(blocks);
	return err;
}
