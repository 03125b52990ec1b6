// SPDX-License-Identifier: BSD-2-Clause
/* The rules of the decay advice, on made-up traffic. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "os.h"
#include "tune.h"
#include "tune_rule.h"

#define SECOND UINT64_C(1000000000)
#define MIB    ((uint64_t)1 << 20)

/* A rule in a process that takes its advice at once, or never. */
static int64_t in_force;

static const struct tune_traffic hot = {SECOND, 100 * MIB, 100 * MIB};
static const struct tune_traffic quiet = {SECOND, 0, 0};

static int64_t intervals(struct tune_rule *r, struct tune_traffic t, int64_t configured, unsigned n)
{
	while (n--)
		in_force = tune_rule_dirty(r, &t, in_force, configured);
	return in_force;
}

static void much_taken_back_raises(void **state)
{
	struct tune_rule r = {0};

	(void)state;
	in_force = 0;
	assert_int_equal(intervals(&r, quiet, 0, 5), 0);
	assert_int_equal(r.why, TUNE_CALM);
	assert_int_equal(intervals(&r, hot, 0, TUNE_CONFIRM - 1), 0);
	assert_int_equal(r.why, TUNE_WATCHING);
	assert_int_equal(intervals(&r, hot, 0, 1), TUNE_FIRST_MS);
	assert_int_equal(r.why, TUNE_EAGER);
	/* Half of it is spared: that helped, and it goes on. */
	struct tune_traffic half = {SECOND, 50 * MIB, 50 * MIB};

	assert_int_equal(intervals(&r, half, 0, TUNE_CONFIRM), TUNE_FIRST_MS);
	assert_int_equal(r.why, TUNE_RAISED);
	assert_int_equal(intervals(&r, half, 0, 1), TUNE_FIRST_MS);
	assert_int_equal(r.why, TUNE_HELPS);
	assert_int_equal(intervals(&r, half, 0, TUNE_CONFIRM), 2 * TUNE_FIRST_MS);
	/* All of it: it stays there. */
	assert_int_equal(intervals(&r, quiet, 0, TUNE_HOLD - 1), 2 * TUNE_FIRST_MS);
	assert_int_equal(r.why, TUNE_HELPS);
}

static void little_or_rarely_taken_back_changes_nothing(void **state)
{
	struct tune_rule r = {0};
	struct tune_traffic slow = {SECOND, TUNE_RATE - 1, TUNE_RATE - 1};
	struct tune_traffic given_up = {SECOND, 1000 * MIB, 100 * MIB};
	/* The same bytes, over more seconds. */
	struct tune_traffic long_one = {10 * SECOND, 100 * MIB, 100 * MIB};

	(void)state;
	in_force = 0;
	assert_int_equal(intervals(&r, slow, 0, 100), 0);
	assert_int_equal(intervals(&r, given_up, 0, 100), 0);
	assert_int_equal(intervals(&r, long_one, 0, 100), 0);
	assert_int_equal(r.why, TUNE_CALM);
	/* Every other second is not enough. */
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(intervals(&r, hot, 0, 1), 0);
		assert_int_equal(intervals(&r, quiet, 0, 1), 0);
	}
	/* Three of four are: bursts with pauses between them. */
	for (unsigned i = 0; i < 2; i++) {
		intervals(&r, hot, 0, 2);
		intervals(&r, quiet, 0, 1);
	}
	assert_int_equal(in_force, TUNE_FIRST_MS);
}

static void what_spares_little_is_taken_back_and_tried_later(void **state)
{
	struct tune_rule r = {0};
	unsigned waited, before = 0;

	(void)state;
	in_force = 0;
	intervals(&r, hot, 0, TUNE_CONFIRM);
	assert_int_equal(in_force, TUNE_FIRST_MS);
	assert_int_equal(intervals(&r, hot, 0, TUNE_CONFIRM + 1), 0);
	assert_int_equal(r.why, TUNE_SPARED_LITTLE);
	/* Each time it waits longer, up to a limit. */
	for (unsigned i = 0; i < 12; i++) {
		for (waited = 0; in_force == 0; waited++) {
			assert_in_range(waited, 0, TUNE_HOLD_MAX);
			intervals(&r, hot, 0, 1);
		}
		assert_true(waited >= before && waited >= TUNE_HOLD - 1);
		before = waited;
		intervals(&r, hot, 0, TUNE_CONFIRM + 1);
		assert_int_equal(in_force, 0);
	}
	assert_in_range(before, TUNE_HOLD_MAX - TUNE_CONFIRM, TUNE_HOLD_MAX);
}

