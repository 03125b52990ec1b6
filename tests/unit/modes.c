// SPDX-License-Identifier: BSD-2-Clause
/* Off, observe, on, and the ways between them: what is done to pages in each, and what is left behind. */
#include "engine_fixture.h"

#include <errno.h>

#include "engine_internal.h"
#include "predict.h"

static void start_in(enum conf_mode mode, enum conf_backend backend)
{
	struct conf c;

	conf_defaults(&c);
	c.mode = mode;
	c.backend = backend;
	c.rolled_out = true;
	assert_int_equal(engine_init(&c), mode);
	fake_log_clear();
}

static void off_flushes_what_is_pending(void **state)
{
	(void)state;
	use_region(0);
	assert_true(alloc_free(0, 0, 512));
	fake_log_clear();
	engine_set_mode(CONF_OFF);
	assert_calls("dontneed 0.0+512", NONE);
	assert_int_equal(batch_bytes_exact(), 0);
	assert_int_equal(engine_mode(), CONF_OFF);
}

/* As the allocator would: each range by itself, at once, and no more than it. */
static void off_zaps_in_place(void **state)
{
	(void)state;
	use_region(0);
	engine_set_mode(CONF_OFF);
	fake_log_clear();
	assert_true(alloc_free(0, 0, 300));
	assert_true(alloc_free(0, 300, 212));
	assert_calls("dontneed 0.0+300", "dontneed 0.300+212", NONE);
	assert_int_equal(count_of(STAT_PASSED), fake_pages(512));
	assert_int_equal(count_of(STAT_DEFERRED), 0);
	assert_int_equal(batch_bytes_exact(), 0);
	/* The account is right: they read zero, and nobody else's are among them. */
	assert_int_equal(alloc_use(0, 0, 512), ENGINE_OK);
}

static void on_again_frees_what_off_has_emptied(void **state)
{
	(void)state;
	use_region(0);
	use_region(1);
	use_region(2);
	engine_set_mode(CONF_OBSERVE);
	assert_true(alloc_free(0, 0, 300));
	assert_true(alloc_free(0, 300, 212));
	assert_true(alloc_free(1, 0, 511));
	assert_int_equal(engine_reclaimable(), os_page_size);
	fake_log_clear();
	engine_set_mode(CONF_ON);
	assert_int_equal(batch_bytes_exact(), 0); /* for the worker */
	engine_catch_up();
	flush_all();
	/* Not the one with a page in use, and not the one where nothing happened. */
	assert_calls("dontneed 0.0+512", NONE);
	assert_int_equal(engine_reclaimable(), 0);
	fake_log_clear();
	/* Once is enough. */
	engine_catch_up();
	flush_all();
	assert_calls(NONE);
	/* The rest of the other comes with its last page. */
	assert_true(alloc_free(1, 511, 1));
	flush_all();
	assert_calls("dontneed 1.0+512", NONE);
}

static void without_a_worker_the_caller_catches_up(void **state)
{
	(void)state;
	use_region(0);
	engine_set_mode(CONF_OFF);
	assert_true(alloc_free(0, 0, 500));
	assert_true(alloc_free(0, 500, 12));
	fake_wiped[1] = 0;
	engine_set_mode(CONF_ON);
	assert_int_equal(batch_bytes_exact(), fake_pages(1));
}

static void with_the_advice_the_kernel_is_asked(void **state)
{
	(void)state;
	fixture_start(CONF_BACKEND_PT_RECLAIM, 32 * MIB);
	use_region(0);
	engine_set_mode(CONF_OFF);
	assert_true(alloc_free(0, 0, 300));
	engine_zapped(fake_addr(3, 7), fake_pages(1), true);
	assert_true(sweep_idle());
	fake_log_clear();
	engine_set_mode(CONF_ON);
	engine_catch_up();
	assert_false(sweep_idle());
	engine_sweep();
	/* Also the one that is partly in use. */
	assert_int_equal(count_of(STAT_REGIONS_SWEPT), 2);
}

