// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "host.h"
#include "layout.h"
#include "model.h"
#include "operations.h"
#include "random.h"

#define HELD_MAX 1024

/* What is held, of each kind that can be freed. */
struct held {
	unsigned long start, end;
	unsigned long pages; /* of vm_map_ram() */
	void *areas; /* of percpu */
	struct pcpu_request pcpu;
};

static struct held held[KINDS][HELD_MAX];
static int held_count[KINDS];
static struct before before[HOST_CPUS_MAX];
struct counts counts;

const char *const kind_names[KINDS] = {
	[GET] = "get",		 [PUT] = "put",
	[VMALLOC] = "vmalloc",	 [VFREE] = "vfree",
	[MAP_RAM] = "map_ram",	 [UNMAP_RAM] = "unmap_ram",
	[PCPU_GET] = "pcpu_get", [PCPU_FREE] = "pcpu_free",
	[PURGE] = "purge",
};

static struct held take(enum kind kind, unsigned long number)
{
	struct held taken;
	int at = number % held_count[kind];

	taken = held[kind][at];
	held[kind][at] = held[kind][--held_count[kind]];
	return taken;
}

static void keep(enum kind kind, struct held what)
{
	held[kind][held_count[kind]++] = what;
}

static unsigned long whole_size(const struct request *request)
{
	return (request->size + PAGE - 1) / PAGE * PAGE +
	       (request->no_guard ? 0 : PAGE);
}

static void run_get(const struct operation *operation, struct before *mine)
{
	const unsigned long *arguments = operation->arguments;
	struct request request = {
		.size = arguments[0],
		.align = arguments[1],
		.vstart = arguments[2],
		.vend = arguments[3],
		.no_guard = arguments[4] & NO_GUARD,
		.may_block = !(arguments[4] & NO_BLOCKING),
	};
	unsigned long start;

	start = operation->kind == GET ? allocator_get(&request) :
					 allocator_vmalloc(&request);
	allocator_quiet();
	if (start) {
		unsigned long end = start + whole_size(&request);

		model_allocated(mine, start, end, &request);
		keep(operation->kind,
		     (struct held){ .start = start, .end = end });
		return;
	}
	counts.refused[operation->kind]++;
	if (!host_failed_any())
		model_refused(mine, whole_size(&request), &request);
}

static void run_put(const struct operation *operation)
{
	struct held area = take(GET, operation->arguments[0]);

	model_freed(area.start, area.end);
	allocator_put(area.start, operation->arguments[1] % FREEINGS);
}

static void run_vfree(const struct operation *operation)
{
	struct held area = take(VMALLOC, operation->arguments[0]);

	model_freed(area.start, area.end);
	allocator_vfree(area.start);
}

static unsigned long power_of_two(unsigned long pages)
{
	unsigned long power = 1;

	while (power < pages)
		power *= 2;
	return power;
}

static void run_map_ram(const struct operation *operation, struct before *mine)
{
	unsigned long pages = operation->arguments[0];
	bool small = pages <= allocator_largest_small_ram();
	struct request request = {
		.size = small ? allocator_block_size() : pages * PAGE,
		.align = small ? allocator_block_size() : PAGE,
		.vstart = layout->start,
		.vend = layout->end,
	};
	struct held area;
	unsigned long start = allocator_map_ram(pages);
	unsigned long end =
		start + (small ? power_of_two(pages) : pages) * PAGE;

	allocator_quiet();
	if (start) {
		if (small)
			model_ram(start, end);
		else
			model_allocated(mine, start, end, &request);
		area = (struct held){ start, end, pages };
		keep(MAP_RAM, area);
		return;
	}
	counts.refused[MAP_RAM]++;
	if (!host_failed_any())
		model_refused(mine, request.size, &request);
}

static void run_unmap_ram(const struct operation *operation)
{
	struct held area = take(MAP_RAM, operation->arguments[0]);

	if (area.pages <= allocator_largest_small_ram())
		model_ram_gone(area.start);
	else
		model_freed(area.start, area.end);
	allocator_unmap_ram(area.start, area.pages);
}

/* Make a request: of how many, the alignment, a seed, and the spread. */
static struct pcpu_request pcpu_request(const unsigned long *arguments)
{
	struct pcpu_request request = {
		.count = 1 + arguments[0] % PCPU_AREAS_MAX,
		.align = PAGE << arguments[1] % 10,
	};
	unsigned long at = 0;
	struct random random;
	int i, other;

	random_seed(&random, arguments[2]);
	for (i = 0; i < request.count; i++) {
		request.sizes[i] =
			request.align * (1 + random_below(&random, 4));
		request.offsets[i] = at;
		at += request.sizes[i];
		at += random_below(&random, arguments[3] % (1ul << 30) + 1) *
		      request.align;
	}
	/* In no order. */
	for (i = request.count - 1; i > 0; i--) {
		other = random_below(&random, i + 1);
		at = request.offsets[i];
		request.offsets[i] = request.offsets[other];
		request.offsets[other] = at;
		at = request.sizes[i];
		request.sizes[i] = request.sizes[other];
		request.sizes[other] = at;
	}
	return request;
}

static unsigned long span(const struct pcpu_request *request)
{
	unsigned long end = 0;
	int i;

	for (i = 0; i < request->count; i++) {
		if (request->offsets[i] + request->sizes[i] > end)
			end = request->offsets[i] + request->sizes[i];
	}
	return end;
}