static void it_ends_at_the_ceiling(void **state)
{
	struct tune_rule r = {0};
	struct tune_traffic t = {SECOND, 0, 0};
	int64_t last = 0;

	(void)state;
	in_force = 0;
	for (uint64_t rate = UINT64_C(1) << 60; rate > TUNE_RATE; rate /= 2) {
		t.purged = t.taken_back = rate;
		intervals(&r, t, 0, TUNE_CONFIRM);
		assert_true(in_force <= TUNE_CEILING_MS);
		assert_true(in_force > last || in_force == TUNE_CEILING_MS);
		last = in_force;
		t.purged = t.taken_back = rate / 2;
		intervals(&r, t, 0, TUNE_CONFIRM + 1);
	}
	assert_int_equal(in_force, TUNE_CEILING_MS);
	assert_int_equal(intervals(&r, hot, 0, TUNE_CONFIRM), TUNE_CEILING_MS);
	assert_int_equal(r.why, TUNE_CEILING);
	/* What was configured longer is left. */
	in_force = 3 * TUNE_CEILING_MS;
	assert_int_equal(intervals(&r, hot, in_force, 100), 3 * TUNE_CEILING_MS);
}

static void it_comes_down_and_not_below_what_was_configured(void **state)
{
	struct tune_rule r = {0};
	struct tune_traffic half = {SECOND, 50 * MIB, 50 * MIB};

	(void)state;
	in_force = 15;
	intervals(&r, hot, 15, TUNE_CONFIRM);
	assert_int_equal(in_force, 30);
	intervals(&r, half, 15, 2 * TUNE_CONFIRM + 1);
	assert_int_equal(in_force, 60);
	intervals(&r, quiet, 15, TUNE_CONFIRM + 1);
	assert_int_equal(intervals(&r, quiet, 15, TUNE_HOLD), 30);
	assert_int_equal(r.why, TUNE_LOWERED);
	/* The traffic is back: up again, and the next trial is later. */
	assert_int_equal(intervals(&r, hot, 15, TUNE_CONFIRM), 60);
	intervals(&r, quiet, 15, TUNE_CONFIRM + 1);
	assert_int_equal(intervals(&r, quiet, 15, 2 * TUNE_HOLD - 1), 60);
	assert_int_equal(intervals(&r, quiet, 15, 1), 30);
	assert_int_equal(intervals(&r, quiet, 15, 10 * TUNE_HOLD), 15);
	assert_int_equal(intervals(&r, quiet, 15, 10 * TUNE_HOLD), 15);
}

static void advice_that_nobody_takes_stays_for_a_while(void **state)
{
	struct tune_rule r = {0};
	unsigned i;

	(void)state;
	for (i = 0; i < TUNE_CONFIRM; i++)
		(void)tune_rule_dirty(&r, &hot, 0, 0);
	for (i = 0; i < 1000; i++) {
		assert_int_equal(tune_rule_dirty(&r, &hot, 0, 0), TUNE_FIRST_MS);
		assert_int_equal(r.why, TUNE_EAGER);
	}
	for (i = 0; i < TUNE_WITHDRAW - 1; i++)
		assert_int_equal(tune_rule_dirty(&r, &quiet, 0, 0), TUNE_FIRST_MS);
	assert_int_equal(tune_rule_dirty(&r, &quiet, 0, 0), 0);
	assert_int_equal(r.why, TUNE_CALM);
	/* Another value than advised: learned anew. */
	for (i = 0; i < TUNE_CONFIRM; i++)
		(void)tune_rule_dirty(&r, &hot, 0, 0);
	assert_int_equal(tune_rule_dirty(&r, &hot, 500, 500), 500);
	assert_int_equal(r.why, TUNE_WATCHING);
}

