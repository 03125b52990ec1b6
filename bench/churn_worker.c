// SPDX-License-Identifier: BSD-2-Clause
/* churn_worker - what a thread does to the allocator in each phase. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "churn.h"

static size_t touch_length(const struct churn_opts *o, size_t size)
{
	return o->sparse && size >= CHURN_SPARSE_MIN ? CHURN_SPARSE_TOUCH : size;
}

static _Noreturn void no_memory(const char *what, size_t size)
{
	dprintf(STDERR_FILENO, "churn: %s of %zu bytes: no memory\n", what, size);
	_exit(CHURN_FAILED);
}

/* One of eight is calloc, one of sixteen aligned_alloc (unless --no-aligned), the rest malloc. */
static void slot_alloc(struct worker *w, struct slot *s)
{
	const struct churn_opts *o = w->opts;
	uint64_t kind = rng_below(&w->rng, 16);
	const char *what = "malloc";
	size_t align = _Alignof(max_align_t);

	s->size = profile_size(o->profile, &w->rng);
	s->touched = touch_length(o, s->size);
	if (kind < 2) {
		what = "calloc";
		s->p = calloc(1, s->size);
	} else if (kind == 2 && !o->no_aligned) {
		what = "aligned_alloc";
		align = (size_t)64 << rng_below(&w->rng, 7);
		s->size = (s->size + align - 1) & ~(align - 1);
		s->touched = touch_length(o, s->size);
		s->p = aligned_alloc(align, s->size);
	} else {
		s->p = malloc(s->size);
	}
	if (!s->p)
		no_memory(what, s->size);
	w->ops++;
	check_aligned(s, align, what);
	if (kind < 2) {
		/* Reading an untouched page maps the zero page, and with it a table: that would
		 * make a dense program of a sparse one. */
		check_zero(s, o->verify_all ? s->size : s->touched, "after calloc");
		w->checks++;
	}
	s->key = check_key(s->p, s->size, w->serial++);
	check_fill(s, 0, s->touched);
	w->table->bytes += s->size;
}

static void slot_free(struct worker *w, struct slot *s)
{
	check_pattern(s, s->touched, "before free");
	w->checks++;
	w->table->bytes -= s->size;
	free(s->p);
	s->p = NULL;
	w->ops++;
}

/* The block keeps its key: what was written must arrive, and only what is new is written. */
static void slot_realloc(struct worker *w, struct slot *s)
{
	size_t size = profile_size(w->opts->profile, &w->rng);
	size_t kept = s->touched < size ? s->touched : size;
	size_t touch = touch_length(w->opts, size);
	void *p = realloc(s->p, size);

	if (!p)
		no_memory("realloc", size);
	w->ops++;
	w->table->bytes += size - s->size;
	s->p = p;
	s->size = size;
	s->touched = kept;
	check_pattern(s, kept, "after realloc");
	w->checks++;
	if (touch > kept) {
		check_fill(s, kept, touch);
		s->touched = touch;
	}
}

/* Free a block drawn at random; the last one takes its place in the table. */
static void free_any(struct worker *w)
{
	struct table *t = w->table;
	size_t i = rng_below(&w->rng, t->n);

	slot_free(w, &t->slots[i]);
	t->slots[i] = t->slots[--t->n];
}

static void phase_grow(struct worker *w)
{
	struct table *t = w->table;
	uint64_t share = w->opts->live / w->opts->threads;

	while (t->bytes < share && t->n < t->cap)
		slot_alloc(w, &t->slots[t->n++]);
}

static void phase_churn(struct worker *w)
{
	struct table *t = w->table;

	for (uint64_t op = 0; op < w->opts->ops && t->n; op++) {
		struct slot *s = &t->slots[rng_below(&w->rng, t->n)];

		if (!rng_below(&w->rng, 16)) {
			slot_realloc(w, s);
		} else {
			slot_free(w, s);
			slot_alloc(w, s);
		}
	}
}

static void phase_shrink(struct worker *w)
{
	size_t keep = w->table->n * w->opts->profile->keep_permil / 1000;

	while (w->table->n > keep)
		free_any(w);
}

void worker_phase(struct worker *w, enum phase phase)
{
	switch (phase) {
	case PHASE_GROW:
		phase_grow(w);
		break;
	case PHASE_CHURN:
		phase_churn(w);
		break;
	case PHASE_SHRINK:
		phase_shrink(w);
		break;
	case PHASE_FINISH:
		while (w->table->n)
			free_any(w);
		break;
	default:
		break;
	}
}
