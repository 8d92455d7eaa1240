/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pseudo random numbers that a seed repeats: xorshift64* (S. Vigna, "An
 * experimental exploration of Marsaglia's xorshift generators, scrambled",
 * 2016). Every thread has its own state, so that no order of threads
 * changes what one of them draws.
 */
#ifndef VMALLOC_TEST_RNG_H
#define VMALLOC_TEST_RNG_H

#include <linux/kernel.h>
#include <linux/types.h>

struct vmt_rng {
	u64 state;
};

static inline u64 vmt_rng_next(struct vmt_rng *rng)
{
	rng->state ^= rng->state >> 12;
	rng->state ^= rng->state << 25;
	rng->state ^= rng->state >> 27;
	return rng->state * 0x2545f4914f6cdd1dULL;
}

/* 0 ... below - 1, for a bound of at least 1. */
static inline u32 vmt_rng_below(struct vmt_rng *rng, u32 below)
{
	return ((vmt_rng_next(rng) >> 32) * below) >> 32;
}

static inline void vmt_rng_seed(struct vmt_rng *rng, u64 seed, u32 thread,
				u32 repeat)
{
	u64 stream = ((u64)repeat << 32 | thread) + 1;
	int i;

	/* An odd factor keeps the streams apart; the state must not be 0. */
	rng->state = (seed ^ stream * 0x9e3779b97f4a7c15ULL) ?: stream;
	for (i = 0; i < 8; i++)
		vmt_rng_next(rng);
}

static inline void vmt_shuffle(struct vmt_rng *rng, unsigned int *order,
			       unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		order[i] = i;
	for (i = nr; i > 1; i--) {
		/* swap() evaluates what it is given twice. */
		unsigned int other = vmt_rng_below(rng, i);

		swap(order[i - 1], order[other]);
	}
}

#endif /* VMALLOC_TEST_RNG_H */