static void the_kill_file_is_above_the_mode(void **state)
{
	(void)state;
	use_region(0);
	engine_pause(true);
	assert_int_equal(engine_mode(), CONF_ON);
	assert_int_equal(engine_mode_in_force(), CONF_OFF);
	engine_set_mode(CONF_ON);
	assert_true(alloc_free(0, 0, 10));
	assert_int_equal(batch_bytes_exact(), 0);
	engine_pause(false);
	assert_int_equal(engine_mode_in_force(), CONF_ON);
	assert_true(alloc_free(0, 10, 10));
	assert_int_equal(batch_bytes_exact(), fake_pages(10));
}

/* Again and again, it would count more zapped than was ever released. */
static void with_no_backend_there_is_nothing_to_catch_up_with(void **state)
{
	(void)state;
	fixture_start(CONF_BACKEND_NONE, 32 * MIB);
	use_region(0);
	engine_set_mode(CONF_OFF);
	assert_true(alloc_free(0, 0, 300));
	assert_true(alloc_free(0, 300, 212));
	fake_log_clear();
	for (unsigned i = 0; i < 600; i++) {
		engine_set_mode(CONF_OFF);
		engine_set_mode(CONF_ON);
		engine_catch_up();
		flush_all();
	}
	assert_calls(NONE);
	assert_true(count_of(STAT_ZAPPED) <= count_of(STAT_RELEASED));
}

/* Noted while observing from the start, asked about from the first time that it is on: the worker, which
 * has caught up with no pause, has to see that there was one. */
static void the_first_on_catches_up_as_well(void **state)
{
	uint32_t pauses;

	(void)state;
	assert_true(engine_acting(&pauses));
	assert_int_equal(pauses, 0);
	/* As it is in a new process. */
	engine_set_mode(CONF_OFF);
	start_in(CONF_OBSERVE, CONF_BACKEND_DONTNEED);
	assert_false(engine_acting(&pauses));
	engine_set_mode(CONF_ON);
	assert_true(engine_acting(&pauses));
	assert_int_not_equal(pauses, 0);
}

/* In the middle of a zap another thread switches on, and all is caught up with. */
static void switched_on_meanwhile(void)
{
	fake_during(NULL);
	engine_set_mode(CONF_ON);
	engine_catch_up();
}

static void what_is_zapped_as_it_is_switched_on_is_caught_up_with(void **state)
{
	(void)state;
	use_region(0);
	engine_set_mode(CONF_OFF);
	assert_true(alloc_free(0, 0, 300));
	fake_during(switched_on_meanwhile);
	assert_true(alloc_free(0, 300, 212));
	fake_log_clear();
	flush_all();
	assert_calls("dontneed 0.0+512", NONE);
}

static void what_is_zapped_as_it_is_switched_on_is_swept(void **state)
{
	(void)state;
	fixture_start(CONF_BACKEND_PT_RECLAIM, 32 * MIB);
	use_region(0);
	engine_set_mode(CONF_OFF);
	fake_during(switched_on_meanwhile);
	assert_true(alloc_free(0, 0, 300));
	assert_false(sweep_idle());
	engine_sweep();
	assert_int_equal(count_of(STAT_REGIONS_SWEPT), 1);
}

/* Zapped by others, and noted just before the switch that has caught up already. */
static void what_others_zap_then_is_swept_as_well(void **state)
{
	(void)state;
	fixture_start(CONF_BACKEND_PT_RECLAIM, 32 * MIB);
	assert_false(sweep_note(fake_page(1, 0), fake_page(1, 1), true, false));
	engine_noted_idle(fake_page(1, 0), fake_page(1, 1));
	assert_false(sweep_idle());
}

/* A kernel that refuses has to say so to the allocator: it is left in use, and gives it up later. */
static void what_is_refused_is_declined(void **state)
{
	(void)state;
	use_region(0);
	engine_set_mode(CONF_OFF);
	fake_fail("dontneed", EINVAL, 1);
	assert_false(engine_release(fake_addr(0, 0), fake_pages(512)));
	assert_int_equal(count_of(STAT_DECLINED), fake_pages(512));
	engine_set_mode(CONF_ON);
	engine_catch_up();
	fake_log_clear();
	flush_all();
	assert_calls(NONE);
	assert_true(alloc_free(0, 0, 512));
	flush_all();
	assert_calls("dontneed 0.0+512", NONE);
}