static void run_pcpu_get(const struct operation *operation, struct before *mine)
{
	struct pcpu_request request = pcpu_request(operation->arguments);
	unsigned long starts[PCPU_AREAS_MAX];
	struct request place = {
		.align = request.align,
		.vstart = layout->start,
		.vend = layout->end,
	};
	struct held area = { 0 };
	void *areas;
	int i;

	/* More than all of the range is a mistake of the caller's. */
	if (span(&request) > (layout->end - layout->start) / 2)
		return;
	areas = allocator_pcpu_get(&request, starts);
	allocator_quiet();
	if (!areas) {
		counts.refused[PCPU_GET]++;
		if (!host_failed_any())
			model_pcpu_refused(mine, &request);
		return;
	}
	mine->alone = false; /* the place is the highest one, not the lowest */
	for (i = 0; i < request.count; i++) {
		if (starts[i] - request.offsets[i] !=
		    starts[0] - request.offsets[0])
			host_fail("offset",
				  "percpu area %d is at %lx, and the first one at %lx",
				  i, starts[i], starts[0]);
		model_allocated(mine, starts[i], starts[i] + request.sizes[i],
				&place);
	}
	area.start = starts[0] - request.offsets[0];
	area.areas = areas;
	area.pcpu = request;
	keep(PCPU_GET, area);
}

static void run_pcpu_free(const struct operation *operation)
{
	struct held area = take(PCPU_GET, operation->arguments[0]);
	unsigned long start;
	int i;

	for (i = 0; i < area.pcpu.count; i++) {
		start = area.start + area.pcpu.offsets[i];
		model_freed(start, start + area.pcpu.sizes[i]);
	}
	allocator_pcpu_free(area.areas, area.pcpu.count);
}

static const enum kind held_by[KINDS] = {
	[PUT] = GET,	       [VFREE] = VMALLOC,
	[UNMAP_RAM] = MAP_RAM, [PCPU_FREE] = PCPU_GET,
	[GET] = PURGE,	       [VMALLOC] = PURGE,
	[MAP_RAM] = PURGE,     [PCPU_GET] = PURGE,
	[PURGE] = PURGE,
};

static bool possible(enum kind kind)
{
	if (held_by[kind] != PURGE)
		return held_count[held_by[kind]] > 0;
	return held_count[kind] < HELD_MAX - HOST_CPUS_MAX;
}

void operation_run(const struct operation *operation, int cpu)
{
	struct before *mine = &before[cpu];

	allocator_quiet();
	if (!possible(operation->kind)) {
		host_quiet(false);
		return;
	}
	model_begin(mine);
	host_quiet(false);
	counts.done[operation->kind]++;
	host_fail_at(operation->failing % ALL_FAILING,
		     operation->failing & ALL_FAILING);
	switch (operation->kind) {
	case GET:
	case VMALLOC:
		run_get(operation, mine);
		break;
	case PUT:
		run_put(operation);
		break;
	case VFREE:
		run_vfree(operation);
		break;
	case MAP_RAM:
		run_map_ram(operation, mine);
		break;
	case UNMAP_RAM:
		run_unmap_ram(operation);
		break;
	case PCPU_GET:
		run_pcpu_get(operation, mine);
		break;
	case PCPU_FREE:
		run_pcpu_free(operation);
		break;
	default:
		allocator_purge();
	}
	counts.failed += host_failed_any();
	host_fail_at(0, false);
	allocator_quiet();
	model_end(mine);
	host_quiet(false);
}

/* Under pressure whoever can gives an area back; false if nobody has any. */
bool operations_relieve(void)
{
	struct held area;

	if (!held_count[VMALLOC])
		return false;
	area = take(VMALLOC, 0);
	model_freed(area.start, area.end);
	allocator_vfree(area.start);
	return true;
}

static const enum kind frees[] = { PUT, VFREE, UNMAP_RAM, PCPU_FREE };

void operations_free_all(void)
{
	unsigned int i;

	for (i = 0; i < sizeof(frees) / sizeof(frees[0]); i++) {
		while (held_count[held_by[frees[i]]])
			operation_run(&(struct operation){ .kind = frees[i] },
				      0);
	}
	operation_run(&(struct operation){ .kind = PURGE }, 0);
	operation_run(&(struct operation){ .kind = PURGE }, 0);
	model_emptied();
	allocator_check();
}

unsigned int operations_held(void)
{
	return held_count[GET] + held_count[VMALLOC] + held_count[MAP_RAM] +
	       held_count[PCPU_GET];
}

void operation_print(FILE *file, const struct operation *operation)
{
	int i;

	fprintf(file, "%s", kind_names[operation->kind]);
	for (i = 0; i < 5; i++)
		fprintf(file, " 0x%lx", operation->arguments[i]);
	fprintf(file, " %lu\n", operation->failing);
}

bool operation_read(FILE *file, struct operation *operation)
{
	unsigned long *a = operation->arguments;
	char name[16];
	int kind;

	if (fscanf(file, "%15s %lx %lx %lx %lx %lx %lu", name, &a[0], &a[1],
		   &a[2], &a[3], &a[4], &operation->failing) != 7)
		return false;
	for (kind = 0; kind < KINDS; kind++) {
		if (!strcmp(name, kind_names[kind])) {
			operation->kind = kind;
			return true;
		}
	}
	return false;
}
