// SPDX-License-Identifier: BSD-2-Clause
/* churn_worker - what a thread does to the allocator in each phase, unless the workload says otherwise. */
#include "churn.h"

uint64_t worker_share(const struct worker *w)
{
	return w->opts->live / w->opts->threads;
}

void worker_grow(struct worker *w, uint64_t bytes)
{
	struct table *t = w->table;

	while (t->bytes < bytes && t->n < t->cap)
		block_alloc(w, &t->slots[t->n++]);
}

void worker_step(struct worker *w)
{
	struct table *t = w->table;
	struct slot *s = &t->slots[rng_below(&w->rng, t->n)];

	if (!rng_below(&w->rng, 16)) {
		block_realloc(w, s);
	} else {
		block_free(w, s);
		block_alloc(w, s);
	}
}

static void phase_churn(struct worker *w)
{
	for (uint64_t op = 0; op < w->opts->ops && w->table->n; op++) {
		if (atomic_load_explicit(&gate_stop, memory_order_relaxed))
			break;
		worker_step(w);
	}
}

static void phase_shrink(struct worker *w)
{
	size_t keep = w->table->n * w->opts->profile->keep_permil / 1000;

	while (w->table->n > keep)
		block_drop_any(w);
}

void worker_phase(struct worker *w, enum phase phase)
{
	switch (phase) {
	case PHASE_GROW:
		worker_grow(w, worker_share(w));
		break;
	case PHASE_CHURN:
		phase_churn(w);
		break;
	case PHASE_SHRINK:
		phase_shrink(w);
		break;
	case PHASE_FINISH:
		while (w->table->n)
			block_drop_any(w);
		break;
	default:
		break;
	}
}

const struct workload churn_workload = {.name = "churn"};
