// SPDX-License-Identifier: GPL-2.0-only
/* Runs operations of a seed or a text, and ends at the first failure. */
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>
#include <sanitizer/common_interface_defs.h>

#include "generate.h"
#include "host.h"
#include "layout.h"
#include "model.h"

#define RECENT_MAX (1 << 16)
#define ROUND 5000 /* operations after which all is freed */
#define CHECK_EVERY 16 /* operations between looks at the trees */
#define ENDLESS 10 /* seconds of the processor's that an operation may take */
#define ROOMY		(1ul << 30) /* bytes that no round fills */
#define SPARE_OBJECTS 1024 /* that a series may keep for later */

#if __SIZEOF_LONG__ == 8
/* x86_64 with four levels, arm64 with 39 bits, and one that is soon full. */
const struct layout layouts[] = {
	{ "wide", 0xffffc90000000000ul, 0xffffe8fffffffffful,
	  0xffffffffc0000000ul, 0xffffffffff000000ul },
	{ "narrow", 0xffffff8008000000ul, 0xffffffbebfff0000ul,
	  0xffffff8000000000ul, 0xffffff8008000000ul },
	{ "small", 0xffffff8008000000ul, 0xffffff800b000000ul,
	  0xffffff8000000000ul, 0xffffff8008000000ul },
	{ NULL }
};
#else
/* x86 and arm with 896 and 768 MiB of low memory, and one that is soon full. */
const struct layout layouts[] = {
	{ "wide", 0xf8800000ul, 0xff7fe000ul, 0xff800000ul, 0xffc00000ul },
	{ "narrow", 0xf0800000ul, 0xff800000ul, 0xbf000000ul, 0xbfe00000ul },
	{ "small", 0xf0800000ul, 0xf3800000ul, 0xbf000000ul, 0xbfe00000ul },
	{ NULL }
};
#endif

const struct layout *layout = layouts;

struct options {
	unsigned long seed, operations, cpus, odds;
	const char *replay, *trace;
	struct taste taste;
};

static struct options options = { .seed = 1,
				  .operations = 100000,
				  .cpus = 1,
				  .odds = 64 };
/* The operations of this round, for whoever is to repeat them. */
static struct operation recent[RECENT_MAX];
static int recent_count;
static unsigned long done;
static struct random random_state;
static long first_objects;

static void print_trace(void)
{
	FILE *file;
	int i = recent_count > RECENT_MAX ? recent_count - RECENT_MAX : 0;

	if (!options.trace)
		return;
	file = fopen(options.trace, "w");
	if (!file)
		return;
	for (; i < recent_count; i++)
		operation_print(file, &recent[i % RECENT_MAX]);
	fclose(file);
}

static void sanitizer_died(void)
{
	printf("failure sanitizer see the report on the error stream\n");
	print_trace();
	fflush(stdout);
}

/* UBSan knows no callback, but can end by a signal. */
const char *__ubsan_default_options(void)
{
	return "print_stacktrace=1:abort_on_error=1";
}

static void aborted(int signal)
{
	(void)signal;
	sanitizer_died();
	_exit(1);
}

static void look(int signal)
{
	static unsigned long before = -1ul;
	static const char said[] =
		"failure endless an operation does not end\n";

	(void)signal;
	if (before == done) {
		if (write(STDOUT_FILENO, said, sizeof(said) - 1) < 0)
			_exit(2);
		print_trace();
		_exit(1);
	}
	before = done;
}

static void watch(void)
{
	struct itimerval every = { { ENDLESS, 0 }, { ENDLESS, 0 } };

	signal(SIGABRT, aborted);
	signal(SIGVTALRM, look);
	setitimer(ITIMER_VIRTUAL, &every, NULL);
}

static void one(const struct operation *operation, int cpu)
{
	recent[recent_count++ % RECENT_MAX] = *operation;
	operation_run(operation, cpu);
	if (!(++done % CHECK_EVERY)) {
		allocator_quiet();
		allocator_check();
		host_quiet(false);
	}
}

static unsigned long round_left;

static void run_round(int cpu)
{
	struct operation operation;

	while (round_left) {
		round_left--;
		generate(&random_state, &options.taste, &operation);
		one(&operation, cpu);
	}
}

