/* SPDX-License-Identifier: GPL-2.0-only */
/* Pseudo random numbers that a seed repeats (Vigna's splitmix64). */
#ifndef USERSPACE_RANDOM_H
#define USERSPACE_RANDOM_H

#include <stdint.h>

struct random {
	uint64_t state;
};

static inline uint64_t random_next(struct random *random)
{
	uint64_t z = random->state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static inline void random_seed(struct random *random, uint64_t seed)
{
	random->state = seed;
	random_next(random);
}

static inline uint64_t random_below(struct random *random, uint64_t limit)
{
	return random_next(random) % limit;
}

#endif
