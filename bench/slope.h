/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slope - does a figure rise with time? A straight line by least squares, and how sure it is.
 *
 * Samples of a running program are not independent: a high one is followed by a high one. The usual
 * standard error takes them to be, and calls a slope real that is none. So it is widened by
 * sqrt((1 + r) / (1 - r)), where r is the correlation of each residual with the one before it.
 */
#ifndef PTR_SLOPE_H
#define PTR_SLOPE_H

#include <stdbool.h>
#include <stddef.h>

struct slope {
	double slope; /* y per x */
	double error; /* its standard error; a slope within twice of this is none */
};

/* False, and *out untouched, with fewer than 3 samples or where all x are equal. */
bool slope_fit(const double *x, const double *y, size_t n, struct slope *out);

#endif
