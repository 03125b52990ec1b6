// SPDX-License-Identifier: BSD-2-Clause
/*
 * compare_judge - a pair's medians and ratios, and what was promised. What suites are held to is in
 * compare_goals.c.
 *
 * The targets are the project's own for a library that is doing its job. A miss is a finding to be
 * looked at, never a failed test: other machines and other neighbours give other figures.
 */
#include <math.h>
#include <string.h>

#include "compare.h"

/* What the library may hold back by default: batch_bytes and keep_bytes. */
#define HELD_KB (2 * 32 * 1024)

#define ANY (-3) /* setting */

enum what { OPS, WASTE, PEAK, FORK, ZAPS, CALLS, VMAS, PAIR };

/*
 * NULL is any. The limit is a factor: of stock's, for WASTE of what churn allows, for VMAS of the
 * start's or stock's, for PEAK of stock's before HELD_KB is added. The first row that fits counts;
 * nothing is promised where none does.
 */
static const struct promise {
	enum what what;
	double limit;
	enum allocator allocator;
	int setting;
	const char *profile, *touch, *backend;
} promises[] = {
	{OPS, 1.15, JEMALLOC, 0, "small", NULL, NULL},
	{OPS, 1.15, JEMALLOC, 0, "mixed", "sparse", NULL},
	{OPS, 1.0, JEMALLOC, 0, "mixed", "dense", NULL},
	{OPS, 1.0, JEMALLOC, 0, "large", "dense", NULL},
	{OPS, 1.0, JEMALLOC, SETTING_DEFAULT, NULL, NULL, NULL},
	{WASTE, 1.0, JEMALLOC, ANY, NULL, NULL, NULL},
	{PEAK, 1.02, JEMALLOC, ANY, NULL, NULL, NULL},
	{FORK, 1.0 / 3, JEMALLOC, 0, "mixed", NULL, NULL},
	{ZAPS, 0.1, JEMALLOC, 0, "mixed", NULL, NULL},
	{CALLS, 1.0 / 3, JEMALLOC, 0, "mixed", NULL, NULL},
	{VMAS, 1.0, JEMALLOC, ANY, NULL, NULL, "remap"},
	{PAIR, 1.05, JEMALLOC, ANY, NULL, NULL, NULL},

	/* No zeroing is owed here, so what is kept is free. */
	{OPS, 1.8, TCMALLOC, SETTING_AGGRESSIVE, "mixed", "dense", NULL},
	{OPS, 1.8, TCMALLOC, SETTING_AGGRESSIVE, "large", "dense", NULL},
	{OPS, 1.15, TCMALLOC, SETTING_AGGRESSIVE, "mixed", "sparse", NULL},
	{OPS, 1.15, TCMALLOC, SETTING_AGGRESSIVE, "large", "sparse", NULL},
	{OPS, 1.0, TCMALLOC, SETTING_DEFAULT, NULL, NULL, NULL},
	{WASTE, 1.0, TCMALLOC, SETTING_AGGRESSIVE, NULL, NULL, NULL},
	{WASTE, 1.0, TCMALLOC, 10, NULL, NULL, NULL},
	{PEAK, 1.02, TCMALLOC, ANY, NULL, NULL, NULL},
	{ZAPS, 1.0 / 20, TCMALLOC, SETTING_AGGRESSIVE, NULL, NULL, NULL},
};

static bool fits(const char *row, const char *word)
{
	return !row || (word && !strcmp(row, word));
}

/* NAN: nothing. */
static double promised(const struct config *c, enum what what)
{
	for (size_t i = 0; i < sizeof(promises) / sizeof(promises[0]); i++) {
		const struct promise *p = &promises[i];

		if (p->what == what && p->allocator == c->allocator &&
		    (p->setting == ANY || p->setting == c->setting) &&
		    fits(p->profile, c->profile) && fits(p->touch, c->touch) &&
		    fits(p->backend, c->backend))
			return p->limit;
	}
	return NAN;
}

void judge_medians(struct outcome *o)
{
	for (unsigned m = 0; m < METRIC_COUNT; m++) {
		double v[SIDES][MAX_REPEATS];

		for (unsigned side = 0; side < SIDES; side++) {
			for (unsigned r = 0; r < o->repeats; r++)
				v[side][r] = o->run[side][r].v[m];
			o->median[side].v[m] = median(v[side], o->repeats);
		}
		struct spread ratio = spread_ratio(v[OURS], v[STOCK], o->repeats);

		o->ratio.v[m] = ratio.median;
		o->ratio_min.v[m] = ratio.min;
		o->ratio_max.v[m] = ratio.max;
	}
}

