/* SPDX-License-Identifier: BSD-2-Clause */
/* policy_internal - what the files of the policy share; nobody else includes it. */
#ifndef PTR_POLICY_INTERNAL_H
#define PTR_POLICY_INTERNAL_H

#include <stdatomic.h>

#include "policy.h"

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
	_Atomic int32_t newest[SAMPLES]; /* share of the range, from its start, that one touched */
} __attribute__((aligned(64)));

#pragma GCC visibility push(hidden)
extern struct class classes[POLICY_CLASSES];
extern _Atomic int64_t policy_budget;
#pragma GCC visibility pop

static inline struct class *class_of(size_t range)
{
	unsigned log = range ? 63 - (unsigned)__builtin_clzll(range) : 0;
	unsigned quarter = log >= 2 ? (unsigned)(range >> (log - 2)) & 3 : 0;

	return &classes[4 * log + quarter];
}

/* What it was, and one more from now on. Threads that share it may lose a count. */
static inline uint32_t count_one(_Atomic uint32_t *n)
{
	uint32_t was = atomic_load_explicit(n, memory_order_relaxed);

	atomic_store_explicit(n, was + 1, memory_order_relaxed);
	return was;
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

/* A sample has confirmed what was learned. */
void policy_believe_anew(struct class *c);
/* Nothing is believed yet. */
void policy_init_belief(void);

#endif
