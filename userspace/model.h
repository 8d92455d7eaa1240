/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What must be so of any allocator, worked out without looking into it: from
 * what was asked for, what was returned, and what /proc/vmallocinfo shows.
 */
#ifndef USERSPACE_MODEL_H
#define USERSPACE_MODEL_H

#include "allocator.h"

#define AREAS_MAX 4096

enum state { LIVE, FREED, BLOCK };

struct known {
	unsigned long start, end;
	enum state state;
	bool flushed; /* since it was freed */
};

/* What was busy when an operation began, and what became busy since. */
struct before {
	struct shown areas[AREAS_MAX];
	int count;
	bool alone; /* no other CPU was at work */
	bool running;
};

void model_start(void);
void model_begin(struct before *before);
void model_allocated(const struct before *before, unsigned long start,
		     unsigned long end, const struct request *request);
void model_refused(const struct before *before, unsigned long size,
		   const struct request *request);
void model_pcpu_refused(const struct before *before,
			const struct pcpu_request *request);
void model_ram(unsigned long start, unsigned long end);
void model_ram_gone(unsigned long start);
void model_freed(unsigned long start, unsigned long end);
void model_end(struct before *before);
void model_compare(bool exact);
void model_emptied(void);
const struct shown *model_areas(int *count);

/* What is judged; all of it unless somebody says otherwise. */
extern bool
	model_lowest; /* page-aligned requests have to get the lowest address */
extern bool model_exact; /* a hole of just the size asked for has to be found */
extern bool model_pcpu; /* percpu areas that fit have to be granted */

#endif
