// SPDX-License-Identifier: BSD-2-Clause
/* compare_stats - medians and ratios of a few runs, some of which may not have been measured. */
#include <math.h>
#include <stdlib.h>

#include "compare.h"

static int compare_double(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

struct spread spread_of(const double *v, size_t n)
{
	struct spread s = {NAN, NAN, NAN, 0};
	double known[MAX_RUNS];

	for (size_t i = 0; i < n && s.n < MAX_RUNS; i++) {
		if (!isnan(v[i]))
			known[s.n++] = v[i];
	}
	if (!s.n)
		return s;
	qsort(known, s.n, sizeof(known[0]), compare_double);
	s.median = (known[(s.n - 1) / 2] + known[s.n / 2]) / 2;
	s.min = known[0];
	s.max = known[s.n - 1];
	return s;
}

double median(const double *v, size_t n)
{
	return spread_of(v, n).median;
}

struct spread spread_ratio(const double *ours, const double *base, size_t n)
{
	double ratio[MAX_RUNS];

	if (n > MAX_RUNS)
		n = MAX_RUNS;
	for (size_t i = 0; i < n; i++)
		ratio[i] = base[i] > 0 ? ours[i] / base[i] : NAN;
	return spread_of(ratio, n);
}

void values_clear(struct values *v)
{
	for (unsigned i = 0; i < METRIC_COUNT; i++)
		v->v[i] = NAN;
}
