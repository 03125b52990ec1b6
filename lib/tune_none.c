// SPDX-License-Identifier: BSD-2-Clause
/*
 * tune_none - counts by arena without advice, so that the properties can be read until tune.h has its
 * room. All of it is weak: to be removed when that room is there.
 */
#include <stdatomic.h>

#include "tune.h"

static struct {
	_Atomic uint64_t purges, purged, taken_back;
} arenas[TUNE_ARENAS];
static _Atomic unsigned known;

static unsigned slot(unsigned arena)
{
	unsigned i = arena < TUNE_ARENAS ? arena : TUNE_ARENAS - 1, seen = atomic_load(&known);

	while (seen <= i && !atomic_compare_exchange_weak(&known, &seen, i + 1))
		;
	return i;
}

__attribute__((weak)) void tune_purged(unsigned arena, const void *addr, size_t len)
{
	unsigned i = slot(arena);

	(void)addr;
	atomic_fetch_add(&arenas[i].purges, 1);
	atomic_fetch_add(&arenas[i].purged, len);
}

__attribute__((weak)) void tune_taken_back(unsigned arena, size_t len)
{
	atomic_fetch_add(&arenas[slot(arena)].taken_back, len);
}

__attribute__((weak)) unsigned tune_arenas(void)
{
	return atomic_load(&known);
}

__attribute__((weak)) bool tune_arena(unsigned i, struct tune_arena *out)
{
	if (i >= tune_arenas())
		return false;
	*out = (struct tune_arena){
		.purges = atomic_load(&arenas[i].purges),
		.purged = atomic_load(&arenas[i].purged),
		.taken_back = atomic_load(&arenas[i].taken_back),
		.dirty_decay_ms = -1,
		.muzzy_decay_ms = -1,
		.advised_dirty_ms = -1,
		.advised_muzzy_ms = -1,
		.reason = "nothing is known",
	};
	return true;
}

__attribute__((weak)) void tune_process(struct tune_process *out)
{
	*out = (struct tune_process){.reason = "nothing is known"};
}
