// SPDX-License-Identifier: BSD-2-Clause
/*
 * compare_goals - what the project promises of suites, in one table, and what became of it.
 *
 * Ratios are taken within each round; their median is held to the limit. A miss is a finding to be looked
 * at, never a failed test: other machines and other neighbours give other figures.
 */
#include <math.h>
#include <string.h>

#include "compare.h"
#include "compare_json.h"
#include "compare_suites.h"

/* What the library may hold back by default: batch_bytes and keep_bytes. */
#define HELD_KB (2 * 32 * 1024)

#define STOCK_0	 "jemalloc-0"
#define OURS_0	 "jemalloc-0+ptreclaim"
#define STOCK_TC "tcmalloc-aggressive"
#define OURS_TC	 "tcmalloc-aggressive+ptreclaim"

/* The variable by which a local build of jemalloc is known as the one that gives back in batches. */
#define BATCHED "process_madvise_max_batch:"

/* Of bench/micro: each thread in regions of its own; the number of threads follows. */
#define PAIR_BENCH "pair/apart/pages:16/real_time/threads:"

enum kind {
	RATIO,	      /* of the metric, ours to base */
	LEAST,	      /* the least of that ratio over all rows that both took part in */
	PEAK,	      /* by how much ours goes beyond what is allowed, MB, where it does most */
	SLOPE,	      /* the slope in its standard errors */
	OWN,	      /* its memory, kB, beside what it was told of */
	VALUE,	      /* the metric itself */
	SCALING,      /* two threads' rate to one's, of Google Benchmark */
	INSTRUCTIONS, /* of bench/micro or bench/instructions */
};

static const struct goal {
	const char *name;
	const char *ours, *base; /* base NULL: the local build in batches */
	const char *profile, *touch;
	enum kind kind;
	enum metric metric;
	double limit;
	bool at_least;
} table[] = {
	{"jemalloc decay 0, mixed dense, ops/s, x stock", OURS_0, STOCK_0, "mixed", "dense", RATIO,
	 M_OPS, 1.6, true},
	{"jemalloc decay 0, large dense, ops/s, x stock", OURS_0, STOCK_0, "large", "dense", RATIO,
	 M_OPS, 1.6, true},
	{"jemalloc decay 0, mixed sparse, ops/s, x stock", OURS_0, STOCK_0, "mixed", "sparse",
	 RATIO, M_OPS, 1.2, true},
	{"jemalloc decay 0, large sparse, ops/s, x stock", OURS_0, STOCK_0, "large", "sparse",
	 RATIO, M_OPS, 1.2, true},
	{"jemalloc decay 0, small, ops/s, x stock", OURS_0, STOCK_0, "small", "dense", RATIO, M_OPS,
	 1.2, true},
	{"jemalloc decay 0, the least of all profiles, ops/s, x stock", OURS_0, STOCK_0, NULL, NULL,
	 LEAST, M_OPS, 1.0, true},
	{"tcmalloc aggressive, mixed dense, ops/s, x stock", OURS_TC, STOCK_TC, "mixed", "dense",
	 RATIO, M_OPS, 2.5, true},
	{"tcmalloc aggressive, large dense, ops/s, x stock", OURS_TC, STOCK_TC, "large", "dense",
	 RATIO, M_OPS, 2.5, true},
	{"tcmalloc aggressive, mixed sparse, ops/s, x stock", OURS_TC, STOCK_TC, "mixed", "sparse",
	 RATIO, M_OPS, 1.2, true},
	{"tcmalloc aggressive, large sparse, ops/s, x stock", OURS_TC, STOCK_TC, "large", "sparse",
	 RATIO, M_OPS, 1.2, true},
	{"jemalloc decay 0, peak RSS over its allowance, MB", OURS_0, STOCK_0, NULL, NULL, PEAK,
	 M_PEAK_RSS, 0, false},
	{"tcmalloc aggressive, peak RSS over its allowance, MB", OURS_TC, STOCK_TC, NULL, NULL,
	 PEAK, M_PEAK_RSS, 0, false},
	{"jemalloc default, mixed dense, ops/s, x stock", "jemalloc+ptreclaim", "jemalloc", "mixed",
	 "dense", RATIO, M_OPS, 1.0, true},
	{"jemalloc default, mixed sparse, ops/s, x stock", "jemalloc+ptreclaim", "jemalloc",
	 "mixed", "sparse", RATIO, M_OPS, 1.0, true},
	{"tcmalloc default, mixed dense, ops/s, x stock", "tcmalloc+ptreclaim", "tcmalloc", "mixed",
	 "dense", RATIO, M_OPS, 1.0, true},
	{"tcmalloc default, mixed sparse, ops/s, x stock", "tcmalloc+ptreclaim", "tcmalloc",
	 "mixed", "sparse", RATIO, M_OPS, 1.0, true},
	{"jemalloc default, malloc() p99.9, x stock", "jemalloc+ptreclaim", "jemalloc", "mixed",
	 "dense", RATIO, M_MALLOC_P999, 1.0, false},
	{"jemalloc default, free() p99.9, x stock", "jemalloc+ptreclaim", "jemalloc", "mixed",
	 "dense", RATIO, M_FREE_P999, 1.0, false},
	{"tcmalloc default, malloc() p99.9, x stock", "tcmalloc+ptreclaim", "tcmalloc", "mixed",
	 "dense", RATIO, M_MALLOC_P999, 1.0, false},
	{"tcmalloc default, free() p99.9, x stock", "tcmalloc+ptreclaim", "tcmalloc", "mixed",
	 "dense", RATIO, M_FREE_P999, 1.0, false},
	{"jemalloc decay 0, mixed dense, ops/s, x jemalloc in batches", OURS_0, NULL, "mixed",
	 "dense", RATIO, M_OPS, 1.5, true},
	{"jemalloc decay 0, mixed dense, CPU seconds, x mimalloc", OURS_0, "mimalloc", "mixed",
	 "dense", RATIO, M_CPU, 1.0, false},
	{"jemalloc decay 0, mixed dense, RSS at trough, x mimalloc", OURS_0, "mimalloc", "mixed",
	 "dense", RATIO, M_TROUGH_RSS, 0.5, false},
	{"hook path of an extent event over stock's, instructions", OURS_0, NULL, NULL, NULL,
	 INSTRUCTIONS, METRIC_COUNT, 150, false},
	{"two threads in different regions, x one", OURS_0, NULL, NULL, NULL, SCALING, METRIC_COUNT,
	 1.9, true},
	{"soak, slope of waste in standard errors", OURS_0, STOCK_0, NULL, NULL, SLOPE, M_SLOPE, 2,
	 false},
	{"the library's own memory, kB", OURS_0, NULL, NULL, NULL, OWN, M_OWN, NAN, false},
	{"wake-ups of an idle worker in 10 s", OURS_0, NULL, NULL, NULL, VALUE, M_WAKEUPS, 0,
	 false},
};

