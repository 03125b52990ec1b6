// SPDX-License-Identifier: BSD-2-Clause
/* What bench/compare makes of runs: medians and ratios, and numbers out of what programs print. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bench/compare.h"
#include "bench/compare_json.h"

static bool is(double a, double b)
{
	return fabs(a - b) < 1e-9;
}

static void medians(void **state)
{
	const double odd[] = {9, 1, 5}, even[] = {4, 1, 2, 8}, holes[] = {NAN, 3, NAN, 1};
	(void)state;

	assert_true(is(median(odd, 3), 5));
	assert_true(is(median(even, 4), 3));
	assert_true(is(median(holes, 4), 2));
	assert_true(isnan(median(holes, 1)));
	assert_true(isnan(median(NULL, 0)));
	struct spread s = spread_of(holes, 4);

	assert_int_equal(s.n, 2);
	assert_true(is(s.min, 1) && is(s.max, 3));
}

/* The ratio of medians here would be 1: rounds that were slow for both would hide the difference. */
static void ratios_within_rounds(void **state)
{
	const double base[] = {100, 10, 50, 0, NAN}, ours[] = {200, 20, 50, 7, 7};
	(void)state;
	struct spread s = spread_ratio(ours, base, 5);

	assert_int_equal(s.n, 3);
	assert_true(is(s.median, 2) && is(s.min, 1) && is(s.max, 2));
	s = spread_ratio(ours, base + 3, 2);
	assert_int_equal(s.n, 0);
	assert_true(isnan(s.median));
}

static void more_than_fit(void **state)
{
	static double v[MAX_RUNS + 10];
	(void)state;

	for (size_t i = 0; i < MAX_RUNS + 10; i++)
		v[i] = 2;
	assert_int_equal(spread_of(v, MAX_RUNS + 10).n, MAX_RUNS);
	assert_true(is(spread_ratio(v, v, MAX_RUNS + 10).median, 1));
}

/* Members of what lies within are not the program's own. */
static const char printed[] = "{\n  \"name\": \"a \\\"rss_kb\\\": 7\",\n  \"series\": [{\"t_ms\": "
			      "0, \"rss_kb\": 5}, {\"rss_kb\": 6}],\n"
			      "  \"inner\": {\"rss_kb\": 8},\n  \"rss_kb\": 9, \"none\": null, "
			      "\"text\": \"12\",\n  \"minus\": -1.5e3 }\n";

static void members(void **state)
{
	(void)state;
	assert_true(is(json_number(printed, "rss_kb"), 9));
	assert_true(is(json_number(printed, "minus"), -1500));
	assert_true(isnan(json_number(printed, "none")));
	assert_true(isnan(json_number(printed, "text")));
	assert_true(isnan(json_number(printed, "t_ms")));
	assert_true(isnan(json_number(printed, "rss")));
	assert_true(isnan(json_number("", "rss_kb")));
	assert_true(isnan(json_number("{\"rss_kb", "rss_kb")));
	assert_true(isnan(json_number("{\"a\": 1} {\"rss_kb\": 2}", "rss_kb")));
}

static void benchmarks(void **state)
{
	static const char text[] =
		"{\"context\": {\"name\": \"x\"}, \"benchmarks\": [{\"name\": \"x/2\", "
		"\"real_time\": 2},"
		" {\"name\": \"x\", \"more\": {\"real_time\": 5}, \"real_time\": 3}]}";
	(void)state;

	assert_true(is(json_benchmark(text, "x", "real_time"), 3));
	assert_true(is(json_benchmark(text, "x/2", "real_time"), 2));
	assert_true(isnan(json_benchmark(text, "y", "real_time")));
	assert_true(isnan(json_benchmark("{}", "x", "real_time")));
}

static void assert_written(const char *text, const char *without, const char *wanted)
{
	char *buf = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&buf, &len);

	assert_non_null(f);
	json_write_members(f, text, without);
	assert_int_equal(fclose(f), 0);
	assert_string_equal(buf, wanted);
	free(buf);
}

static void members_written(void **state)
{
	(void)state;
	assert_written("{ \"a\": [1, {\"b\": 2}],\n \"c d\": \"e, f }\" }\n", NULL,
		       "\"a\":[1,{\"b\":2}],\"c d\":\"e, f }\"");
	assert_written("{\"a\": [1, {\"b\": 2}], \"c\": 3}", "a", "\"c\":3");
	assert_written("{\"c\": 3, \"a\": {}}", "a", "\"c\":3");
	assert_written("{\"a\": {\"a\": 1}}", "b", "\"a\":{\"a\":1}");
	assert_written("{}", NULL, "");
	assert_written("", NULL, "");
}

static void strings_and_numbers(void **state)
{
	char *buf = NULL;
	size_t len = 0;
	(void)state;
	FILE *f = open_memstream(&buf, &len);

	assert_non_null(f);
	json_write_string(f, "a \"b\" \\ \n");
	json_write_number(f, NAN);
	json_write_number(f, 1.5);
	assert_int_equal(fclose(f), 0);
	assert_string_equal(buf, "\"a \\\"b\\\" \\\\ \\u000a\"null1.5");
	free(buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(medians),
		cmocka_unit_test(ratios_within_rounds),
		cmocka_unit_test(more_than_fit),
		cmocka_unit_test(members),
		cmocka_unit_test(benchmarks),
		cmocka_unit_test(members_written),
		cmocka_unit_test(strings_and_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
