/* SPDX-License-Identifier: BSD-2-Clause */
/* hammer - what its parts share: see hammer.c. */
#ifndef PTR_TESTS_HAMMER_H
#define PTR_TESTS_HAMMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pattern.h"

struct hammer_opts {
	unsigned threads, ops, blocks, keep; /* keep: blocks in 1000 that survive a round */
	unsigned switches;
	size_t max;
	uint64_t seed;
	bool arenas, hooks_before, hooks_after, may_fail, lock, signals, steps, waste, full;
};

extern struct hammer_opts opts;

/*
 * arenas.c, by jemalloc's own interface, or plain.c, by what every allocator has.
 *
 * realloc() of b whose new bytes are zero, which is checked; b is not changed. NULL: out of memory.
 */
unsigned char *resize_zero(const struct block *b, size_t size);
/* 0: this program knows of none, and what follows is never called. */
unsigned arena_count(void);
/* One life of an arena of one's own: make, use, reset, use, destroy. */
void arena_life(uint64_t *state);
/* Hooks of the program's own, chained to those before, on every arena there is. */
void hooks_install(void);
/* Calls of the program's own alloc hook so far. */
unsigned long hooks_called(void);

/* surround.c: what is done to the process around the hammering. */
void lock_everything(void);
void fill_mappings(void);
void start_signals(void);
/* Change the mode so many times, from a thread of its own; has that come to its end? */
void start_switches(unsigned n);
bool switches_done(void);
/* Wait up to a second for VmPTE to come down; print what it came to. False: it did not. */
bool waste_goes(unsigned arenas, const char *when);

void check(bool ok, const char *what);

#endif