struct target goals[MAX_GOALS];
unsigned goal_count;

static bool fits(const char *wanted, const char *word)
{
	return !wanted || (word && !strcmp(wanted, word));
}

static bool latency_metric(enum metric m)
{
	return m >= M_MALLOC_P50 && m <= M_FREE_MAX;
}

/* A program whose calls touch what it does not is sparse only without them. */
static const char *calls_of(const struct goal *g, const char *fill)
{
	return g->touch && !strcmp(g->touch, "sparse") && !strcmp(fill, "pages") && g->limit > 1
		       ? "plain"
		       : "all";
}

/* The rows of plain churn, filled as wanted and with these calls (NULL: any), that a goal is about. */
static bool about(const struct goal *g, const struct row *row, const char *fill, const char *calls)
{
	const struct work *w = &row->work;

	return w->program == RUN_CHURN && !w->workload && fits(fill, w->fill) &&
	       fits(calls, w->calls ? w->calls : "all") &&
	       w->latency == latency_metric(g->metric) && fits(g->profile, w->profile) &&
	       fits(g->touch, w->touch) && (!g->profile || w->threads == 1);
}

static const struct peer *base_of(const struct goal *g)
{
	if (g->base)
		return peer_find(g->base);
	for (unsigned i = 0; i < peer_count; i++) {
		for (unsigned v = 0; v < peers[i].var_count; v++) {
			if (!peers[i].ours && strstr(peers[i].vars[v], BATCHED))
				return &peers[i];
		}
	}
	return NULL;
}

static struct spread row_ratio(const struct row *row, const struct peer *ours,
			       const struct peer *base, enum metric m)
{
	double a[MAX_REPEATS], b[MAX_REPEATS];

	if (!ours || !base)
		return (struct spread){NAN, NAN, NAN, 0};
	row_values(row, ours, m, a);
	row_values(row, base, m, b);
	return spread_ratio(a, b, MAX_REPEATS);
}