static void finish_round(void)
{
	operations_free_all();
	recent_count = 0;
	if (!first_objects)
		first_objects = host_objects();
	else if (host_objects() > first_objects + SPARE_OBJECTS)
		host_fail("leak",
			  "%ld objects are in use with nothing allocated, %ld after the first round",
			  host_objects(), first_objects);
}

static void generated(void)
{
	unsigned long left = options.operations;
	unsigned int odds;

	while (left) {
		random_seed(&random_state, options.seed + left);
		round_left = left < ROUND ? left : ROUND;
		left -= round_left;
		options.taste.most = 20 + random_below(&random_state, 300);
		options.taste.roomy = layout->end - layout->start > ROOMY &&
				      !random_below(&random_state, 3);
		odds = options.odds >> random_below(&random_state, 6);
		if (options.cpus > 1)
			host_run_cpus(options.cpus, run_round,
				      options.seed + left, odds ? odds : 1);
		else
			run_round(0);
		finish_round();
	}
}

static void replay(void)
{
	FILE *file = strcmp(options.replay, "-") ? fopen(options.replay, "r") :
						   stdin;
	struct operation operation;

	if (!file)
		host_fail("rig", "%s cannot be read", options.replay);
	while (operation_read(file, &operation))
		one(&operation, 0);
	finish_round();
}

static const struct {
	const char *word;
	bool *flag, value;
} left_out[] = {
	{ "wrap", &options.taste.no_wrap, true },
	{ "failing", &options.taste.no_failing, true },
	{ "pcpu", &options.taste.no_pcpu, true },
	{ "ram", &options.taste.no_ram, true },
	{ "lowest", &model_lowest, false },
	{ "exact", &model_exact, false },
	{ "pcpu-refused", &model_pcpu, false },
};

static void leave_out(char *words)
{
	unsigned int i;
	char *word;

	for (word = strtok(words, ","); word; word = strtok(NULL, ",")) {
		for (i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++) {
			if (!strcmp(word, left_out[i].word)) {
				*left_out[i].flag = left_out[i].value;
				break;
			}
		}
		if (i == sizeof(left_out) / sizeof(left_out[0]))
			host_fail("rig", "there is no %s to leave out", word);
	}
}

static void choose_layout(const char *name)
{
	for (layout = layouts; layout->name && strcmp(layout->name, name);
	     layout++)
		;
	if (!layout->name)
		host_fail("rig", "there is no layout %s", name);
}

static void read_options(int count, char **words)
{
	static const struct option known[] = { { "seed", 1, NULL, 's' },
					       { "operations", 1, NULL, 'o' },
					       { "cpus", 1, NULL, 'c' },
					       { "odds", 1, NULL, 'd' },
					       { "layout", 1, NULL, 'l' },
					       { "replay", 1, NULL, 'r' },
					       { "trace", 1, NULL, 't' },
					       { "without", 1, NULL, 'w' },
					       { NULL } };
	int letter;

	while ((letter = getopt_long(count, words, "", known, NULL)) != -1) {
		switch (letter) {
		case 's':
			options.seed = strtoul(optarg, NULL, 0);
			break;
		case 'o':
			options.operations = strtoul(optarg, NULL, 0);
			break;
		case 'c':
			options.cpus = strtoul(optarg, NULL, 0);
			break;
		case 'd':
			options.odds = strtoul(optarg, NULL, 0);
			break;
		case 'l':
			choose_layout(optarg);
			break;
		case 'r':
			options.replay = optarg;
			break;
		case 't':
			options.trace = optarg;
			break;
		case 'w':
			leave_out(optarg);
			break;
		default:
			exit(2);
		}
	}
}

static void print_counts(void)
{
	int kind;

	for (kind = 0; kind < KINDS; kind++)
		printf("count %s %lu refused %lu\n", kind_names[kind],
		       counts.done[kind], counts.refused[kind]);
	printf("count failing %lu refused 0\n", counts.failed);
	printf("passed %lu operations, %ld objects at the end\n", done,
	       host_objects());
}

int main(int count, char **words)
{
	read_options(count, words);
	host_at_failure = print_trace;
	__sanitizer_set_death_callback(sanitizer_died);
	watch();
	allocator_start(operations_relieve);
	model_start();
	if (options.replay)
		replay();
	else
		generated();
	print_counts();
	fflush(stdout);
	return 0;
}
