// SPDX-License-Identifier: GPL-2.0-only
/*
 * What /proc/vmallocinfo and vread() tell of a thread's areas. The kernel
 * prints many lines in one go, and between two of these areas come and go, so
 * that an area may be passed over or told twice; within one it may not.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "checks/vmallocinfo.h"
#include "lib/fail.h"
#include "lib/rng.h"
#include "lib/symbols.h"
#include "stress/request.h"
#include "stress/shown.h"
#include "vmalloc_test.h"

#define READ_PAGES	16U
#define OURS		"[" KBUILD_MODNAME "]"

/* The words of an area's line. */
static const struct {
	const char *caller;
	const char *type;
} words[] = {
	[VMT_SHOWN_PAGES] = { OURS, " vmalloc" },
	[VMT_SHOWN_SPACE] = { OURS, " vmalloc" },
	[VMT_SHOWN_IOREMAP] = { OURS, " ioremap" },
	[VMT_SHOWN_RAM] = { "vm_map_ram", "" },
	[VMT_SHOWN_PCPU] = { "pcpu_get_vm_areas+", " vmalloc" },
};

/* Says in the view's reason what is wrong with what is told. */
#define untrue(view, fmt, ...) \
	(scnprintf((view)->reason, VMT_REASON_LEN, "vmallocinfo: " fmt, \
		   ##__VA_ARGS__), -EUCLEAN)

static bool is_held(const struct vmt_shown *area)
{
	return area->kind != VMT_SHOWN_NONE && !area->freed;
}

static int check_text(struct vmt_view *view, const struct vmt_shown *area,
		      const struct vmt_info *info)
{
	const char *at = strstr(info->text, " pages=");
	unsigned int pages = 0;

	if (info->unpurged || !strstr(info->text, words[area->kind].caller) ||
	    !strstr(info->text, words[area->kind].type))
		return untrue(view, "[%lx,%lx) is '%s', not '%s%s'",
			      info->start, info->end, info->text,
			      words[area->kind].caller,
			      words[area->kind].type);
	if (at && sscanf(at, " pages=%u", &pages) != 1)
		return untrue(view, "unreadable: '%s'", info->text);
	if (pages != (area->kind == VMT_SHOWN_PAGES ? area->pages : 0))
		return untrue(view, "[%lx,%lx) has %u pages, not %u",
			      info->start, info->end, pages, area->pages);
	return 0;
}

/* A line that tells of what this thread holds, or of its slice. */
static int check_own(struct vmt_view *view, const struct vmt_info *info)
{
	bool own = info->start < view->base + VMT_SLICE &&
		   info->end > view->base;
	unsigned int i;

	for (i = 0; i < VMT_NR_SHOWN; i++) {
		struct vmt_shown *area = &view->shown[i];

		if (!is_held(area) || info->end <= area->start ||
		    info->start >= area->end)
			continue;
		if (info->start != area->start || info->end != area->end)
			return untrue(view, "[%lx,%lx) and [%lx,%lx) overlap",
				      info->start, info->end, area->start,
				      area->end);
		area->lines++;
		return check_text(view, area, info);
	}
	if (own && !info->unpurged)
		return untrue(view, "[%lx,%lx) is no area: '%s'", info->start,
			      info->end, info->text);
	return 0;
}

/*
 * Lines printed in one go are sorted, and leave out nothing between them, as
 * far as they come from one list.
 */
static int check_order(struct vmt_view *view, const struct vmt_info *info)
{
	const struct vmt_area_list *busy = vmt_busy_list();
	unsigned int i;

	if (busy && busy->nr > 1)
		return 0;
	if (info->start < view->last_end)
		return untrue(view, "[%lx,%lx) comes after %lx", info->start,
			      info->end, view->last_end);
	for (i = 0; i < VMT_NR_SHOWN; i++) {
		const struct vmt_shown *area = &view->shown[i];

		if (is_held(area) && area->start >= view->last_end &&
		    area->end <= info->start)
			return untrue(view, "[%lx,%lx) is passed over",
				      area->start, area->end);
	}
	return 0;
}

/* How much of what is freed is told so. */
static void add_unpurged(struct vmt_view *view, const struct vmt_info *info)
{
	unsigned int i;

	view->unpurged += info->end - info->start;
	for (i = 0; i < VMT_NR_SHOWN; i++) {
		struct vmt_shown *area = &view->shown[i];

		if (area->freed && info->start <= area->start &&
		    info->end >= area->end)
			area->lines++;
	}
}

static int visit(void *ctx, const struct vmt_info *info)
{
	struct vmt_view *view = ctx;
	int err = 0;

	if (info->unpurged) {
		add_unpurged(view, info);
	} else {
		if (!info->begins && view->last_end)
			err = check_order(view, info);
		view->last_end = info->end;
	}
	if (info->begins && info->unpurged)
		view->last_end = 0;
	return err ?: check_own(view, info);
}

/* The lines of each area, and what the kernel counts as freed. */
static int check_sums(struct vmt_view *view, unsigned long lazy)
{
	unsigned int i;

	for (i = 0; i < VMT_NR_SHOWN; i++) {
		const struct vmt_shown *area = &view->shown[i];
		bool told = is_held(area) ||
			    (area->freed && lazy && !view->purged);

		if (area->kind == VMT_SHOWN_NONE ||
		    (area->freed && !vmt_have_lazy_pages()))
			continue;
		if (area->lines != told)
			return untrue(view, "%u lines for [%lx,%lx), %s",
				      area->lines, area->start, area->end,
				      is_held(area) ? "held" :
				      told ? "freed" : "purged");
	}
	if (vmt_have_lazy_pages() && view->unpurged != lazy * PAGE_SIZE)
		return untrue(view, "%lu bytes unpurged, %lu pages lazy",
			      view->unpurged, lazy);
	return 0;
}

int vmt_view_info(struct vmt_view *view, bool quiet)
{
	unsigned long lazy = vmt_lazy_pages();
	unsigned int i;
	int err;

	for (i = 0; i < VMT_NR_SHOWN; i++)
		view->shown[i].lines = 0;
	view->unpurged = 0;
	view->last_end = 0;
	err = vmt_each_info(visit, view, view->reason);
	if (!err && quiet)
		err = check_sums(view, lazy);
	return err;
}

/* What a reading of [@start, @start + @count) has to bring. */
static bool expect(const struct vmt_view *view, unsigned long start,
		   unsigned long count, u8 *expected)
{
	bool any = false;
	unsigned int i;

	memset(expected, 0, count);
	for (i = 0; i < VMT_NR_SHOWN; i++) {
		const struct vmt_shown *area = &view->shown[i];
		unsigned long size = area->pages * PAGE_SIZE;
		unsigned long from = max(start, area->start);
		unsigned long to = min(start + count, area->start + size);

		if (area->kind != VMT_SHOWN_PAGES || area->freed || from >= to)
			continue;
		memcpy(expected + (from - start), (const void *)from,
		       to - from);
		any = true;
	}
	return any;
}

static int compare(struct vmt_view *view, unsigned long start,
		   unsigned long count, u8 *buf)
{
	u8 *expected = buf + READ_PAGES * PAGE_SIZE;
	bool any = expect(view, start, count, expected);
	unsigned long i;
	long len;

	memset(buf, 0xaa, count);
	len = vmt_vread(buf, (const void *)start, count);
	/* 0 is an answer where there is nothing to read. */
	if (!len && !any)
		return 0;
	if (len != count)
		return vmt_fail(view->t, -EUCLEAN,
				"vread: %ld of the %lu bytes at %lx", len,
				count, start);
	if (!memcmp(buf, expected, count))
		return 0;
	for (i = 0; buf[i] == expected[i]; i++)
		;
	return vmt_fail(view->t, -EILSEQ,
			"vread: %02x instead of %02x at %lx", buf[i],
			expected[i], start + i);
}

int vmt_view_memory(struct vmt_view *view)
{
	struct vmt_rng *rng = &view->t->rng;
	unsigned long count, start;
	u8 *buf;
	int err;

	count = 1 + vmt_rng_below(rng, READ_PAGES * PAGE_SIZE);
	start = view->base + vmt_rng_below(rng, VMT_SLICE - count + 1);
	buf = kvmalloc(2 * READ_PAGES * PAGE_SIZE, GFP_KERNEL);
	if (!buf)
		return vmt_fail(view->t, -ENOMEM, "-ENOMEM: two buffers");
	err = compare(view, start, count, buf);
	kvfree(buf);
	return err;
}
