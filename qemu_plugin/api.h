/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What of QEMU's plugin API blocks.c uses, for all versions of it that there
 * are: no distribution of Linux needs to ship QEMU's header.
 *
 *   API 1: QEMU 4.2 to 8.2       API 4: 9.2, 10.0      API 6: 11.0
 *   API 2: 9.0, counters a vCPU  API 5: 10.1, 10.2     API 7: 11.1, data for
 *   API 3: 9.1, copies of code                         all callbacks
 *
 * API is the version to build for.
 */
#ifndef QEMU_PLUGIN_API_H
#define QEMU_PLUGIN_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t plugin_id;

struct qemu_plugin_tb;
struct qemu_plugin_insn;

struct plugin_info {
	const char *target_name;
	struct {
		int min;
		int cur;
	} version;
	bool system_emulation;
	struct {
		int smp_vcpus;
		int max_vcpus;
	} system;
};

enum { CB_NO_REGS };
enum { INLINE_ADD_U64 };

typedef void vcpu_fn_t(unsigned int vcpu, void *data);

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *
qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
					    vcpu_fn_t *fn, int flags,
					    void *data);

#if API >= 7
typedef void translated_fn_t(struct qemu_plugin_tb *tb, void *data);
typedef void exit_fn_t(void *data);
#define TRANSLATED(name)	void name(struct qemu_plugin_tb *tb, void *data)
#define EXITS(name)		void name(void *data)
#define ON_TRANSLATION(id, fn)	\
	qemu_plugin_register_vcpu_tb_trans_cb(id, fn, NULL)
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, translated_fn_t *fn,
					   void *data);
#else
typedef void translated_fn_t(plugin_id id, struct qemu_plugin_tb *tb);
typedef void exit_fn_t(plugin_id id, void *data);
#define TRANSLATED(name)	\
	void name(plugin_id id, struct qemu_plugin_tb *tb)
#define EXITS(name)		void name(plugin_id id, void *data)
#define ON_TRANSLATION(id, fn)	\
	qemu_plugin_register_vcpu_tb_trans_cb(id, fn)
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id,
					   translated_fn_t *fn);
#endif
void qemu_plugin_register_atexit_cb(plugin_id id, exit_fn_t *fn, void *data);

/* Copies the bytes of an instruction; returns their number. */
#if API >= 3
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *insn, void *to,
			     size_t size);
static inline size_t insn_bytes(const struct qemu_plugin_insn *insn,
				uint8_t *to, size_t size)
{
	return qemu_plugin_insn_data(insn, to, size);
}
#else
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
static inline size_t insn_bytes(const struct qemu_plugin_insn *insn,
				uint8_t *to, size_t size)
{
	const uint8_t *from = qemu_plugin_insn_data(insn);
	size_t nr = qemu_plugin_insn_size(insn);
	size_t i;

	for (i = 0; i < nr && i < size; i++)
		to[i] = from[i];
	return i;
}
#endif

/*
 * An array of counters that translated code adds to. Up to API 1 all vCPUs
 * share them, and some additions are lost where there are several.
 */
#if API >= 2
struct qemu_plugin_scoreboard;
typedef struct {
	struct qemu_plugin_scoreboard *score;
	size_t offset;
} counter;
struct qemu_plugin_scoreboard *qemu_plugin_scoreboard_new(size_t size);
uint64_t qemu_plugin_u64_sum(counter entry);
typedef void adds_fn_t(struct qemu_plugin_tb *tb, int op, counter entry,
		       uint64_t add);
adds_fn_t qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu;

static struct qemu_plugin_scoreboard *counters;

static inline bool counters_init(size_t nr)
{
	counters = qemu_plugin_scoreboard_new(nr * sizeof(uint64_t));
	return counters;
}

static inline counter counter_of(size_t index)
{
	return (counter){ counters, index * sizeof(uint64_t) };
}

static inline uint64_t counter_read(size_t index)
{
	return qemu_plugin_u64_sum(counter_of(index));
}

static inline void counter_adds(struct qemu_plugin_tb *tb, size_t index,
				uint64_t add)
{
	adds_fn_t *adds = qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu;

	adds(tb, INLINE_ADD_U64, counter_of(index), add);
}
#else
#include <stdlib.h>
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, int op,
					      void *to, uint64_t add);

static uint64_t *counters;

static inline bool counters_init(size_t nr)
{
	counters = calloc(nr, sizeof(*counters));
	return counters;
}

static inline uint64_t counter_read(size_t index)
{
	return counters[index];
}

static inline void counter_adds(struct qemu_plugin_tb *tb, size_t index,
				uint64_t add)
{
	qemu_plugin_register_vcpu_tb_exec_inline(tb, INLINE_ADD_U64,
						 &counters[index], add);
}
#endif

#endif /* QEMU_PLUGIN_API_H */
