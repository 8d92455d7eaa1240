// SPDX-License-Identifier: GPL-2.0-only
/*
 * Draws requests for model_test: sizes, alignments, windows of many kinds. And
 * knows where the lowest place for one is.
 */
#include <linux/bitmap.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/pfn.h>

#include "lib/rng.h"
#include "stress/model_requests.h"
#include "stress/request.h"

unsigned long vmt_lowest_place(const unsigned long *used, unsigned long base,
			       const struct vmt_page_request *w)
{
	unsigned long mask = max(w->align >> PAGE_SHIFT, 1UL) - 1;
	unsigned long first;

	if (w->start >= w->end || w->end - w->start < w->takes)
		return VMT_SLICE_PAGES;
	first = bitmap_find_next_zero_area_off((unsigned long *)used, w->end,
					       w->start, w->takes, mask,
					       PFN_DOWN(base));
	return first + w->takes <= w->end ? first : VMT_SLICE_PAGES;
}

/* Small ones mostly, since it takes many of them to make a pattern of holes. */
static unsigned int draw_pages(struct vmt_rng *rng)
{
	switch (vmt_rng_below(rng, 8)) {
	case 0:
		return 1 + vmt_rng_below(rng, 48);
	case 1:
	case 2:
		return 1 + vmt_rng_below(rng, 16);
	default:
		return 1 + vmt_rng_below(rng, 4);
	}
}

static unsigned long draw_align(struct vmt_rng *rng)
{
	switch (vmt_rng_below(rng, 4)) {
	case 0:
		return PAGE_SIZE << vmt_rng_below(rng, 11);
	case 1:
		return PAGE_SIZE << vmt_rng_below(rng, 5);
	case 2:
		return PAGE_SIZE;
	default:
		return 1;
	}
}

/* A hole at or above some place, with its size as what is asked for. */
static void draw_hole(struct vmt_rng *rng, const unsigned long *used,
		      struct vmt_page_request *w)
{
	unsigned long from = vmt_rng_below(rng, VMT_SLICE_PAGES);
	unsigned long taken = find_next_bit(used, VMT_SLICE_PAGES, from);
	unsigned long start = find_next_zero_bit(used, VMT_SLICE_PAGES, taken);
	unsigned long end = find_next_bit(used, VMT_SLICE_PAGES, start);

	if (start >= end)
		return;
	w->start = start;
	w->end = end;
	if (end - start <= 48 && vmt_rng_below(rng, 4))
		w->takes = end - start;
}

/*
 * Ends with an aligned place that is free, if there is one from somewhere on:
 * often the only one. A slice is aligned as far as any request.
 */
static void draw_place(struct vmt_rng *rng, const unsigned long *used,
		       struct vmt_page_request *w)
{
	unsigned long mask = max(w->align >> PAGE_SHIFT, 1UL) - 1;
	unsigned long from = vmt_rng_below(rng, VMT_SLICE_PAGES);
	unsigned long place;

	place = bitmap_find_next_zero_area((unsigned long *)used,
					   VMT_SLICE_PAGES, from, w->takes,
					   mask);
	if (place + w->takes > VMT_SLICE_PAGES)
		return;
	w->start = from;
	w->end = place + w->takes;
}

enum window {
	WHOLE, RANDOM, INVERTED, EXACT, TOO_SMALL, HOLE, HOLE_AND_BELOW,
	HOLE_AND_ABOVE, HOLE_LESS_A_PAGE, UP_TO_PLACE
};

/* Those that are refused are rare, as each makes the kernel purge first. */
static const enum window windows[] = {
	WHOLE, WHOLE, WHOLE, WHOLE, RANDOM, RANDOM, RANDOM, RANDOM, RANDOM,
	RANDOM, HOLE, HOLE, HOLE, HOLE, HOLE_AND_BELOW, HOLE_AND_BELOW,
	HOLE_AND_BELOW, HOLE_AND_BELOW, HOLE_AND_ABOVE, HOLE_AND_ABOVE, EXACT,
	HOLE_LESS_A_PAGE, INVERTED, TOO_SMALL, UP_TO_PLACE, UP_TO_PLACE,
	UP_TO_PLACE
};

static void draw_window(struct vmt_rng *rng, const unsigned long *used,
			struct vmt_page_request *w)
{
	enum window kind = windows[vmt_rng_below(rng, ARRAY_SIZE(windows))];
	unsigned int a = vmt_rng_below(rng, VMT_SLICE_PAGES + 1);
	unsigned int b = vmt_rng_below(rng, VMT_SLICE_PAGES + 1);

	w->start = 0;
	w->end = VMT_SLICE_PAGES;
	switch (kind) {
	case WHOLE:
		break;
	case RANDOM:
		w->start = min(a, b);
		w->end = max(a, b);
		break;
	case INVERTED:
		w->start = max(a, b);
		w->end = min(a, b);
		break;
	case EXACT:
		w->start = vmt_rng_below(rng, VMT_SLICE_PAGES - w->takes);
		w->end = w->start + w->takes;
		break;
	case TOO_SMALL:
		w->start = vmt_rng_below(rng, VMT_SLICE_PAGES - w->takes);
		w->end = w->start + vmt_rng_below(rng, w->takes);
		break;
	case HOLE:
	case HOLE_AND_BELOW:
	case HOLE_AND_ABOVE:
	case HOLE_LESS_A_PAGE:
		draw_hole(rng, used, w);
		if (kind == HOLE_AND_BELOW)
			w->start = vmt_rng_below(rng, w->start + 1);
		if (kind == HOLE_AND_ABOVE)
			w->end = max(w->end, a);
		if (kind == HOLE_LESS_A_PAGE)
			w->end--;
		break;
	case UP_TO_PLACE:
		draw_place(rng, used, w);
		break;
	}
}

/* Draws a request for a slice of which the pages in @used are taken. */
void vmt_draw_request(struct vmt_rng *rng, const unsigned long *used,
		      struct vmt_page_request *w)
{
	bool guard = vmt_rng_below(rng, 4);

	w->takes = draw_pages(rng) + guard;
	w->align = draw_align(rng);
	draw_window(rng, used, w);
	if (w->takes == 1)
		guard = false;
	w->pages = w->takes - guard;
}
