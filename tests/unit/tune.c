// SPDX-License-Identifier: BSD-2-Clause
/* The decay advice: what is counted, whose setting it is, and what is said of it. Its rules are in
 * tune_rules.c. */
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
