// SPDX-License-Identifier: GPL-2.0-only
/* Makes operations of random numbers: windows get crowded, holes filled. */
#include <limits.h>

#include "generate.h"
#include "layout.h"
#include "model.h"

#define LONG_BITS ((int)(sizeof(long) * 8))

static bool one_in(struct random *random, unsigned int n)
{
	return !random_below(random, n);
}

static unsigned long pages(struct random *random, const struct taste *taste)
{
	unsigned int which = random_below(random, 1000);

	if (which < 700)
		return 1 + random_below(random, 8);
	if (which < 950)
		return 1 + random_below(random, 64);
	if (which < 994 || taste->roomy)
		return 1 + random_below(random, 3000);
	if (which < 998 || taste->no_wrap)
		return 1ul << random_below(random, LONG_BITS == 64 ? 32 : 17);
	return ULONG_MAX / PAGE - 2 - random_below(random, 4);
}

static unsigned long alignment(struct random *random, const struct taste *taste)
{
	unsigned int which = random_below(random, 1000);

	if (which < 600)
		return one_in(random, 2) ? 1 : PAGE;
	if (which < 960 || taste->roomy)
		return PAGE << random_below(random, 6);
	if (which < 994 || taste->no_wrap)
		return PAGE << random_below(random, LONG_BITS == 64 ? 20 : 10);
	return 1ul << random_below(random, LONG_BITS);
}

/* The window is what lies between two areas, or begins or ends there. */
static void around_hole(struct random *random, struct operation *operation)
{
	unsigned long *arguments = operation->arguments, hole;
	const struct shown *areas;
	int count, at;

	areas = model_areas(&count);
	if (count < 2)
		return;
	at = random_below(random, count - 1);
	hole = areas[at + 1].start - areas[at].end;
	if (!hole || areas[at].end < layout->start ||
	    areas[at + 1].start > layout->end)
		return;
	if (one_in(random, 2))
		arguments[2] = areas[at].end;
	if (one_in(random, 2))
		arguments[3] = areas[at + 1].start;
	if (!one_in(random, 3) && hole < (1ul << 34))
		arguments[0] =
			hole -
			(arguments[4] & NO_GUARD || hole == PAGE ? 0 : PAGE);
	if (one_in(random, 8))
		arguments[0] += PAGE;
	else if (one_in(random, 8) && arguments[0] > PAGE)
		arguments[0] -= PAGE;
}

static void window(struct random *random, struct operation *operation)
{
	unsigned long *arguments = operation->arguments;
	unsigned long arena =
		layout->start + ((layout->end - layout->start) / 8 & -PAGE);
	unsigned int which = random_below(random, 16);

	if (which < 5) {
		arguments[2] = arena + random_below(random, 64) * PAGE;
		arguments[3] = arguments[2] + random_below(random, 1024) * PAGE;
	} else if (which < 7) {
		arguments[2] = arena;
		arguments[3] = arena + 600 * PAGE;
	} else if (which == 7) {
		arguments[2] = layout->modules_start;
		arguments[3] = layout->modules_start + 200 * PAGE;
	} else if (which == 8) {
		arguments[2] = layout->start - random_below(random, 64) * PAGE;
		arguments[3] = layout->start + random_below(random, 128) * PAGE;
	} else if (which == 9) {
		arguments[2] = (layout->end & -PAGE) -
			       random_below(random, 128) * PAGE;
		arguments[3] =
			(layout->end & -PAGE) + random_below(random, 64) * PAGE;
	} else if (which == 10) {
		arguments[2] = arena;
	}
	if (one_in(random, 5))
		around_hole(random, operation);
}

static void get(struct random *random, const struct taste *taste,
		struct operation *operation)
{
	unsigned long *arguments = operation->arguments;

	operation->kind = one_in(random, 8) ? VMALLOC : GET;
	arguments[4] = random_below(random, 4);
	arguments[1] = alignment(random, taste);
	arguments[0] = operation->kind == GET ?
			       pages(random, taste) * PAGE :
			       (1 + random_below(random, 12)) * PAGE;
	arguments[2] = layout->start;
	arguments[3] = layout->end;
	if (!taste->roomy)
		window(random, operation);
	if (taste->no_wrap && (arguments[2] + arguments[1] < arguments[2] ||
			       arguments[3] + arguments[1] < arguments[3]))
		arguments[1] = PAGE;
	if (operation->kind == VMALLOC && arguments[0] > 64 * PAGE)
		arguments[0] = 64 * PAGE;
}

static enum kind kind(struct random *random, const struct taste *taste,
		      bool full)
{
	unsigned int which = random_below(random, 100);

	if (which < 2)
		return one_in(random, 16) ? PURGE : GET;
	if (which < 9 && !taste->no_ram)
		return full ? UNMAP_RAM : MAP_RAM;
	if (which < 13 && !taste->no_pcpu)
		return full ? PCPU_FREE : PCPU_GET;
	if (which < 20)
		return VFREE;
	return full ? PUT : GET;
}

void generate(struct random *random, const struct taste *taste,
	      struct operation *operation)
{
	/* More of the one or of the other for a while: holes come and go. */
	unsigned int phase = random->state >> 60 & 1;
	bool full = random_below(random, 100) < (phase ? 40 : 55) ||
		    operations_held() > taste->most;

	*operation = (struct operation){ 0 };
	operation->kind = kind(random, taste, full);
	switch (operation->kind) {
	case GET:
		get(random, taste, operation);
		break;
	case MAP_RAM:
		operation->arguments[0] =
			1 + random_below(random, one_in(random, 4) ? 80 : 32);
		break;
	case PCPU_GET:
		operation->arguments[0] = random_below(random, PCPU_AREAS_MAX);
		operation->arguments[1] =
			random_below(random, one_in(random, 4) ? 10 : 4);
		operation->arguments[2] = random_next(random) & UINT_MAX;
		operation->arguments[3] =
			one_in(random, 2) ? 16 : 1 << random_below(random, 20);
		break;
	default:
		operation->arguments[0] = random_below(random, 1 << 16);
		operation->arguments[1] = random_below(random, FREEINGS);
	}
	if (!taste->no_failing && one_in(random, 16)) {
		operation->failing = 1 + random_below(random, 8);
		if (one_in(random, 4))
			operation->failing |= ALL_FAILING;
	}
}
