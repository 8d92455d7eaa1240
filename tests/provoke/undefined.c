// SPDX-License-Identifier: GPL-2.0-only
/* For UBSAN: what the language does not define. */
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "provoke.h"

static int hidden(int value)
{
	OPTIMIZER_HIDE_VAR(value);
	return value;
}

int provoke_ubsan_shift(void)
{
	int value;

	if (!IS_ENABLED(CONFIG_UBSAN))
		return -EOPNOTSUPP;
	value = 1 << hidden(40);
	OPTIMIZER_HIDE_VAR(value);
	return 0;
}

int provoke_ubsan_bounds(void)
{
	static int array[4];
	int value;

	if (!IS_ENABLED(CONFIG_UBSAN))
		return -EOPNOTSUPP;
	value = array[hidden(5) & 7];
	OPTIMIZER_HIDE_VAR(value);
	return 0;
}

int provoke_ubsan_bool(void)
{
	static bool flag;
	int value;

	if (!IS_ENABLED(CONFIG_UBSAN))
		return -EOPNOTSUPP;
	memset(&flag, hidden(0x5a), sizeof(flag));
	value = READ_ONCE(flag);
	OPTIMIZER_HIDE_VAR(value);
	return 0;
}

int provoke_ubsan_divide(void)
{
	int value;

	if (!IS_ENABLED(CONFIG_UBSAN))
		return -EOPNOTSUPP;
	value = hidden(1) / hidden(0);
	OPTIMIZER_HIDE_VAR(value);
	return 0;
}
