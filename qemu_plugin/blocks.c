// SPDX-License-Identifier: GPL-2.0-only
/*
 * A plugin for QEMU that counts which blocks of a kernel ran, and how often.
 *
 * A block is what QEMU translates at once: instructions in a row. The test
 * module marks its timed loops and its tests with instructions that do nothing.
 * At each mark the plugin writes a file into a folder:
 *
 *   NNNNNN.loop	what ran in a timed loop (with one CPU only)
 *   NNNNNN.test	what ran in a test, until its end or QEMU's
 *   NNNNNN.other	what ran before it, or after the last one
 *
 * Lines of a file: "block ADDRESS TIMES SIZES", where SIZES has a hexadecimal
 * digit for the bytes of each instruction; in a loop "section BEGAN TIMES SUM
 * LONGEST ENDED" as well, the instructions from where a lock was taken, or
 * interrupts were disabled, to where no lock was held and they were enabled;
 * "lost TIMES" for blocks that found no room; last "end".
 *
 * Arguments: out=FOLDER, acquire=ADDRESS:... and release=ADDRESS:... of the
 * kernel's lock functions, or probe=on, for which QEMU ends at once.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "guest.h"

#define MAX_BLOCKS	(1u << 19)
#define MAX_SIZES	(64u << 20)	/* bytes for the sizes of all blocks */
#define MAX_LOCKS	64
#define MAX_SECTIONS	1024
#define PROBED		42	/* what QEMU says that the plugin returned */
#define TOTAL		MAX_BLOCKS	/* counter of all instructions */

EXPORT int qemu_plugin_version = API;

struct block {
	uint64_t at;
	const char *sizes;
	uint32_t insns;
	uint64_t in_loop;	/* times until the loop began */
	uint64_t reported;	/* times until the last test or other */
};

/* A place where sections began. */
struct section {
	uint64_t began, ended;
	uint64_t times, sum, longest;
};

static const struct guest *guest;
static const char *folder;
static unsigned int files;
static bool alone;	/* one CPU: counts are exact, and time is one line */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct block blocks[MAX_BLOCKS];
static uint32_t nr_blocks;
static uint32_t by_hash[2 * MAX_BLOCKS];	/* number of a block, plus 1 */
static char all_sizes[MAX_SIZES];
static size_t sizes_used;
static uint64_t lost;

static uint64_t acquires[MAX_LOCKS], releases[MAX_LOCKS];
static size_t nr_acquires, nr_releases;

static struct section sections[MAX_SECTIONS];
static size_t nr_sections;
static bool in_test;
static bool in_loop;
static unsigned int locks, disabled;	/* how often, nested */
static uint64_t caller;	/* the call or jump that leads to a lock function now */
static uint64_t released;	/* by whom, if interrupts are still disabled */
static uint64_t began_site, began_at;

/* Blocks. */

static bool is_kernel(uint64_t at)
{
	return at >= guest->kernel;
}

/* Returns the number of a block, or MAX_BLOCKS if there is no room for it. */
static uint32_t block_number(uint64_t at, const char *sizes, uint32_t insns)
{
	uint32_t i = (at * 0x9e3779b97f4a7c15ull) >> 44;
	struct block *b;

	for (; by_hash[i]; i = (i + 1) % (2 * MAX_BLOCKS)) {
		b = &blocks[by_hash[i] - 1];
		if (b->at == at && b->insns == insns &&
		    !memcmp(b->sizes, sizes, insns))
			return by_hash[i] - 1;
	}
	if (nr_blocks == MAX_BLOCKS || sizes_used + insns > MAX_SIZES)
		return MAX_BLOCKS;
	b = &blocks[nr_blocks];
	*b = (struct block){ at, all_sizes + sizes_used, insns, 0, 0 };
	memcpy(all_sizes + sizes_used, sizes, insns);
	sizes_used += insns;
	by_hash[i] = ++nr_blocks;
	return nr_blocks - 1;
}

/* Files. */

static void complain(const char *path)
{
	fprintf(stderr, "blocks: %s cannot be written: %s\n", path,
		strerror(errno));
}

static void write_sections(FILE *file)
{
	size_t i;

	for (i = 0; i < nr_sections; i++)
		fprintf(file, "section %" PRIx64 " %" PRIu64 " %" PRIu64
			" %" PRIu64 " %" PRIx64 "\n", sections[i].began,
			sections[i].times, sections[i].sum, sections[i].longest,
			sections[i].ended);
}

