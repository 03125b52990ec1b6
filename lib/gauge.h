/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gauge - a quantity that rises and falls in many threads without a cache line that they share.
 *
 * Each thread adds to its shard; a shard that holds more than `grain` either way is moved to the
 * total. So gauge_near() is one load and off by at most grain for each thread that counts.
 */
#ifndef PTR_GAUGE_H
#define PTR_GAUGE_H

#include <stdatomic.h>
#include <stdint.h>

#include "stats.h"

struct gauge_shard {
	_Atomic int64_t delta;
} __attribute__((aligned(128)));

struct gauge {
	_Atomic int64_t total;
	_Atomic int64_t grain;
	struct gauge_shard shard[STATS_SHARDS];
} __attribute__((aligned(128)));

static inline void gauge_add(struct gauge *g, int64_t n)
{
	_Atomic int64_t *delta = &g->shard[stats_index()].delta;
	int64_t d = atomic_fetch_add_explicit(delta, n, memory_order_relaxed) + n;

	int64_t grain = atomic_load_explicit(&g->grain, memory_order_relaxed);

	if (d > grain || d < -grain)
		atomic_fetch_add_explicit(&g->total,
					  atomic_exchange_explicit(delta, 0, memory_order_relaxed),
					  memory_order_relaxed);
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
		n += atomic_load_explicit(&g->shard[i].delta, memory_order_relaxed);
	return n;
}

/* From now on gauge_near() is off by this much. What shards hold of the old grain moves to the total; a
 * thread that counts at this moment may leave some there until it counts again. */
static inline void gauge_set_grain(struct gauge *g, int64_t grain)
{
	atomic_store(&g->grain, grain);
	for (unsigned i = 0; i < STATS_SHARDS; i++)
		atomic_fetch_add(&g->total, atomic_exchange(&g->shard[i].delta, 0));
}

/* One thread only: after fork, at start. */
static inline void gauge_set(struct gauge *g, int64_t n)
{
	for (unsigned i = 0; i < STATS_SHARDS; i++)
		atomic_store_explicit(&g->shard[i].delta, 0, memory_order_relaxed);
	atomic_store_explicit(&g->total, n, memory_order_relaxed);
}

#endif
