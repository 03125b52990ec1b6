// SPDX-License-Identifier: BSD-2-Clause
/* Properties by name: what can be read, what can be written, and what is said to the rest. */
#include "engine_fixture.h"

#include <errno.h>
#include <stdio.h>

#include "ctl.h"

#define UNTOUCHED 4711

static uint64_t value_of(const char *name)
{
	uint64_t value = UNTOUCHED;

	if (ctl_read(name, &value))
		fail_msg("%s cannot be read", name);
	return value;
}

static void names_are_ours_by_their_prefix(void **state)
{
	(void)state;
	assert_true(ctl_is_ours("ptreclaim.mode"));
	assert_true(ctl_is_ours("ptreclaim.no.such.thing"));
	assert_false(ctl_is_ours("ptreclaim"));
	assert_false(ctl_is_ours("opt.ptreclaim.mode"));
	assert_false(ctl_is_ours("generic.heap_size"));
	assert_false(ctl_is_ours(""));
}

static void the_state_can_be_read_and_not_written(void **state)
{
	static const char *const names[] = {
		"ptreclaim.backend",   "ptreclaim.stats.pending",     "ptreclaim.stats.kept_now",
		"ptreclaim.stats.own", "ptreclaim.stats.reclaimable", "ptreclaim.stats.deferred",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		uint64_t before = value_of(names[i]);

		assert_int_equal(ctl_write(names[i], before + 1), EPERM);
		assert_int_equal(value_of(names[i]), before);
	}
	assert_int_equal(value_of("ptreclaim.mode"), CONF_ON);
	assert_int_equal(value_of("ptreclaim.backend"), CONF_BACKEND_DONTNEED);
}

static void figures_are_of_now(void **state)
{
	(void)state;
	use_region(0);
	assert_int_equal(value_of("ptreclaim.stats.pending"), 0);
	assert_true(alloc_free(0, 0, 300));
	assert_int_equal(value_of("ptreclaim.stats.pending"), fake_pages(300));
	assert_int_equal(engine_reuse(fake_addr(0, 0), fake_pages(300), false), ENGINE_OK);
	assert_int_equal(value_of("ptreclaim.stats.pending"), 0);
	assert_int_equal(value_of("ptreclaim.stats.kept_now"), fake_pages(300));
	assert_int_equal(value_of("ptreclaim.stats.kept"), fake_pages(300));
	assert_true(value_of("ptreclaim.stats.own") > 0);
	engine_zapped(fake_addr(5, 0), fake_pages(1), true);
	engine_zapped(fake_addr(6, 0), fake_pages(1), true);
	assert_int_equal(value_of("ptreclaim.stats.reclaimable"), 2 * os_page_size);
	assert_int_equal(value_of("ptreclaim.stats.zapped_by_others"), 2 * os_page_size);
}

static void every_counter_can_be_read(void **state)
{
	struct stats_snapshot all;

	(void)state;
	for (enum stat i = 0; i < STAT_COUNT; i++)
		stats_add(i, 1000 + i);
	stats_snapshot(&all);
	for (enum stat i = 0; i < STAT_COUNT; i++) {
		char name[128];

		(void)snprintf(name, sizeof(name), "ptreclaim.stats.%s", stats_name(i));
		assert_int_equal(value_of(name), all.counter[i]);
		assert_int_equal(ctl_write(name, 1), EPERM);
	}
}

static void limits_can_be_changed(void **state)
{
	(void)state;
	assert_int_equal(value_of("ptreclaim.batch_bytes"), 32 * MIB);
	assert_int_equal(ctl_write("ptreclaim.batch_bytes", 5 * MIB), 0);
	assert_int_equal(value_of("ptreclaim.batch_bytes"), 5 * MIB);
	assert_int_equal(engine_batch_bytes(), 5 * MIB);
	assert_int_equal(ctl_write("ptreclaim.keep_bytes", 0), 0);
	assert_int_equal(value_of("ptreclaim.keep_bytes"), 0);
	assert_int_equal(engine_keep_bytes(), 0);
	assert_int_equal(ctl_write("ptreclaim.keep_bytes", UINT64_MAX), 0);
	assert_int_equal(value_of("ptreclaim.keep_bytes"), UINT64_MAX);
}

static void periods_have_a_range(void **state)
{
	static const char *const names[] = {"ptreclaim.batch_ms", "ptreclaim.sweep_ms"};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(ctl_write(names[i], 250), 0);
		assert_int_equal(value_of(names[i]), 250);
		assert_int_equal(ctl_write(names[i], 0), EINVAL);
		assert_int_equal(ctl_write(names[i], CONF_MS_MAX + UINT64_C(1)), EINVAL);
		assert_int_equal(ctl_write(names[i], UINT64_MAX), EINVAL);
		assert_int_equal(value_of(names[i]), 250);
		assert_int_equal(ctl_write(names[i], CONF_MS_MAX), 0);
		assert_int_equal(value_of(names[i]), CONF_MS_MAX);
		assert_int_equal(ctl_write(names[i], 1), 0);
	}
	/* Each its own. */
	assert_int_equal(ctl_write("ptreclaim.batch_ms", 7), 0);
	assert_int_equal(value_of("ptreclaim.sweep_ms"), 1);
	assert_int_equal(worker_batch_ms(), 7);
}

static void a_flush_is_asked_for_by_writing(void **state)
{
	uint64_t value = UNTOUCHED;

	(void)state;
	use_region(0);
	assert_true(alloc_free(0, 0, 512));
	assert_int_equal(ctl_read("ptreclaim.flush", &value), EPERM);
	assert_int_equal(value, UNTOUCHED);
	assert_calls(NONE);
	assert_int_equal(ctl_write("ptreclaim.flush", 0), 0);
	assert_calls("dontneed 0.0+512", NONE);
	assert_int_equal(value_of("ptreclaim.stats.pending"), 0);
	assert_int_equal(value_of("ptreclaim.stats.flush_request"), 1);
}

static void what_is_not_there_is_not_there(void **state)
{
	static const char *const names[] = {
		"ptreclaim.",
		"ptreclaim.Mode",
		"ptreclaim.mode ",
		"ptreclaim.mod",
		"ptreclaim.batch_bytes.x",
		"ptreclaim.stats",
		"ptreclaim.stats.",
		"ptreclaim.stats.none",
		"ptreclaim.stats.mode",
		"mode",
		"",
		"ptreclaim.released",
	};
	uint64_t value = UNTOUCHED;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(ctl_read(names[i], &value), ENOENT);
		assert_int_equal(ctl_write(names[i], 1), ENOENT);
	}
	assert_int_equal(value, UNTOUCHED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(names_are_ours_by_their_prefix),
		TEST(the_state_can_be_read_and_not_written),
		TEST(figures_are_of_now),
		TEST(every_counter_can_be_read),
		TEST(limits_can_be_changed),
		TEST(periods_have_a_range),
		TEST(a_flush_is_asked_for_by_writing),
		TEST(what_is_not_there_is_not_there),
	};

	return cmocka_run_group_tests_name("ctl", tests, NULL, NULL);
}
