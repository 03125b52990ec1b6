/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tune - what the traffic of each arena says about its decay settings.
 *
 * The hooks count, by arena, what is purged, how much of that lies in whole regions, and what is taken
 * back. About once a second the adapter that can read and write the settings tells which are in force
 * and is told which should be; the rules are pure functions (tune_rule.h). With tune:apply it then
 * writes them, and what was there before is written back when that ends.
 */
#ifndef PTR_TUNE_H
#define PTR_TUNE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf.h"

/* jemalloc makes four for each CPU. Those beyond are counted together, as the last, of which nothing is advised. */
#define TUNE_ARENAS 512

/* A setting that nobody has looked at yet. */
#define TUNE_UNKNOWN (-2)

/* For hooks: no lock, no allocation, at most three relaxed adds to one cache line of the arena. */
void tune_purged(unsigned arena, const void *addr, size_t len);
/* Fresh address space whose first use is going to be reported as taken back. */
void tune_grown(unsigned arena, size_t len);
void tune_taken_back(unsigned arena, size_t len);

/* Decay times are in milliseconds, -1: never, as mallctl has them, or TUNE_UNKNOWN. */
struct tune_arena {
	uint64_t purges;	/* calls, since the start */
	uint64_t purged;	/* bytes */
	uint64_t purged_whole;	/* of these, in regions that one purge covered */
	uint64_t taken_back;	/* bytes: what was taken less what was grown, the grown first */
	int64_t dirty_decay_ms; /* in force when last looked at */
	int64_t muzzy_decay_ms;
	int64_t advised_dirty_ms; /* the same as in force where nothing is to be changed */
	int64_t advised_muzzy_ms;
	const char *reason; /* one line, static */
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

/* As configured, and changed while running: any thread, not from a hook. */
enum conf_tune tune_mode(void);
void tune_set_mode(enum conf_tune mode);
/* Called after each change of it, to wake who polls; NULL: nobody does. */
void tune_on_change(void (*changed)(void));

/*
 * For the adapter, in one thread, never in a hook: a poll is tune_begin, tune_decide for each arena
 * that there is, tune_decide_threads. What is changed in *in_force is to be written.
 */
struct tune_settings {
	int64_t dirty_ms, muzzy_ms;
};

/* `on`: the library is at work, mode on and no kill file; only then are settings written. */
void tune_begin(uint64_t now_ns, bool on);
bool tune_decide(unsigned arena, struct tune_settings *in_force);
/* `refused`: it is known that the program does not want them. */
bool tune_decide_threads(bool *in_force, bool refused);
/* An arena that the program made: it is counted, and its settings are neither read nor written. */
void tune_leave(unsigned arena);
/* Somebody wrote at the same moment: what he wrote stays, and is left alone from now on. */
void tune_lost(unsigned arena);

/* Does tune_decide_threads need to know how much is dirty? Told then, of each arena, in bytes. */
bool tune_wants_dirty(void);
void tune_dirty(unsigned arena, uint64_t bytes);

/* Is anything in force that is to be written back some day? */
bool tune_holds(void);

/* Forget everything (tests). */
void tune_reset(void);

#endif
