// SPDX-License-Identifier: GPL-2.0-only
/* Reads a file of /proc as a process does, line by line. */
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "lib/proc_file.h"

/*
 * More than seq_file prints in one go, which is a page of whole lines, unless
 * a file is printed as a whole: then a line may go on in what is read next.
 */
#define AT_ONCE		SZ_32K

/* Visits the lines that end in @text; @rest follows the last of them. */
static int each_of(char *text, bool begins, char **rest,
		   int (*visit)(void *ctx, const char *line, bool begins),
		   void *ctx)
{
	char *end;
	int err = 0;

	while (!err && (end = strchr(text, '\n'))) {
		*end = '\0';
		err = visit(ctx, text, begins);
		begins = false;
		text = end + 1;
	}
	*rest = text;
	return err;
}

int vmt_each_line(const char *path,
		  int (*visit)(void *ctx, const char *line, bool begins),
		  void *ctx)
{
	size_t kept = 0;	/* of a line that has not ended */
	struct file *file;
	char *text, *rest;
	loff_t pos = 0;
	ssize_t len = 0;
	int err = 0;

	text = kmalloc(AT_ONCE + 1, GFP_KERNEL);
	if (!text)
		return -ENOMEM;
	file = filp_open(path, O_RDONLY, 0);
	if (IS_ERR(file)) {
		err = PTR_ERR(file);
		goto out_free;
	}
	while (!err && kept < AT_ONCE &&
	       (len = kernel_read(file, text + kept, AT_ONCE - kept,
				  &pos)) > 0) {
		text[kept + len] = '\0';
		err = each_of(text, !kept, &rest, visit, ctx);
		kept = strlen(rest);
		memmove(text, rest, kept);
	}
	if (!err)
		err = len < 0 ? len : kept ? -E2BIG : 0;
	filp_close(file, NULL);
out_free:
	kfree(text);
	return err;
}
