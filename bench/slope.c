// SPDX-License-Identifier: BSD-2-Clause
/* slope - see slope.h. */
#include <math.h>

#include "slope.h"

/* An r close to 1 would make the error infinite, and means only that there are too few samples. */
#define MOST_CORRELATION 0.99

static double mean(const double *v, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += v[i];
	return sum / (double)n;
}

bool slope_fit(const double *x, const double *y, size_t n, struct slope *out)
{
	double sxx = 0, sxy = 0, squares = 0, lagged = 0, before = 0;

	if (n < 3)
		return false;
	double mx = mean(x, n), my = mean(y, n);

	for (size_t i = 0; i < n; i++) {
		sxx += (x[i] - mx) * (x[i] - mx);
		sxy += (x[i] - mx) * (y[i] - my);
	}
	if (sxx <= 0)
		return false;
	double slope = sxy / sxx;

	for (size_t i = 0; i < n; i++) {
		double residual = y[i] - my - slope * (x[i] - mx);

		squares += residual * residual;
		lagged += residual * before;
		before = residual;
	}
	double r = squares > 0 ? fmin(fmax(lagged / squares, 0), MOST_CORRELATION) : 0;

	out->slope = slope;
	out->error = sqrt(squares / (double)(n - 2) / sxx * (1 + r) / (1 - r));
	return true;
}
