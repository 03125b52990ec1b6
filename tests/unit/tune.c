// SPDX-License-Identifier: BSD-2-Clause
/* The decay advice: rules on made-up traffic, and whose setting it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fake_os.h"
#include "os.h"
#include "tune.h"
#include "tune_rule.h"

#define SECOND UINT64_C(1000000000)
#define MIB    ((uint64_t)1 << 20)

static uint64_t clock_now, resident_bytes;
static unsigned changes;

static ssize_t read_file(const char *path, char *buf, size_t cap)
{
	assert_string_equal(path, "/proc/self/statm");
	return snprintf(buf, cap, "99999 %llu 3 4\n", (unsigned long long)resident_bytes / 4096);
}

static int setup(void **state)
{
	(void)state;
	fake_install(4096);
	os.read_file = read_file;
	clock_now = SECOND;
	resident_bytes = 100 * MIB;
	tune_reset();
	return 0;
}

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

static void hooks_count(void **state)
{
	struct tune_arena a;

	(void)state;
	assert_int_equal(tune_arenas(), 0);
	assert_false(tune_arena(3, &a));
	tune_purged(3, fake_addr(0, 511), fake_pages(513));
	tune_purged(3, fake_addr(2, 1), fake_pages(511));
	tune_purged(3, fake_addr(4, 511), fake_pages(2));
	tune_grown(3, 10 * MIB);
	tune_taken_back(3, 7 * MIB);
	assert_int_equal(tune_arenas(), 4);
	assert_true(tune_arena(3, &a));
	assert_int_equal(a.purges, 3);
	assert_int_equal(a.purged, fake_pages(513 + 511 + 2));
	assert_int_equal(a.purged_whole, fake_pages(512));
	/* What is fresh is not taken back. */
	assert_int_equal(a.taken_back, 0);
	tune_taken_back(3, 7 * MIB);
	assert_true(tune_arena(3, &a));
	assert_int_equal(a.taken_back, 4 * MIB);
	/* It only grows. */
	tune_grown(3, 100 * MIB);
	assert_true(tune_arena(3, &a));
	assert_int_equal(a.taken_back, 4 * MIB);
	assert_int_equal(a.dirty_decay_ms, TUNE_UNKNOWN);
	assert_string_equal(a.reason, tune_why(TUNE_NOT_LOOKED));
	tune_purged(TUNE_ARENAS + 5, fake_addr(0, 0), 4096);
	assert_int_equal(tune_arenas(), TUNE_ARENAS);
	assert_false(tune_arena(TUNE_ARENAS, &a));
}

/* Arena 1 as jemalloc would have it. */
static struct tune_settings je;
static bool je_threads, refused;

static void poll_once(bool on, bool busy)
{
	bool threads = je_threads;

	if (busy) {
		tune_purged(1, fake_addr(0, 0), 100 * MIB);
		tune_taken_back(1, 100 * MIB);
	}
	clock_now += SECOND;
	tune_begin(clock_now, on);
	(void)tune_decide(1, &je);
	if (tune_decide_threads(&threads, refused))
		je_threads = threads;
}

static void polls(bool busy, unsigned n)
{
	while (n--)
		poll_once(true, busy);
}

static const char *reason(void)
{
	struct tune_arena a;

	assert_true(tune_arena(1, &a));
	assert_int_equal(a.dirty_decay_ms, je.dirty_ms);
	assert_int_equal(a.muzzy_decay_ms, je.muzzy_ms);
	return a.reason;
}

static int64_t advised(void)
{
	struct tune_arena a;

	assert_true(tune_arena(1, &a));
	return a.advised_dirty_ms;
}

static int setup_polls(void **state)
{
	je = (struct tune_settings){0, 0};
	je_threads = refused = false;
	return setup(state);
}

