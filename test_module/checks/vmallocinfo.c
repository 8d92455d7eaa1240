// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads /proc/vmallocinfo and compares it with the kernel's list of areas.
 * Freed areas that wait for a purge are in 4.18's list too. Elsewhere they may
 * be printed from a list of their own, and the others list by list.
 */
#include <linux/bsearch.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "checks/vmallocinfo.h"
#include "lib/areas.h"
#include "lib/proc_file.h"
#include "lib/symbols.h"
#include "vmalloc_test.h"

#define FILE_NAME	"/proc/vmallocinfo"
#define MAX_AREAS	8192
#define MAX_TEXT	96

/* Says in @reason, of VMT_REASON_LEN characters, what is wrong with a line. */
#define contradiction(reason, fmt, ...) \
	(scnprintf(reason, VMT_REASON_LEN, "vmallocinfo: " fmt, \
		   ##__VA_ARGS__), -EUCLEAN)

struct reader {
	int (*visit)(void *ctx, const struct vmt_info *info);
	void *ctx;
	char *reason;
};

static int read_line(void *ctx, const char *line, bool begins)
{
	struct vmt_info info = { .begins = begins };
	const struct reader *reader = ctx;
	unsigned long size;
	int len = 0;

	if (sscanf(line, "0x%lx-0x%lx %lu%n", &info.start, &info.end, &size,
		   &len) < 3 || !len)
		return contradiction(reader->reason, "unreadable: '%s'", line);
	if (info.start >= info.end || info.end - info.start != size ||
	    !PAGE_ALIGNED(info.start) || !PAGE_ALIGNED(size))
		return contradiction(reader->reason,
				     "[%lx,%lx) has %lu bytes", info.start,
				     info.end, size);
	info.text = skip_spaces(line + len);
	info.unpurged = strstarts(info.text, "unpurged");
	return reader->visit(reader->ctx, &info);
}

int vmt_each_info(int (*visit)(void *ctx, const struct vmt_info *info),
		  void *ctx, char *reason)
{
	struct reader reader = { .visit = visit, .ctx = ctx, .reason = reason };
	int err;

	reason[0] = '\0';
	err = vmt_each_line(FILE_NAME, read_line, &reader);
	if (err && !reason[0])
		scnprintf(reason, VMT_REASON_LEN,
			  "error %d when reading " FILE_NAME, err);
	return err;
}

/* An area of the kernel's list, as it was when that was copied. */
struct listed {
	unsigned long start;
	unsigned long end;
	const void *caller;	/* NULL where it has no vm_struct */
	unsigned int nr_pages;
};

struct copy {
	unsigned int nr;
	char *reason;
	struct listed areas[MAX_AREAS];	/* by address */
	bool has_line[MAX_AREAS];
};

/* The last pages are nobody's; a kernel may have a sentinel there. */
static bool is_sentinel(const struct vmap_area *va)
{
	return va->va_start >= -2 * PAGE_SIZE;
}

static bool add(void *ctx, const struct vmap_area *va)
{
	const struct vm_struct *vm = vmt_area_vm(va);
	struct copy *copy = ctx;

	if (is_sentinel(va))
		return false;
	if (copy->nr < MAX_AREAS)
		copy->areas[copy->nr] = (struct listed){
			.start = va->va_start,
			.end = va->va_end,
			.caller = vm ? vm->caller : NULL,
			.nr_pages = vm ? vm->nr_pages : 0,
		};
	return copy->nr++ == MAX_AREAS;
}

static int compare_text(struct copy *copy, const struct listed *area,
			const struct vmt_info *info)
{
	char text[MAX_TEXT];
	int len;

	if (!area->caller)
		return 0;
	len = scnprintf(text, sizeof(text), "%pS", area->caller);
	if (area->nr_pages)
		len += scnprintf(text + len, sizeof(text) - len, " pages=%u ",
				 area->nr_pages);
	if (!strncmp(info->text, text, len))
		return 0;
	return contradiction(copy->reason, "[%lx,%lx) is of '%s', not '%s'",
			     info->start, info->end, text, info->text);
}

static int by_start(const void *start, const void *area)
{
	unsigned long wanted = *(const unsigned long *)start;
	unsigned long found = ((const struct listed *)area)->start;

	return wanted < found ? -1 : wanted > found;
}

static int compare_line(void *ctx, const struct vmt_info *info)
{
	struct copy *copy = ctx;
	const struct listed *area;
	bool *has_line;

	area = bsearch(&info->start, copy->areas, copy->nr, sizeof(*area),
		       by_start);
	if (!area || area->end != info->end)
		return info->unpurged ? 0 :
		       contradiction(copy->reason, "[%lx,%lx) is no area",
				     info->start, info->end);
	has_line = &copy->has_line[area - copy->areas];
	if (*has_line)
		return contradiction(copy->reason, "[%lx,%lx) has two lines",
				     info->start, info->end);
	*has_line = true;
	return compare_text(copy, area, info);
}

static int compare_areas(const struct copy *copy)
{
	unsigned int i;

	for (i = 0; i < copy->nr; i++)
		if (!copy->has_line[i])
			return contradiction(copy->reason,
					     "no line for [%lx,%lx)",
					     copy->areas[i].start,
					     copy->areas[i].end);
	return 0;
}

static bool same(const struct copy *one, const struct copy *other)
{
	return one->nr == other->nr &&
	       !memcmp(one->areas, other->areas,
		       one->nr * sizeof(one->areas[0]));
}

/* Copies are made on both sides of the reading. */
static int compare(struct copy *before, struct copy *after)
{
	int err;

	before->nr = 0;
	memset(before->has_line, false, sizeof(before->has_line));
	after->nr = 0;
	vmt_each_area(vmt_busy_list(), add, before);
	if (before->nr > MAX_AREAS)
		return -EAGAIN;
	err = vmt_each_info(compare_line, before, before->reason) ?:
	      compare_areas(before);
	vmt_each_area(vmt_busy_list(), add, after);
	return same(before, after) ? err : -EAGAIN;
}

int vmt_info_is_the_list(char *reason)
{
	struct copy *copies;
	int err = -ENOMEM;

	if (!vmt_busy_list())
		return 0;
	copies = kvcalloc(2, sizeof(*copies), GFP_KERNEL);
	if (copies) {
		copies->reason = reason;
		err = compare(&copies[0], &copies[1]);
	}
	if (err == -ENOMEM || err == -EAGAIN)
		scnprintf(reason, VMT_REASON_LEN,
			  "error %d: no quiet moment to compare lists in", err);
	kvfree(copies);
	return err;
}
