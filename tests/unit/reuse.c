// SPDX-License-Identifier: BSD-2-Clause
/*
 * Pages that the allocator takes back: what is kept, what is zapped, what has to be waited for. Every
 * test ends with a check that no live page was destroyed.
 */
#include "engine_fixture.h"

#include <errno.h>
#include <stdlib.h>

static void taking_back_cancels(void **state)
{
	(void)state;
	use_region(0);
	assert_true(alloc_free(0, 0, 2));
	assert_int_equal(alloc_use(0, 0, 2), ENGINE_OK);
	/* Small: zeroed in place, without a system call. */
	assert_calls("zero 0.0+2", NONE);
	tick_twice();
	flush_all();
	assert_calls(NONE);
	assert_int_equal(count_of(STAT_CANCELLED), fake_pages(2));
	assert_int_equal(batch_bytes_exact(), 0);
}

static void what_owners_touch_is_kept_and_the_rest_is_zapped(void **state)
{
	(void)state;
	use_region(0);
	assert_true(alloc_free(0, 0, 300));
	policy_init(32 * MIB);
	for (unsigned i = 0; i < 10; i++)
		policy_learn(300, 300, 100, 100);
	assert_int_equal(alloc_use(0, 0, 300), ENGINE_OK);
	assert_calls("zero 0.0+100", "dontneed 0.100+200", NONE);
	assert_int_equal(policy_kept_pages(), 100);
	/* Given up again, they are not kept any more. */
	assert_true(alloc_free(0, 0, 300));
	assert_int_equal(policy_kept_pages(), 0);
}

static void owners_are_watched(void **state)
{
	(void)state;
	alloc_map(0, 0, 512);
	for (unsigned i = 0; i < 100 && policy_touched(300) < 0; i++) {
		assert_int_equal(engine_reuse(fake_addr(0, 0), fake_pages(300), true), ENGINE_OK);
		fake_live(fake_addr(0, 0), fake_pages(300), true);
		fake_write(fake_addr(0, 0), fake_pages(150));
		assert_true(alloc_free(0, 0, 300));
		flush_all();
	}
	assert_int_equal(policy_touched(300), 512);
	assert_in_range(count_of(STAT_POLICY_SAMPLES), 4, count_of(STAT_SYS_MINCORE));
}

/* Where pages need not read zero what lies behind the touched is counted by itself. */
static void a_tail_counts_once(void **state)
{
	(void)state;
	teach(8, 4);
	use_region(0);
	assert_true(alloc_free(0, 0, 8));
	assert_int_equal(engine_reuse(fake_addr(0, 0), fake_pages(8), 0), ENGINE_OK);
	assert_int_equal(policy_kept_pages(), 8);
	assert_int_equal(policy_excess_bytes(), fake_pages(4));
	fake_live(fake_addr(0, 0), fake_pages(8), true);
	assert_true(alloc_free(0, 0, 8));
	assert_int_equal(policy_excess_bytes(), 0);
	assert_int_equal(engine_reuse(fake_addr(0, 0), fake_pages(8), ENGINE_ZERO), ENGINE_OK);
	assert_int_equal(policy_excess_bytes(), fake_pages(4));
}

static void large_pieces_are_zapped_when_nothing_is_known(void **state)
{
	(void)state;
	use_region(0);
	assert_true(alloc_free(0, 0, 300));
	fake_log_clear();
	assert_int_equal(alloc_use(0, 0, 300), ENGINE_OK);
	assert_calls("dontneed 0.0+300", NONE);
	assert_int_equal(count_of(STAT_SYS_MADVISE_REUSE), 1);
	assert_int_equal(count_of(STAT_SYS_MADVISE), 0);
}

