// SPDX-License-Identifier: GPL-2.0-only
/*
 * user_mapping_test: memory of vmalloc_user() is mapped into the process that
 * loads the module, whole or in part. What one side writes the other has to
 * read, and what is not the area's, or was not allocated for that, has to be
 * refused.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "lib/fail.h"
#include "lib/interface.h"
#include "lib/rng.h"
#include "vmalloc_test.h"

#define MAX_PAGES	12

/* Bytes of @area from page @skip on, mapped at @user. */
struct mapped {
	struct vmt_thread *t;
	void *area;
	unsigned long skip;
	unsigned long nr;
	unsigned long user;
};

/* Maps @nr pages by remap_vmalloc_range(), into addresses just as large. */
static int map(struct mapped *m, unsigned long room)
{
	struct mm_struct *mm = m->t->run->mm;
	struct vm_area_struct *vma;
	int err;

	m->user = vm_mmap(NULL, 0, room * PAGE_SIZE, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, 0);
	if (IS_ERR_VALUE(m->user))
		return vmt_fail(m->t, -ENOMEM,
				"-ENOMEM: %lu pages of a process", room);
	vmt_lock_user(mm);
	vma = find_vma(mm, m->user);
	if (room == m->nr)
		err = remap_vmalloc_range(vma, m->area, m->skip);
	else
		err = vmt_remap_part(vma, m->user, m->area, m->skip,
				     m->nr * PAGE_SIZE);
	vmt_unlock_user(mm);
	return err;
}

static int unmap(const struct mapped *m, unsigned long room)
{
	return vm_munmap(m->user, room * PAGE_SIZE);
}

/* A word through one side and back through the other, in page @i. */
static int check_page(const struct mapped *m, unsigned long i)
{
	unsigned long __user *user = (void __user *)(m->user + i * PAGE_SIZE);
	unsigned long *ours = m->area + (m->skip + i) * PAGE_SIZE;
	unsigned long word = vmt_rng_next(&m->t->rng);
	unsigned long read = 0;

	WRITE_ONCE(*ours, word);
	if (get_user(read, user) || read != word)
		return vmt_fail(m->t, -EILSEQ,
				"pattern mismatch: the process reads %lx instead of %lx in page %lu of %lx",
				read, word, m->skip + i,
				(unsigned long)m->area);
	word = ~word;
	if (put_user(word, user) || READ_ONCE(*ours) != word)
		return vmt_fail(m->t, -EILSEQ,
				"pattern mismatch: the process wrote %lx, not %lx, in page %lu of %lx",
				word, *ours, m->skip + i,
				(unsigned long)m->area);
	return 0;
}

/* All of @m, with @spare pages of addresses after it. */
static int map_and_check(struct mapped *m, unsigned long spare)
{
	unsigned long i;
	int err;

	err = map(m, m->nr + spare);
	if (err)
		return vmt_fail(m->t, err,
				"refused: pages %lu to %lu of %lx, with %d",
				m->skip, m->skip + m->nr,
				(unsigned long)m->area, err);
	for (i = 0; i < m->nr && !err; i++)
		err = check_page(m, i);
	return unmap(m, m->nr + spare) ?: err;
}

static int map_parts(struct vmt_thread *t, void *area, unsigned long pages)
{
	struct mapped whole = { .t = t, .area = area, .nr = pages };
	struct mapped part = whole;

	part.skip = vmt_rng_below(&t->rng, pages);
	part.nr = 1 + vmt_rng_below(&t->rng, pages - part.skip);
	return map_and_check(&whole, 0) ?: map_and_check(&part, 0) ?:
	       map_and_check(&part, 1);
}

/*
 * Asks for what has to be refused. That is not -EFAULT: which is what comes of
 * inserting a page for which @m has no room, so that nothing worse happens.
 */
static void demand_in(unsigned long room, struct mapped m, const char *what,
		      char *granted)
{
	int err = map(&m, room);

	if (!IS_ERR_VALUE(m.user))
		unmap(&m, room);
	if (err != -EINVAL)
		snprintf(granted + strlen(granted),
			 VMT_REASON_LEN - strlen(granted), "%s%s",
			 *granted ? ", " : "", what);
}

static void demand(struct mapped m, const char *what, char *granted)
{
	demand_in(min_t(unsigned long, m.nr, MAX_PAGES), m, what, granted);
}

/* @area and @other have @pages each, @plain was not made for users. */
static int demand_all(struct vmt_thread *t, void *area, void *other,
		      void *plain)
{
	unsigned long pages = MAX_PAGES;
	struct mapped m = { .t = t, .area = area, .nr = pages };
	char granted[VMT_REASON_LEN] = "";

	m.area = plain;
	demand(m, "memory not for users", granted);
	m.area = page_address(ZERO_PAGE(0));
	demand(m, "no area", granted);
	m.area = area + 1;
	demand(m, "half a page", granted);
	m.area = area;
	m.nr = pages + 2;
	demand(m, "two pages too many", granted);
	m.nr = pages + 1;
	demand(m, "the guard page", granted);
	m.skip = pages / 2;
	m.nr = pages;
	demand(m, "pages past the end", granted);
	m.skip = (other - area) / PAGE_SIZE;
	demand(m, "another area", granted);
	/* Where the other one lies next to it, behind the guard page. */
	m.area = area + (pages - 1) * PAGE_SIZE;
	m.skip = 2;
	demand(m, "another area from the last page", granted);
	/* No more pages than the area has, but not from here on. */
	m.skip = 0;
	m.nr = 2;
	demand_in(1, m, "the guard page from the last page", granted);
	if (!*granted)
		return 0;
	return vmt_fail(t, -EPERM, "not refused: %s", granted);
}

static int demand_once(struct vmt_thread *t)
{
	void *area = vmalloc_user(MAX_PAGES * PAGE_SIZE);
	void *other = vmalloc_user(MAX_PAGES * PAGE_SIZE);
	void *plain = vmalloc(MAX_PAGES * PAGE_SIZE);
	int err = -ENOMEM;

	if (area && other && plain)
		err = demand_all(t, area, other, plain);
	else
		vmt_fail(t, err, "-ENOMEM: memory for users");
	vfree(plain);
	vfree(other);
	vfree(area);
	return err;
}

static int map_once(struct vmt_thread *t)
{
	unsigned long pages = 1 + vmt_rng_below(&t->rng, MAX_PAGES);
	void *area = vmalloc_user(pages * PAGE_SIZE);
	int err;

	if (!area) {
		t->alloc_failures++;
		return 0;
	}
	t->allocated++;
	err = map_parts(t, area, pages);
	vfree(area);
	return err;
}

int user_mapping_test(struct vmt_thread *t)
{
	u64 began = ktime_get_ns();
	unsigned long i;
	int err = 0;

	if (!vmt_have_remap_part())
		return vmt_skip(t,
				"remap_vmalloc_range_partial() was not found");
	vmt_enter_user(t->run->mm);
	for (i = 0; i < t->loops && !err; i++)
		err = map_once(t) ?: vmt_breathe(t);
	t->ns = ktime_get_ns() - began;
	t->ops = i;
	err = err ?: demand_once(t);
	vmt_leave_user(t->run->mm);
	return err;
}
