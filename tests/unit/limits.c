// SPDX-License-Identifier: BSD-2-Clause
/*
 * Limits: changed while the engine runs, and how much of others' work a call may be made to do. Every
 * test ends with a check that no live page was destroyed.
 */
#include "engine_fixture.h"

#include <pthread.h>

#include "gauge.h"

static void fill(unsigned regions)
{
	fixture_start(CONF_BACKEND_DONTNEED, 1024 * MIB);
	for (unsigned r = 0; r < regions; r++)
		use_region(r);
	for (unsigned r = 0; r < regions; r++)
		assert_true(alloc_free(r, 0, 512));
	assert_int_equal(batch_bytes_exact(), regions * os_region_size);
	fake_log_clear();
}

static void a_lower_limit_flushes_what_is_above_it(void **state)
{
	(void)state;
	fill(10);
	engine_set_batch_bytes(8 * MIB);
	assert_int_equal(engine_batch_bytes(), 8 * MIB);
	assert_in_range(batch_bytes_exact(), 0, 8 * MIB);
	fill(10);
	engine_set_batch_bytes(0);
	assert_int_equal(batch_bytes_exact(), 0);
	/* From here on nothing is put off; until it may be again. */
	use_region(11);
	fake_log_clear();
	assert_true(alloc_free(11, 0, 8));
	assert_calls("dontneed 11.0+8", NONE);
	engine_set_batch_bytes(8 * MIB);
	assert_true(alloc_free(11, 8, 8));
	assert_calls(NONE);
	assert_int_equal(batch_bytes_exact(), fake_pages(8));
	/* The new limit holds. */
	for (unsigned r = 0; r < 10; r++) {
		assert_int_equal(alloc_use(r, 0, 512), ENGINE_OK);
		for (unsigned p = 0; p < 512; p += 64) {
			assert_true(alloc_free(r, p, 64));
			assert_in_range(batch_bytes_exact(), 0, 8 * MIB);
		}
	}
}

static void less_may_be_kept_from_now_on(void **state)
{
	(void)state;
	fill(10);
	engine_set_keep_bytes(MIB);
	assert_int_equal(engine_keep_bytes(), MIB);
	for (unsigned p = 0; p < 500; p += 100) {
		assert_int_equal(engine_reuse(fake_addr(0, p), fake_pages(100), false), ENGINE_OK);
		assert_in_range(policy_excess_bytes(), 0, MIB);
	}
	assert_int_equal(policy_kept_pages(), 200);
	engine_set_keep_bytes(0);
	assert_int_equal(engine_reuse(fake_addr(1, 0), fake_pages(100), false), ENGINE_OK);
	assert_int_equal(policy_kept_pages(), 200);
	/* Under pressure nothing is kept, and afterwards what was set last. */
	use_region(13);
	assert_true(alloc_free(13, 0, 100));
	engine_pressure(true);
	engine_set_keep_bytes(4 * MIB);
	assert_int_equal(engine_reuse(fake_addr(13, 0), fake_pages(100), false), ENGINE_OK);
	assert_int_equal(policy_kept_pages(), 200);
	engine_pressure(false);
	use_region(12);
	assert_true(alloc_free(12, 0, 100));
	assert_int_equal(engine_reuse(fake_addr(12, 0), fake_pages(100), false), ENGINE_OK);
	assert_int_equal(policy_kept_pages(), 300);
}

static void *free_some(void *arg)
{
	assert_true(engine_release(arg, fake_pages(100)));
	assert_true(engine_pending_most() >= batch_bytes_exact());
	return NULL;
}

/* Whoever added it, and whatever the limit was then. */
static void most_is_never_less_than_there_is(void **state)
{
	pthread_t thread;

	(void)state;
	for (unsigned limit = 0; limit < 12; limit++) {
		fixture_start(CONF_BACKEND_DONTNEED, 1024 * MIB);
		fake_log_mincore(false);
		use_region(0);
		for (unsigned i = 0; i < 5; i++) {
			fake_live(fake_addr(0, 100 * i), fake_pages(100), false);
			assert_int_equal(
				pthread_create(&thread, NULL, free_some, fake_addr(0, 100 * i)), 0);
			assert_int_equal(pthread_join(thread, NULL), 0);
		}
		assert_int_equal(batch_bytes_exact(), fake_pages(500));
		engine_set_batch_bytes(limit == 11 ? 0 : 1024 * MIB >> 2 * limit);
		assert_true(engine_pending_most() >= batch_bytes_exact());
		assert_in_range(batch_bytes_exact(), 0, engine_batch_bytes());
		/* A sixteenth of the limit, or nothing pending at all. */
		assert_true(engine_pending_most() <=
			    batch_bytes_exact() + engine_batch_bytes() / 16);
		fake_log_mincore(true);
	}
}