/* Owners that touch little: that stays, and what else is pending goes with as much as there is, in one call. */
static void sparse_reuse_zaps_others_too(void **state)
{
	(void)state;
	use_region(0);
	use_region(1);
	use_region(2);
	assert_true(alloc_free(2, 7, 20));
	assert_true(alloc_free(0, 0, 300));
	assert_true(alloc_free(1, 0, 512));
	policy_init(32 * MIB);
	teach(300, 2);
	assert_int_equal(alloc_use(0, 0, 300), ENGINE_OK);
	assert_calls("zero 0.0+2", "vec-dontneed 0.2+298 2.7+20 1.0+512", NONE);
	assert_int_equal(count_of(STAT_SYS_PROCESS_MADVISE_REUSE), 1);
	assert_int_equal(count_of(STAT_FLUSH_AHEAD), 1);
	assert_int_equal(batch_bytes_exact(), 0);
	/* Nothing is pending in it: nothing is asked. */
	assert_int_equal(alloc_use(1, 0, 300), ENGINE_OK);
	assert_calls(NONE);
}

/* Some of what is kept will not be touched. It is counted where it lies: dense pages that come and go
 * elsewhere do not water it down. */
static void excess_stays_with_its_region(void **state)
{
	uint64_t excess;

	(void)state;
	use_region(0);
	use_region(1);
	assert_true(alloc_free(0, 0, 300));
	policy_init(32 * MIB);
	for (unsigned i = 0; i < 80; i++)
		policy_learn(300, 300, i % 4 ? 300 : 150, i % 4 ? 300 : 150);
	teach(200, 200);
	assert_int_equal(alloc_use(0, 0, 300), ENGINE_OK);
	excess = policy_excess_bytes();
	assert_in_range(excess, 10 * 4096, 100 * 4096);
	for (unsigned i = 0; i < 100; i++) {
		assert_true(alloc_free(1, 0, 200));
		assert_int_equal(alloc_use(1, 0, 200), ENGINE_OK);
	}
	assert_int_equal(policy_excess_bytes(), excess);
	assert_true(alloc_free(0, 0, 150));
	assert_in_range(policy_excess_bytes(), excess / 2 - 4096, excess / 2 + 4096);
	assert_true(alloc_free(0, 150, 150));
	assert_int_equal(policy_excess_bytes(), 0);
}

/* However much is pending: one flight in a hook, not all of it. */
static void a_sparse_reuse_makes_one_flight(void **state)
{
	(void)state;
	for (unsigned r = 0; r < 15; r++)
		use_region(r);
	fixture_start(CONF_BACKEND_DONTNEED, 1024 * MIB);
	for (unsigned r = 0; r < 15; r++)
		use_region(r);
	for (unsigned r = 0; r < 15; r++)
		assert_true(alloc_free(r, 0, 512));
	policy_init(32 * MIB);
	teach(300, 2);
	fake_log_clear();
	assert_int_equal(alloc_use(3, 0, 300), ENGINE_OK);
	assert_string_equal(fake_log(0), "zero 3.0+2");
	assert_int_equal(fake_log_count(), 2);
	assert_in_range(batch_bytes_exact(), 6 * 2 * MIB, 8 * 2 * MIB);
}

/* jemalloc clears for calloc: as owners of such ranges touch it. */
static void zeroing_keeps_and_zaps(void **state)
{
	void *addr = fake_addr(0, 0);

	(void)state;
	use_region(0);
	policy_init(32 * MIB);
	fake_log_mincore(false);
	fake_live(addr, fake_pages(300), false);
	engine_zero(addr, fake_pages(300));
	assert_calls("dontneed 0.0+300", NONE);
	teach(300, 100);
	fake_live(addr, fake_pages(300), true);
	fake_write(addr, fake_pages(300));
	fake_live(addr, fake_pages(300), false);
	engine_zero(addr, fake_pages(300));
	assert_calls("zero 0.0+100", "dontneed 0.100+200", NONE);
	assert_true(fake_reads_zero(addr, fake_pages(300)));
	/* Locked memory: by hand. */
	fake_fail("dontneed", EINVAL, 9);
	engine_zero(addr, fake_pages(300));
	assert_calls("zero 0.0+100", "dontneed 0.100+200", "zero 0.100+200", NONE);
	fake_log_mincore(true);
	/* The other half of the region is somebody's, and was not looked at. */
	assert_false(fake_reads_zero(fake_addr(0, 300), fake_pages(212)));
	assert_true(engine_is_ours(addr, fake_pages(512)));
	assert_false(engine_is_ours(addr, fake_pages(513)));
}

