/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stands in for the kernel's headers.  Each <linux/...> and <asm/...> header that
 * the code under test includes is this one, except for those which the tree
 * under test supplies: rbtree, list, llist, overflow and vmalloc.
 */
#ifndef SHIM_KERNEL_H
#define SHIM_KERNEL_H

#include "base.h"
#include "locking.h"
#include "memory.h"
#include "paging.h"
#include "files.h"

#endif
