/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Instructions that do nothing, by which qemu_plugin/ sees where timed loops
 * and tests begin and end. On other architectures there are none.
 */
#ifndef VMALLOC_TEST_MARKS_H
#define VMALLOC_TEST_MARKS_H

#include <linux/compiler.h>

/* Their numbers are those of enum meaning in qemu_plugin/guest.h. */
#define VMT_LOOP_BEGINS		1
#define VMT_LOOP_ENDS		2
#define VMT_TEST_BEGINS		3
#define VMT_TEST_ENDS		4

/* A function that returns at once, in machine code; 0 where none is known. */
#if defined(CONFIG_X86_64)
#define VMT_RETURN		0xc3		/* ret */
#elif defined(CONFIG_ARM64)
#define VMT_RETURN		0xd65f03c0	/* ret */
#elif defined(CONFIG_ARM) && !defined(CONFIG_THUMB2_KERNEL)
#define VMT_RETURN		0xe12fff1e	/* bx lr */
#else
#define VMT_RETURN		0
#endif

static __always_inline void vmt_mark(const int number)
{
#if defined(CONFIG_X86_64)
	/* nopl with a displacement of the number and "GIR" */
	asm volatile(".byte 0x0f, 0x1f, 0x84, 0x00, %c0, 0x47, 0x49, 0x52"
		     : : "i" (number) : "memory");
#elif defined(CONFIG_ARM64)
	/* a hint that no extension has been given */
	asm volatile("hint %c0" : : "i" (123 + number) : "memory");
#elif defined(CONFIG_ARM) && !defined(CONFIG_THUMB2_KERNEL)
	/* the same hints, which the assembler knows only by their encoding */
	asm volatile(".inst %c0" : : "i" (0xe320f000 + 123 + number)
		     : "memory");
#endif
}

#endif /* VMALLOC_TEST_MARKS_H */
