// SPDX-License-Identifier: BSD-2-Clause
/* histogram.c - the histogram of latencies against the exact percentiles of sequences that are known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "histogram.h"

#define MANY 100000

static struct histogram h, other;
static uint64_t values[MANY];

static const unsigned points[] = {0, 1, 500, 900, 990, 999, 1000};

static int clean(void **state)
{
	(void)state;
	memset(&h, 0, sizeof(h));
	memset(&other, 0, sizeof(other));
	return 0;
}

static int compare_u64(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* By the definition: sort, and take the value at the nearest rank. */
static uint64_t exact(size_t n, unsigned permil)
{
	size_t rank = (n * permil + 999) / 1000;

	return values[rank ? rank - 1 : 0];
}

/* Half of a bucket is what the answer may be off by. */
static void assert_near(uint64_t got, uint64_t wanted)
{
	uint64_t off = got > wanted ? got - wanted : wanted - got;

	if (off > wanted / 200)
		fail_msg("%llu instead of %llu", (unsigned long long)got,
			 (unsigned long long)wanted);
}

static void against_exact(size_t n)
{
	for (size_t i = 0; i < n; i++)
		histogram_add(&h, values[i]);
	qsort(values, n, sizeof(values[0]), compare_u64);
	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++)
		assert_near(histogram_permil(&h, points[i]), exact(n, points[i]));
	assert_int_equal(h.max, values[n - 1]);
	assert_int_equal(h.total, n);
}

static void test_empty(void **state)
{
	(void)state;
	assert_int_equal(histogram_permil(&h, 500), 0);
	assert_int_equal(histogram_permil(&h, 1000), 0);
}

static void test_one(void **state)
{
	(void)state;
	histogram_add(&h, 123456789);
	assert_near(histogram_permil(&h, 0), 123456789);
	assert_near(histogram_permil(&h, 999), 123456789);
	assert_int_equal(histogram_permil(&h, 1000), 123456789);
}

static void test_small_values_are_exact(void **state)
{
	(void)state;
	for (unsigned i = 1; i <= 100; i++)
		histogram_add(&h, i);
	for (unsigned i = 1; i <= 100; i++)
		assert_int_equal(histogram_permil(&h, i * 10), i);
}

static void test_sequence(void **state)
{
	(void)state;
	for (size_t i = 0; i < MANY; i++)
		values[i] = (i * 7919) % MANY + 1;
	against_exact(MANY);
}

/* A tail as latencies have it: each tenth value is ten times as large. */
static void test_long_tail(void **state)
{
	uint64_t scale = 37;

	(void)state;
	for (size_t i = 0; i < MANY; i++) {
		scale = 37;
		for (size_t j = i; j % 10 == 9; j /= 10)
			scale *= 10;
		values[i] = scale + i % 13;
	}
	against_exact(MANY);
}

static void test_powers_of_two(void **state)
{
	size_t n = 0;

	(void)state;
	for (unsigned bit = 0; bit < HISTOGRAM_BITS; bit++) {
		values[n++] = ((uint64_t)1 << bit) - 1;
		values[n++] = (uint64_t)1 << bit;
		values[n++] = ((uint64_t)1 << bit) + 1;
	}
	against_exact(n);
}

/* Each value alone comes back as itself, within half of a bucket of at most 1%. */
static void test_width(void **state)
{
	(void)state;
	for (uint64_t v = 1; v < (uint64_t)1 << 39; v += v / 100 + 1) {
		clean(NULL);
		histogram_add(&h, v);
		/* Hides the exact maximum, which caps the answer. */
		histogram_add(&h, v * 2);
		assert_near(histogram_permil(&h, 500), v);
	}
}

static void test_beyond(void **state)
{
	(void)state;
	histogram_add(&h, 1);
	histogram_add(&h, UINT64_MAX);
	assert_int_equal(histogram_permil(&h, 500), 1);
	assert_true(histogram_permil(&h, 999) == UINT64_MAX);
	assert_true(h.max == UINT64_MAX);
}

static void test_merge(void **state)
{
	(void)state;
	for (size_t i = 0; i < MANY; i++) {
		values[i] = i * i % 1000003;
		histogram_add(i % 3 ? &h : &other, values[i]);
	}
	histogram_merge(&h, &other);
	qsort(values, MANY, sizeof(values[0]), compare_u64);
	assert_int_equal(h.total, MANY);
	assert_int_equal(h.max, values[MANY - 1]);
	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++)
		assert_near(histogram_permil(&h, points[i]), exact(MANY, points[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_empty, clean),
		cmocka_unit_test_setup(test_one, clean),
		cmocka_unit_test_setup(test_small_values_are_exact, clean),
		cmocka_unit_test_setup(test_sequence, clean),
		cmocka_unit_test_setup(test_long_tail, clean),
		cmocka_unit_test_setup(test_powers_of_two, clean),
		cmocka_unit_test_setup(test_width, clean),
		cmocka_unit_test_setup(test_beyond, clean),
		cmocka_unit_test_setup(test_merge, clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
