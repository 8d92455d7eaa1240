/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the kernel versions differ; included by symbols.c alone. */
#ifndef VMALLOC_TEST_COMPAT_H
#define VMALLOC_TEST_COMPAT_H

#include <linux/version.h>

/* checkpatch is right about modules in the tree; this one is outside of it. */
#if KERNEL_VERSION(5, 7, 0) > LINUX_VERSION_CODE

#include <linux/kallsyms.h>

static inline unsigned long vmt_lookup(const char *name)
{
	return kallsyms_lookup_name(name);
}

#elif defined(CONFIG_KPROBES)

#include <linux/kprobes.h>

/*
 * 5.7 no longer exports kallsyms_lookup_name() (commit 0bd476e6c671), but a
 * probe on it, never hit, still tells where it is.
 */
static inline unsigned long vmt_lookup(const char *name)
{
	struct kprobe probe = { .symbol_name = "kallsyms_lookup_name" };
	unsigned long (*lookup)(const char *name);

	if (register_kprobe(&probe))
		return 0;
	lookup = (void *)probe.addr;
	unregister_kprobe(&probe);
	return lookup(name);
}

#else

static inline unsigned long vmt_lookup(const char *name)
{
	return 0;
}

#endif

#endif /* VMALLOC_TEST_COMPAT_H */