static void one_zap_covers_the_empty_pages_between(void **state)
{
	(void)state;
	alloc_map(0, 0, 512);
	assert_int_equal(alloc_use(0, 10, 100), ENGINE_OK);
	assert_int_equal(alloc_use(0, 200, 50), ENGINE_OK);
	assert_int_equal(alloc_use(0, 300, 50), ENGINE_OK);
	assert_true(alloc_free(0, 10, 100));
	assert_true(alloc_free(0, 200, 50));
	assert_true(alloc_free(0, 300, 50));
	policy_init(32 * MIB);
	teach(400, 150);
	fake_log_clear();
	assert_int_equal(alloc_use(0, 0, 400), ENGINE_OK);
	assert_calls("zero 0.10+100", "dontneed 0.200+150", NONE);
}

static void zero_is_not_owed_to_those_who_do_not_ask(void **state)
{
	(void)state;
	use_region(0);
	assert_true(alloc_free(0, 0, 300));
	fake_log_clear();
	assert_int_equal(engine_reuse(fake_addr(0, 0), fake_pages(300), false), ENGINE_OK);
	flush_all();
	assert_calls(NONE);
}

/* Keeping costs nothing but memory that may stay untouched: while the budget lasts, all stays. */
static void without_zero_pages_stay_within_the_budget(void **state)
{
	uint64_t kept;

	(void)state;
	policy_init(3 * MIB);
	for (unsigned r = 0; r < 4; r++) {
		use_region(r);
		assert_true(alloc_free(r, 0, 512));
	}
	fake_log_clear();
	for (unsigned r = 0; r < 4; r++) {
		assert_int_equal(engine_reuse(fake_addr(r, 0), fake_pages(512), false), ENGINE_OK);
		assert_in_range(policy_excess_bytes(), 0, 3 * MIB);
	}
	kept = policy_kept_pages();
	/* The first stays; for more there is no room when all of it may stay untouched: zapped, the
	 * others with it. */
	assert_int_equal(kept, 512);
	assert_int_equal(policy_excess_bytes(), 2 * MIB);
	assert_int_equal(fake_resident(fake_addr(0, 0), fake_pages(512)), 512);
	assert_int_equal(fake_resident(fake_addr(1, 0), fake_pages(3 * 512)), 0);
	assert_int_equal(batch_bytes_exact(), 0);
	assert_int_equal(count_of(STAT_KEPT), fake_pages(512));
	/* Given up, they are not kept any more, and there is room again. */
	assert_true(alloc_free(0, 0, 512));
	assert_int_equal(policy_kept_pages(), 0);
	assert_int_equal(policy_excess_bytes(), 0);
	assert_int_equal(engine_reuse(fake_addr(0, 0), fake_pages(512), false), ENGINE_OK);
	assert_int_equal(policy_kept_pages(), 512);
}

/* Never zeroed by hand, whatever becomes of it: not by the reuse, nor where the kernel refuses. */
static void without_zero_nothing_is_zeroed(void **state)
{
	(void)state;
	policy_init(0);
	use_region(0);
	assert_true(alloc_free(0, 0, 3));
	assert_true(alloc_free(0, 100, 16));
	assert_true(alloc_free(0, 200, 300));
	fake_fail("dontneed", EINVAL, 9);
	fake_log_clear();
	assert_int_equal(engine_reuse(fake_addr(0, 0), fake_pages(3), false), ENGINE_OK);
	assert_int_equal(engine_reuse(fake_addr(0, 100), fake_pages(16), false), ENGINE_OK);
	assert_calls(NONE);
	assert_int_equal(engine_reuse(fake_addr(0, 200), fake_pages(300), false), ENGINE_OK);
	for (unsigned i = 0; i < fake_log_count(); i++)
		assert_true(fake_log(i)[0] != 'z');
	assert_false(fake_reads_zero(fake_addr(0, 200), fake_pages(1)));
	assert_int_equal(batch_bytes_exact(), 0);
	assert_int_equal(policy_excess_bytes(), 0);
}

