// SPDX-License-Identifier: GPL-2.0-only
/* What the processor stops at, or the kernel itself by BUG() and its like. */
#include <linux/bug.h>
#include <linux/compiler.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/string.h>
#include <linux/timer.h>
#include <linux/vmalloc.h>

#include "compat.h"
#include "provoke.h"

/* So that the compiler does not know better than the processor. */
static void *hidden(unsigned long address)
{
	OPTIMIZER_HIDE_VAR(address);
	return (void *)address;
}

int provoke_panic(void)
{
	panic("provoked on purpose");
}

int provoke_bug(void)
{
	BUG();
}

static int buggy_thread(void *unused)
{
	BUG();
}

int provoke_bug_in_thread(void)
{
	struct task_struct *thread;

	thread = kthread_run(buggy_thread, NULL, "provoked/%d", 7);
	if (IS_ERR(thread))
		return PTR_ERR(thread);
	msleep(1000 * provoke_params.seconds);
	return 0;
}

int provoke_warn(void)
{
	WARN(1, "provoked with %d and %s\n", 42, "a word");
	return 0;
}

int provoke_warn_on(void)
{
	WARN_ON_ONCE(hidden(1));
	return 0;
}

int provoke_null_read(void)
{
	int *nothing = hidden(0);

	return READ_ONCE(*nothing);
}

int provoke_null_write(void)
{
	struct {
		char pad[0x18];
		int member;
	} *nothing = hidden(0);

	WRITE_ONCE(nothing->member, 1);
	return 0;
}

int provoke_null_exec(void)
{
	void (*nothing)(void) = hidden(0);

	nothing();
	barrier();
	return 0;
}

static void null_in_timer(struct timer_list *unused)
{
	int *nothing = hidden(8);

	WRITE_ONCE(*nothing, 1);
}

int provoke_null_in_irq(void)
{
	static struct timer_list timer;

	timer_setup(&timer, null_in_timer, 0);
	mod_timer(&timer, jiffies + 1);
	msleep(1000 * provoke_params.seconds);
	del_timer_sync(&timer);
	return 0;
}

int provoke_page_fault(void)
{
	/* Behind a vmalloc area lies a page that is not mapped. */
	char *page = vmalloc(PAGE_SIZE);
	int value;

	if (!page)
		return -ENOMEM;
	value = READ_ONCE(page[PAGE_SIZE + 8]);
	vfree(page);
	return value;
}

int provoke_write_rodata(void)
{
	static const unsigned long constant = 0x5a5a;
	unsigned long *changed = hidden((unsigned long)&constant);

	WRITE_ONCE(*changed, 1);
	return 0;
}

int provoke_exec_data(void)
{
	static char data[64] = { 1 };
	void (*wrong)(void) = hidden((unsigned long)data);

	wrong();
	barrier();
	return 0;
}

int provoke_gpf(void)
{
	/* Neither a user's address nor the kernel's: list poison, say. */
	int *nowhere = hidden(0xdead000000000100);

	return READ_ONCE(*nowhere);
}

#if defined(CONFIG_X86_64)

int provoke_divide(void)
{
	unsigned int low = 1, high = 0;

	asm volatile("divl %2" : "+a" (low), "+d" (high) : "r" (0));
	return low;
}

int provoke_invalid_opcode(void)
{
	/* lock nop: ud2 is what BUG() and WARN() are made of. */
	asm volatile(".byte 0xf0, 0x90");
	return 0;
}

int provoke_double_fault(void)
{
	asm volatile("xorl %%esp, %%esp; pushq %%rax" ::: "memory");
	return 0;
}

STACK_FRAME_NON_STANDARD(provoke_double_fault);

#elif defined(CONFIG_ARM64)

int provoke_divide(void)
{
	/* The processor divides by zero without a word. */
	return -EOPNOTSUPP;
}

int provoke_invalid_opcode(void)
{
	asm volatile(".inst 0x00000000");
	return 0;
}

int provoke_double_fault(void)
{
	asm volatile("mov sp, %0; str %0, [sp, #-16]!" :: "r" (0UL) : "memory");
	return 0;
}

#else

int provoke_divide(void)
{
	return -EOPNOTSUPP;
}

int provoke_invalid_opcode(void)
{
	return -EOPNOTSUPP;
}

int provoke_double_fault(void)
{
	return -EOPNOTSUPP;
}

#endif

static noinline int recurse(unsigned int depth)
{
	char frame[256];

	if (!depth)
		return 0;
	frame[0] = depth;
	barrier_data(frame);
	return recurse(depth - 1) + frame[0];
}

int provoke_stack_overflow(void)
{
	int sum;

	/* Without a guard page it would be somebody else's memory. */
	if (!IS_ENABLED(CONFIG_VMAP_STACK))
		return -EOPNOTSUPP;
	sum = recurse(1000000);
	barrier();
	return sum;
}
