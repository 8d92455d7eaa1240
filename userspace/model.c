// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "host.h"
#include "layout.h"
#include "model.h"

/* Pages: four times those of which one CPU's purge is due. */
#define LAZY_LIMIT (4 * 8192)
#define LAZY_SMALL 4096
#define BEFORE_MAX HOST_CPUS_MAX

bool model_lowest = true, model_exact = true, model_pcpu = true;

/* All that is busy, by address; what is freed stays while it is shown. */
static struct known known[AREAS_MAX];
static int known_count;
/* Small areas of vm_map_ram(), which lie in blocks. */
static struct shown ram[AREAS_MAX];
static int ram_count;
static struct shown shown[AREAS_MAX];
static int shown_count;
static int boot_count;
static struct before *running[BEFORE_MAX];
static int running_count;

const struct shown *model_areas(int *count)
{
	*count = shown_count;
	return shown;
}

static int place_of(unsigned long start)
{
	int low = 0, high = known_count;

	while (low < high) {
		int middle = (low + high) / 2;

		if (known[middle].start < start)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void forget(int at)
{
	known_count--;
	memmove(&known[at], &known[at + 1],
		(known_count - at) * sizeof(known[0]));
}

static void learn(unsigned long start, unsigned long end, enum state state)
{
	int at = place_of(start);

	if (known_count == AREAS_MAX)
		host_fail("rig", "more areas than the model can hold");
	memmove(&known[at + 1], &known[at],
		(known_count - at) * sizeof(known[0]));
	known[at] = (struct known){ start, end, state, false };
	known_count++;
}

static bool holds_ram(unsigned long start, unsigned long end)
{
	int i;

	for (i = 0; i < ram_count; i++) {
		if (ram[i].start < end && start < ram[i].end)
			return true;
	}
	return false;
}

/* The area at @at is there no more; was that right? */
static void gone(int at)
{
	const struct known *area = &known[at];

	if (area->state == LIVE)
		host_fail("lost", "%lx-%lx is allocated, and not in the list",
			  area->start, area->end);
	if (area->state == FREED && !area->flushed)
		host_fail("flush",
			  "%lx-%lx is free for others, and no flush of the TLB covered it",
			  area->start, area->end);
	if (area->state == BLOCK && holds_ram(area->start, area->end))
		host_fail("lost",
			  "the block %lx-%lx is lost with areas of vm_map_ram() in it",
			  area->start, area->end);
	forget(at);
}

static void flushed(unsigned long start, unsigned long end)
{
	int i;

	for (i = 0; i < known_count; i++) {
		if (start <= known[i].start && known[i].end <= end)
			known[i].flushed = true;
	}
}

/*
 * What the list shows and nobody told of: a block, what a call that failed
 * freed again, or another CPU is just at it.
 */
static void unknown(const struct shown *area, bool exact)
{
	if (area->ram && area->end - area->start == allocator_block_size() &&
	    area->start % allocator_block_size() == 0) {
		learn(area->start, area->end, BLOCK);
	} else if (exact && (area->ram || area->freed)) {
		learn(area->start, area->end, FREED);
		/* Nobody was told when, so that it may have been flushed. */
		known[place_of(area->start)].flushed = true;
	} else if (exact) {
		host_fail("leak", "%lx-%lx is in the list, and nobody has it",
			  area->start, area->end);
	}
}

/* What was freed was purged, and something else begins where it did. */
static bool replaced(const struct known *old, const struct shown *now)
{
	return old->start == now->start && old->end != now->end &&
	       old->state != LIVE;
}

/* Compare the list with what is known; @exact if no operation is under way. */
void model_compare(bool exact)
{
	int i, at = 0;

	shown_count = allocator_shown(shown, AREAS_MAX);
	for (i = 0; i < shown_count; i++) {
		const struct shown *area = &shown[i];

		if (area->start >= area->end || area->start % PAGE ||
		    area->end % PAGE)
			host_fail("list", "%lx-%lx is no area", area->start,
				  area->end);
		if (i && area[-1].end > area->start)
			host_fail("overlap",
				  "%lx-%lx is in the list after %lx-%lx",
				  area->start, area->end, area[-1].start,
				  area[-1].end);
		while (at < known_count && (known[at].start < area->start ||
					    replaced(&known[at], area)))
			gone(at);
		if (at < known_count && known[at].start == area->start) {
			if (known[at].end != area->end)
				host_fail("list", "%lx-%lx is shown as %lx-%lx",
					  known[at].start, known[at].end,
					  area->start, area->end);
		} else {
			unknown(area, exact);
			if (at == known_count || known[at].start != area->start)
				continue;
		}
		at++;
	}
	while (at < known_count)
		gone(at);
}

void model_start(void)
{
	int i;

	host_flushed = flushed;
	shown_count = allocator_shown(shown, AREAS_MAX);
	boot_count = shown_count;
	for (i = 0; i < shown_count; i++)
		learn(shown[i].start, shown[i].end, LIVE);
}

void model_begin(struct before *before)
{
	int i;

	before->alone = running_count == 0;
	if (before->alone) {
		memcpy(before->areas, shown, shown_count * sizeof(shown[0]));
		before->count = shown_count;
	} else {
		before->count = allocator_shown(before->areas, AREAS_MAX);
	}
	for (i = 0; i < running_count; i++)
		running[i]->alone = false;
	running[running_count++] = before;
}

/* Areas that wait for the purge; a large one alone may pass any threshold. */
static void check_lazy(void)
{
	unsigned long pages, all_pages = 0;
	int i;

	for (i = 0; i < known_count; i++) {
		pages = (known[i].end - known[i].start) / PAGE;
		if (known[i].state == FREED && pages <= LAZY_SMALL)
			all_pages += pages;
	}
	if (all_pages > LAZY_LIMIT)
		host_fail("lazy", "%lu lazily freed pages wait for a purge",
			  all_pages);
}

void model_end(struct before *before)
{
	int i;

	for (i = 0; running[i] != before; i++)
		;
	running[i] = running[--running_count];
	host_operation_ends();
	model_compare(running_count == 0);
	if (before->alone)
		check_lazy();
}

/* Whoever is at work may have seen this area busy. */
static void tell(unsigned long start, unsigned long end)
{
	struct before *before;
	int i;

	for (i = 0; i < running_count; i++) {
		before = running[i];
		if (before->alone)
			continue;
		if (before->count == AREAS_MAX)
			host_fail("rig", "more areas than the model can hold");
		before->areas[before->count++] =
			(struct shown){ start, end, false };
	}
}

/*
 * The lowest place among sorted areas, 0 if there is none; nothing overflows.
 * If holes of just the size need not be found, a page more has to be there.
 */
static unsigned long lowest(const struct shown *areas, int count,
			    unsigned long size, const struct request *request)
{
	unsigned long align = request->align < PAGE ? PAGE : request->align;
	unsigned long at = request->vstart, limit, rest;
	int i;

	if (!model_exact)
		size += PAGE;
	for (i = 0; i <= count; i++) {
		rest = at % align;
		if (rest && at + (align - rest) < at)
			return 0;
		if (rest)
			at += align - rest;
		limit = request->vend;
		if (i < count && areas[i].start < limit)
			limit = areas[i].start;
		if (at < limit && limit - at >= size)
			return at;
		if (i < count && areas[i].end > at)
			at = areas[i].end;
	}
	return 0;
}

static void check_lowest(const struct before *before, unsigned long start,
			 unsigned long size, const struct request *request)
{
	unsigned long right =
		lowest(before->areas, before->count, size, request);

	/* What is purged meanwhile may let it be lower, but never higher. */
	if (right && start > right)
		host_fail("lowest",
			  "%lx bytes in %lx-%lx went to %lx, and would fit at %lx",
			  size, request->vstart, request->vend, start, right);
}

static void check_overlap(unsigned long start, unsigned long end)
{
	int at = place_of(start);

	while (at && known[at - 1].end > start)
		at--;
	while (at < known_count && known[at].start < end) {
		if (known[at].state == LIVE)
			host_fail("overlap",
				  "%lx-%lx was allocated, and %lx-%lx is",
				  start, end, known[at].start, known[at].end);
		gone(at);
	}
}

void model_allocated(const struct before *before, unsigned long start,
		     unsigned long end, const struct request *request)
{
	if (request &&
	    (start < request->vstart || end > request->vend || end <= start))
		host_fail("window", "%lx-%lx is not in the window %lx-%lx",
			  start, end, request->vstart, request->vend);
	if (request && request->align && start % request->align)
		host_fail("alignment", "%lx is not aligned to %lx", start,
			  request->align);
	check_overlap(start, end);
	if (request && before->alone && model_lowest && request->align <= PAGE)
		check_lowest(before, start, end - start, request);
	learn(start, end, LIVE);
	tell(start, end);
}

/* Does nobody use it, so that a purge has to give it back? */
static bool is_purgeable(const struct shown *area)
{
	const struct known *found = &known[place_of(area->start)];

	if (found == &known[known_count] || found->start != area->start)
		return false;
	return found->state == FREED ||
	       (found->state == BLOCK && !holds_ram(found->start, found->end));
}

/*
 * All that was busy at any time since an operation began, by address.  Whoever
 * is alone has to purge before it refuses: what that gives back is not busy.
 */
static int all_busy(const struct before *before, struct shown *all)
{
	int i, j, count, kept = 0;

	count = allocator_shown(all, AREAS_MAX);
	if (before->alone) {
		for (i = 0; i < count; i++) {
			if (!is_purgeable(&all[i]))
				all[kept++] = all[i];
		}
		return kept;
	}
	for (i = 0; i < before->count && count < AREAS_MAX; i++) {
		struct shown area = before->areas[i];

		for (j = count++; j && all[j - 1].start > area.start; j--)
			all[j] = all[j - 1];
		all[j] = area;
	}
	return count;
}

static struct shown all[AREAS_MAX];

void model_refused(const struct before *before, unsigned long size,
		   const struct request *request)
{
	int count = all_busy(before, all);
	unsigned long right = lowest(all, count, size, request);

	if (right)
		host_fail("refused",
			  "%lx bytes at %lx in %lx-%lx are refused, and fit at %lx",
			  size, request->align, request->vstart, request->vend,
			  right);
}

static bool is_free(const struct shown *areas, int count, unsigned long start,
		    unsigned long end)
{
	int i;

	for (i = 0; i < count; i++) {
		if (areas[i].start < end && start < areas[i].end)
			return false;
	}
	return true;
}

static bool pcpu_fits(const struct shown *areas, int count,
		      const struct pcpu_request *request, unsigned long base)
{
	unsigned long start;
	int i;

	for (i = 0; i < request->count; i++) {
		start = base + request->offsets[i];
		if (start < base || start < layout->start ||
		    start + request->sizes[i] > layout->end ||
		    start + request->sizes[i] < start ||
		    !is_free(areas, count, start, start + request->sizes[i]))
			return false;
	}
	return true;
}

/* If there is a place, then one where an area ends at an obstacle. */
void model_pcpu_refused(const struct before *before,
			const struct pcpu_request *request)
{
	int count = all_busy(before, all);
	unsigned long above, end, base;
	int i, j;

	for (i = 0; model_pcpu && i < request->count; i++) {
		end = request->offsets[i] + request->sizes[i];
		for (j = 0; j <= count; j++) {
			above = j < count ? all[j].start : layout->end;
			above -= above % request->align;
			base = above - end;
			if (base > above || base < layout->start ||
			    !pcpu_fits(all, count, request, base))
				continue;
			host_fail("refused",
				  "%d percpu areas are refused, and fit at %lx",
				  request->count, base);
		}
	}
}

void model_ram(unsigned long start, unsigned long end)
{
	unsigned long block = start - start % allocator_block_size();

	if (start < layout->start || end > layout->end || start % PAGE)
		host_fail("window", "vm_map_ram() returns %lx", start);
	if (holds_ram(start, end))
		host_fail("overlap",
			  "vm_map_ram() returns %lx-%lx, which is in use",
			  start, end);
	ram[ram_count++] = (struct shown){ start, end, true };
	tell(block, block + allocator_block_size());
}

void model_ram_gone(unsigned long start)
{
	int i;

	for (i = 0; ram[i].start != start; i++)
		;
	ram[i] = ram[--ram_count];
}

/* It is about to be freed. */
void model_freed(unsigned long start, unsigned long end)
{
	struct known *area = &known[place_of(start)];

	if (area->start != start || area->end != end || area->state != LIVE)
		host_fail("rig", "%lx-%lx is freed, and is not allocated",
			  start, end);
	area->state = FREED;
	area->flushed = false;
}

/* All was freed and purged: what is there was there at first. */
void model_emptied(void)
{
	model_compare(true);
	if (shown_count != boot_count)
		host_fail("leak",
			  "%d areas are left when all is freed and purged, %d of the boot",
			  shown_count, boot_count);
}