static void trimming_takes_the_oldest(void **state)
{
	(void)state;
	fill(6);
	engine_trim(0);
	assert_calls(NONE);
	engine_trim(1);
	assert_calls("dontneed 0.0+512", NONE);
	engine_trim(3 * MIB);
	assert_calls("dontneed 1.0+1024", NONE);
	assert_int_equal(batch_bytes_exact(), 3 * os_region_size);
	/* More than there is, and nothing. */
	engine_trim(UINT64_MAX);
	assert_calls("dontneed 3.0+1536", NONE);
	engine_trim(UINT64_MAX);
	assert_calls(NONE);
	assert_true(batch_idle());
}

/* Trimming nothing loses nothing: what is on the queue stays there. */
static void trimming_nothing_leaves_the_queue(void **state)
{
	(void)state;
	fill(3);
	engine_trim(0);
	assert_false(batch_idle());
	tick_twice();
	assert_calls("dontneed 0.0+1536", NONE);
	assert_int_equal(batch_bytes_exact(), 0);
}

/* A child that trims first has its account put right first. */
static void a_child_may_begin_by_trimming(void **state)
{
	struct region *r;
	unsigned n;
	REGION_SET(set);

	(void)state;
	fill(2);
	r = region_get(fake_page(0, 0));
	assert_int_equal(region_claim(r, set, &n), REGION_WHOLE);
	fake_wiped[0] = fake_wiped[1] = 0;
	engine_trim(UINT64_MAX);
	assert_int_equal(fake_wiped[0], 1);
	assert_calls("dontneed 0.0+1024", NONE);
	assert_int_equal(batch_bytes_exact(), 0);
}

/* Allocators hold their locks while they release: of the others' memory a release flushes a flight's
 * worth at most, or twice its own length, and the rest of the region that comes to that. */
static void a_release_does_a_bounded_piece_of_work(void **state)
{
	static const unsigned own_pages[] = {1, 512, 3 * 512};

	(void)state;
	for (unsigned k = 0; k < 3; k++) {
		uint64_t own = fake_pages(own_pages[k]), most = BATCH_FLIGHT_BYTES, before;

		fixture_start(CONF_BACKEND_DONTNEED, 1024 * MIB);
		for (unsigned r = 0; r < 16; r++)
			use_region(r);
		for (unsigned r = 0; r < 13; r++)
			assert_true(alloc_free(r, 0, 509)); /* regions do not add up to it */
		/* Far above the limit at a stroke. */
		batch_limit(16 * MIB);
		before = batch_bytes_exact();
		assert_true(before > most + os_region_size && 2 * own < most);
		assert_true(alloc_free(13, 0, own_pages[k]));
		assert_int_equal(count_of(STAT_FLUSH_BYTES), 1);
		assert_in_range(count_of(STAT_ZAPPED), most / 2, most + os_region_size);
		assert_int_equal(before + own - batch_bytes_exact(), count_of(STAT_ZAPPED));
	}
}

#define COUNTING (STATS_ALONE + 4) /* so that some share */

static struct gauge gauge;
static pthread_barrier_t all_have_shards;

static void *count_up(void *arg)
{
	gauge_add(&gauge, 1);
	pthread_barrier_wait(&all_have_shards);
	for (unsigned i = 0; i < 5000; i++) {
		gauge_add(&gauge, 3);
		gauge_add(&gauge, -2);
	}
	return arg;
}

/* Whose shard it is adds without a lock; what it holds is moved by another thread meanwhile. */
static void a_gauge_is_exact_whatever_its_grain(void **state)
{
	pthread_t thread[COUNTING];

	(void)state;
	fixture_start(CONF_BACKEND_DONTNEED, MIB);
	gauge_set(&gauge, 0);
	assert_int_equal(pthread_barrier_init(&all_have_shards, NULL, COUNTING + 1), 0);
	for (unsigned i = 0; i < COUNTING; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, count_up, NULL), 0);
	pthread_barrier_wait(&all_have_shards);
	for (unsigned i = 0; i < 2000; i++)
		gauge_set_grain(&gauge, i % 3 * 100);
	for (unsigned i = 0; i < COUNTING; i++)
		assert_int_equal(pthread_join(thread[i], NULL), 0);
	(void)pthread_barrier_destroy(&all_have_shards);
	assert_int_equal(gauge_exact(&gauge), COUNTING * 5001);
	gauge_set_grain(&gauge, 0);
	assert_int_equal(gauge_near(&gauge), COUNTING * 5001);
	gauge_add(&gauge, -COUNTING * 5001);
	assert_int_equal(gauge_near(&gauge), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_lower_limit_flushes_what_is_above_it),
		TEST(less_may_be_kept_from_now_on),
		TEST(most_is_never_less_than_there_is),
		TEST(trimming_takes_the_oldest),
		TEST(trimming_nothing_leaves_the_queue),
		TEST(a_child_may_begin_by_trimming),
		TEST(a_release_does_a_bounded_piece_of_work),
		TEST(a_gauge_is_exact_whatever_its_grain),
	};

	return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
