// SPDX-License-Identifier: BSD-2-Clause
/* stats - see stats.h. */
#include "stats.h"

#include "os.h"

struct stats_shard stats_shards[STATS_SHARDS];

static _Atomic unsigned next_shard;
/* Initial-exec: reading it must never call into the dynamic linker, which may allocate. */
static __thread struct stats_shard *my_shard __attribute__((tls_model("initial-exec")));

struct stats_shard *stats_shard(void)
{
	if (__builtin_expect(!my_shard, 0))
		my_shard = &stats_shards[atomic_fetch_add(&next_shard, 1) % STATS_SHARDS];
	return my_shard;
}

uint64_t stats_hook_begin(void)
{
	/* A shard shared by threads may lose a tick; the sample only moves. */
	if (stats_shard()->tick++ % STATS_SAMPLE_EVERY)
		return 0;
	return os.clock_ns();
}

void stats_hook_end(enum stat_hook h, uint64_t start)
{
	if (!start)
		return;
	uint64_t ns = os.clock_ns() - start;
	unsigned b = ns ? 63 - (unsigned)__builtin_clzll(ns) : 0;

	if (b >= STATS_BUCKETS)
		b = STATS_BUCKETS - 1;
	atomic_fetch_add_explicit(&stats_shard()->hook_ns[h][b], 1, memory_order_relaxed);
}

void stats_snapshot(struct stats_snapshot *out)
{
	*out = (struct stats_snapshot){0};
	/* Backwards: what follows from something else is read before that, in every shard. */
	for (unsigned c = STAT_COUNT; c-- > 0;)
		for (unsigned i = 0; i < STATS_SHARDS; i++)
			out->counter[c] += atomic_load_explicit(&stats_shards[i].counter[c],
								memory_order_acquire);
	for (unsigned i = 0; i < STATS_SHARDS; i++) {
		struct stats_shard *s = &stats_shards[i];

		for (unsigned h = 0; h < STAT_HOOKS; h++)
			for (unsigned b = 0; b < STATS_BUCKETS; b++)
				out->hook_ns[h][b] += atomic_load_explicit(&s->hook_ns[h][b],
									   memory_order_relaxed);
	}
}

void stats_reset(void)
{
	for (unsigned i = 0; i < STATS_SHARDS; i++) {
		struct stats_shard *s = &stats_shards[i];

		for (unsigned c = 0; c < STAT_COUNT; c++)
			atomic_store_explicit(&s->counter[c], 0, memory_order_relaxed);
		for (unsigned h = 0; h < STAT_HOOKS; h++)
			for (unsigned b = 0; b < STATS_BUCKETS; b++)
				atomic_store_explicit(&s->hook_ns[h][b], 0, memory_order_relaxed);
	}
}

static const struct {
	const char *name, *kind, *help;
} stats_text[STAT_COUNT] = {
#define X(id, name, kind, help) {name, kind, help},
	STATS_COUNTERS(X)
#undef X
};

const char *stats_name(enum stat s)
{
	return stats_text[s].name;
}

const char *stats_kind(enum stat s)
{
	return stats_text[s].kind;
}

const char *stats_help(enum stat s)
{
	return stats_text[s].help;
}
