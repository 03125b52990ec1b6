/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tune - what the traffic of each arena says about its decay settings.
 *
 * The hooks count, by arena, what is purged, how much of that lies in whole regions, and what is taken
 * back; the worker tells which settings are in force; the advice follows from these by rules that are
 * pure functions. Counting is safe in hooks: no lock, no allocation, static storage.
 */
#ifndef PTR_TUNE_H
#define PTR_TUNE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Arenas beyond these are counted together, as the last. */
#define TUNE_ARENAS 256

/* For hooks. */
void tune_purged(unsigned arena, const void *addr, size_t len);
void tune_taken_back(unsigned arena, size_t len);

/* Decay times are in milliseconds, -1: never, as mallctl has them. */
struct tune_arena {
	uint64_t purges;			/* calls, since the start */
	uint64_t purged;			/* bytes */
	uint64_t purged_whole;			/* of these, in regions that one purge covered */
	uint64_t taken_back;			/* bytes */
	int64_t dirty_decay_ms, muzzy_decay_ms; /* in force when last looked at */
	int64_t advised_dirty_ms, advised_muzzy_ms; /* the same where nothing is to be changed */
	const char *reason;			    /* one line, static */
};

/* One more than the highest arena that anything is known of. */
unsigned tune_arenas(void);
/* False: nothing is known of this arena. Any thread; not from a hook. */
bool tune_arena(unsigned i, struct tune_arena *out);

struct tune_process {
	bool background_thread, advised_background_thread;
	const char *reason;
};

void tune_process(struct tune_process *out);

#endif
