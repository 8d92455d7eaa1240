/* SPDX-License-Identifier: GPL-2.0-only */
/* Requests in a slice, in pages, of which a bitmap says what is used. */
#ifndef VMALLOC_TEST_MODEL_REQUESTS_H
#define VMALLOC_TEST_MODEL_REQUESTS_H

#include "lib/rng.h"

/* A request in pages from the base; the window may be inverted. */
struct vmt_page_request {
	unsigned int pages;
	unsigned int takes;
	unsigned int start;
	unsigned int end;
	unsigned long align;
};

/* From @base on, in pages; VMT_SLICE_PAGES where @w does not fit. */
unsigned long vmt_lowest_place(const unsigned long *used, unsigned long base,
			       const struct vmt_page_request *w);
/* A random request of model_test. */
void vmt_draw_request(struct vmt_rng *rng, const unsigned long *used,
		      struct vmt_page_request *w);

#endif /* VMALLOC_TEST_MODEL_REQUESTS_H */
