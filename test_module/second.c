// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmalloc_second - a small module for module_load_test to load and unload. It
 * has code, data, and a part that is freed once it is loaded.
 */
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/string.h>

static const char word[] = "vmalloc_second";
static char data[3 * PAGE_SIZE] = "data";
static char empty[2 * PAGE_SIZE];

/* Fails the load where its memory is not as the file has it. */
static int __init vmalloc_second_init(void)
{
	if (strcmp(data, "data") || memchr_inv(empty, 0, sizeof(empty)))
		return -EILSEQ;
	memset(empty, 0xa5, sizeof(empty));
	strscpy(data, word, sizeof(data));
	return 0;
}
module_init(vmalloc_second_init);

static void __exit vmalloc_second_exit(void)
{
	WARN_ON(strcmp(data, word) || memchr_inv(empty, 0xa5, sizeof(empty)));
}
module_exit(vmalloc_second_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("A module to be loaded and unloaded by vmalloc_test");
