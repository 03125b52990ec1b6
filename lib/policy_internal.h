/* SPDX-License-Identifier: BSD-2-Clause */
/* policy_internal - what the files of the policy share; nobody else includes it. */
#ifndef PTR_POLICY_INTERNAL_H
#define PTR_POLICY_INTERNAL_H

#include <stdatomic.h>

#include "policy.h"
#include "stats.h"

#define SAMPLES 8 /* the newest of a class that are remembered */

/* What excess and budget are counted in: parts of a page. */
#define PAGE 1024

struct class
{
	_Atomic int32_t touched;   /* share of the range, from its start, that most touch */
	_Atomic int32_t keep;	   /* that many enough touch for keeping it */
	_Atomic int32_t populate;  /* the same for populating it */
	_Atomic int32_t sure;	   /* that all touched of late: no excess comes of it */
	_Atomic int32_t excess;	   /* share of what is kept that an owner leaves, on average */
	_Atomic int32_t vain;	   /* the same of what is populated */
	_Atomic uint32_t samples;  /* so far */
	_Atomic uint32_t believed; /* pages populated since a sample has confirmed `populate` */
	_Atomic uint32_t
		more; /* owners that touched more than the prefix, less those who did not */
	_Atomic uint32_t streak;	 /* owners that confirmed, one after the other */
	_Atomic uint32_t rest;		 /* reuses that are not asked about */
	_Atomic uint32_t untold;	 /* pages that stayed, and none of it told for any */
	_Atomic int32_t newest[SAMPLES]; /* share of the range, from its start, that one touched */
} __attribute__((aligned(64)));

struct counter {
	_Atomic uint32_t samples, reuses;
	_Atomic uint32_t
		trusted;     /* pages that stayed, and were not yet counted with those of all */
	_Atomic bool trusts; /* it was among those who did */
	_Atomic uint32_t untold[POLICY_CLASSES]; /* likewise, of a class, since one of it told */
	_Atomic uint8_t rest[POLICY_CLASSES];	 /* releases of a class that are not looked at */
} __attribute__((aligned(64)));

#pragma GCC visibility push(hidden)
extern struct class classes[POLICY_CLASSES];
extern struct counter counters[STATS_SHARDS];
extern _Atomic int64_t policy_budget;
extern _Atomic int64_t policy_believed;
extern _Atomic uint32_t policy_grain; /* so much of `trusted` a thread has for itself */
#pragma GCC visibility pop

/* Before a thread has a shard of its own it shares the first's. */
static inline struct counter *my_counter(void)
{
	return &counters[stats_mine.index];
}

static inline struct class *class_of(size_t range)
{
	unsigned log = range ? 63 - (unsigned)__builtin_clzll(range) : 0;
	unsigned quarter = log >= 2 ? (unsigned)(range >> (log - 2)) & 3 : 0;

	return &classes[4 * log + quarter];
}

/* What it was, and so many more from now on. Threads that share it may lose a count. */
static inline uint32_t count_more(_Atomic uint32_t *n, uint32_t more)
{
	uint32_t was = atomic_load_explicit(n, memory_order_relaxed);

	atomic_store_explicit(n, was + more, memory_order_relaxed);
	return was;
}

static inline uint32_t count_one(_Atomic uint32_t *n)
{
	return count_more(n, 1);
}

/* Half of the budget, in pages: two kinds of owners may change at once. */
static inline int64_t most_believed(void)
{
	int64_t most = atomic_load_explicit(&policy_budget, memory_order_relaxed) / PAGE / 2;

	return most < INT32_MAX ? most : INT32_MAX;
}

static inline int64_t believed_of(const struct class *c)
{
	return atomic_load_explicit(&c->believed, memory_order_relaxed);
}

static inline bool doubted(const struct class *c)
{
	int64_t believed = believed_of(c), most;

	if (!believed)
		return false;
	most = most_believed();
	return most && believed > most;
}

/* For so many pages a range that stays tells, its own and others. */
static inline uint32_t told_at_once(void)
{
	return (uint32_t)(most_believed() / 8);
}

static inline int64_t believed_by_all(void)
{
	return atomic_load_explicit(&policy_believed, memory_order_relaxed);
}

/* Once more there was no room for so many pages in what all classes are believed: some of it is forgotten. True. */
bool policy_no_room(size_t pages);

/* Is nothing to stay or to be populated on the strength of what was learned of this class? */
static inline bool policy_suspends(const struct class *c, size_t pages)
{
	int64_t most = most_believed();

	if (!most || believed_of(c) > most)
		return true;
	/* There has to be room for those who have yet to tell. */
	return __builtin_expect(believed_by_all() + told_at_once() > 2 * most, 0) &&
	       policy_no_room(pages);
}

/* With so many pages more, is it so much that a thread does not have it for itself? */
static inline bool beyond_grain(const _Atomic uint32_t *n, size_t pages)
{
	return atomic_load_explicit(n, memory_order_relaxed) + pages >=
	       atomic_load_explicit(&policy_grain, memory_order_relaxed);
}

/* If so many pages stay, does somebody have to tell for them and others? */
static inline bool policy_tells(size_t pages)
{
	return beyond_grain(&my_counter()->trusted, pages);
}

/* And one of this class, as others told all the time? A program may take ranges in the same order again and again. */
static inline bool policy_class_tells(const struct class *c, size_t pages)
{
	return beyond_grain(&my_counter()->untold[c - classes], pages);
}

/* What a sample of so many pages saw is what was learned. But those who release may be others than those who have
 * taken of late: that is little reason to believe more. */
void policy_sampled(struct class *c, size_t pages);
/* Nothing is believed yet. */
void policy_init_belief(void);
/* There is another budget. */
void policy_set_grain(void);

#endif
