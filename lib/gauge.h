/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gauge - a quantity that rises and falls in many threads without a cache line that they share.
 *
 * Each thread adds to its shard; a shard that holds more than `grain` either way moves it to the
 * total. So gauge_near() is one load and off by at most grain for each thread that counts.
 *
 * What a shard holds is the difference of two sums that only ever grow, or wrap: what was added to it, and
 * what was moved from it. So whoever moves does not write where others add, and a thread that has its shard to
 * itself (stats) adds without a lock.
 */
#ifndef PTR_GAUGE_H
#define PTR_GAUGE_H

#include <stdatomic.h>
#include <stdint.h>

#include "stats.h"

struct gauge_shard {
	_Atomic uint64_t added, moved;
} __attribute__((aligned(128)));

struct gauge {
	_Atomic int64_t total;
	_Atomic int64_t grain;
	struct gauge_shard shard[STATS_SHARDS];
} __attribute__((aligned(128)));

static inline int64_t gauge_held(const struct gauge_shard *s)
{
	/* In this order: what is moved meanwhile is not missing. */
	uint64_t moved = atomic_load_explicit(&s->moved, memory_order_acquire);

	return (int64_t)(atomic_load_explicit(&s->added, memory_order_acquire) - moved);
}

/* Move what s holds to the total. Not inline: it is rare, and its registers would have to be saved for it. */
static __attribute__((noinline, cold, unused)) void gauge_move(struct gauge *g,
							       struct gauge_shard *s)
{
	uint64_t moved = atomic_load_explicit(&s->moved, memory_order_relaxed), added;

	do
		added = atomic_load_explicit(&s->added, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(&s->moved, &moved, added,
						      memory_order_relaxed, memory_order_relaxed));
	atomic_fetch_add_explicit(&g->total, (int64_t)(added - moved), memory_order_relaxed);
}

/* Add to what no other thread adds to; the sum. A signal's handler may come and add as well: it is one
 * instruction, or it is atomic. */
static inline uint64_t gauge_add_alone(_Atomic uint64_t *to, uint64_t n)
{
#ifdef __x86_64__
	uint64_t was = n;

	__asm__ volatile("xaddq %0, %1" : "+r"(was), "+m"(*to) : : "cc");
	return was + n;
#else
	return atomic_fetch_add_explicit(to, n, memory_order_relaxed) + n;
#endif
}

/* Too much for a shard to hold? */
static inline void gauge_check(struct gauge *g, struct gauge_shard *s, uint64_t added)
{
	uint64_t held = added - atomic_load_explicit(&s->moved, memory_order_relaxed);
	uint64_t grain = (uint64_t)atomic_load_explicit(&g->grain, memory_order_relaxed);

	/* More either way. */
	if (__builtin_expect(held + grain > 2 * grain, 0))
		gauge_move(g, s);
}

static __attribute__((noinline, cold, unused)) void gauge_add_shared(struct gauge *g, uint64_t n)
{
	/* By what is told first of a shard: see stats.c. */
	struct gauge_shard *s = &g->shard[stats_shard() - stats_shards];

	gauge_check(g, s, atomic_fetch_add_explicit(&s->added, n, memory_order_relaxed) + n);
}

static inline void gauge_add(struct gauge *g, int64_t n)
{
	struct gauge_shard *s;

	if (__builtin_expect(!stats_mine.alone, 0)) {
		gauge_add_shared(g, (uint64_t)n);
		return;
	}
	s = &g->shard[stats_mine.index];
	gauge_check(g, s, gauge_add_alone(&s->added, (uint64_t)n));
}

static inline int64_t gauge_near(const struct gauge *g)
{
	return atomic_load_explicit(&g->total, memory_order_relaxed);
}

/* Adds up every shard: for reports, not for hooks. */
static inline int64_t gauge_exact(const struct gauge *g)
{
	int64_t n = gauge_near(g);

	for (unsigned i = 0; i < STATS_SHARDS; i++)
		n += gauge_held(&g->shard[i]);
	return n;
}

/* From now on gauge_near() is off by this much. What shards hold of the old grain moves to the total; a
 * thread that counts at this moment may leave some there until it counts again. */
static inline void gauge_set_grain(struct gauge *g, int64_t grain)
{
	atomic_store(&g->grain, grain);
	for (unsigned i = 0; i < STATS_SHARDS; i++)
		gauge_move(g, &g->shard[i]);
}

/* One thread only: after fork, at start. */
static inline void gauge_set(struct gauge *g, int64_t n)
{
	for (unsigned i = 0; i < STATS_SHARDS; i++) {
		atomic_store_explicit(&g->shard[i].moved, 0, memory_order_relaxed);
		atomic_store_explicit(&g->shard[i].added, 0, memory_order_relaxed);
	}
	atomic_store_explicit(&g->total, n, memory_order_relaxed);
}

#endif
