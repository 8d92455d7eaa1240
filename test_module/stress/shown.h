/* SPDX-License-Identifier: GPL-2.0-only */
/* Areas that vmallocinfo_test holds, and what user space is told of them. */
#ifndef VMALLOC_TEST_SHOWN_H
#define VMALLOC_TEST_SHOWN_H

#include "vmalloc_test.h"

#define VMT_NR_SHOWN		20

/* What an area was asked for with. */
enum vmt_shown_kind {
	VMT_SHOWN_NONE,
	VMT_SHOWN_PAGES,	/* vmalloc */
	VMT_SHOWN_SPACE,	/* address space alone */
	VMT_SHOWN_IOREMAP,
	VMT_SHOWN_RAM,		/* vm_map_ram() */
	VMT_SHOWN_PCPU,		/* pcpu_get_vm_areas() */
};

struct vm_struct;

struct vmt_shown {
	enum vmt_shown_kind kind;
	unsigned long start;
	unsigned long end;	/* with the guard page, if it has one */
	unsigned int pages;	/* that belong to it */
	struct vm_struct *vm;	/* of what has no pages */
	bool freed;		/* and maybe not purged yet */
	unsigned int lines;	/* of it, in one reading */
};

struct vmt_view {
	struct vmt_thread *t;
	unsigned long base;	/* of the thread's slice */
	struct vmt_shown shown[VMT_NR_SHOWN];
	unsigned long unpurged;	/* bytes, in one reading */
	unsigned long last_end;	/* of the line before */
	bool purged;		/* what was freed is no longer told */
	char reason[VMT_REASON_LEN];
};

/*
 * Reads all of /proc/vmallocinfo: what it says of the slice and of what is
 * held is right. With @quiet it does not change meanwhile, so that each area
 * has one line, and what waits for a purge is told whole.
 */
int vmt_view_info(struct vmt_view *view, bool quiet);

/* Reads a random part of the slice with vread(), and compares. */
int vmt_view_memory(struct vmt_view *view);

#endif /* VMALLOC_TEST_SHOWN_H */
