/* SPDX-License-Identifier: GPL-2.0-only */
/* Where a machine has its vmalloc range and its modules. */
#ifndef USERSPACE_LAYOUT_H
#define USERSPACE_LAYOUT_H

struct layout {
	const char *name;
	unsigned long start, end; /* of the vmalloc range */
	unsigned long modules_start, modules_end;
};

extern const struct layout *layout;
extern const struct layout layouts[];

#endif
