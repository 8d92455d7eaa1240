/* SPDX-License-Identifier: GPL-2.0-only */
/* The allocator under test, in plain C; where it refuses it returns 0. */
#ifndef USERSPACE_ALLOCATOR_H
#define USERSPACE_ALLOCATOR_H

#include <stdbool.h>

#define PAGE 4096ul
#define PCPU_AREAS_MAX 4

/* An area as /proc/vmallocinfo has it. */
struct shown {
	unsigned long start, end;
	bool ram; /* of vm_map_ram(): an area, or a block of small ones */
	bool freed; /* and not purged yet */
};

struct request {
	unsigned long size, align, vstart, vend;
	bool no_guard, may_block;
};

/* Areas at constant distances from each other, as percpu asks for them. */
struct pcpu_request {
	unsigned long offsets[PCPU_AREAS_MAX];
	unsigned long sizes[PCPU_AREAS_MAX];
	unsigned long align;
	int count;
};

enum freeing { FREE_BY_VUNMAP, FREE_BY_REMOVE, FREE_BY_AREA, FREEINGS };

void allocator_start(bool (*pressure)(void));
unsigned long allocator_get(const struct request *request);
void allocator_put(unsigned long address, enum freeing how);
unsigned long allocator_vmalloc(const struct request *request);
void allocator_vfree(unsigned long address);
unsigned long allocator_map_ram(unsigned int pages);
void allocator_unmap_ram(unsigned long address, unsigned int pages);
void *allocator_pcpu_get(const struct pcpu_request *request,
			 unsigned long *addresses);
void allocator_pcpu_free(void *areas, int count);
void allocator_purge(void);
int allocator_shown(struct shown *areas, int limit);
void allocator_quiet(void);
void allocator_check(void);
unsigned long allocator_block_size(void);
unsigned int allocator_largest_small_ram(void);

#endif
