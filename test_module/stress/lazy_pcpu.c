// SPDX-License-Identifier: GPL-2.0-only
/*
 * lazy_pcpu_test: the same bound as in lazy_pages_test, where all that is
 * allocated and freed are percpu's areas.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/sizes.h>

#include "lib/areas.h"
#include "lib/fail.h"
#include "lib/symbols.h"
#include "stress/lazy.h"
#include "vmalloc_test.h"

#define NR_AREAS	2
#define AREA_SIZE	SZ_64K

/* Counting walks over all areas, which takes longer than an operation. */
#define COUNT_EVERY	32

/*
 * Kernels that check each access and each lock would take minutes for as many
 * operations, of which all threads together need a thousand to pass the limit.
 */
#define SLOWER		(IS_ENABLED(CONFIG_KASAN) || \
			 IS_ENABLED(CONFIG_PROVE_LOCKING) ? 8 : 1)

static const unsigned long offsets[NR_AREAS] = { 0, SZ_1M };
static const size_t sizes[NR_AREAS] = { AREA_SIZE, AREA_SIZE };

static int check_unowned(struct vmt_thread *t)
{
	unsigned long lazy = vmt_unowned_pages();

	t->lazy_pages_max = max(t->lazy_pages_max, lazy);
	if (!vmt_params.lazy_limit ||
	    lazy <= vmt_params.lazy_limit * vmt_lazy_max_pages())
		return 0;
	return vmt_fail(t, -EOVERFLOW,
			"lazy pages: %lu of percpu areas, more than %u times lazy_max_pages() (%lu)",
			lazy, vmt_params.lazy_limit, vmt_lazy_max_pages());
}

static void pcpu_op(struct vmt_thread *t)
{
	struct vm_struct **areas;

	areas = vmt_get_pcpu(offsets, sizes, NR_AREAS, AREA_SIZE);
	if (!areas) {
		t->alloc_failures++;
		return;
	}
	t->allocated++;
	vmt_free_pcpu(areas, NR_AREAS);
}

int lazy_pcpu_test(struct vmt_thread *t)
{
	unsigned long loops = DIV_ROUND_UP(vmt_params.loops, SLOWER);
	unsigned long i;
	u64 began;
	int err = 0;

	if (!vmt_busy_list())
		return vmt_skip(t, "the list of areas was not found");

	began = ktime_get_ns();
	for (i = 0; i < loops && !err; i++) {
		pcpu_op(t);
		if (i % COUNT_EVERY == 0)
			err = check_unowned(t);
		err = err ?: vmt_breathe(t);
	}
	t->ns = ktime_get_ns() - began;
	t->ops = i;
	return err;
}