/* The ratio of the first row that has one. */
static struct spread ratio(const struct goal *g, enum metric m, const char *fill, const char *calls)
{
	struct spread s = {NAN, NAN, NAN, 0};

	for (const struct row *row = rows_first(); row < rows_end() && !s.n; row++) {
		if (about(g, row, fill, calls))
			s = row_ratio(row, peer_find(g->ours), base_of(g), m);
	}
	return s;
}

static void note(struct target *t, const char *text)
{
	size_t used = strlen(t->note);

	snprintf(t->note + used, sizeof(t->note) - used, "%s%s", used ? "; " : "", text);
}

static void judge_ratio(const struct goal *g, struct target *t)
{
	const char *calls = calls_of(g, "pages");
	struct spread s = ratio(g, g->metric, "pages", calls);
	char text[96];

	t->value = s.median;
	if (!s.n)
		return;
	t->open = s.n > 1 && s.min < g->limit && s.max > g->limit;
	snprintf(text, sizeof(text), "%.3f to %.3f in %u round%s", s.min, s.max, s.n,
		 s.n > 1 ? "s" : "");
	note(t, text);
	if (g->metric != M_OPS)
		return;
	s = ratio(g, M_CHURN_OPS, "pages", calls);
	if (s.n) {
		snprintf(text, sizeof(text), "steady phase %.3f", s.median);
		note(t, text);
	}
	s = ratio(g, M_OPS, "pages", "all");
	if (s.n && strcmp(calls, "all") != 0) {
		snprintf(text, sizeof(text), "with calloc and realloc %.3f (%.3f to %.3f)",
			 s.median, s.min, s.max);
		note(t, text);
	}
	s = ratio(g, M_OPS, "bytes", "all");
	if (s.n) {
		snprintf(text, sizeof(text), "all bytes written %.3f (%.3f to %.3f)", s.median,
			 s.min, s.max);
		note(t, text);
	}
}

static void judge_least(const struct goal *g, struct target *t)
{
	char name[128];

	for (const struct row *row = rows_first(); row < rows_end(); row++) {
		if (!about(g, row, "pages", NULL))
			continue;
		struct spread s = row_ratio(row, peer_find(g->ours), base_of(g), g->metric);

		if (!s.n || s.median >= t->value)
			continue;
		t->value = s.median;
		row_name(row, name, sizeof(name));
		t->note[0] = '\0';
		note(t, name);
	}
}

static void judge_peak(const struct goal *g, struct target *t)
{
	const struct peer *ours = peer_find(g->ours), *base = base_of(g);
	double a[MAX_REPEATS], b[MAX_REPEATS];
	char name[128];

	for (const struct row *row = rows_first(); ours && base && row < rows_end(); row++) {
		if (!about(g, row, NULL, NULL))
			continue;
		row_values(row, ours, g->metric, a);
		row_values(row, base, g->metric, b);
		double over = median(a, MAX_REPEATS) - (1.02 * median(b, MAX_REPEATS) + HELD_KB);

		if (isnan(over) || over / 1024 <= t->value)
			continue;
		t->value = over / 1024;
		row_name(row, name, sizeof(name));
		t->note[0] = '\0';
		note(t,
		     "stock's + batch_bytes + keep_bytes + 2% is allowed; most of it was taken by");
		snprintf(t->note + strlen(t->note), sizeof(t->note) - strlen(t->note), " %s", name);
	}
}

/* The first value of a metric that a peer has anywhere. */
static double first_value(const char *peer, enum metric m)
{
	const struct peer *p = peer_find(peer);

	for (size_t i = 0; p && i < run_count; i++) {
		if (runs[i].peer == p && !isnan(runs[i].v.v[m]))
			return runs[i].v.v[m];
	}
	return NAN;
}

static void judge_slope(const struct goal *g, struct target *t)
{
	double slope = first_value(g->ours, M_SLOPE), error = first_value(g->ours, M_SLOPE_ERROR);
	char text[128];

	/* An error of none is a waste that never moved. */
	t->value = slope == 0 ? 0 : fabs(slope) / error;
	if (isnan(slope))
		return;
	snprintf(text, sizeof(text), "%+.3f kB/min, its standard error %.3f", slope, error);
	note(t, text);
	snprintf(text, sizeof(text), "stock's %+.3f, %.3f", first_value(g->base, M_SLOPE),
		 first_value(g->base, M_SLOPE_ERROR));
	note(t, text);
}

