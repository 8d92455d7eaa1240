/* SPDX-License-Identifier: GPL-2.0-only */
/* /proc, of which only what is shown of an area is kept. */
#ifndef SHIM_FILES_H
#define SHIM_FILES_H

#include "base.h"

struct seq_file {
	void *private;
};

struct seq_operations {
	void *(*start)(struct seq_file *m, loff_t *pos);
	void (*stop)(struct seq_file *m, void *v);
	void *(*next)(struct seq_file *m, void *v, loff_t *pos);
	int (*show)(struct seq_file *m, void *v);
};

extern const struct seq_operations *shim_vmallocinfo;

void shim_seq_printf(const char *format, ...);

#define seq_printf(m, ...)	((void)(m), shim_seq_printf(__VA_ARGS__))
#define seq_puts(m, text)	((void)(m))
#define seq_putc(m, c)		((void)(m))
#define seq_list_start(head, pos)	shim_list_start(head, pos)
#define seq_list_next(v, head, pos)	shim_list_next(v, head)
#define proc_create_seq(name, mode, parent, operations) \
	(shim_vmallocinfo = (operations))
#define proc_create_seq_private(name, mode, parent, operations, size, data) \
	proc_create_seq(name, mode, parent, operations)

static inline void *shim_list_start(struct list_head *head, loff_t pos)
{
	struct list_head *at = head->next;

	while (pos-- && at != head)
		at = at->next;
	return at == head ? NULL : at;
}

static inline void *shim_list_next(void *v, struct list_head *head)
{
	struct list_head *at = ((struct list_head *)v)->next;

	return at == head ? NULL : at;
}

#endif
