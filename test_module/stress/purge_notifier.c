// SPDX-License-Identifier: GPL-2.0-only
/*
 * purge_notifier_test: what the kernel makes of those that it asks to free
 * something when a window is full. As long as they say that they have, it asks
 * again; once they say that they have not, it gives up.
 */
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/notifier.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "lib/fail.h"
#include "lib/interface.h"
#include "lib/rng.h"
#include "lib/symbols.h"
#include "stress/request.h"
#include "vmalloc_test.h"

/* What is asked for, and half of what the one that helps frees. */
#define ASKED		(2 * PAGE_SIZE)

/* Calls after which nobody claims anything any more. */
#define MAX_CLAIMS	5

struct notifier {
	struct notifier_block block;
	struct vmt_thread *t;
	unsigned long base;	/* of the slice, which is full */
	struct vm_struct *fill;
	struct vm_struct *gap;	/* of the slice, to be freed */

	/* The call that frees the gap, 0 for none; up to it, all claim to. */
	unsigned int helps_at;
	unsigned int claims;
	bool allocates;
	unsigned int calls;
	int err;
};

/* Allocates, frees and purges where nobody else is. */
static void work_in_vmalloc_space(struct notifier *n)
{
	void *page = vmt_vmalloc_range(PAGE_SIZE, 1);
	void *more = vmt_vmalloc_range(4 * PAGE_SIZE, 4 * PAGE_SIZE);

	if (!page || !more)
		n->err = vmt_fail(n->t, -ENOMEM,
				  "refused: a page while a window is full");
	vfree(page);
	vm_unmap_aliases();
	vfree(more);
}

static int on_purge(struct notifier_block *block, unsigned long action,
		    void *data)
{
	struct notifier *n = container_of(block, struct notifier, block);
	unsigned long *freed = data;

	/* Somebody else's request is none of our business. */
	if (current != n->t->task)
		return NOTIFY_DONE;
	n->calls++;
	if (n->allocates)
		work_in_vmalloc_space(n);
	if (n->gap && n->calls == n->helps_at) {
		free_vm_area(n->gap);
		n->gap = NULL;
	}
	if (n->calls <= n->claims)
		++*freed;
	return NOTIFY_OK;
}

static int fill_slice(struct notifier *n)
{
	unsigned long gap = n->base + VMT_SLICE - 2 * ASKED;

	vmt_forget_searches();
	n->fill = vmt_get_area(gap - n->base, VM_ALLOC | VM_NO_GUARD, n->base,
			       gap);
	n->gap = vmt_get_area(2 * ASKED, VM_ALLOC | VM_NO_GUARD, gap,
			      n->base + VMT_SLICE);
	if (n->fill && n->gap)
		return 0;
	return vmt_fail(n->t, -ENOSPC, "refused: all of [%lx,%lx), in two",
			n->base, n->base + VMT_SLICE);
}

static void empty_slice(struct notifier *n)
{
	if (n->fill)
		free_vm_area(n->fill);
	if (n->gap)
		free_vm_area(n->gap);
	n->fill = NULL;
	n->gap = NULL;
	vm_unmap_aliases();
}

/* Asks for pages in the slice that is full; @calls are those that are right. */
static int ask(struct notifier *n, const char *what, gfp_t gfp,
	       unsigned int calls)
{
	bool granted, help = n->helps_at;
	void *addr;
	int err;

	err = fill_slice(n);
	if (err)
		return err;
	n->calls = 0;
	addr = vmt_vmalloc_in(ASKED, 1, n->base, n->base + VMT_SLICE, gfp);
	granted = addr;
	n->t->allocated += granted;
	vfree(addr);
	if (n->err)
		return n->err;
	if (granted != help)
		return vmt_fail(n->t, -EINVAL, "%s: by a notifier that %s",
				granted ? "not refused" : "refused", what);
	if (n->calls != calls)
		return vmt_fail(n->t, -EINVAL,
				"notified %u times: a notifier that %s, and not %u times",
				n->calls, what, calls);
	empty_slice(n);
	return vmt_slice_is_one_hole(n->t, n->base);
}

static int ask_all(struct notifier *n)
{
	unsigned int claims = 1 + vmt_rng_below(&n->t->rng, MAX_CLAIMS);
	int err;

	n->helps_at = 0;
	n->claims = 0;
	err = ask(n, "frees nothing", VMT_GFP, 1) ?:
	      ask(n, "frees nothing for whom may not sleep",
		  GFP_NOWAIT | __GFP_NOWARN, vmt_always_notifies);
	if (err)
		return err;
	n->claims = claims;
	err = ask(n, "only says that it frees something", VMT_GFP, claims + 1);
	if (err)
		return err;
	n->helps_at = claims;
	return ask(n, "frees the gap in the end", VMT_GFP, claims);
}

static int work(struct notifier *n)
{
	int err;

	n->block.notifier_call = on_purge;
	err = register_vmap_purge_notifier(&n->block);
	if (err)
		return vmt_fail(n->t, err, "refused: a notifier, with %d", err);
	n->allocates = false;
	err = ask_all(n);
	n->allocates = true;
	err = err ?: ask_all(n);
	unregister_vmap_purge_notifier(&n->block);

	/* One that is gone is asked no more. */
	n->helps_at = 0;
	err = err ?: ask(n, "is gone", VMT_GFP, 0);
	empty_slice(n);
	return err;
}

int purge_notifier_test(struct vmt_thread *t)
{
	u64 began = ktime_get_ns();
	struct notifier *n;
	unsigned long i;
	int err;

	/* Not on the stack, as a thread that dies leaves it registered. */
	n = kzalloc(sizeof(*n), GFP_KERNEL);
	if (!n)
		return vmt_fail(t, -ENOMEM, "-ENOMEM: a notifier");
	n->t = t;
	err = vmt_slice(t, &n->base);
	for (i = 0; i < t->loops && !err; i++)
		err = work(n) ?: vmt_breathe(t);
	t->ns = ktime_get_ns() - began;
	t->ops = i;
	kfree(n);
	return err;
}
