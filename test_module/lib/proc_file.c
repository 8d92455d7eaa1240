// SPDX-License-Identifier: GPL-2.0-only
/* Reads a file of /proc as a process does, line by line. */
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "lib/proc_file.h"

/* More than seq_file prints in one go, which is a page of whole lines. */
#define AT_ONCE		SZ_32K

static int each_of(char *text,
		   int (*visit)(void *ctx, const char *line, bool begins),
		   void *ctx)
{
	bool begins = true;
	char *line;
	int err = 0;

	while (!err && (line = strsep(&text, "\n")) && text) {
		err = visit(ctx, line, begins);
		begins = false;
	}
	return err;
}

int vmt_each_line(const char *path,
		  int (*visit)(void *ctx, const char *line, bool begins),
		  void *ctx)
{
	struct file *file;
	loff_t pos = 0;
	char *text;
	ssize_t len;
	int err = 0;

	text = kmalloc(AT_ONCE + 1, GFP_KERNEL);
	if (!text)
		return -ENOMEM;
	file = filp_open(path, O_RDONLY, 0);
	if (IS_ERR(file)) {
		err = PTR_ERR(file);
		goto out_free;
	}
	while (!err && (len = kernel_read(file, text, AT_ONCE, &pos)) > 0) {
		text[len] = '\0';
		err = each_of(text, visit, ctx);
	}
	if (!err && len < 0)
		err = len;
	filp_close(file, NULL);
out_free:
	kfree(text);
	return err;
}
