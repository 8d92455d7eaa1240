// SPDX-License-Identifier: GPL-2.0-only
/* What a rig has to survive: a log without end, guests that hang. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/processor.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/smp.h>
#include <linux/string.h>

#include "provoke.h"

int provoke_flood(void)
{
	unsigned long n;

	for (n = 1; !provoke_params.count || n <= provoke_params.count; n++) {
		pr_info("flood %lu: the quick brown fox, again\n", n);
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

/* What comes from outside may be anything, and none of it is a report. */
static const char * const said[] = {
	"colours \x1b[31mred\x1b[0m, cleared \x1b[2J\x1b[H",
	"title \x1b]0;own\x07 and a bell",
	"colours of 8 bits \x9b\x33\x31m",
	"markup <script>alert(1)</script> <img src=x onerror=alert(2)> &amp;",
	"templates {{ 7 * 7 }} {% raw %} ${HOME} ]]> --> */",
	"returned\rover what was said, back\b\b\b\bspace, tab\t, feed \x0c",
	"not UTF-8 \xff\xfe\xc0\xaf\xed\xa0\x80, reversed \xe2\x80\xaetxet",
	"format %s%n%x, path ../../../../etc/passwd, shell $(reboot) `reboot`",
	"somebody wrote \"kernel BUG at mm/vmalloc.c:512!\" into a message",
	"and \"BUG: KASAN: use-after-free in nothing+0x0/0x0\" into another",
	"it was no \"Kernel panic - not syncing: no\" either",
	"TAP version 14",
	"1..1",
	"ok 1 le_fit_alloc_test",
	"not ok 1 le_fit_alloc_test",
	"kernel-patch-rig: end",
};

#define PIECE	" and this is a piece of one line that has no end"

static void one_long_line(unsigned int size)
{
	unsigned int done;

	pr_info("long:");
	for (done = 0; done < size; done += strlen(PIECE))
		pr_cont(PIECE);
	pr_cont("\n");
}

int provoke_escape(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(said); i++)
		pr_info("%s\n", said[i]);
	pr_info("nul %c in the middle\n", 0);
	one_long_line(100000);
	return 0;
}

int provoke_hang_quiet(void)
{
	/* Idle sleep is no load, no hung task, and no signal ends it. */
	for (;;) {
		set_current_state(TASK_IDLE);
		schedule();
	}
	return 0;
}

int provoke_hang_irqs_off(void)
{
	local_irq_disable();
	for (;;)
		cpu_relax();
	return 0;
}

static void spin(void *unused)
{
	for (;;)
		cpu_relax();
}

int provoke_hang_all(void)
{
	on_each_cpu(spin, NULL, 0);
	return 0;
}

static int eat(void *unused)
{
	/* Held by nobody that the OOM killer could kill. */
	for (;;)
		alloc_page(GFP_KERNEL);
	return 0;
}

int provoke_eat_memory(void)
{
	struct task_struct *eater = kthread_run(eat, NULL, "provoke_eat");

	if (IS_ERR(eater))
		return PTR_ERR(eater);
	return provoke_hang_quiet();
}
