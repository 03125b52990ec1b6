// SPDX-License-Identifier: BSD-2-Clause
/*
 * churn_cache - a cache with skewed lifetimes, one shard to a thread.
 *
 * Keys are asked for by Zipf's law (exponent 1). A hit reads the value; a miss allocates one and evicts
 * what was not used for longest until the shard fits again. Now and then all keys of a group expire at
 * once. So some values live for the whole run, most for a moment, and holes are everywhere.
 */
#include <math.h>
#include <stddef.h>

#include "churn.h"

#define NONE	      UINT32_MAX
#define GROUPS	      8 /* of keys, by their lowest bits */
#define KEYS_PER_LIVE 4 /* keys for each value that fits in the cache */
#define MAX_KEY_SHIFT 22
#define EXPIRY_VALUES 4 /* requests up to an expiry, for each value that is cached */

/* A circle by last use: next[keys] is the one used last, prev[keys] the one unused for longest. */
struct shard {
	struct slot *value; /* by key; .p NULL: not cached */
	uint32_t *next, *prev;
	uint64_t until_expiry;
	uint32_t keys;	/* a power of 2 */
	unsigned group; /* that expires next */
};

struct counts {
	uint64_t requests, hits, expiries;
} __attribute__((aligned(64)));

static struct shard shards[CHURN_MAX_THREADS];
static struct counts counts[CHURN_MAX_THREADS];

static void shard_create(struct shard *s, const struct churn_opts *o)
{
	uint64_t values = o->live / o->threads / profile_mean(o->profile) * KEYS_PER_LIVE;
	unsigned shift = 6;

	while (shift < MAX_KEY_SHIFT && (uint64_t)1 << shift < values)
		shift++;
	s->keys = (uint32_t)1 << shift;
	s->value = gate_map(s->keys * sizeof(*s->value));
	s->next = gate_map((s->keys + 1) * sizeof(*s->next));
	s->prev = gate_map((s->keys + 1) * sizeof(*s->prev));
	s->next[s->keys] = s->prev[s->keys] = s->keys;
}

static void cache_prepare(const struct churn_opts *o)
{
	for (unsigned i = 0; i < o->threads; i++)
		shard_create(&shards[i], o);
}

static void unlink_key(struct shard *s, uint32_t key)
{
	s->next[s->prev[key]] = s->next[key];
	s->prev[s->next[key]] = s->prev[key];
}

static void used_now(struct shard *s, uint32_t key)
{
	uint32_t head = s->keys;

	s->prev[key] = head;
	s->next[key] = s->next[head];
	s->prev[s->next[head]] = key;
	s->next[head] = key;
}

static void evict(struct worker *w, struct shard *s, uint32_t key)
{
	unlink_key(s, key);
	block_free(w, &s->value[key]);
	w->table->n--;
}

static void insert(struct worker *w, struct shard *s, uint32_t key)
{
	block_alloc(w, &s->value[key]);
	used_now(s, key);
	w->table->n++;
}

static void evict_oldest(struct worker *w, struct shard *s)
{
	evict(w, s, s->prev[s->keys]);
}

/* Zipf: the logarithm of the rank is as good as uniform. */
static uint32_t draw_key(struct worker *w, const struct shard *s)
{
	double u = (double)(rng_next(&w->rng) >> 11) * 0x1p-53;
	uint32_t rank = (uint32_t)exp2(u * log2((double)s->keys + 1)) - 1;

	return rank < s->keys ? rank : s->keys - 1;
}

static void expire(struct worker *w, struct shard *s)
{
	for (uint32_t key = s->group; key < s->keys; key += GROUPS) {
		if (s->value[key].p)
			evict(w, s, key);
	}
	s->group = (s->group + 1) % GROUPS;
	s->until_expiry = 1 + (uint64_t)w->table->n * EXPIRY_VALUES;
	counts[w->id].expiries++;
}

static void request(struct worker *w, struct shard *s)
{
	uint32_t key = draw_key(w, s);
	struct counts *c = &counts[w->id];

	c->requests++;
	if (s->value[key].p) {
		c->hits++;
		block_read(w, &s->value[key]);
		unlink_key(s, key);
		used_now(s, key);
	} else {
		insert(w, s, key);
		while (w->table->bytes > worker_share(w) && w->table->n > 1)
			evict_oldest(w, s);
	}
	if (!s->until_expiry--)
		expire(w, s);
}

/* The most popular keys first, until the shard is full. */
static void fill(struct worker *w, struct shard *s)
{
	for (uint32_t key = 0; key < s->keys && w->table->bytes < worker_share(w); key++) {
		if (!s->value[key].p)
			insert(w, s, key);
	}
	s->until_expiry = 1 + (uint64_t)w->table->n * EXPIRY_VALUES;
}

static void cache_phase(struct worker *w, enum phase phase)
{
	/* A shard goes with its table: the next cycle hands both to another thread. */
	struct shard *s = &shards[w->table->id];
	size_t keep = 0;

	switch (phase) {
	case PHASE_GROW:
		fill(w, s);
		break;
	case PHASE_CHURN:
		for (uint64_t i = 0; i < w->opts->ops; i++) {
			if (atomic_load_explicit(&gate_stop, memory_order_relaxed))
				break;
			request(w, s);
		}
		break;
	case PHASE_SHRINK:
		keep = w->table->n * w->opts->profile->keep_permil / 1000;
		__attribute__((fallthrough));
	case PHASE_FINISH:
		while (w->table->n > keep)
			evict_oldest(w, s);
		break;
	default:
		break;
	}
}

static void cache_figures(const struct churn_opts *o, struct churn_result *r)
{
	struct counts all = {0, 0, 0};
	double s = r->phase_s[PHASE_CHURN];

	for (unsigned i = 0; i < o->threads; i++) {
		all.requests += counts[i].requests;
		all.hits += counts[i].hits;
		all.expiries += counts[i].expiries;
	}
	figure_add(r, "requests", (double)all.requests);
	figure_add(r, "requests_per_s", s > 0 ? (double)all.requests / s : 0);
	figure_add(r, "hit_ratio", all.requests ? (double)all.hits / (double)all.requests : 0);
	figure_add(r, "expiries", (double)all.expiries);
}

const struct workload cache_workload = {
	.name = "cache",
	.profile = "cache",
	.live = (uint64_t)512 << 20,
	.churn_ms = 10000,
	.cycles = 1,
	.prepare = cache_prepare,
	.phase = cache_phase,
	.figures = cache_figures,
};
