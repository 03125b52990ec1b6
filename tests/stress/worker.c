// SPDX-License-Identifier: BSD-2-Clause
/*
 * worker - which operation, and where.
 *
 * A table can only be freed while every owner's part of it is empty, which chance alone would hardly
 * ever bring about. So there are tides: all workers turn to the same few regions, fill them, and then
 * drain them; most of their operations go there, the others anywhere.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stress.h"

#define FOCUS 3	 /* regions in a tide */
#define TIDE  40 /* operations of each worker in it */

struct kind_op {
	void (*run)(struct worker *w, struct slot *s);
	unsigned kinds, fill, drain;
};

static const struct kind_op table[OP_WORKERS] = {
#define X(name, kinds, fill, drain) [OP_##name] = {op_##name, kinds, fill, drain},
	OPS(X)
#undef X
};

static bool allowed(enum op op, const struct slot *s)
{
	if (!(table[op].kinds & s->kind))
		return false;
	/* File systems do not expect writes through pins, and say so in the log. */
	if (s->kind == K_SHM && s->disk && (op == OP_gup_write || op == OP_io_uring))
		return false;
	if (s->sealed)
		return op != OP_mprotect && op != OP_unmap_map && op != OP_mremap &&
		       op != OP_mremap_dontunmap;
	return op != OP_rekind || s->changing;
}

static void run(struct worker *w, enum op op, struct slot *s)
{
	w->op = op;
	if (op != OP_zap_slot)
		s->dirty = true;
	table[op].run(w, s);
	if (op == OP_zap_slot)
		s->dirty = false;
	atomic_fetch_add_explicit(&shared->progress[proc][w->id], 1, memory_order_relaxed);
}

static enum op choose(struct worker *w, const struct slot *s, bool drain)
{
	unsigned sum = 0;
	size_t r;

	for (enum op op = 0; op < OP_WORKERS; op++)
		sum += allowed(op, s) ? (drain ? table[op].drain : table[op].fill) : 0;
	r = pick(w, sum);
	for (enum op op = 0; op < OP_WORKERS; op++) {
		size_t weight = allowed(op, s) ? (drain ? table[op].drain : table[op].fill) : 0;

		if (r < weight)
			return op;
		r -= weight;
	}
	return OP_zap_slot;
}

/* The next own slot that touches the region, after the one before; dirty ones first in the ebb. */
static struct slot *slot_in(struct worker *w, size_t region, bool drain)
{
	size_t from = region * region_pages, to = from + region_pages;
	struct slot *clean = NULL;

	for (size_t i = 0; i < slot_count; i++) {
		size_t at = (w->cursor + 1 + i) % slot_count;
		struct slot *s = &slots[at];

		if (s->owner != w->id || s->kind == K_PARK || s->first >= to ||
		    s->first + s->n <= from)
			continue;
		if (drain && !s->dirty) {
			clean = s;
			continue;
		}
		w->cursor = at;
		return s;
	}
	return clean;
}

static struct slot *any_slot(struct worker *w)
{
	for (;;) {
		struct slot *s = &slots[pick(w, slot_count)];

		if (s->owner == w->id && s->kind != K_PARK)
			return s;
	}
}

/* One of the regions of the tide after so many operations. */
size_t tide_region(struct worker *w, uint64_t ticks, bool *drain)
{
	uint64_t tide = ticks / (TIDE * opts.workers);
	uint64_t place = opts.seed + (tide >> 1) * FOCUS + pick(w, FOCUS);

	*drain = tide & 1;
	return (size_t)(rng_next(&place) % regions);
}

static void step(struct worker *w)
{
	bool drain;
	size_t region = tide_region(w, atomic_fetch_add(&shared->ticks[proc], 1), &drain);
	struct slot *s = NULL;

	if (pick(w, 8))
		s = slot_in(w, region, drain);
	if (!s) {
		s = any_slot(w);
		drain = pick(w, 2);
	}
	if (drain && !s->dirty) {
		/* The first into a table that may just be going. */
		if (pick(w, 4) == 0) {
			run(w, choose(w, s, false), s);
			run(w, OP_zap_slot, s);
			return;
		}
		/* Mine is empty. Until the others' is, elsewhere. */
		s = any_slot(w);
		drain = pick(w, 2);
	}
	/* A slot that is drained by parts is done only when all of it was. */
	run(w, choose(w, s, drain), s);
	if (drain && pick(w, 4))
		run(w, OP_zap_slot, s);
}

/* Each operation once, so that a short run leaves none out. */
static void tour(struct worker *w)
{
	for (enum op op = 0; op < OP_WORKERS; op++) {
		size_t start = pick(w, slot_count), times = 0;

		for (size_t i = 0; i < slot_count && times < 2; i++) {
			struct slot *s = &slots[(start + i) % slot_count];

			if (s->owner == w->id && allowed(op, s) && s->n > 1) {
				atomic_fetch_add(&shared->ticks[proc], 1);
				run(w, op, s);
				times++;
			}
		}
	}
}

static void worker_init(struct worker *w)
{
	w->rng = opts.seed * 1000003 + proc * 101 + w->id;
	w->scratch = open_memfd("scratch", 16 * page_size);
	need(w->scratch >= 0 && !pipe(w->pipe), "scratch file and pipe");
	uring_init(&w->uring);
}

void *worker_thread(void *arg)
{
	struct worker *w = arg;

	worker_init(w);
	tour(w);
	while (!shared->stop) {
		step(w);
		if (opts.inject == INJECT_HANG && !w->id && w->events > 2000)
			pause();
	}
	/* At last every page. */
	for (size_t i = 0; i < slot_count; i++) {
		if (slots[i].owner == w->id && slots[i].kind != K_PARK)
			check_pages(slots[i].first, slots[i].n);
		atomic_fetch_add(&shared->progress[proc][w->id], 1);
	}
	atomic_fetch_sub(&shared->busy[proc], 1);
	return NULL;
}
