// SPDX-License-Identifier: GPL-2.0-only
/*
 * Measures the cost of allocating and freeing against the number of areas and
 * of holes that are there. All of it is address space alone: no pages, no page
 * tables.
 */
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/vmalloc.h>

#include "core/timed.h"
#include "sweep/layout.h"
#include "vmalloc_test.h"

/*
 * sweep_long_list: holes that one-page areas fit into, but not what is 100
 * pages large, with room for all that is allocated between two purges.
 */
#define LOW_HOLES		8
#define LOW_HOLE_PAGES		99

/*
 * At first the allocator remembers the searches that made the layout. After a
 * few operations it remembers what it does after any number of them.
 */
#define WARM_UP			4

struct sweep {
	struct vmt_layout layout;
	unsigned long step;
};

static int get_and_free(struct vmt_thread *t, unsigned long pages,
			unsigned long flags, unsigned long start,
			unsigned long end)
{
	struct vm_struct *area = vmt_get_pages(t, pages, flags, start, end);

	if (!area)
		return -ENOMEM;
	free_vm_area(area);
	return 0;
}

/* Times @op above what busy= and holes= ask for, and @low holes. */
static int sweep(struct vmt_thread *t, unsigned int low,
		 int (*op)(struct vmt_thread *t, void *ctx))
{
	struct sweep s = { };
	int err;

	err = vmt_layout_init(t, &s.layout, low);
	if (err)
		return err;
	while (low-- && !err) {
		vmt_layout_leave(&s.layout, LOW_HOLE_PAGES);
		err = vmt_layout_place(t, &s.layout, 1);
	}
	err = err ?: vmt_layout_holes(t, &s.layout);
	err = err ?: vmt_layout_busy(t, &s.layout);
	err = err ?: vmt_warm_up(t, WARM_UP, op, &s);
	err = err ?: vmt_timed_loop(t, op, &s);
	vmt_layout_release(&s.layout);
	return err;
}

static int no_holes_op(struct vmt_thread *t, void *ctx)
{
	struct sweep *s = ctx;

	return get_and_free(t, 1, VM_ALLOC, s->layout.start, s->layout.end);
}

int sweep_no_holes(struct vmt_thread *t)
{
	return sweep(t, 0, no_holes_op);
}

static int long_list_op(struct vmt_thread *t, void *ctx)
{
	struct sweep *s = ctx;
	struct vm_struct *many;
	int err;

	many = vmt_get_pages(t, 100, VM_ALLOC, s->layout.start, s->layout.end);
	if (!many)
		return -ENOMEM;
	err = get_and_free(t, 1, VM_ALLOC, s->layout.start, s->layout.end);
	free_vm_area(many);
	return err;
}

int sweep_long_list(struct vmt_thread *t)
{
	return sweep(t, LOW_HOLES, long_list_op);
}

/* Neither fits into a hole of one page. */
static int two_sizes_op(struct vmt_thread *t, void *ctx)
{
	struct sweep *s = ctx;

	return get_and_free(t, s->step++ % 2 ? 3 : 2, VM_ALLOC,
			    s->layout.start, s->layout.end);
}

int sweep_two_sizes(struct vmt_thread *t)
{
	return sweep(t, 0, two_sizes_op);
}

/* Aligned to its four pages, then to one. */
static int two_alignments_op(struct vmt_thread *t, void *ctx)
{
	struct sweep *s = ctx;

	return get_and_free(t, 4, s->step++ % 2 ? VM_ALLOC : VM_IOREMAP,
			    s->layout.start, s->layout.end);
}

int sweep_two_alignments(struct vmt_thread *t)
{
	return sweep(t, 0, two_alignments_op);
}

/* All that is held lies in the lower one. */
static int two_windows_op(struct vmt_thread *t, void *ctx)
{
	struct sweep *s = ctx;
	unsigned long half = (s->layout.end - s->layout.start) / 2;
	unsigned long middle = PAGE_ALIGN(s->layout.start + half);

	if (s->step++ % 2)
		return get_and_free(t, 2, VM_ALLOC, middle, s->layout.end);
	return get_and_free(t, 2, VM_ALLOC, s->layout.start, middle);
}

int sweep_two_windows(struct vmt_thread *t)
{
	return sweep(t, 0, two_windows_op);
}