/* Writes what ran since @since of each block says, which then starts anew. */
static void write_blocks(FILE *file, bool loop)
{
	uint32_t i;

	for (i = 0; i < nr_blocks; i++) {
		struct block *b = &blocks[i];
		uint64_t *since = loop ? &b->in_loop : &b->reported;
		uint64_t times = counter_read(i);

		if (times != *since)
			fprintf(file, "block %" PRIx64 " %" PRIu64 " %.*s\n",
				b->at, times - *since, (int)b->insns, b->sizes);
		*since = times;
	}
	if (lost)
		fprintf(file, "lost %" PRIu64 "\n", lost);
}

/* The file has its name once it is whole. */
static void report(const char *kind)
{
	bool loop = !strcmp(kind, "loop");
	char path[4096], part[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%06u.%s", folder, files++, kind);
	snprintf(part, sizeof(part), "%s/part", folder);
	file = fopen(part, "w");
	if (!file) {
		complain(part);
		return;
	}
	write_blocks(file, loop);
	if (loop)
		write_sections(file);
	fprintf(file, "end\n");
	if (fclose(file) || rename(part, path))
		complain(path);
}

/* Sections without interrupts or with a lock, on the one CPU. */

static struct section *section_of(uint64_t began)
{
	size_t i;

	for (i = 0; i < nr_sections; i++)
		if (sections[i].began == began)
			return &sections[i];
	if (nr_sections == MAX_SECTIONS)
		return NULL;
	sections[nr_sections] = (struct section){ .began = began };
	return &sections[nr_sections++];
}

static void begins(uint64_t site, uint64_t at)
{
	if (locks || disabled)
		return;
	began_site = site;
	began_at = at;
	released = 0;
}

static void ends(uint64_t site, uint64_t at)
{
	uint64_t length = at - began_at;
	struct section *s;

	if (locks || disabled || !began_site)
		return;
	s = in_loop ? section_of(began_site) : NULL;
	began_site = 0;
	if (!s)
		return;
	s->times++;
	s->sum += length;
	if (length > s->longest) {
		s->longest = length;
		s->ended = site;
	}
}

/*
 * A callback is told the address of its instruction, whose upper bits are those
 * of all addresses of the kernel, and how many instructions its block has from
 * it on.
 */
#define ADDRESS_BITS	48

static void *event(uint64_t at, uint64_t rest)
{
	return (void *)(uintptr_t)(at << (64 - ADDRESS_BITS) >>
				   (64 - ADDRESS_BITS) | rest << ADDRESS_BITS);
}

static uint64_t place(const void *event)
{
	const uint64_t mask = ~0ull << ADDRESS_BITS;

	return ((uintptr_t)event & ~mask) | (guest->kernel >> 63 ? mask : 0);
}

static uint64_t now(const void *event)
{
	return counter_read(TOTAL) - ((uintptr_t)event >> ADDRESS_BITS);
}

static void on_call(unsigned int vcpu, void *data)
{
	caller = place(data);
}

/* A call by a pointer was not seen: the lock function stands for its caller. */
static uint64_t taken_caller(const void *event)
{
	uint64_t site = caller ? caller : place(event);

	caller = 0;
	return site;
}

static void on_acquire(unsigned int vcpu, void *data)
{
	begins(taken_caller(data), now(data));
	locks++;
}

static void on_release(unsigned int vcpu, void *data)
{
	uint64_t site = taken_caller(data);

	if (!locks || --locks)
		return;
	released = disabled ? site : 0;
	ends(site, now(data));
}

static void on_disable(unsigned int vcpu, void *data)
{
	begins(place(data), now(data));
	disabled++;
}

static void on_enable(unsigned int vcpu, void *data)
{
	if (!disabled)
		return;
	disabled = 0;
	ends(released ? released : place(data), now(data));
}

static void on_restore(unsigned int vcpu, void *data)
{
	if (disabled && !--disabled)
		ends(released ? released : place(data), now(data));
}

/* Marks. */

static void on_loop_begin(unsigned int vcpu, void *data)
{
	uint32_t i;

	pthread_mutex_lock(&mutex);
	for (i = 0; i < nr_blocks; i++)
		blocks[i].in_loop = counter_read(i);
	pthread_mutex_unlock(&mutex);
	nr_sections = 0;
	locks = 0;
	disabled = 0;
	began_site = 0;
	in_loop = true;
}

static void on_loop_end(unsigned int vcpu, void *data)
{
	if (!in_loop)
		return;
	in_loop = false;
	pthread_mutex_lock(&mutex);
	report("loop");
	pthread_mutex_unlock(&mutex);
}

static void on_test_begin(unsigned int vcpu, void *data)
{
	pthread_mutex_lock(&mutex);
	report("other");
	in_test = true;
	pthread_mutex_unlock(&mutex);
}

static void on_test_end(unsigned int vcpu, void *data)
{
	pthread_mutex_lock(&mutex);
	report("test");
	in_test = false;
	pthread_mutex_unlock(&mutex);
}

static EXITS(at_exit)
{
	pthread_mutex_lock(&mutex);
	report(in_test ? "test" : "other");
	pthread_mutex_unlock(&mutex);
}

/* Translation. */

static bool is_one_of(uint64_t at, const uint64_t *all, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (all[i] == at)
			return true;
	return false;
}

static vcpu_fn_t *const by_meaning[] = {
	[LOOP_BEGINS] = on_loop_begin,
	[LOOP_ENDS] = on_loop_end,
	[TEST_BEGINS] = on_test_begin,
	[TEST_ENDS] = on_test_end,
	[DISABLES] = on_disable,
	[ENABLES] = on_enable,
	[RESTORES] = on_restore,
	[RETURNS] = on_enable,
};

static void calls(struct qemu_plugin_insn *insn, vcpu_fn_t *fn, uint64_t at,
		  uint64_t rest)
{
	qemu_plugin_register_vcpu_insn_exec_cb(insn, fn, CB_NO_REGS,
					       event(at, rest));
}

static void watch_locks(struct qemu_plugin_insn *insn, const uint8_t *code,
			size_t size, uint64_t at, uint64_t rest)
{
	uint64_t target = guest->target_of(code, size, at);

	if (target && (is_one_of(target, acquires, nr_acquires) ||
		       is_one_of(target, releases, nr_releases)))
		calls(insn, on_call, at, rest);
	if (is_one_of(at, acquires, nr_acquires))
		calls(insn, on_acquire, at, rest);
	if (is_one_of(at, releases, nr_releases))
		calls(insn, on_release, at, rest);
}

static TRANSLATED(on_translation)
{
	uint64_t at = qemu_plugin_tb_vaddr(tb);
	size_t nr = qemu_plugin_tb_n_insns(tb);
	char sizes[nr + 1];
	uint32_t number;
	size_t i;

	if (alone)
		counter_adds(tb, TOTAL, nr);
	for (i = 0; i < nr; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		size_t size = qemu_plugin_insn_size(insn);
		uint8_t code[16] = { 0 };
		enum meaning meaning;

		sizes[i] = "0123456789abcdef"[size & 15];
		insn_bytes(insn, code, sizeof(code));
		meaning = is_kernel(at) ? guest->meaning(code, size) : OTHER;
		if (by_meaning[meaning] && (alone || meaning == TEST_BEGINS ||
					    meaning == TEST_ENDS))
			calls(insn, by_meaning[meaning], at, nr - i);
		if (alone && is_kernel(at))
			watch_locks(insn, code, size, at, nr - i);
		at += size;
	}
	at = qemu_plugin_tb_vaddr(tb);
	if (!is_kernel(at))
		return;
	pthread_mutex_lock(&mutex);
	number = block_number(at, sizes, nr);
	if (number == MAX_BLOCKS)
		lost++;
	pthread_mutex_unlock(&mutex);
	if (number < MAX_BLOCKS)
		counter_adds(tb, number, 1);
}

/* Arguments. */

static size_t addresses(const char *text, uint64_t *all)
{
	size_t nr = 0;
	char *end;

	while (*text && nr < MAX_LOCKS) {
		all[nr++] = strtoull(text, &end, 16);
		text = *end ? end + 1 : end;
	}
	return nr;
}

static void take(const char *argument)
{
	const char *value = strchr(argument, '=');

	if (!value)
		return;
	value++;
	if (!strncmp(argument, "out=", 4))
		folder = value;
	else if (!strncmp(argument, "acquire=", 8))
		nr_acquires = addresses(value, acquires);
	else if (!strncmp(argument, "release=", 8))
		nr_releases = addresses(value, releases);
}

EXPORT int qemu_plugin_install(plugin_id id, const struct plugin_info *info,
			       int argc, char **argv)
{
	int i;

	for (i = 0; i < argc; i++)
		take(argv[i]);
	guest = guest_find(info->target_name);
	if (!folder || !guest || !info->system_emulation)
		return PROBED;
	alone = info->system.max_vcpus == 1;
	if (!counters_init(MAX_BLOCKS + 1))
		return 1;
	ON_TRANSLATION(id, on_translation);
	qemu_plugin_register_atexit_cb(id, at_exit, NULL);
	return 0;
}