/* Few pages are kept for the call that they save; but not on and on where most stay untouched. */
static void few_pages_have_to_fit_as_well(void **state)
{
	(void)state;
	policy_init(4 * os_page_size);
	for (unsigned i = 0; i < 80; i++)
		policy_learn(300, 300, i % 4 ? 300 : 30, i % 4 ? 300 : 30);
	for (unsigned r = 0; r < 16; r++) {
		alloc_map(r, 0, 512);
		assert_int_equal(alloc_use(r, 0, 512), ENGINE_OK);
	}
	for (unsigned i = 0; i < 300; i++) {
		unsigned r = i % 16;

		for (unsigned p = 0; p < 300; p++)
			fake_live(fake_addr(r, p), fake_pages(1), false);
		/* All but three of its pages are empty. */
		assert_true(alloc_free(r, 0, 297));
		flush_all();
		assert_true(alloc_free(r, 297, 3));
		assert_int_equal(engine_reuse(fake_addr(r, 0), fake_pages(300), i & 1), ENGINE_OK);
		assert_in_range(policy_excess_bytes(), 0, 4 * os_page_size);
		fake_live(fake_addr(r, 0), fake_pages(300), true);
		fake_write(fake_addr(r, 0), fake_pages(300));
	}
}

/* Another thread, in the middle of a zap, takes back a page of it. */
static enum engine_reuse met;
static unsigned met_page;

/* Of five owners in eight that touch everything and three that touch nothing, the three count. */
static void what_is_kept_unasked_has_to_fit(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 8; i++)
		policy_learn(300, 300, i < 3 ? 0 : 300, i < 3 ? 0 : 300);
	assert_int_equal(policy_plan(300).touched, 300);
	engine_set_keep_bytes(fake_pages(50));
	alloc_map(0, 0, 300);
	assert_int_equal(alloc_use(0, 0, 300), ENGINE_OK);
	assert_true(alloc_free(0, 0, 300));
	assert_int_equal(engine_reuse(fake_addr(0, 0), fake_pages(300), false), ENGINE_OK);
	assert_int_equal(policy_kept_pages(), 0);
	fake_live(fake_addr(0, 0), fake_pages(300), false);
	engine_set_keep_bytes(32 * MIB);
	assert_true(alloc_free(0, 0, 300));
	assert_int_equal(engine_reuse(fake_addr(0, 0), fake_pages(300), false), ENGINE_OK);
	assert_int_equal(policy_kept_pages(), 300);
}

static void reuse_meanwhile(void)
{
	fake_during(NULL);
	met = engine_reuse(fake_addr(0, met_page), fake_pages(4), true);
	fake_now += 1;
}

static void what_is_in_flight_is_not_given_out(void **state)
{
	uint64_t before = fake_now;

	(void)state;
	alloc_map(0, 0, 512);
	assert_int_equal(alloc_use(0, 0, 256), ENGINE_OK);
	assert_true(alloc_free(0, 0, 256));
	for (met_page = 0; met_page < 512; met_page += 300) {
		/* Once a page that was pending, once one that was empty: both are covered. */
		fake_during(reuse_meanwhile);
		met = ENGINE_OK;
		flush_all();
		assert_int_equal(met, ENGINE_BUSY);
		if (!met_page) {
			assert_int_equal(alloc_use(0, 0, 256), ENGINE_OK);
			assert_true(alloc_free(0, 0, 256));
		}
	}
	/* The wait was bounded, and nothing was lost or left behind. */
	assert_in_range(fake_now - before, 1, 3 * BATCH_WAIT_NS);
	assert_int_equal(count_of(STAT_REUSE_TIMEOUTS), 2);
	assert_int_equal(alloc_use(0, 0, 512), ENGINE_OK);
	assert_int_equal(batch_bytes_exact(), 0);
}

static void refused_reuse_gives_back_what_it_took(void **state)
{
	(void)state;
	use_region(0);
	use_region(1);
	assert_true(alloc_free(0, 400, 112));
	assert_true(alloc_free(1, 0, 100));
	struct region *r = region_get(fake_page(1, 0));
	unsigned n;
	REGION_SET(set);

	/* Somebody has the second region's pages in flight and does not come back. */
	assert_int_equal(region_claim(r, set, &n), REGION_PIECES);
	assert_int_equal(n, 100);
	assert_int_equal(engine_reuse(fake_addr(0, 400), fake_pages(212), true), ENGINE_BUSY);
	/* The first region's are pending again, and flushed like any. */
	fake_log_clear();
	flush_all();
	assert_calls("dontneed 0.400+112", NONE);
}