static void advise_writes_nothing(void **state)
{
	struct tune_arena a;

	(void)state;
	je.muzzy_ms = 3000;
	tune_set_mode(CONF_TUNE_ADVISE);
	polls(true, 20);
	assert_int_equal(je.dirty_ms, 0);
	assert_int_equal(je.muzzy_ms, 3000);
	assert_int_equal(advised(), TUNE_FIRST_MS);
	/* One line tells of both; this one matters more. */
	assert_string_equal(reason(), tune_why(TUNE_MUZZY));
	assert_true(tune_arena(1, &a));
	assert_int_equal(a.advised_muzzy_ms, 0);
	je.muzzy_ms = 0;
	polls(true, 1);
	assert_string_equal(reason(), tune_why(TUNE_EAGER));
	assert_false(tune_holds());
}

static void apply_writes_and_restores(void **state)
{
	(void)state;
	je.muzzy_ms = 3000;
	tune_set_mode(CONF_TUNE_APPLY);
	polls(true, TUNE_CONFIRM + 1);
	assert_int_equal(je.dirty_ms, TUNE_FIRST_MS);
	assert_int_equal(je.muzzy_ms, 0);
	assert_true(tune_holds());
	/* The kill file, or another mode. */
	poll_once(false, true);
	assert_int_equal(je.dirty_ms, 0);
	assert_int_equal(je.muzzy_ms, 3000);
	assert_string_equal(reason(), tune_why(TUNE_UNSEEN));
	assert_false(tune_holds());
	/* On again: as from the start. */
	polls(true, TUNE_CONFIRM);
	assert_int_equal(je.dirty_ms, 0);
	polls(true, 2);
	assert_int_equal(je.dirty_ms, TUNE_FIRST_MS);
	tune_set_mode(CONF_TUNE_ADVISE);
	poll_once(true, true);
	assert_int_equal(je.dirty_ms, 0);
	assert_int_equal(je.muzzy_ms, 3000);
	tune_set_mode(CONF_TUNE_APPLY);
	polls(true, 20);
	assert_true(tune_holds());
	tune_set_mode(CONF_TUNE_OFF);
	poll_once(true, true);
	assert_int_equal(je.dirty_ms, 0);
	assert_int_equal(je.muzzy_ms, 3000);
	assert_string_equal(reason(), tune_why(TUNE_NOT_LOOKED));
	assert_false(tune_holds());
}

static void what_others_write_stays(void **state)
{
	(void)state;
	je.muzzy_ms = 3000;
	tune_set_mode(CONF_TUNE_APPLY);
	polls(true, TUNE_CONFIRM + 1);
	assert_int_equal(je.dirty_ms, TUNE_FIRST_MS);
	je.dirty_ms = 777;
	polls(true, 20);
	assert_int_equal(je.dirty_ms, 777);
	assert_string_equal(reason(), tune_why(TUNE_LEFT_ALONE));
	assert_int_equal(advised(), 777);
	je.dirty_ms = 5;
	polls(true, 20);
	assert_int_equal(je.dirty_ms, 5);
	/* The other is still ours. */
	assert_true(tune_holds());
	tune_set_mode(CONF_TUNE_OFF);
	poll_once(true, true);
	assert_int_equal(je.dirty_ms, 5);
	assert_int_equal(je.muzzy_ms, 3000);
	tune_set_mode(CONF_TUNE_APPLY);
	polls(true, 20);
	assert_int_equal(je.dirty_ms, 5);
}

static void before_the_first_step_it_is_not_ours(void **state)
{
	(void)state;
	tune_set_mode(CONF_TUNE_APPLY);
	polls(true, 2);
	je.dirty_ms = 40;
	/* Less than an interval later. */
	tune_begin(clock_now + 1, true);
	assert_false(tune_decide(1, &je));
	polls(true, TUNE_CONFIRM + 1);
	assert_int_equal(je.dirty_ms, 80);
	tune_set_mode(CONF_TUNE_OFF);
	poll_once(true, false);
	assert_int_equal(je.dirty_ms, 40);
}