/* Before it was on nothing is known of any page; from then on as from the start. */
static void from_observe_to_on(void **state)
{
	(void)state;
	start_in(CONF_OBSERVE, CONF_BACKEND_DONTNEED);
	assert_false(engine_accounts());
	assert_false(engine_map(fake_addr(0, 0), fake_pages(1024), true));
	fake_live(fake_addr(0, 0), fake_pages(1024), true);
	fake_write(fake_addr(0, 0), fake_pages(1024));
	assert_false(engine_release(fake_addr(0, 0), fake_pages(1)));
	assert_calls(NONE);
	engine_set_mode(CONF_ON);
	assert_true(engine_accounts());
	engine_catch_up();
	assert_true(alloc_free(0, 0, 512));
	assert_true(alloc_free(1, 0, 511));
	flush_all();
	assert_int_equal(count_of(STAT_REGIONS_FREED), 1);
	assert_int_equal(count_of(STAT_REGIONS_PARTIAL), 1);
	assert_int_equal(alloc_use(0, 0, 512), ENGINE_OK);
}

static void observing_predicts_calls(void **state)
{
	(void)state;
	start_in(CONF_OBSERVE, CONF_BACKEND_DONTNEED);
	for (unsigned i = 0; i < 130; i++)
		assert_false(engine_release(fake_addr(0, i), fake_pages(1)));
	assert_int_equal(count_of(STAT_PREDICTED_SPARED), 0);
	predict_tick();
	/* Three vectors instead. */
	assert_int_equal(count_of(STAT_PREDICTED_SPARED), 127);
	predict_tick();
	assert_int_equal(count_of(STAT_PREDICTED_SPARED), 127);
	/* As much as is flushed at once goes sooner: of 32 MiB, 12. */
	for (unsigned i = 0; i < 13; i++)
		assert_false(engine_release(fake_addr(0, 0), MIB));
	assert_int_equal(count_of(STAT_PREDICTED_SPARED), 127 + 11);
	/* On, it is no prediction any more. */
	predict_tick();
	engine_set_mode(CONF_ON);
	use_region(2);
	for (unsigned i = 0; i < 100; i++)
		assert_true(alloc_free(2, i, 1));
	predict_tick();
	assert_int_equal(count_of(STAT_PREDICTED_SPARED), 127 + 11);
}

static void where_nothing_is_deferred_nothing_is_predicted(void **state)
{
	(void)state;
	start_in(CONF_OBSERVE, CONF_BACKEND_DONTNEED);
	engine_set_batch_bytes(0);
	for (unsigned i = 0; i < 130; i++)
		assert_false(engine_release(fake_addr(0, i), fake_pages(1)));
	predict_tick();
	assert_int_equal(count_of(STAT_PREDICTED_SPARED), 0);
}

static void observing_predicts_tables(void **state)
{
	(void)state;
	start_in(CONF_OBSERVE, CONF_BACKEND_DONTNEED);
	fake_live(fake_addr(1, 0), fake_pages(1), true);
	fake_write(fake_addr(1, 0), fake_pages(1));
	engine_zapped(fake_addr(0, 0), fake_pages(8), true);
	engine_zapped(fake_addr(1, 8), fake_pages(8), true);
	engine_zapped(fake_addr(2, 0), fake_pages(8), true);
	assert_int_equal(engine_predicted_tables(), 2 * os_page_size);
	engine_set_mode(CONF_ON);
	assert_int_equal(engine_predicted_tables(), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(off_flushes_what_is_pending),
		TEST(off_zaps_in_place),
		TEST(on_again_frees_what_off_has_emptied),
		TEST(without_a_worker_the_caller_catches_up),
		TEST(with_the_advice_the_kernel_is_asked),
		TEST(the_kill_file_is_above_the_mode),
		TEST(with_no_backend_there_is_nothing_to_catch_up_with),
		TEST(the_first_on_catches_up_as_well),
		TEST(what_is_zapped_as_it_is_switched_on_is_caught_up_with),
		TEST(what_is_zapped_as_it_is_switched_on_is_swept),
		TEST(what_others_zap_then_is_swept_as_well),
		TEST(what_is_refused_is_declined),
		TEST(from_observe_to_on),
		TEST(observing_predicts_calls),
		TEST(where_nothing_is_deferred_nothing_is_predicted),
		TEST(observing_predicts_tables),
	};

	return cmocka_run_group_tests_name("modes", tests, NULL, NULL);
}
