/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef USERSPACE_GENERATE_H
#define USERSPACE_GENERATE_H

#include "operations.h"
#include "random.h"

/* What is asked for is left out here. */
struct taste {
	bool no_wrap; /* alignments and sizes at which addresses overflow */
	bool no_failing; /* allocations of memory that fail */
	bool no_pcpu, no_ram;
	bool roomy; /* nothing that can be refused, so that purges are late */
	unsigned int most; /* areas to hold */
};

void generate(struct random *random, const struct taste *taste,
	      struct operation *operation);

#endif
