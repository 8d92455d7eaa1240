// SPDX-License-Identifier: GPL-2.0-only
/*
 * A word of the pattern follows from its address and from a tag drawn by the
 * thread that allocated. Up to a page carries it throughout; beyond that the
 * first and the last word of every page do, as writing all would take longer
 * than the allocation under test.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/string.h>

#include "checks/pattern.h"
#include "lib/fail.h"
#include "vmalloc_test.h"

#define WORD	((unsigned long)sizeof(u64))

static u64 pattern(const void *addr, u64 tag)
{
	return tag ^ (unsigned long)addr * 0x9e3779b97f4a7c15ULL;
}

static unsigned long word_len(unsigned long size, unsigned long offset)
{
	return min(size - offset, WORD);
}

static unsigned long next_word(unsigned long size, unsigned long offset)
{
	unsigned long page = offset & PAGE_MASK;
	unsigned long last;

	if (size <= PAGE_SIZE)
		return offset + WORD;

	last = round_down(min(page + PAGE_SIZE, size) - 1, WORD);
	return offset < last ? last : page + PAGE_SIZE;
}

void vmt_pattern_write(void *base, unsigned long size, u64 tag)
{
	unsigned long i;

	for (i = 0; i < size; i = next_word(size, i)) {
		u64 word = pattern(base + i, tag);

		/* A constant length makes it one store, aligned or not. */
		if (word_len(size, i) == WORD)
			memcpy(base + i, &word, WORD);
		else
			memcpy(base + i, &word, word_len(size, i));
	}
}

int vmt_pattern_check(struct vmt_thread *t, const void *base,
		      unsigned long size, u64 tag)
{
	unsigned long start = (unsigned long)base;
	unsigned long i;

	for (i = 0; i < size; i = next_word(size, i)) {
		u64 expected = pattern(base + i, tag);
		u64 read = expected;

		if (word_len(size, i) == WORD)
			memcpy(&read, base + i, WORD);
		else
			memcpy(&read, base + i, word_len(size, i));
		if (read != expected)
			return vmt_fail(t, -EILSEQ,
					"pattern mismatch at offset %lu of [%lx,%lx): expected %llx, read %llx",
					i, start, start + size, expected, read);
	}
	return 0;
}
