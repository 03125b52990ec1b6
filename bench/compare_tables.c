// SPDX-License-Identifier: BSD-2-Clause
/* compare_tables - a row of a suite as a table: a line for each peer. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "compare.h"
#include "compare_suites.h"

static const struct column {
	const char *head;
	double per; /* the unit in the metric's own */
	enum metric metric;
	int digits;
} columns[] = {
	{"ops/s", 1, M_OPS, 0},		  {"CPU s", 1, M_CPU, 2},
	{"peak MB", 1024, M_PEAK_RSS, 1}, {"trough MB", 1024, M_TROUGH_RSS, 1},
	{"VmPTE kB", 1, M_VMPTE, 0},	  {"waste kB", 1, M_WASTE, 0},
	{"fork ms", 1, M_FORK, 2},	  {"malloc p50", 1, M_MALLOC_P50, 0},
	{"p99", 1, M_MALLOC_P99, 0},	  {"p99.9", 1, M_MALLOC_P999, 0},
	{"max ns", 1, M_MALLOC_MAX, 0},	  {"free p50", 1, M_FREE_P50, 0},
	{"p99", 1, M_FREE_P99, 0},	  {"p99.9", 1, M_FREE_P999, 0},
	{"max ns", 1, M_FREE_MAX, 0},	  {"kB/min", 1, M_SLOPE, 3},
	{"+-", 1, M_SLOPE_ERROR, 3},	  {"own kB", 1, M_OWN, 0},
	{"wake-ups", 1, M_WAKEUPS, 0},
};

#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static double value(const struct row *row, const struct peer *p, enum metric m)
{
	double v[MAX_REPEATS];

	row_values(row, p, m, v);
	return median(v, MAX_REPEATS);
}

static struct spread ratio(const struct row *row, const struct peer *p, const struct peer *base)
{
	double a[MAX_REPEATS], b[MAX_REPEATS];

	row_values(row, p, M_OPS, a);
	row_values(row, base, M_OPS, b);
	return spread_ratio(a, b, MAX_REPEATS);
}

/* What latencies a run has that did not ask for each call's are of no use beside those that did. */
static bool shown(const struct row *row, const struct column *c)
{
	if (row->work.latency != (c->metric >= M_MALLOC_P50 && c->metric <= M_FREE_MAX))
		return c->metric == M_OPS && row->work.latency;
	for (unsigned i = 0; i < peer_count; i++) {
		if (!isnan(value(row, &peers[i], c->metric)))
			return true;
	}
	return false;
}

static void print_ratio(const struct row *row, const struct peer *p, const struct peer *base)
{
	struct spread s = {NAN, NAN, NAN, 0};
	char text[64] = "";

	if (base && base != p)
		s = ratio(row, p, base);
	if (s.n)
		snprintf(text, sizeof(text), "x %.3f (%.2f to %.2f)", s.median, s.min, s.max);
	printf("  %-24s", text);
}

static void print_peer(const struct row *row, const struct peer *p, const struct peer *base,
		       const bool show[COLUMNS])
{
	printf("  %-30s", p->name);
	for (size_t c = 0; c < COLUMNS; c++) {
		double v = value(row, p, columns[c].metric) / columns[c].per;

		if (!show[c])
			continue;
		if (isnan(v))
			printf(" %10s", "-");
		else
			printf(" %10.*f", columns[c].digits, v);
	}
	if (show[0]) {
		print_ratio(row, p, base);
		print_ratio(row, p, peer_stock(p));
	}
	putchar('\n');
}

/* How many rounds it came to. */
static unsigned row_rounds(const struct row *row)
{
	double v[MAX_REPEATS];
	size_t most = 0;

	for (unsigned i = 0; i < peer_count; i++) {
		size_t n = row_values(row, &peers[i], M_OPS, v);

		most = n > most ? n : most;
	}
	return (unsigned)most;
}

void table_print(const struct row *row)
{
	const struct peer *base = settings.base ? peer_find(settings.base) : NULL;
	bool show[COLUMNS];
	char name[128];

	if (!row_ran(row) || row->groups == GROUP_NONE)
		return;
	for (unsigned i = 0; i < peer_count && !base; i++) {
		if (!isnan(value(row, &peers[i], M_OPS)))
			base = &peers[i];
	}
	row_name(row, name, sizeof(name));
	printf("%s (medians of %u rounds)\n  %-30s", name, row_rounds(row), "");
	for (size_t c = 0; c < COLUMNS; c++) {
		show[c] = shown(row, &columns[c]);
		if (show[c])
			printf(" %10s", columns[c].head);
	}
	if (show[0] && base)
		printf("  ops/s to %-15s  to its own stock", base->name);
	putchar('\n');
	for (unsigned i = 0; i < peer_count; i++) {
		double v[MAX_REPEATS];

		if (row_values(row, &peers[i], M_OPS, v))
			print_peer(row, &peers[i], base, show);
	}
	putchar('\n');
	(void)fflush(stdout);
}
