/* SPDX-License-Identifier: GPL-2.0-only */
/* The parts of first_fit_test. Nothing else uses their space meanwhile. */
#ifndef VMALLOC_TEST_FIRST_FIT_H
#define VMALLOC_TEST_FIRST_FIT_H

#include "vmalloc_test.h"

/* Aligned holes of exactly the size, among larger ones that do not do. */
int vmt_fill_aligned_holes(struct vmt_thread *t, unsigned long base);

/* The last of many holes, the only one that suits an alignment. */
int vmt_find_last_hole(struct vmt_thread *t, unsigned long base);

/* Random requests among random areas, each at its lowest place. */
int vmt_fill_lowest_places(struct vmt_thread *t, unsigned long base);

/*
 * What percpu asks for, at its highest place, with holes between @fences areas
 * at the top, VMT_MAX_FENCES at most.
 */
#define VMT_MAX_FENCES	16U

int vmt_fill_highest_places(struct vmt_thread *t, unsigned int fences);

/* A freed area of 2^32 pages and @more, where the range has room for it. */
int vmt_free_vast_area(struct vmt_thread *t, unsigned long more);

#endif /* VMALLOC_TEST_FIRST_FIT_H */
