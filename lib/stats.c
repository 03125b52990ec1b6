// SPDX-License-Identifier: BSD-2-Clause
/* stats - see stats.h. */
#include "stats.h"

#include <pthread.h>

#include "os.h"

struct stats_shard stats_shards[STATS_SHARDS];

__thread struct stats_mine stats_mine __attribute__((tls_model("initial-exec")));

static _Atomic unsigned next_shared;

/*
 * How a thread's end is heard of. Setting it happens in a hook, and glibc allocates for the 33rd key and
 * those after it: with such a one no thread gets a shard of its own.
 */
#define KEYS_IN_PLACE 32
static pthread_key_t end_of_thread;
static _Atomic bool hears_of_ends;

/*
 * What a thread has to itself is told last, and taken back first: a signal's handler that comes in between
 * counts as well, and must not take what is another's for its own.
 */
static void set_mine(struct stats_shard *s, bool alone)
{
	stats_mine.alone = NULL;
	atomic_signal_fence(memory_order_seq_cst);
	stats_mine.shard = s;
	stats_mine.index = (unsigned)(s - stats_shards);
	atomic_signal_fence(memory_order_seq_cst);
	stats_mine.alone = alone ? s->counter : NULL;
}

/* Others of its destructors may still count. */
static void thread_ends(void *unused)
{
	struct stats_shard *shard = stats_mine.shard;
	bool alone = stats_mine.alone != NULL;

	/* What it counts in, and not what the key has: a signal's handler may have taken one in between. */
	(void)unused;
	set_mine(&stats_shards[STATS_ALONE], false);
	if (alone)
		atomic_store_explicit(&shard->taken, false, memory_order_release);
}

void stats_init(void)
{
	if (atomic_load(&hears_of_ends) || pthread_key_create(&end_of_thread, thread_ends))
		return;
	if (end_of_thread < KEYS_IN_PLACE)
		atomic_store(&hears_of_ends, true);
	else
		(void)pthread_key_delete(end_of_thread);
}

static struct stats_shard *take_alone(void)
{
	for (unsigned i = 0; i < STATS_ALONE; i++) {
		struct stats_shard *s = &stats_shards[i];

		if (atomic_load_explicit(&s->taken, memory_order_relaxed) ||
		    atomic_exchange_explicit(&s->taken, true, memory_order_acquire))
			continue;
		if (!pthread_setspecific(end_of_thread, s))
			return s;
		atomic_store(&s->taken, false);
		break;
	}
	return NULL;
}

void stats_take(void)
{
	struct stats_shard *s = atomic_load(&hears_of_ends) ? take_alone() : NULL;

	if (s)
		set_mine(s, true);
	else
		set_mine(&stats_shards[STATS_ALONE +
				       atomic_fetch_add(&next_shared, 1) % STATS_SHARED],
			 false);
}

void stats_add_shared(enum stat s, uint64_t n)
{
	struct stats_shard *shard = stats_shard();

	/* Also the first of a thread that has just got its own. */
	atomic_fetch_add_explicit(&shard->counter[s], n, memory_order_release);
}

void stats_fork_child(void)
{
	for (unsigned i = 0; i < STATS_ALONE; i++)
		if (&stats_shards[i] != stats_mine.shard)
			atomic_store(&stats_shards[i].taken, false);
}

uint64_t stats_clock(void)
{
	return os.clock_ns();
}

void stats_hook_count(enum stat_hook h, uint64_t start)
{
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
	out->counter[STAT_RELEASED] += out->counter[STAT_DEFERRED] + out->counter[STAT_UNDEFERRED] +
				       out->counter[STAT_DECLINED] + out->counter[STAT_PASSED];
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
