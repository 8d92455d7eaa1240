// SPDX-License-Identifier: GPL-2.0-only
/* Holds one-page allocations, so that a performance test finds them there. */
#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/vmalloc.h>

#include "lib/fail.h"
#include "perf/hold.h"
#include "vmalloc_test.h"

/* When one allocation fails, those before it are freed again. */
int vmt_hold(struct vmt_thread *t, struct vmt_held *held, unsigned long nr)
{
	int err = 0;

	held->nr = 0;
	held->at = kvcalloc(max(nr, 1UL), sizeof(*held->at), GFP_KERNEL);
	if (!held->at)
		return vmt_fail(t, -ENOMEM, "-ENOMEM: a list of %lu", nr);

	while (held->nr < nr && !err) {
		held->at[held->nr] = vmalloc(PAGE_SIZE);
		if (!held->at[held->nr]) {
			err = vmt_fail(t, -ENOMEM,
				       "-ENOMEM: after %lu of %lu held pages",
				       held->nr, nr);
			break;
		}
		held->nr++;
		if (held->nr % VMT_BREATHE_EVERY == 0)
			err = vmt_breathe(t);
	}
	if (err)
		vmt_release(held);
	return err;
}

/* Entries that the test freed itself are NULL. */
void vmt_release(struct vmt_held *held)
{
	while (held->nr) {
		vfree(held->at[--held->nr]);
		if (held->nr % VMT_BREATHE_EVERY == 0)
			cond_resched();
	}
	kvfree(held->at);
	held->at = NULL;
}
