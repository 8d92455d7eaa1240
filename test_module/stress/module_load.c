// SPDX-License-Identifier: GPL-2.0-only
/*
 * module_load_test: a second module is loaded and unloaded by the programs that
 * do so for people. It has areas of its own while it is loaded, with KASAN also
 * those of its shadow memory, and none afterwards.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/namei.h>
#include <linux/path.h>
#include <linux/umh.h>

#include "checks/mapping.h"
#include "lib/areas.h"
#include "lib/fail.h"
#include "lib/symbols.h"
#include "vmalloc_test.h"

static int run(struct vmt_thread *t, char *program, char *argument)
{
	char *argv[3] = { program, argument, NULL };
	char *envp[2] = { "PATH=/sbin:/bin", NULL };
	int err = call_usermodehelper(program, argv, envp, UMH_WAIT_PROC);

	if (!err)
		return 0;
	return vmt_fail(t, -EIO, "refused: %s %s, with %#x", program, argument,
			err);
}

static int load_and_unload(struct vmt_thread *t)
{
	unsigned long before = vmt_count_areas_elsewhere();
	unsigned long loaded;
	int err;

	err = run(t, "/sbin/insmod", vmt_params.second);
	if (err)
		return err;
	t->allocated++;
	loaded = vmt_count_areas_elsewhere();
	err = run(t, "/sbin/rmmod", "vmalloc_second");
	if (err)
		return err;
	if (loaded <= before)
		return vmt_fail(t, -ENOENT,
				"not found: the area of a module that was loaded");
	return vmt_elsewhere_check(t, before);
}

static bool there(const char *name)
{
	struct path path;

	if (kern_path(name, LOOKUP_FOLLOW, &path))
		return false;
	path_put(&path);
	return true;
}

/* One thread alone, as a module is loaded once. */
int module_load_test(struct vmt_thread *t)
{
	u64 began = ktime_get_ns();
	unsigned long i;
	int err = 0;

	if (t->id)
		return 0;
	if (!vmt_busy_list())
		return vmt_skip(t, "the kernel's areas cannot be seen");
	if (!there(vmt_params.second))
		return vmt_skip(t, "there is no file %s", vmt_params.second);
	for (i = 0; i < t->loops && !err; i++)
		err = load_and_unload(t) ?: vmt_breathe(t);
	t->ns = ktime_get_ns() - began;
	t->ops = i;
	return err;
}