static void never_is_respected(void **state)
{
	struct tune_rule r = {0};
	enum tune_why why = TUNE_CALM;

	(void)state;
	in_force = -1;
	assert_int_equal(intervals(&r, hot, -1, 100), -1);
	assert_int_equal(r.why, TUNE_NEVER);
	assert_int_equal(tune_rule_muzzy(-1, &why), -1);
	assert_int_equal(why, TUNE_MUZZY_NEVER);
	assert_int_equal(tune_rule_muzzy(10000, &why), 0);
	assert_int_equal(why, TUNE_MUZZY);
	why = TUNE_CALM;
	assert_int_equal(tune_rule_muzzy(0, &why), 0);
	assert_int_equal(why, TUNE_CALM);
}

static void memory_is_bounded(void **state)
{
	struct tune_memory m = {0};
	unsigned i;

	(void)state;
	/* The peak counts, not what happened to be resident last. */
	assert_false(tune_rule_memory(&m, 100 * MIB, false));
	assert_false(tune_rule_memory(&m, 20 * MIB, false));
	assert_false(tune_rule_memory(&m, 132 * MIB, true));
	assert_true(tune_rule_memory(&m, 133 * MIB, true));
	/* What a step back gives takes some time. */
	for (i = 0; i < TUNE_CONFIRM; i++)
		assert_false(tune_rule_memory(&m, 133 * MIB, true));
	assert_true(tune_rule_memory(&m, 133 * MIB, true));
	/* Not raised any more: the peak is a new one, in time. */
	for (i = 0; i < TUNE_PEAKS; i++)
		assert_false(tune_rule_memory(&m, 800 * MIB, false));
	assert_false(tune_rule_memory(&m, 900 * MIB, true));
	assert_true(tune_rule_memory(&m, 901 * MIB, true));
}

static void dirty_pages_left_in_idle_arenas(void **state)
{
	struct tune_left l = {0};

	(void)state;
	assert_false(tune_rule_left(&l, SECOND, 4 * MIB, 7, 1000));
	assert_false(tune_rule_left(&l, 2 * SECOND, 4 * MIB, 7, 1000));
	assert_true(tune_rule_left(&l, 3 * SECOND, 4 * MIB, 7, 1000));
	/* It purges. */
	assert_false(tune_rule_left(&l, 4 * SECOND, 4 * MIB, 8, 1000));
	assert_true(tune_rule_left(&l, 6 * SECOND, 4 * MIB, 8, 1000));
	/* Hardly anything; purged at once; never to be purged. */
	assert_false(tune_rule_left(&l, 9 * SECOND, MIB - 1, 8, 1000));
	assert_false(tune_rule_left(&l, 10 * SECOND, 4 * MIB, 8, 0));
	assert_false(tune_rule_left(&l, 20 * SECOND, 4 * MIB, 8, 0));
	assert_false(tune_rule_left(&l, 30 * SECOND, 4 * MIB, 8, -1));
	assert_false(tune_rule_left(&l, 60 * SECOND, 4 * MIB, 8, -1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(much_taken_back_raises),
		cmocka_unit_test(little_or_rarely_taken_back_changes_nothing),
		cmocka_unit_test(what_spares_little_is_taken_back_and_tried_later),
		cmocka_unit_test(it_ends_at_the_ceiling),
		cmocka_unit_test(it_comes_down_and_not_below_what_was_configured),
		cmocka_unit_test(advice_that_nobody_takes_stays_for_a_while),
		cmocka_unit_test(never_is_respected),
		cmocka_unit_test(memory_is_bounded),
		cmocka_unit_test(dirty_pages_left_in_idle_arenas),
	};

	os_init_sizes(4096);
	return cmocka_run_group_tests_name("tune_rules", tests, NULL, NULL);
}
