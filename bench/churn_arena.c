// SPDX-License-Identifier: BSD-2-Clause
/*
 * churn_arena - threads come and go, and what one leaves behind another one frees.
 *
 * Each worker starts one short-lived thread after the other. Such a thread takes a table of blocks that
 * others have left, adds a burst of its own, churns for a while, frees as much again and leaves the rest.
 * So the arena of a block is seldom that of the thread that frees it, and arenas lose all their threads.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "churn.h"

#define LIFE_STEPS 512 /* most; the least is one */

static struct {
	pthread_mutex_t lock;
	struct table *table[CHURN_MAX_THREADS]; /* those that no thread has */
	uint64_t threads;
} parked = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Any of the tables: there is one, since the caller has put its own there. */
static struct table *take(struct worker *w)
{
	unsigned threads = w->opts->threads, i = (unsigned)rng_below(&w->rng, threads);
	struct table *t = NULL;

	pthread_mutex_lock(&parked.lock);
	for (; !t; i = (i + 1) % threads) {
		t = parked.table[i];
		parked.table[i] = NULL;
	}
	parked.threads++;
	pthread_mutex_unlock(&parked.lock);
	return t;
}

static void put(struct table *t)
{
	pthread_mutex_lock(&parked.lock);
	parked.table[t->id] = t;
	pthread_mutex_unlock(&parked.lock);
}

static void *life(void *arg)
{
	struct worker *w = arg;
	uint64_t share = worker_share(w), steps = 1 + rng_below(&w->rng, LIFE_STEPS);

	w->table = take(w);
	worker_grow(w, share);
	for (uint64_t i = 0; i < steps && w->table->n; i++) {
		if (atomic_load_explicit(&gate_stop, memory_order_relaxed))
			break;
		worker_step(w);
	}
	while (w->table->n && w->table->bytes > share / 4 * 3)
		block_drop_any(w);
	put(w->table);
	return NULL;
}

static void lives(struct worker *w)
{
	struct table *own = w->table;

	put(own);
	while (!atomic_load_explicit(&gate_stop, memory_order_relaxed)) {
		pthread_t thread;
		int err = pthread_create(&thread, NULL, life, w);

		if (err) {
			dprintf(STDERR_FILENO, "churn: pthread_create: %s\n", strerror(err));
			_exit(CHURN_FAILED);
		}
		pthread_join(thread, NULL);
	}
	/* In the next phase each worker has the table that it came with, whoever filled it. */
	w->table = own;
}

static void arena_phase(struct worker *w, enum phase phase)
{
	if (phase == PHASE_CHURN)
		lives(w);
	else
		worker_phase(w, phase);
}

static void arena_figures(const struct churn_opts *o, struct churn_result *r)
{
	double s = r->phase_s[PHASE_CHURN];

	(void)o;
	figure_add(r, "threads_made", (double)parked.threads);
	figure_add(r, "threads_made_per_s", s > 0 ? (double)parked.threads / s : 0);
}

const struct workload arena_workload = {
	.name = "arena",
	.profile = "mixed",
	.live = (uint64_t)256 << 20,
	.churn_ms = 10000,
	.cycles = 1,
	.phase = arena_phase,
	.figures = arena_figures,
};
