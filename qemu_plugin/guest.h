/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the instructions of a guest mean, by architecture: the test module's
 * marks, and the ways in and out of sections without interrupts.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum meaning {
	OTHER,
	/* the marks of test_module/lib/marks.h */
	LOOP_BEGINS,
	LOOP_ENDS,
	TEST_BEGINS,
	TEST_ENDS,
	/* interrupts */
	DISABLES,
	ENABLES,
	RESTORES,
	RETURNS,	/* from an exception or to user space */
};

struct guest {
	const char *target;	/* QEMU's name of the architecture */
	uint64_t kernel;	/* lowest address of the kernel or a module */
	enum meaning (*meaning)(const uint8_t *code, size_t size);
	/* Where a direct call or jump at @at leads; 0 for all others. */
	uint64_t (*target_of)(const uint8_t *code, size_t size, uint64_t at);
};

const struct guest *guest_find(const char *target);

#endif /* GUEST_H */