static void judge_own(const struct goal *g, struct target *t)
{
	double handled = first_value(g->ours, M_HANDLED);
	char text[96];

	t->value = first_value(g->ours, M_OWN);
	t->limit = handled / 1000 + 1024;
	if (isnan(t->value))
		return;
	snprintf(text, sizeof(text), "0.1%% of %.0f MB mapped + 1 MB", handled / 1024);
	note(t, text);
}

/* What a program that nothing is preloaded into printed; NULL: it did not run. */
static const char *text_of(enum program program)
{
	for (size_t i = 0; i < run_count; i++) {
		if (runs[i].row->work.program == program && runs[i].text)
			return runs[i].text;
	}
	return NULL;
}

static void judge_scaling(struct target *t)
{
	const char *text = text_of(RUN_MICRO);

	if (text)
		t->value = json_benchmark(text, PAIR_BENCH "2_median", "items_per_second") /
			   json_benchmark(text, PAIR_BENCH "1_median", "items_per_second");
}

/* Whatever the number of pages: the most. */
static void judge_instructions(struct target *t)
{
	static const char event[] = "{\"event\": \"jemalloc, over stock\"";
	const char *text = text_of(RUN_INSTRUCTIONS);

	for (const char *p = text; p && (p = strstr(p, event)); p++)
		t->value = fmax(t->value, json_number(p, "instructions"));
}

static const char *missing(const struct goal *g)
{
	switch (g->kind) {
	case SCALING:
		return "not measured: bench/micro did not run or has no such bench";
	case INSTRUCTIONS:
		return "not measured: bench/instructions did not run";
	case SLOPE:
		return "not measured: suite soak did not run";
	default:
		break;
	}
	if (g->kind == RATIO && !base_of(g))
		return g->base ? "not measured: the base takes no part"
			       : "not measured: no --peer with " BATCHED "N in its environment";
	return latency_metric(g->metric) ? "not measured: churn gave no latencies"
					 : "not measured: no such run";
}

static void judge(const struct goal *g, struct target *t)
{
	*t = (struct target){
		.name = g->name,
		.limit = g->limit,
		.at_least = g->at_least,
		.value = NAN,
	};
	switch (g->kind) {
	case RATIO:
		judge_ratio(g, t);
		break;
	case LEAST:
		t->value = INFINITY;
		judge_least(g, t);
		break;
	case PEAK:
		t->value = -INFINITY;
		judge_peak(g, t);
		break;
	case SLOPE:
		judge_slope(g, t);
		break;
	case OWN:
		judge_own(g, t);
		break;
	case VALUE:
		t->value = first_value(g->ours, g->metric);
		break;
	case SCALING:
		judge_scaling(t);
		break;
	case INSTRUCTIONS:
		judge_instructions(t);
		break;
	}
	if (!isfinite(t->value))
		t->value = NAN;
	t->met = t->at_least ? t->value >= t->limit : t->value <= t->limit;
}

void goals_judge(bool all)
{
	goal_count = 0;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct target *t = &goals[goal_count];

		judge(&table[i], t);
		if (isnan(t->value)) {
			if (!all)
				continue;
			t->note[0] = '\0';
			note(t, missing(&table[i]));
		}
		goal_count++;
	}
}

void goals_print(void)
{
	unsigned met = 0, measured = 0, open = 0;

	if (!goal_count)
		return;
	puts("goals");
	for (unsigned i = 0; i < goal_count; i++) {
		const struct target *t = &goals[i];

		if (isnan(t->value)) {
			printf("  %-6s %-62s (%s)\n", "-", t->name, t->note);
			continue;
		}
		printf("  %-6s %-62s %9.3f, goal %s %.3f", t->met ? "met" : "MISSED", t->name,
		       t->value, t->at_least ? ">=" : "<=", t->limit);
		printf(t->note[0] ? " (%s)\n" : "%s\n", t->note);
		measured++;
		met += t->met;
		open += t->open && !t->met;
	}
	printf("goals: %u of %u met, %u not measured", met, measured, goal_count - measured);
	/* Another run may find them on the other side: that is how far this one can tell. */
	if (open)
		printf("; %u of those missed lie within the spread of their rounds", open);
	putchar('\n');
}
