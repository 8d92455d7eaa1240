// SPDX-License-Identifier: GPL-2.0-only
/*
 * map_ram_test: pages of each thread's own are mapped by vm_map_ram(), in any
 * order and several times over, while others map, unmap and purge. What is
 * written through a mapping has to be in the page, and the other way round; and
 * who reads the addresses as /proc/kcore does has to find the same.
 */
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "checks/overlap.h"
#include "lib/fail.h"
#include "lib/rng.h"
#include "lib/symbols.h"
#include "vmalloc_test.h"

#define NR_MAPPINGS	24

/* Up to BITS_PER_LONG pages share a block with others, more get an area. */
#define SMALL		32
#define NR_PAGES	(BITS_PER_LONG + 16)

/* Of so many operations one is a purge. */
#define PURGE_EVERY	32

struct mapping {
	struct vmt_tracked area;
	unsigned long *addr;
	unsigned int nr;
	struct page *pages[NR_PAGES];
};

struct map_ram {
	struct page *pages[NR_PAGES];
	struct mapping mappings[NR_MAPPINGS];
};

/* Where page @i begins, in words. */
static unsigned long *mapped_at(const struct mapping *m, unsigned int i)
{
	return m->addr + i * (PAGE_SIZE / sizeof(*m->addr));
}

/* The first word of each page must be the same in page and mapping. */
static int check_mapping(struct vmt_thread *t, const struct mapping *m)
{
	const unsigned long *page, *mapped;
	unsigned int i;

	for (i = 0; i < m->nr; i++) {
		page = page_address(m->pages[i]);
		mapped = mapped_at(m, i);
		if (READ_ONCE(*page) != READ_ONCE(*mapped))
			return vmt_fail(t, -EILSEQ,
					"pattern mismatch in page %u of the %u at %lx: %lx instead of %lx",
					i, m->nr, (unsigned long)m->addr,
					*mapped, *page);
	}
	return 0;
}

/* One word of a page, which may be in the middle of a block, is read. */
static int read_mapping(struct vmt_thread *t, const struct mapping *m)
{
	unsigned int i = vmt_rng_below(&t->rng, m->nr);
	const unsigned long *page = page_address(m->pages[i]);
	unsigned long read = 0;
	long len;

	if (!vmt_vread_has_map_ram())
		return 0;
	len = vmt_vread((char *)&read, mapped_at(m, i), sizeof(read));
	if (len == sizeof(read) && read == READ_ONCE(*page))
		return 0;
	return vmt_fail(t, -EUCLEAN,
			"vread: %lx instead of %lx, and %ld bytes, of page %u of the %u at %lx",
			read, *page, len, i, m->nr, (unsigned long)m->addr);
}

/* A word that no other page of any thread has, as far as chance goes. */
static int write_mapping(struct vmt_thread *t, const struct mapping *m)
{
	unsigned int i;
	u64 word;

	for (i = 0; i < m->nr; i++) {
		word = vmt_rng_next(&t->rng);
		WRITE_ONCE(*mapped_at(m, i), word);
	}
	return check_mapping(t, m) ?: read_mapping(t, m);
}

static int unmap(struct vmt_thread *t, struct mapping *m)
{
	int err;

	if (!m->addr)
		return 0;
	err = check_mapping(t, m);
	/* First, as the place may be somebody else's once it is unmapped. */
	vmt_untrack(&m->area);
	if (!err)
		vm_unmap_ram(m->addr, m->nr);
	m->addr = NULL;
	return err;
}

static int map(struct vmt_thread *t, struct map_ram *r, struct mapping *m)
{
	unsigned int i;
	int err;

	m->nr = 1 + vmt_rng_below(&t->rng, SMALL);
	if (!vmt_rng_below(&t->rng, 8))
		m->nr = NR_PAGES - vmt_rng_below(&t->rng, 16);
	for (i = 0; i < m->nr; i++)
		m->pages[i] = r->pages[vmt_rng_below(&t->rng, NR_PAGES)];

	m->addr = vmt_map_pages(m->pages, m->nr);
	if (!m->addr) {
		t->alloc_failures++;
		return 0;
	}
	t->allocated++;
	err = vmt_track(t, &m->area, m->addr, m->nr * PAGE_SIZE);
	if (err) {
		/* It is somebody else's as well. */
		m->addr = NULL;
		return err;
	}
	return write_mapping(t, m);
}

static int map_ram_op(struct vmt_thread *t, struct map_ram *r)
{
	struct mapping *m = &r->mappings[vmt_rng_below(&t->rng, NR_MAPPINGS)];

	if (!vmt_rng_below(&t->rng, PURGE_EVERY))
		vm_unmap_aliases();
	return unmap(t, m) ?: map(t, r, m);
}

static int map_ram_loop(struct vmt_thread *t, struct map_ram *r)
{
	unsigned int order[NR_MAPPINGS];
	u64 began = ktime_get_ns();
	unsigned long i;
	int err = 0;

	for (i = 0; i < t->loops && !err; i++)
		err = map_ram_op(t, r) ?: vmt_breathe(t);
	t->ns = ktime_get_ns() - began;
	t->ops = i;

	vmt_shuffle(&t->rng, order, NR_MAPPINGS);
	for (i = 0; i < NR_MAPPINGS; i++) {
		int unmap_err = unmap(t, &r->mappings[order[i]]);

		err = err ?: unmap_err;
	}
	return err;
}

static void free_pages_of(struct map_ram *r)
{
	unsigned int i;

	for (i = 0; i < NR_PAGES && r->pages[i]; i++)
		__free_page(r->pages[i]);
}

int map_ram_test(struct vmt_thread *t)
{
	struct map_ram *r;
	unsigned int i;
	int err = 0;

	/* Not on the stack, as a thread that dies leaves its areas behind. */
	r = kvzalloc(sizeof(*r), GFP_KERNEL);
	if (!r)
		return vmt_fail(t, -ENOMEM, "-ENOMEM: a list of mappings");
	for (i = 0; i < NR_PAGES && !err; i++) {
		r->pages[i] = alloc_page(GFP_KERNEL);
		if (!r->pages[i])
			err = vmt_fail(t, -ENOMEM, "-ENOMEM: a page");
	}
	err = err ?: map_ram_loop(t, r);
	/* Where a mapping is wrong, who knows what still leads to the pages. */
	if (err != -EILSEQ && err != -EEXIST)
		free_pages_of(r);
	kvfree(r);
	return err;
}
