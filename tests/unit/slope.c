// SPDX-License-Identifier: BSD-2-Clause
/* slope.c - the line through samples, against lines that are known and sums done by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "slope.h"

#define MANY 400

static double x[MANY], y[MANY];

static void assert_close(double got, double wanted)
{
	if (fabs(got - wanted) > 1e-9 * (1 + fabs(wanted)))
		fail_msg("%.12g instead of %.12g", got, wanted);
}

/* Uniform in [-1, 1); the same in every run. */
static double noise(void)
{
	static uint64_t state = 1;

	state = state * 6364136223846793005u + 1442695040888963407u;
	return (double)(state >> 11) * 0x1p-52 - 1;
}

static void test_too_few(void **state)
{
	struct slope s = {7, 7};

	(void)state;
	x[0] = 1, x[1] = 2;
	y[0] = 1, y[1] = 2;
	assert_false(slope_fit(x, y, 0, &s));
	assert_false(slope_fit(x, y, 2, &s));
	assert_true(s.slope == 7 && s.error == 7);
}

static void test_one_moment(void **state)
{
	struct slope s;

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		x[i] = 3, y[i] = i;
	assert_false(slope_fit(x, y, 5, &s));
}

static void test_line(void **state)
{
	struct slope s;

	(void)state;
	for (unsigned i = 0; i < MANY; i++) {
		x[i] = i / 12.0;
		y[i] = 40 - 2.5 * x[i];
	}
	assert_true(slope_fit(x, y, MANY, &s));
	assert_close(s.slope, -2.5);
	assert_true(s.error < 1e-9);
}

/*
 * x 0 to 4, y 0 2 1 3 2: slope 5/10; residuals -0.6 0.9 -0.6 0.9 -0.6, squares 2.7, so the error is
 * sqrt(2.7 / 3 / 10). Each residual goes against the one before: that widens nothing.
 */
static void test_by_hand(void **state)
{
	static const double ys[] = {0, 2, 1, 3, 2};
	struct slope s;

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		x[i] = i, y[i] = ys[i];
	assert_true(slope_fit(x, y, 5, &s));
	assert_close(s.slope, 0.5);
	assert_close(s.error, sqrt(0.09));
}

/*
 * x 0 to 5, y 1 1 0 0 1 1: slope 0; residuals 1/3 1/3 -2/3 -2/3 1/3 1/3, squares 4/3; products of
 * neighbours 1/9 - 2/9 + 4/9 - 2/9 + 1/9 = 2/9, so r = 1/6 and the error is
 * sqrt(4/3 / 4 / 17.5 * 7/5).
 */
static void test_correlated_by_hand(void **state)
{
	static const double ys[] = {1, 1, 0, 0, 1, 1};
	struct slope s;

	(void)state;
	for (unsigned i = 0; i < 6; i++)
		x[i] = i, y[i] = ys[i];
	assert_true(slope_fit(x, y, 6, &s));
	assert_close(s.slope, 0);
	assert_close(s.error, sqrt(4.0 / 3 / 4 / 17.5 * 7 / 5));
}

/* Noise around a level that stays: no slope, by twice the error. What persists has a wider one. */
static void test_noise(void **state)
{
	struct slope free_noise, persistent;
	double level = 0;

	(void)state;
	for (unsigned i = 0; i < MANY; i++)
		x[i] = i, y[i] = 100 + 10 * noise();
	assert_true(slope_fit(x, y, MANY, &free_noise));
	assert_true(fabs(free_noise.slope) < 3 * free_noise.error);
	for (unsigned i = 0; i < MANY; i++) {
		level = 0.9 * level + noise();
		y[i] = 100 + level;
	}
	assert_true(slope_fit(x, y, MANY, &persistent));
	assert_true(fabs(persistent.slope) < 3 * persistent.error);
	for (unsigned i = 0; i < MANY; i++)
		y[i] += 0.05 * i;
	assert_true(slope_fit(x, y, MANY, &persistent));
	assert_true(persistent.slope > 3 * persistent.error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_too_few),
		cmocka_unit_test(test_one_moment),
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_by_hand),
		cmocka_unit_test(test_correlated_by_hand),
		cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
