/* SPDX-License-Identifier: GPL-2.0-only */
/* Random requests of model_test, in pages. */
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

void vmt_draw_request(struct vmt_rng *rng, const unsigned long *used,
		      struct vmt_page_request *w);

#endif /* VMALLOC_TEST_MODEL_REQUESTS_H */
