/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Operations: each is a word and six numbers, so that a text repeats them.
 * What is freed is the number of something held, modulo how many are.
 */
#ifndef USERSPACE_OPERATIONS_H
#define USERSPACE_OPERATIONS_H

#include <stdbool.h>
#include <stdio.h>

enum kind {
	GET,
	PUT,
	VMALLOC,
	VFREE,
	MAP_RAM,
	UNMAP_RAM,
	PCPU_GET,
	PCPU_FREE,
	PURGE,
	KINDS
};

/* get, vmalloc: size, alignment, vstart, vend, flags; put: index, how */
struct operation {
	enum kind kind;
	unsigned long arguments[5];
	unsigned long failing; /* which allocation of memory, 0 for none */
};

#define NO_GUARD 1ul
#define NO_BLOCKING 2ul
#define ALL_FAILING (1ul << 20) /* with `failing`: all that follow fail, too */

struct counts {
	unsigned long done[KINDS], refused[KINDS], failed;
};

extern struct counts counts;
extern const char *const kind_names[KINDS];

void operation_run(const struct operation *operation, int cpu);
void operation_print(FILE *file, const struct operation *operation);
bool operation_read(FILE *file, struct operation *operation);
bool operations_relieve(void);
void operations_free_all(void);
unsigned int operations_held(void);

#endif
