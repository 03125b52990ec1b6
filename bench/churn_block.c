// SPDX-License-Identifier: BSD-2-Clause
/* churn_block - a block from its allocation to its end: verified at each step, and timed. */
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

/* The time, if this call is one of those that are timed; else 0. */
static uint64_t timing_begin(const struct worker *w, unsigned *until)
{
	if (--*until)
		return 0;
	*until = w->opts->timed_every;
	return now_ns();
}

static void timing_end(struct histogram *h, uint64_t begun)
{
	if (begun)
		histogram_add(h, now_ns() - begun);
}

/* One of eight is calloc, one of sixteen aligned_alloc (unless --no-aligned), the rest malloc; or all. */
void block_alloc(struct worker *w, struct slot *s)
{
	const struct churn_opts *o = w->opts;
	uint64_t kind = o->plain ? 15 : rng_below(&w->rng, 16);
	const char *what = "malloc";
	size_t align = _Alignof(max_align_t);

	s->size = profile_size(o->profile, &w->rng);
	if (kind == 2 && !o->no_aligned) {
		align = (size_t)64 << rng_below(&w->rng, 7);
		s->size = (s->size + align - 1) & ~(align - 1);
	}
	s->touched = touch_length(o, s->size);
	uint64_t begun = timing_begin(w, &w->until_malloc);

	if (kind < 2) {
		what = "calloc";
		s->p = calloc(1, s->size);
	} else if (kind == 2 && !o->no_aligned) {
		what = "aligned_alloc";
		s->p = aligned_alloc(align, s->size);
	} else {
		s->p = malloc(s->size);
	}
	timing_end(&w->latency->malloc, begun);
	if (!s->p)
		no_memory(what, s->size);
	w->ops++;
	check_aligned(s, align, what);
	if (kind < 2) {
		/* Reading an untouched page maps the zero page, and with it a table: that would
		 * make a dense program of a sparse one. */
		check_zero(s, o->verify_all ? s->size : s->touched, o->verify_all, "after calloc");
		w->checks++;
	}
	s->key = check_key(s->p, s->size, w->serial++);
	check_fill(s, 0, s->touched);
	w->table->bytes += s->size;
}

void block_free(struct worker *w, struct slot *s)
{
	check_pattern(s, s->touched, "before free");
	w->checks++;
	w->table->bytes -= s->size;
	uint64_t begun = timing_begin(w, &w->until_free);

	free(s->p);
	timing_end(&w->latency->free, begun);
	s->p = NULL;
	w->ops++;
}

/* The block keeps its key: what was written must arrive, and only what is new is written. */
void block_realloc(struct worker *w, struct slot *s)
{
	if (w->opts->plain) {
		block_free(w, s);
		block_alloc(w, s);
		return;
	}
	size_t size = profile_size(w->opts->profile, &w->rng);
	size_t kept = s->touched < size ? s->touched : size;
	size_t touch = touch_length(w->opts, size);
	uintptr_t old = (uintptr_t)s->p;
	void *p = realloc(s->p, size);

	if (!p)
		no_memory("realloc", size);
	w->ops++;
	w->table->bytes += size - s->size;
	s->p = p;
	s->size = size;
	s->touched = kept;
	check_moved(s, old, kept, "after realloc");
	w->checks++;
	if (touch > kept)
		s->touched = touch;
	/* Where only words are written, a block that has moved needs them at other places. */
	if (touch > kept || w->opts->pages)
		check_fill(s, kept, s->touched);
}

void block_read(struct worker *w, const struct slot *s)
{
	check_pattern(s, s->touched, "when read");
	w->checks++;
}

void block_drop_any(struct worker *w)
{
	struct table *t = w->table;
	size_t i = rng_below(&w->rng, t->n);

	block_free(w, &t->slots[i]);
	t->slots[i] = t->slots[--t->n];
}
