// SPDX-License-Identifier: BSD-2-Clause
/* tune_count - see tune_count.h. */
#include "tune_count.h"

#include "os.h"
#include "stats.h"

struct tune_count tune_counts[TUNE_ARENAS];

static struct tune_count *of(unsigned arena)
{
	return &tune_counts[arena < TUNE_ARENAS ? arena : TUNE_ARENAS - 1];
}

static void add(_Atomic uint64_t *n, uint64_t by)
{
	if (STATS_COUNTED)
		atomic_fetch_add_explicit(n, by, memory_order_relaxed);
}

void tune_purged(unsigned arena, const void *addr, size_t len)
{
	uintptr_t from = ((uintptr_t)addr + os_region_size - 1) & ~(os_region_size - 1);
	uintptr_t to = ((uintptr_t)addr + len) & ~(os_region_size - 1);
	struct tune_count *c = of(arena);

	add(&c->purges, 1);
	add(&c->purged, len);
	if (from < to)
		add(&c->purged_whole, to - from);
}

void tune_grown(unsigned arena, size_t len)
{
	add(&of(arena)->grown, len);
}

void tune_taken_back(unsigned arena, size_t len)
{
	add(&of(arena)->taken, len);
}

uint64_t tune_count_taken_back(struct tune_count *c)
{
	/* In this order: what is grown meanwhile is not missing. */
	uint64_t taken = atomic_load(&c->taken), grown = atomic_load(&c->grown);
	uint64_t back = taken > grown ? taken - grown : 0, was = atomic_load(&c->taken_back);

	while (back > was)
		if (atomic_compare_exchange_weak(&c->taken_back, &was, back))
			return back;
	return was;
}
