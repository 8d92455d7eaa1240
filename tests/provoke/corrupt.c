// SPDX-License-Identifier: GPL-2.0-only
/* Data structures of the kernel's that are overwritten or misused. */
#include <linux/compiler.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "compat.h"
#include "provoke.h"

#define SIZE	72

static struct kmem_cache *checked_cache(const char *name)
{
	slab_flags_t flags = SLAB_CONSISTENCY_CHECKS | SLAB_RED_ZONE |
			     SLAB_POISON | SLAB_STORE_USER;

	/* KASAN would keep what is freed to itself and find all of it first. */
	if (IS_ENABLED(CONFIG_KASAN) || !IS_ENABLED(CONFIG_SLUB_DEBUG))
		return ERR_PTR(-EOPNOTSUPP);
	return kmem_cache_create(name, SIZE, 0, flags, NULL) ?:
	       ERR_PTR(-ENOMEM);
}

static char *stale(char *pointer)
{
	OPTIMIZER_HIDE_VAR(pointer);
	return pointer;
}

int provoke_slab_redzone(void)
{
	struct kmem_cache *cache = checked_cache("provoked_redzone");
	char *object;

	if (IS_ERR(cache))
		return PTR_ERR(cache);
	object = stale(kmem_cache_alloc(cache, GFP_KERNEL));
	if (!object)
		return -ENOMEM;
	WRITE_ONCE(object[SIZE + 2], 0x5a);
	kmem_cache_free(cache, object);
	return 0;
}

int provoke_slab_poison(void)
{
	struct kmem_cache *cache = checked_cache("provoked_poison");
	char *object, *left;

	if (IS_ERR(cache))
		return PTR_ERR(cache);
	object = kmem_cache_alloc(cache, GFP_KERNEL);
	if (!object)
		return -ENOMEM;
	left = stale(object);
	kmem_cache_free(cache, object);
	WRITE_ONCE(left[9], 0x5a);
	object = kmem_cache_alloc(cache, GFP_KERNEL);
	barrier();
	return object ? 0 : -ENOMEM;
}

int provoke_slab_double_free(void)
{
	struct kmem_cache *cache = checked_cache("provoked_twice");
	char *object, *left;

	if (IS_ERR(cache))
		return PTR_ERR(cache);
	object = kmem_cache_alloc(cache, GFP_KERNEL);
	if (!object)
		return -ENOMEM;
	left = stale(object);
	kmem_cache_free(cache, object);
	kmem_cache_free(cache, left);
	return 0;
}

int provoke_slab_left(void)
{
	struct kmem_cache *cache = checked_cache("provoked_left");

	if (IS_ERR(cache))
		return PTR_ERR(cache);
	if (!kmem_cache_alloc(cache, GFP_KERNEL))
		return -ENOMEM;
	kmem_cache_destroy(cache);
	barrier();
	return 0;
}

int provoke_kfree_wild(void)
{
	struct page *page = alloc_page(GFP_KERNEL);

	if (!page)
		return -ENOMEM;
	kfree(stale(page_address(page)));
	barrier();
	return 0;
}

int provoke_list_add(void)
{
	static LIST_HEAD(head);
	static struct list_head first, second;

	if (!IS_ENABLED(CONFIG_DEBUG_LIST))
		return -EOPNOTSUPP;
	list_add(&first, &head);
	WRITE_ONCE(head.prev, &second);
	list_add(&second, &first);
	barrier();
	return 0;
}

int provoke_list_del(void)
{
	static LIST_HEAD(head);
	static struct list_head entry;

	if (!IS_ENABLED(CONFIG_DEBUG_LIST))
		return -EOPNOTSUPP;
	list_add(&entry, &head);
	list_del(&entry);
	list_del(&entry);
	barrier();
	return 0;
}

int provoke_refcount_zero(void)
{
	refcount_t count = REFCOUNT_INIT(0);

	if (!PROVOKE_REFCOUNT_FULL)
		return -EOPNOTSUPP;
	refcount_inc(&count);
	return 0;
}

int provoke_refcount_underflow(void)
{
	refcount_t count = REFCOUNT_INIT(1);

	if (refcount_sub_and_test(3, &count))
		barrier();
	return 0;
}

int provoke_refcount_saturated(void)
{
	refcount_t count = REFCOUNT_INIT(INT_MAX);

	/* Where all checks are a choice, they let it grow up to UINT_MAX. */
	if (IS_ENABLED(CONFIG_REFCOUNT_FULL))
		refcount_set(&count, UINT_MAX - 1);
	refcount_inc(&count);
	barrier();
	return 0;
}

int provoke_bad_page(void)
{
	struct page *page = alloc_page(GFP_KERNEL);

	if (!page)
		return -ENOMEM;
	/* As if a user's page table still pointed to it. */
	atomic_set(&page->_mapcount, 0);
	__free_page(page);
	return 0;
}

int provoke_page_twice(void)
{
	struct page *page = alloc_page(GFP_KERNEL);

	if (!IS_ENABLED(CONFIG_DEBUG_VM))
		return -EOPNOTSUPP;
	if (!page)
		return -ENOMEM;
	__free_page(page);
	__free_page(page);
	return 0;
}

int provoke_page_poison(void)
{
	unsigned int order = PROVOKE_LARGEST_ORDER;
	struct page *page;
	char *left;

	if (!provoke_pages_are_poisoned())
		return -EOPNOTSUPP;
	page = alloc_pages(GFP_KERNEL, order);
	if (!page)
		return -ENOMEM;
	left = stale(page_address(page));
	__free_pages(page, order);
	/* One bit, as if the memory were bad; KASAN looks elsewhere here. */
	left[40] ^= 4;
	page = alloc_pages(GFP_KERNEL, order);
	if (page)
		__free_pages(page, order);
	return 0;
}

int provoke_vfree_twice(void)
{
	char *area = vmalloc(PAGE_SIZE);
	char *left = stale(area);

	if (!area)
		return -ENOMEM;
	vfree(area);
	vfree(left);
	barrier();
	return 0;
}

int provoke_vfree_unaligned(void)
{
	char *area = vmalloc(PAGE_SIZE);

	if (!area)
		return -ENOMEM;
	vfree(area + 8);
	vfree(area);
	return 0;
}

int provoke_spin_bad_magic(void)
{
	static DEFINE_SPINLOCK(lock);

#ifdef CONFIG_DEBUG_SPINLOCK
	WRITE_ONCE(lock.rlock.magic, 0xbad);
#else
	return -EOPNOTSUPP;
#endif
	spin_lock(&lock);
	spin_unlock(&lock);
	return 0;
}

int provoke_spin_wrong_owner(void)
{
	static DEFINE_SPINLOCK(lock);

	spin_lock(&lock);
#ifdef CONFIG_DEBUG_SPINLOCK
	WRITE_ONCE(lock.rlock.owner, NULL);
#endif
	spin_unlock(&lock);
	return IS_ENABLED(CONFIG_DEBUG_SPINLOCK) ? 0 : -EOPNOTSUPP;
}
