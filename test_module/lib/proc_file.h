/* SPDX-License-Identifier: GPL-2.0-only */
/* Reads a file of /proc as a process does, line by line. */
#ifndef VMALLOC_TEST_PROC_FILE_H
#define VMALLOC_TEST_PROC_FILE_H

#include <linux/types.h>

/*
 * Calls @visit for each line of the file at @path, until it returns an error,
 * which is returned. @begins says that the line is the first of those that the
 * kernel printed in one go. What opening or reading returned is an error too.
 */
int vmt_each_line(const char *path,
		  int (*visit)(void *ctx, const char *line, bool begins),
		  void *ctx);

#endif /* VMALLOC_TEST_PROC_FILE_H */