static void less_than_configured_is_advised_and_not_applied(void **state)
{
	(void)state;
	tune_set_mode(CONF_TUNE_ADVISE);
	polls(true, TUNE_CONFIRM + 1);
	assert_int_equal(advised(), TUNE_FIRST_MS);
	/* The operator tries it, and it spares nothing. */
	je.dirty_ms = TUNE_FIRST_MS;
	polls(true, TUNE_CONFIRM + 1);
	assert_int_equal(advised(), 0);
	assert_string_equal(reason(), tune_why(TUNE_SPARED_LITTLE));
	je.dirty_ms = 0;
	polls(true, TUNE_HOLD + 2);
	assert_int_equal(advised(), TUNE_FIRST_MS);
	je.dirty_ms = TUNE_FIRST_MS;
	tune_set_mode(CONF_TUNE_APPLY);
	polls(true, TUNE_CONFIRM + 1);
	assert_int_equal(je.dirty_ms, TUNE_FIRST_MS);
	assert_false(tune_holds());
}

static void a_write_that_lost_is_not_repeated(void **state)
{
	(void)state;
	tune_set_mode(CONF_TUNE_APPLY);
	polls(true, TUNE_CONFIRM + 1);
	assert_int_equal(je.dirty_ms, TUNE_FIRST_MS);
	je.dirty_ms = 50;
	tune_lost(1);
	polls(true, 20);
	assert_int_equal(je.dirty_ms, 50);
	assert_false(tune_holds());
}

static void too_much_memory_brings_it_down(void **state)
{
	(void)state;
	tune_set_mode(CONF_TUNE_APPLY);
	polls(true, TUNE_CONFIRM + 1);
	assert_int_equal(je.dirty_ms, TUNE_FIRST_MS);
	resident_bytes += 33 * MIB;
	poll_once(true, true);
	assert_int_equal(je.dirty_ms, 0);
	assert_string_equal(reason(), tune_why(TUNE_MEMORY_GREW));
	polls(true, TUNE_HOLD - 1);
	assert_int_equal(je.dirty_ms, 0);
	assert_string_equal(reason(), tune_why(TUNE_MEMORY_GREW));
	polls(true, 2);
	assert_int_equal(je.dirty_ms, TUNE_FIRST_MS);
	/* Advice costs no memory. */
	tune_set_mode(CONF_TUNE_ADVISE);
	polls(true, 2);
	resident_bytes += 1000 * MIB;
	polls(true, 20);
	assert_string_equal(reason(), tune_why(TUNE_EAGER));
}

static void the_last_counts_for_all_beyond(void **state)
{
	struct tune_settings s = {0, 0};
	struct tune_arena a;

	(void)state;
	tune_set_mode(CONF_TUNE_APPLY);
	for (unsigned i = 0; i < 20; i++) {
		tune_taken_back(TUNE_ARENAS + 7, 100 * MIB);
		tune_begin(clock_now += SECOND, true);
		assert_false(tune_decide(TUNE_ARENAS - 1, &s));
	}
	assert_true(tune_arena(TUNE_ARENAS - 1, &a));
	assert_string_equal(a.reason, tune_why(TUNE_SHARED));
}

static struct tune_process process(void)
{
	struct tune_process p;

	tune_process(&p);
	return p;
}

/* So many polls of an idle arena, with this much dirty. */
static void idle(uint64_t dirty, unsigned n)
{
	while (n--) {
		poll_once(true, false);
		if (tune_wants_dirty())
			tune_dirty(1, dirty);
	}
}

