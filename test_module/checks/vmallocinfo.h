/* SPDX-License-Identifier: GPL-2.0-only */
/* What /proc/vmallocinfo says, and whether it is what the kernel's list has. */
#ifndef VMALLOC_TEST_VMALLOCINFO_H
#define VMALLOC_TEST_VMALLOCINFO_H

#include <linux/types.h>

/* A line of it. */
struct vmt_info {
	unsigned long start;
	unsigned long end;
	bool unpurged;		/* freed, and not given back yet */
	bool begins;		/* the first of those printed in one go */
	const char *text;	/* what follows the size */
};

/*
 * Calls @visit for each line until it returns an error. @reason says, in
 * VMT_REASON_LEN characters, what is wrong with a line or with reading.
 */
int vmt_each_info(int (*visit)(void *ctx, const struct vmt_info *info),
		  void *ctx, char *reason);

/*
 * Compares all lines with the kernel's list of areas, which must not change
 * meanwhile: -EAGAIN if it did. Where the list is not visible, all is well.
 */
int vmt_info_is_the_list(char *reason);

#endif /* VMALLOC_TEST_VMALLOCINFO_H */