static void judge(struct outcome *o, const char *name, double value, bool at_least, double limit,
		  const char *note)
{
	struct target *t = &o->target[o->targets];

	if (!isfinite(value) || !isfinite(limit) || o->targets == MAX_TARGETS)
		return;
	t->name = name;
	t->value = value;
	t->limit = limit;
	t->at_least = at_least;
	t->met = at_least ? value >= limit : value <= limit;
	snprintf(t->note, sizeof(t->note), "%s", note ? note : "");
	o->targets++;
}

/* At every trough of every run: the one that is furthest over its target speaks for all. */
static void judge_waste(struct outcome *o)
{
	const struct values *worst = &o->run[OURS][0];
	const char *note = o->config.allocator == JEMALLOC
				   ? "5% of the floor + 64 kB + 8 kB an arena"
				   : "5% of the floor + 64 kB";
	double limit = promised(&o->config, WASTE);
	double troughs = 0, within = 0;

	for (unsigned r = 0; r < o->repeats; r++) {
		const struct values *v = &o->run[OURS][r];

		troughs += v->v[M_CYCLES];
		within += v->v[M_WITHIN];
		if (v->v[M_WASTE] - v->v[M_TARGET] > worst->v[M_WASTE] - worst->v[M_TARGET])
			worst = v;
	}
	judge(o, "waste at the worst trough after 1 s, kB", worst->v[M_WASTE], false,
	      worst->v[M_TARGET] * limit, note);
	judge(o, "troughs whose waste was gone within 1 s", within, true, troughs * limit, NULL);
}

static void judge_ops(struct outcome *o)
{
	double ratio = o->ratio.v[M_OPS], most = o->ratio_max.v[M_OPS];
	const char *spread = "";
	char note[96];

	if (o->config.setting == SETTING_DEFAULT && ratio < 1 && most >= 1) {
		spread = "the spread of the pairs reaches 1; ";
		ratio = most;
	}
	snprintf(note, sizeof(note), "%sper CPU second x %.3f", spread, o->ratio.v[M_OPS_CPU]);
	judge(o, "operations per second, times stock's", ratio, true, promised(&o->config, OPS),
	      note);
}

static void judge_peak(struct outcome *o)
{
	double stock = o->median[STOCK].v[M_PEAK_RSS] * promised(&o->config, PEAK);

	judge(o, "memory at the peak, MB", o->median[OURS].v[M_PEAK_RSS] / 1024, false,
	      (stock + HELD_KB) / 1024, "stock's + batch_bytes + keep_bytes + 2%");
}

static void judge_fork(struct outcome *o)
{
	char note[96];

	snprintf(note, sizeof(note), "on the CPU x %.3f", o->ratio.v[M_FORK_CPU]);
	judge(o, "fork() time, times stock's", o->ratio.v[M_FORK], false,
	      promised(&o->config, FORK), note);
}

static double least(const struct outcome *o, enum side side, enum metric m)
{
	double v = NAN;

	for (unsigned r = 0; r < o->repeats; r++)
		v = fmin(v, o->run[side][r].v[m]);
	return v;
}

/* A few hundred instructions: what is more than the least of all runs is a neighbour's doing. */
static void judge_pair(struct outcome *o, const char *name, enum metric m)
{
	char note[96];

	snprintf(note, sizeof(note), "the least of %u runs each; median of the pairs x %.3f",
		 o->repeats, o->ratio.v[m]);
	judge(o, name, least(o, OURS, m) / least(o, STOCK, m), false, promised(&o->config, PAIR),
	      note);
}

static void judge_calls(struct outcome *o)
{
	double stock = o->median[STOCK].v[M_ZAPS];

	judge(o, "zapping system calls, times stock's", o->median[OURS].v[M_ZAPS] / stock, false,
	      promised(&o->config, ZAPS),
	      isnan(o->median[OURS].v[M_COMMIT_ZAPS]) ? "those on reuse are counted too" : NULL);
	judge(o, "all its system calls, times stock's zaps", o->median[OURS].v[M_CALLS] / stock,
	      false, promised(&o->config, CALLS), NULL);
}

static void judge_vmas(struct outcome *o)
{
	double most = fmax(o->median[OURS].v[M_VMAS_START], o->median[STOCK].v[M_VMAS]);

	judge(o, "mappings at the trough", o->median[OURS].v[M_VMAS], false,
	      most * promised(&o->config, VMAS), "as at the start, or as stock's");
}

void judge_targets(struct outcome *o)
{
	if (o->config.pair) {
		judge_pair(o, "64 KiB pair, times stock\'s", M_PAIR_64K);
		judge_pair(o, "256 KiB pair, times stock\'s", M_PAIR_256K);
		judge_pair(o, "1 MiB pair, times stock\'s", M_PAIR_1024K);
		return;
	}
	judge_waste(o);
	judge_ops(o);
	judge_peak(o);
	judge_fork(o);
	if (o->calls_from)
		judge_calls(o);
	judge_vmas(o);
}