static void threads_for_idle_arenas(void **state)
{
	(void)state;
	assert_string_equal(process().reason, tune_why(TUNE_THREADS_NOT_LOOKED));
	tune_set_mode(CONF_TUNE_APPLY);
	idle(8 * MIB, 100);
	assert_string_equal(process().reason, tune_why(TUNE_THREADS_NO_DECAY));
	je.dirty_ms = 5000;
	idle(0, 100);
	assert_string_equal(process().reason, tune_why(TUNE_THREADS_NO_NEED));
	refused = true;
	idle(8 * MIB, 100);
	assert_false(je_threads);
	assert_string_equal(process().reason, tune_why(TUNE_THREADS_REFUSED));
	refused = false;
	tune_set_mode(CONF_TUNE_ADVISE);
	poll_once(true, false);
	assert_false(je_threads);
	assert_true(process().advised_background_thread);
	assert_string_equal(process().reason, tune_why(TUNE_THREADS_NEEDED));
	tune_set_mode(CONF_TUNE_APPLY);
	poll_once(true, false);
	assert_true(je_threads);
	assert_true(process().background_thread);
	assert_true(tune_holds());
	poll_once(false, false);
	assert_false(je_threads);
	assert_string_equal(process().reason, tune_why(TUNE_UNSEEN));
	poll_once(true, false);
	assert_true(je_threads);
	/* Turned off by the program, or in a child after fork, where they are gone. */
	je_threads = false;
	idle(8 * MIB, 100);
	assert_false(je_threads);
	assert_string_equal(process().reason, tune_why(TUNE_LEFT_ALONE));
	assert_false(process().advised_background_thread);
}

static void threads_of_the_program_are_its_own(void **state)
{
	(void)state;
	je_threads = true;
	je.dirty_ms = 5000;
	tune_set_mode(CONF_TUNE_APPLY);
	idle(8 * MIB, 100);
	assert_string_equal(process().reason, tune_why(TUNE_THREADS_ON));
	assert_true(process().advised_background_thread);
	assert_false(tune_holds());
	tune_set_mode(CONF_TUNE_OFF);
	poll_once(true, false);
	assert_true(je_threads);
}

static void changed(void)
{
	changes++;
}

static void whoever_polls_is_told(void **state)
{
	(void)state;
	tune_on_change(changed);
	tune_set_mode(CONF_TUNE_APPLY);
	assert_int_equal(changes, 1);
	assert_int_equal(tune_mode(), CONF_TUNE_APPLY);
	tune_set_mode(CONF_TUNE_OFF);
	assert_int_equal(changes, 2);
}

static void every_reason_is_one_line(void **state)
{
	(void)state;
	for (unsigned i = 0; i < TUNE_WHYS; i++) {
		const char *why = tune_why((enum tune_why)i);

		assert_non_null(why);
		assert_null(strchr(why, '\n'));
		assert_in_range(strlen(why), 10, 200);
	}
	assert_string_equal(tune_why(TUNE_WHYS), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(much_taken_back_raises, setup),
		cmocka_unit_test_setup(little_or_rarely_taken_back_changes_nothing, setup),
		cmocka_unit_test_setup(what_spares_little_is_taken_back_and_tried_later, setup),
		cmocka_unit_test_setup(it_ends_at_the_ceiling, setup),
		cmocka_unit_test_setup(it_comes_down_and_not_below_what_was_configured, setup),
		cmocka_unit_test_setup(advice_that_nobody_takes_stays_for_a_while, setup),
		cmocka_unit_test_setup(never_is_respected, setup),
		cmocka_unit_test_setup(memory_is_bounded, setup),
		cmocka_unit_test_setup(dirty_pages_left_in_idle_arenas, setup),
		cmocka_unit_test_setup(hooks_count, setup),
		cmocka_unit_test_setup(advise_writes_nothing, setup_polls),
		cmocka_unit_test_setup(apply_writes_and_restores, setup_polls),
		cmocka_unit_test_setup(what_others_write_stays, setup_polls),
		cmocka_unit_test_setup(before_the_first_step_it_is_not_ours, setup_polls),
		cmocka_unit_test_setup(less_than_configured_is_advised_and_not_applied,
				       setup_polls),
		cmocka_unit_test_setup(a_write_that_lost_is_not_repeated, setup_polls),
		cmocka_unit_test_setup(too_much_memory_brings_it_down, setup_polls),
		cmocka_unit_test_setup(the_last_counts_for_all_beyond, setup_polls),
		cmocka_unit_test_setup(threads_for_idle_arenas, setup_polls),
		cmocka_unit_test_setup(threads_of_the_program_are_its_own, setup_polls),
		cmocka_unit_test_setup(whoever_polls_is_told, setup),
		cmocka_unit_test_setup(every_reason_is_one_line, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
