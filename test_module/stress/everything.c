// SPDX-License-Identifier: GPL-2.0-only
/*
 * everything_test: every thread does what the other stress tests do, in an
 * order of its own and for a random share of the loops, so that all of it
 * happens at once. Tests that show a bug of stock 4.18 are not among them.
 */
#include <linux/kernel.h>

#include "lib/rng.h"
#include "vmalloc_test.h"

static const struct {
	vmt_test_fn *run;
	unsigned int operations;	/* of others that one of it is like */
} parts[] = {
	{ random_size_align_test, 1 },
	{ pcpu_alloc_test, 1 },
	{ fragmentation_test, 10 },
	{ mix_stress_test, 4 },
	{ model_test, 1 },
	{ window_test, 1 },
};

int everything_test(struct vmt_thread *t)
{
	const unsigned long loops = t->loops;
	unsigned int order[ARRAY_SIZE(parts)];
	u64 ops = 0, ns = 0;
	unsigned int i;
	int err = 0;

	vmt_shuffle(&t->rng, order, ARRAY_SIZE(parts));
	for (i = 0; i < ARRAY_SIZE(parts) && !err; i++) {
		unsigned long most = loops / parts[order[i]].operations;

		most = clamp_t(unsigned long, most, 1, U32_MAX);
		t->loops = 1 + vmt_rng_below(&t->rng, most);
		err = parts[order[i]].run(t);
		ops += t->ops;
		ns += t->ns;
	}
	t->loops = loops;
	t->ops = ops;
	t->ns = ns;
	return err;
}
