/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tune_rule - which decay the traffic of an arena calls for.
 *
 * A decay is raised step by step where much of what is purged is taken back at once: each such page
 * was zapped, faulted and zeroed for nothing. It is raised on only while that spares something, it is
 * lowered again now and then to see whether it still does, and never below what was configured. Pure
 * functions: time and traffic are parameters, state is the caller's.
 */
#ifndef PTR_TUNE_RULE_H
#define PTR_TUNE_RULE_H

#include <stdbool.h>
#include <stdint.h>

/* Taken back in a second from which a change is worth it: 4,096 faults of 2 us, about 1% of a CPU. */
#define TUNE_RATE ((uint64_t)16 << 20)
/* Intervals that say so before it is believed, and those that a raise is judged by. */
#define TUNE_CONFIRM 3
/* Calm intervals after which advice that nobody took is withdrawn. */
#define TUNE_WITHDRAW 30
/* The first step from nothing: on churn it spares nine tenths of what 10 s would. */
#define TUNE_FIRST_MS 10
/* jemalloc's own default. */
#define TUNE_CEILING_MS 10000
/* Intervals before what failed is tried again: doubles with each failure. */
#define TUNE_HOLD     60
#define TUNE_HOLD_MAX 3840
/* A raise that spares less than one part in so many is taken back. */
#define TUNE_SPARED 4
/* What raised decays may add to the resident memory: the larger of these bytes and this part. */
#define TUNE_MEMORY	 ((uint64_t)32 << 20)
#define TUNE_MEMORY_PART 8
/* The memory's peak over so many intervals is what a raise is compared with. */
#define TUNE_PEAKS 16
/* Less than this left dirty in an idle arena is not worth a thread. */
#define TUNE_LEFT ((uint64_t)1 << 20)

enum tune_why {
	TUNE_NOT_LOOKED,
	TUNE_UNSEEN,
	TUNE_NEVER,
	TUNE_CALM,
	TUNE_WATCHING,
	TUNE_EAGER,
	TUNE_RAISED,
	TUNE_HELPS,
	TUNE_SPARED_LITTLE,
	TUNE_CEILING,
	TUNE_LOWERED,
	TUNE_MEMORY_GREW,
	TUNE_MUZZY,
	TUNE_MUZZY_NEVER,
	TUNE_LEFT_ALONE,
	TUNE_SHARED,
	TUNE_PROGRAMS,
	TUNE_THREADS_NOT_LOOKED,
	TUNE_THREADS_ON,
	TUNE_THREADS_REFUSED,
	TUNE_THREADS_NO_DECAY,
	TUNE_THREADS_NO_NEED,
	TUNE_THREADS_NEEDED,
	TUNE_WHYS
};

/* One line, static. */
const char *tune_why(enum tune_why why);

/* What an arena did in an interval. */
struct tune_traffic {
	uint64_t ns, purged, taken_back;
};

struct tune_rule {
	unsigned hot, calm;   /* intervals of much and of little being taken back */
	uint64_t sum, summed; /* rates of the intervals since it became hot */
	unsigned hold;	      /* intervals until a raise may be tried again */
	enum tune_why held_for;
	unsigned next_hold; /* the next one; 0: TUNE_HOLD */
	bool trial;	    /* lowered to see whether it may stay so */
	uint64_t before;    /* rate that the last raise is judged against; 0: it has been judged */
	unsigned judged;    /* intervals since */
	uint64_t after;	    /* sum of the rates in these */
	int64_t back;	    /* where it came from */
	int64_t seen, advised; /* milliseconds */
	enum tune_why why;
};

/* The setting that should be in force, in milliseconds. */
int64_t tune_rule_dirty(struct tune_rule *r, const struct tune_traffic *t, int64_t in_force,
			int64_t configured);
/* Too much memory: a step back, and none forth for some time. */
int64_t tune_rule_lower(struct tune_rule *r, int64_t in_force, int64_t configured);
/* Nothing that was seen so far tells anything about what comes. */
void tune_rule_restart(struct tune_rule *r);

int64_t tune_rule_muzzy(int64_t in_force, enum tune_why *why);

struct tune_memory {
	uint64_t peak[TUNE_PEAKS]; /* resident bytes, while no decay was raised */
	unsigned at;
	unsigned settle; /* intervals to wait for what the last step back gives */
};

/* Is more resident than raised decays may add? Once every interval. */
bool tune_rule_memory(struct tune_memory *m, uint64_t resident, bool raised);

/* When an arena was last seen to purge, with this much dirty. */
struct tune_left {
	uint64_t since, purges; /* ns; 0: nothing is left */
};

/* Are dirty pages left in it that a thread of jemalloc's own would purge? */
bool tune_rule_left(struct tune_left *l, uint64_t now, uint64_t dirty, uint64_t purges,
		    int64_t decay_ms);

#endif
