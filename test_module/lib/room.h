/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How much room there is: the vmalloc range has 32 TiB on x86_64, 256 GiB on
 * aarch64, and a quarter of a GiB where addresses have 32 bits.
 */
#ifndef VMALLOC_TEST_ROOM_H
#define VMALLOC_TEST_ROOM_H

#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/sizes.h>

#include "lib/areas.h"

static inline unsigned long vmt_range_size(void)
{
	return VMT_RANGE_END - VMALLOC_START;
}

/*
 * A large size of which the range has room for many: a GiB, or in a small range
 * a power of two of a 16th at most. What tests do in a large range they do in a
 * small one with this in place of a GiB.
 */
static inline unsigned long vmt_unit(void)
{
	return min_t(unsigned long, SZ_1G,
		     rounddown_pow_of_two(vmt_range_size() / 16));
}

#endif /* VMALLOC_TEST_ROOM_H */
