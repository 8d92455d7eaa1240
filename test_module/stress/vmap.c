// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmap_test: pages of each thread's own are mapped by vmap(), with each flag
 * and protection, in any order and several times over. What is written through
 * a mapping has to be in the page, and nothing can be written through one that
 * is read-only.
 */
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "checks/mapping.h"
#include "checks/overlap.h"
#include "lib/fail.h"
#include "lib/interface.h"
#include "lib/rng.h"
#include "vmalloc_test.h"

#define NR_MAPPINGS	16
#define NR_PAGES	40

struct mapping {
	struct vmt_mapping m;
	struct vmt_tracked area;
	bool readonly;
	struct page *pages[NR_PAGES];
};

struct vmap {
	struct page *pages[NR_PAGES];
	struct mapping mappings[NR_MAPPINGS];
};

/* Writes a word that no other page has, and reads it in all that map it. */
static int check_contents(struct vmt_thread *t, const struct mapping *m)
{
	unsigned long nr = m->m.size / PAGE_SIZE;
	unsigned long *page, *mapped;
	unsigned long i, word;

	for (i = 0; i < nr; i++) {
		page = page_address(m->pages[i]);
		mapped = m->m.addr + i * PAGE_SIZE;
		word = vmt_rng_next(&t->rng);
		WRITE_ONCE(*(m->readonly ? page : mapped), word);
		if (READ_ONCE(*page) == word && READ_ONCE(*mapped) == word)
			continue;
		return vmt_fail(t, -EILSEQ,
				"pattern mismatch in page %lu of the %lu at %lx: %lx and %lx instead of %lx",
				i, nr, (unsigned long)m->m.addr, *mapped,
				*page, word);
	}
	return 0;
}

static int check(struct vmt_thread *t, const struct mapping *m)
{
	if (vmt_writable(m->m.addr) == m->readonly)
		return vmt_fail(t, -EACCES,
				"misprotected: [%lx,%lx) can%s be written",
				(unsigned long)m->m.addr,
				(unsigned long)m->m.addr + m->m.size,
				m->readonly ? "" : "not");
	return vmt_mapping_check(t, &m->m) ?: check_contents(t, m);
}

static int unmap(struct vmt_thread *t, struct mapping *m)
{
	int err;

	if (!m->m.addr)
		return 0;
	err = check(t, m);
	if (!(m->m.flags & VM_NO_GUARD))
		vmt_untrack(&m->area);
	if (!err)
		vunmap(m->m.addr);
	m->m.addr = NULL;
	return err;
}

/* Without a guard page the areas of others may begin at its very end. */
static unsigned long draw_flags(struct vmt_thread *t)
{
	switch (vmt_rng_below(&t->rng, 4)) {
	case 0:
		return VM_MAP | vmt_no_guard;
	case 1:
		return VM_IOREMAP;
	case 2:
		return VM_MAP | VM_UNINITIALIZED;
	default:
		return VM_MAP;
	}
}

static int map(struct vmt_thread *t, const struct vmap *v, struct mapping *m)
{
	unsigned int nr = 1 + vmt_rng_below(&t->rng, NR_PAGES);
	unsigned int i;
	int err = 0;

	for (i = 0; i < nr; i++)
		m->pages[i] = v->pages[vmt_rng_below(&t->rng, NR_PAGES)];
	m->readonly = !vmt_rng_below(&t->rng, 3) && vmt_have_readonly();
	m->m.flags = draw_flags(t);
	m->m.size = nr * PAGE_SIZE;
	m->m.pages = m->pages;
	m->m.addr = m->readonly ?
		    vmt_map_readonly(m->pages, nr, m->m.flags) :
		    vmap(m->pages, nr, m->m.flags, PAGE_KERNEL);
	if (!m->m.addr) {
		t->alloc_failures++;
		return 0;
	}
	t->allocated++;
	if (!(m->m.flags & VM_NO_GUARD))
		err = vmt_track(t, &m->area, m->m.addr, m->m.size + VMT_GUARD);
	if (err)
		/* It is somebody else's as well. */
		m->m.addr = NULL;
	return err ?: check(t, m);
}

static int vmap_loop(struct vmt_thread *t, struct vmap *v)
{
	u64 began = ktime_get_ns();
	struct mapping *m;
	unsigned long i;
	int err = 0;

	for (i = 0; i < t->loops && !err; i++) {
		m = &v->mappings[vmt_rng_below(&t->rng, NR_MAPPINGS)];
		err = unmap(t, m) ?: map(t, v, m) ?: vmt_breathe(t);
	}
	t->ns = ktime_get_ns() - began;
	t->ops = i;
	for (i = 0; i < NR_MAPPINGS; i++) {
		int unmap_err = unmap(t, &v->mappings[i]);

		err = err ?: unmap_err;
	}
	return err;
}

int vmap_test(struct vmt_thread *t)
{
	struct vmap *v;
	unsigned int i;
	int err = 0;

	if (!vmt_have_lookup())
		return vmt_skip(t, "find_vm_area() was not found");
	/* Not on the stack, as a thread that dies leaves its areas behind. */
	v = kvzalloc(sizeof(*v), GFP_KERNEL);
	if (!v)
		return vmt_fail(t, -ENOMEM, "-ENOMEM: a list of mappings");
	for (i = 0; i < NR_PAGES && !err; i++) {
		v->pages[i] = alloc_page(GFP_KERNEL);
		if (!v->pages[i])
			err = vmt_fail(t, -ENOMEM, "-ENOMEM: a page");
	}
	err = err ?: vmap_loop(t, v);
	/* Where a mapping is wrong, who knows what still leads to the pages. */
	for (i = 0; i < NR_PAGES && v->pages[i] && (!err || err == -EINTR); i++)
		__free_page(v->pages[i]);
	kvfree(v);
	return err;
}
