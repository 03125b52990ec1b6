// SPDX-License-Identifier: BSD-2-Clause
/*
 * churn_shift - dense and sparse touching in turns: how soon does a policy that has learned one follow
 * the other?
 *
 * Each half is cut into quarters whose operations are counted. The first still pays for what was
 * learned before; the last shows what is reached.
 */
#include <inttypes.h>
#include <stdio.h>

#include "churn.h"

#define QUARTERS   4
#define MAX_HALVES 256 /* those after are churned, and not told one by one */

struct half {
	bool sparse;
	struct span quarter[QUARTERS];
};

static struct half halves[MAX_HALVES];
static unsigned halves_n;

static double rate(const struct span *s)
{
	return s->s > 0 ? (double)s->ops / s->s : 0;
}

static struct span whole(const struct half *h)
{
	struct span sum = {0, 0};

	for (unsigned i = 0; i < QUARTERS; i++) {
		sum.ops += h->quarter[i].ops;
		sum.s += h->quarter[i].s;
	}
	return sum;
}

static void shift_steady(struct churn_opts *o, struct churn_result *r)
{
	bool first = o->sparse;
	unsigned quarter_ms = o->shift_ms / QUARTERS ? o->shift_ms / QUARTERS : 1;

	(void)r;
	for (uint64_t ms = 0; ms < o->churn_ms; ms += o->shift_ms) {
		struct half h = {.sparse = o->sparse};

		for (unsigned i = 0; i < QUARTERS; i++)
			h.quarter[i] = gate_run(PHASE_CHURN, quarter_ms);
		if (halves_n < MAX_HALVES)
			halves[halves_n++] = h;
		o->sparse = !o->sparse;
	}
	o->sparse = first;
}

/* Of the quarter that is given, or of the whole. */
static double rate_of(bool sparse, int quarter)
{
	struct span sum = {0, 0};

	for (unsigned i = 0; i < halves_n; i++) {
		struct span all = whole(&halves[i]);
		const struct span *s = quarter < 0 ? &all : &halves[i].quarter[quarter];

		if (halves[i].sparse != sparse)
			continue;
		sum.ops += s->ops;
		sum.s += s->s;
	}
	return rate(&sum);
}

static void shift_figures(const struct churn_opts *o, struct churn_result *r)
{
	(void)o;
	figure_add(r, "dense_ops_per_s", rate_of(false, -1));
	figure_add(r, "dense_first_ops_per_s", rate_of(false, 0));
	figure_add(r, "dense_last_ops_per_s", rate_of(false, QUARTERS - 1));
	figure_add(r, "sparse_ops_per_s", rate_of(true, -1));
	figure_add(r, "sparse_first_ops_per_s", rate_of(true, 0));
	figure_add(r, "sparse_last_ops_per_s", rate_of(true, QUARTERS - 1));
}

static void shift_json(void)
{
	printf("  \"halves\": [");
	for (unsigned i = 0; i < halves_n; i++) {
		struct span all = whole(&halves[i]);

		printf("%s{\"touch\":\"%s\",\"seconds\":%.3f,\"ops\":%" PRIu64 ",\"quarters\":[",
		       i ? "," : "", halves[i].sparse ? "sparse" : "dense", all.s, all.ops);
		for (unsigned j = 0; j < QUARTERS; j++)
			printf("%s%" PRIu64, j ? "," : "", halves[i].quarter[j].ops);
		printf("]}");
	}
	printf("],\n");
}

const struct workload shift_workload = {
	.name = "shift",
	.profile = "mixed",
	.live = (uint64_t)512 << 20,
	.churn_ms = 24000,
	.cycles = 1,
	.steady = shift_steady,
	.figures = shift_figures,
	.json = shift_json,
};