/* What a set on the stack is made of before it is cleared. */
static __attribute__((noinline)) void leave_ones_behind(void)
{
	volatile unsigned char stack[16384];

	for (size_t i = 0; i < sizeof(stack); i++)
		stack[i] = 0xff;
}

/* Nothing outside a range is touched, whatever lay on the stack. */
static void only_its_own_range_is_looked_at(void **state)
{
	(void)state;
	use_region(0);
	teach(20, 20);
	teach(60, 60);
	assert_true(alloc_free(0, 400, 10));
	assert_true(alloc_free(0, 415, 5));
	fake_log_clear();
	leave_ones_behind();
	assert_int_equal(engine_reuse(fake_addr(0, 400), fake_pages(20), true), ENGINE_STRANGERS);
	assert_calls("zero 0.400+10", "zero 0.415+5", NONE);
	/* The same for a reuse that meets a flight which does not land, with strangers before it. */
	assert_true(alloc_free(0, 440, 20));
	struct region *r = region_get(fake_page(0, 0));
	unsigned n;
	REGION_SET(set);

	assert_int_equal(region_claim(r, set, &n), REGION_PIECES);
	assert_true(alloc_free(0, 400, 20));
	fake_live(fake_addr(0, 420), fake_pages(1), true);
	fake_log_clear();
	leave_ones_behind();
	assert_int_equal(engine_reuse(fake_addr(0, 400), fake_pages(60), true), ENGINE_BUSY);
	assert_calls("zero 0.400+20", NONE);
}

/* Pages that are given up twice are pending once. */
static void a_page_is_pending_once(void **state)
{
	(void)state;
	use_region(0);
	assert_true(alloc_free(0, 0, 10));
	assert_true(alloc_free(0, 5, 20));
	assert_int_equal(batch_bytes_exact(), 25 * os_page_size);
	flush_all();
	assert_true(alloc_free(0, 20, 20));
	assert_int_equal(batch_bytes_exact(), 15 * os_page_size);
}

static void strangers_are_named(void **state)
{
	(void)state;
	assert_int_equal(engine_reuse(fake_addr(3, 0), fake_pages(1), true), ENGINE_STRANGERS);
	use_region(0);
	assert_true(alloc_free(0, 0, 10));
	fake_live(fake_addr(0, 10), fake_pages(1), true);
	fake_log_clear();
	/* One page of the range was never given up: it must not be touched, the others are zeroed. */
	assert_int_equal(engine_reuse(fake_addr(0, 0), fake_pages(11), true), ENGINE_STRANGERS);
	assert_true(fake_reads_zero(fake_addr(0, 0), fake_pages(10)));
	assert_false(fake_reads_zero(fake_addr(0, 10), fake_pages(1)));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(taking_back_cancels),
		TEST(what_owners_touch_is_kept_and_the_rest_is_zapped),
		TEST(owners_are_watched),
		TEST(a_tail_counts_once),
		TEST(large_pieces_are_zapped_when_nothing_is_known),
		TEST(sparse_reuse_zaps_others_too),
		TEST(excess_stays_with_its_region),
		TEST(a_sparse_reuse_makes_one_flight),
		TEST(zeroing_keeps_and_zaps),
		TEST(one_zap_covers_the_empty_pages_between),
		TEST(zero_is_not_owed_to_those_who_do_not_ask),
		TEST(without_zero_pages_stay_within_the_budget),
		TEST(without_zero_nothing_is_zeroed),
		TEST(few_pages_have_to_fit_as_well),
		TEST(what_is_kept_unasked_has_to_fit),
		TEST(what_is_in_flight_is_not_given_out),
		TEST(refused_reuse_gives_back_what_it_took),
		TEST(only_its_own_range_is_looked_at),
		TEST(a_page_is_pending_once),
		TEST(strangers_are_named),
	};

	return cmocka_run_group_tests_name("reuse", tests, NULL, NULL);
}
