// SPDX-License-Identifier: GPL-2.0-only
/*
 * fault_pcpu_test: percpu chunks during whose creation memory runs out at
 * every single point, and the areas that they are made of.
 */
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "lib/areas.h"
#include "lib/fail.h"
#include "lib/room.h"
#include "lib/settle.h"
#include "lib/symbols.h"
#include "stress/fault.h"
#include "vmalloc_test.h"

#define NR_AREAS	3
#define AREA_SIZE	SZ_64K
#define MAX_FILLERS	4096
#define FILL_BYTES	SZ_16M

/* In milliseconds: how long percpu's work item may take. */
#define PATIENCE_MS	400

static const size_t sizes[NR_AREAS] = { AREA_SIZE, AREA_SIZE, AREA_SIZE };

struct fault_pcpu {
	struct vm_struct **vms;
	void __percpu *ptr;
	unsigned int nr_fillers;
	void __percpu *fillers[MAX_FILLERS];
};

static bool do_get_areas(struct vmt_thread *t, void *ctx)
{
	struct fault_pcpu *f = ctx;
	const unsigned long offsets[NR_AREAS] = {
		0, vmt_unit(), vmt_unit() / 16
	};

	f->vms = vmt_get_pcpu(offsets, sizes, NR_AREAS, AREA_SIZE);
	return f->vms;
}

static void undo_get_areas(struct vmt_thread *t, void *ctx)
{
	struct fault_pcpu *f = ctx;

	vmt_free_pcpu(f->vms, NR_AREAS);
}

static bool do_alloc(struct vmt_thread *t, void *ctx)
{
	struct fault_pcpu *f = ctx;

	f->ptr = __alloc_percpu_gfp(PCPU_MIN_UNIT_SIZE, PAGE_SIZE, VMT_GFP);
	return f->ptr;
}

static int check_alloc(struct vmt_thread *t, void *ctx)
{
	struct fault_pcpu *f = ctx;
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		memset(per_cpu_ptr(f->ptr, cpu), 0xa5, PCPU_MIN_UNIT_SIZE);
	return 0;
}

/* It stays until the end, so that the next one soon needs another chunk. */
static void keep_alloc(struct vmt_thread *t, void *ctx)
{
	struct fault_pcpu *f = ctx;

	f->fillers[f->nr_fillers++] = f->ptr;
}

static const struct vmt_operation get_areas = {
	"pcpu_get_vm_areas()", do_get_areas, NULL, undo_get_areas
};

static const struct vmt_operation alloc = {
	"__alloc_percpu()", do_alloc, check_alloc, keep_alloc, .stays = true
};

static unsigned long count_areas(void)
{
	vmt_settle();
	return vmt_count_areas();
}

/* Until percpu has destroyed what chunks it wants to. */
static void free_fillers(struct fault_pcpu *f)
{
	unsigned long areas = count_areas();
	unsigned int waited = 0;

	while (f->nr_fillers)
		free_percpu(f->fillers[--f->nr_fillers]);
	while (waited < PATIENCE_MS) {
		unsigned long before = areas;

		msleep(20);
		areas = count_areas();
		waited = areas == before ? waited + 20 : 0;
	}
}

/* Fills chunk after chunk, so that some allocations need a new one. */
static int inject_all(struct vmt_thread *t, void *ctx,
		      struct vmt_faults *faults)
{
	struct fault_pcpu *f = ctx;
	unsigned long object = PCPU_MIN_UNIT_SIZE * num_possible_cpus();
	unsigned long most = min_t(unsigned long, MAX_FILLERS - 1,
				   FILL_BYTES / object);
	int err;

	err = vmt_inject(t, &get_areas, f, faults);
	while (!err && f->nr_fillers < most)
		err = vmt_inject(t, &alloc, f, faults);
	free_fillers(f);
	t->ops++;
	return err;
}

int fault_pcpu_test(struct vmt_thread *t)
{
	struct fault_pcpu *f;
	int err;

	if (t->id)
		return 0;
	if (!IS_ENABLED(CONFIG_FAULT_INJECTION) || !vmt_busy_list())
		return vmt_skip(t, "the kernel cannot make allocations fail");
	f = kvzalloc(sizeof(*f), GFP_KERNEL);
	if (!f)
		return vmt_fail(t, -ENOMEM, "-ENOMEM: a list of objects");

	err = vmt_fault_rounds(t, inject_all, f);
	kvfree(f);
	return err;
}
