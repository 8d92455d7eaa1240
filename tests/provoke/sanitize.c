// SPDX-License-Identifier: GPL-2.0-only
/* For KASAN, whose checks the compiler puts in here, and for kmemleak. */
#include <linux/compiler.h>
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/timer.h>

#include "provoke.h"

#define SIZE	123

static char *fresh(void)
{
	char *object = kmalloc(SIZE, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(object);
	return object;
}

int provoke_kasan_oob_read(void)
{
	char *object;
	int value;

	if (!IS_ENABLED(CONFIG_KASAN))
		return -EOPNOTSUPP;
	object = fresh();
	if (!object)
		return -ENOMEM;
	value = READ_ONCE(object[SIZE]);
	kfree(object);
	return value & 0;
}

int provoke_kasan_oob_write(void)
{
	char *object;

	if (!IS_ENABLED(CONFIG_KASAN))
		return -EOPNOTSUPP;
	object = fresh();
	if (!object)
		return -ENOMEM;
	/* Behind the object, but in front of the next: no other check minds. */
	WRITE_ONCE(object[SIZE], 1);
	kfree(object);
	return 0;
}

int provoke_kasan_uaf(void)
{
	char *object, *stale;

	if (!IS_ENABLED(CONFIG_KASAN))
		return -EOPNOTSUPP;
	object = fresh();
	if (!object)
		return -ENOMEM;
	stale = object;
	OPTIMIZER_HIDE_VAR(stale);
	kfree(object);
	WRITE_ONCE(stale[8], 1);
	return 0;
}

int provoke_kasan_double_free(void)
{
	char *object, *stale;

	if (!IS_ENABLED(CONFIG_KASAN))
		return -EOPNOTSUPP;
	object = fresh();
	if (!object)
		return -ENOMEM;
	stale = object;
	OPTIMIZER_HIDE_VAR(stale);
	kfree(object);
	kfree(stale);
	return 0;
}

static char global[10];

int provoke_kasan_global(void)
{
	unsigned int index = ARRAY_SIZE(global) + 2;

	if (!IS_ENABLED(CONFIG_KASAN))
		return -EOPNOTSUPP;
	OPTIMIZER_HIDE_VAR(index);
	return READ_ONCE(*(global + index)) & 0;
}

int provoke_kasan_stack(void)
{
	char local[10] = "";
	unsigned int index = ARRAY_SIZE(local);
	char *start = local;

	if (!IS_ENABLED(CONFIG_KASAN))
		return -EOPNOTSUPP;
	OPTIMIZER_HIDE_VAR(index);
	OPTIMIZER_HIDE_VAR(start);
	return READ_ONCE(start[index]) & 0;
}

int provoke_kasan_null(void)
{
	long *nothing = NULL;

	if (!IS_ENABLED(CONFIG_KASAN))
		return -EOPNOTSUPP;
	OPTIMIZER_HIDE_VAR(nothing);
	return READ_ONCE(nothing[2]) & 0;
}

int provoke_kasan_wild(void)
{
	unsigned long address = 0x6f6f6f6f6f6f6f6f;

	if (!IS_ENABLED(CONFIG_KASAN))
		return -EOPNOTSUPP;
	OPTIMIZER_HIDE_VAR(address);
	return READ_ONCE(*(char *)address) & 0;
}

static char *stale_in_timer;

static void read_stale(struct timer_list *unused)
{
	WRITE_ONCE(stale_in_timer[4], 1);
}

int provoke_kasan_in_irq(void)
{
	static struct timer_list timer;

	if (!IS_ENABLED(CONFIG_KASAN))
		return -EOPNOTSUPP;
	stale_in_timer = fresh();
	if (!stale_in_timer)
		return -ENOMEM;
	kfree(stale_in_timer);
	timer_setup(&timer, read_stale, 0);
	mod_timer(&timer, jiffies + 1);
	msleep(100);
	del_timer_sync(&timer);
	return 0;
}

int provoke_kmemleak(void)
{
	int i;

	if (!IS_ENABLED(CONFIG_DEBUG_KMEMLEAK))
		return -EOPNOTSUPP;
	/* Several: a stale copy of a pointer hides one at most. */
	for (i = 0; i < 4; i++)
		memset(fresh(), 0x5a, SIZE);
	return 0;
}
