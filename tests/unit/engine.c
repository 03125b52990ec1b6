// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the engine asks of the kernel, call by call: what is zapped, in which pieces and when; what is
 * mapped, unmapped, left alone. Every test ends with a check that no live page was destroyed.
 */
#include "engine_fixture.h"

#include <errno.h>
#include <stdlib.h>

static void whole_region_is_one_call(void **state)
{
	(void)state;
	use_region(0);
	/* Given up in pieces, zapped as one. */
	for (unsigned p = 0; p < 512; p += 64)
		assert_true(alloc_free(0, p, 64));
	assert_calls(NONE);
	tick_twice();
	assert_calls("dontneed 0.0+512", NONE);
	assert_int_equal(count_of(STAT_REGIONS_FREED), 1);
	assert_int_equal(batch_bytes_exact(), 0);
}

static void empty_pages_make_a_region_whole(void **state)
{
	(void)state;
	alloc_map(0, 0, 512);
	/* Only a part was ever used: the rest is empty and may be covered. */
	assert_int_equal(alloc_use(0, 100, 8), ENGINE_OK);
	assert_true(alloc_free(0, 100, 8));
	flush_all();
	assert_calls("dontneed 0.0+512", NONE);
}

static void pages_in_use_are_never_covered(void **state)
{
	(void)state;
	use_region(0);
	assert_true(alloc_free(0, 0, 100));
	assert_true(alloc_free(0, 101, 411));
	flush_all();
	assert_calls("vec-dontneed 0.0+100 0.101+411", NONE);
	assert_int_equal(count_of(STAT_REGIONS_FREED), 0);
	/* The last page goes: now the region is whole. */
	assert_true(alloc_free(0, 100, 1));
	flush_all();
	assert_calls("dontneed 0.0+512", NONE);
}

static void unknown_pages_are_never_covered(void **state)
{
	(void)state;
	/* The first half is a stranger's: the engine was never told of it. */
	fake_live(fake_addr(0, 0), fake_pages(256), true);
	alloc_map(0, 256, 256);
	assert_int_equal(alloc_use(0, 256, 256), ENGINE_OK);
	assert_true(alloc_free(0, 256, 256));
	flush_all();
	assert_calls("dontneed 0.256+256", NONE);
}

static void neighbours_are_merged_in_address_order(void **state)
{
	(void)state;
	for (unsigned r = 0; r < 5; r++)
		use_region(r);
	assert_true(alloc_free(2, 0, 512));
	assert_true(alloc_free(4, 0, 512));
	assert_true(alloc_free(0, 500, 12));
	assert_true(alloc_free(1, 0, 512));
	flush_all();
	assert_calls("vec-dontneed 0.500+1036 4.0+512", NONE);
}

static void a_flight_is_bounded(void **state)
{
	(void)state;
	/* Ten regions of 2 MiB are more than one flight may hold. */
	for (unsigned r = 0; r < 10; r++)
		use_region(r);
	for (unsigned r = 0; r < 10; r++)
		assert_true(alloc_free(r, 0, 512));
	flush_all();
	assert_calls("dontneed 0.0+4096", "dontneed 8.0+1024", NONE);
}

static void young_pages_wait_two_generations(void **state)
{
	FLIGHT_ON_STACK(f, FLIGHT_SMALL);

	(void)state;
	use_region(0);
	use_region(1);
	assert_true(alloc_free(0, 0, 512));
	batch_tick(&f);
	assert_true(alloc_free(1, 0, 512));
	assert_calls(NONE);
	batch_tick(&f);
	assert_calls("dontneed 0.0+512", NONE);
	batch_tick(&f);
	assert_calls("dontneed 1.0+512", NONE);
	assert_true(batch_idle());
}

static void no_deferral_zaps_at_once(void **state)
{
	(void)state;
	fixture_start(CONF_BACKEND_DONTNEED, 0);
	use_region(0);
	assert_true(alloc_free(0, 0, 2));
	assert_calls("dontneed 0.0+2", NONE);
	assert_true(alloc_free(0, 2, 510));
	fake_log_clear();
	assert_int_equal(batch_bytes_exact(), 0);
	assert_int_equal(count_of(STAT_DEFERRED), 0);
}

static void without_a_worker_nothing_is_deferred(void **state)
{
	(void)state;
	fake_wiped[1] = 0;
	use_region(0);
	assert_true(alloc_free(0, 0, 2));
	assert_calls("dontneed 0.0+2", NONE);
}

static void pending_bytes_are_bounded(void **state)
{
	(void)state;
	fixture_start(CONF_BACKEND_DONTNEED, 4 * MIB);
	for (unsigned r = 0; r < 12; r++)
		use_region(r);
	for (unsigned r = 0; r < 12; r++)
		for (unsigned p = 0; p < 512; p += 32) {
			assert_true(alloc_free(r, p, 32));
			assert_in_range(batch_bytes_exact(), 0, 4 * MIB);
		}
	assert_true(count_of(STAT_FLUSH_BYTES) > 0);
}

static void the_oldest_go_first_when_room_is_made(void **state)
{
	FLIGHT_ON_STACK(f, FLIGHT_SMALL);

	(void)state;
	for (unsigned r = 0; r < 4; r++)
		use_region(r);
	for (unsigned r = 4; r-- > 0;)
		assert_true(alloc_free(r, 0, 512));
	fake_log_clear();
	batch_flush_some(4 * MIB, STAT_FLUSH_BYTES, &f);
	assert_calls("dontneed 2.0+1024", NONE);
	assert_int_equal(batch_bytes_exact(), 4 * MIB);
}

static void pressure_stops_deferral(void **state)
{
	(void)state;
	use_region(0);
	engine_pressure(true);
	assert_true(alloc_free(0, 0, 2));
	assert_calls("dontneed 0.0+2", NONE);
	engine_pressure(false);
	assert_true(alloc_free(0, 2, 2));
	assert_calls(NONE);
}

static bool unmapped;

static void unmap_meanwhile(void)
{
	fake_during(NULL);
	unmapped = engine_unmap(fake_addr(0, 0), fake_pages(512));
}

static void what_is_in_flight_is_not_unmapped(void **state)
{
	(void)state;
	use_region(0);
	assert_true(alloc_free(0, 0, 512));
	fake_during(unmap_meanwhile);
	unmapped = true;
	flush_all();
	assert_false(unmapped);
	assert_true(engine_unmap(fake_addr(0, 0), fake_pages(512)));
	/* Somebody else's from now on: nothing that was known may be used. */
	fake_live(fake_addr(0, 0), fake_pages(512), true);
	fake_log_clear();
	flush_all();
	tick_twice();
	assert_calls(NONE);
	assert_int_equal(batch_bytes_exact(), 0);
}

static void unmapping_forgets_what_is_pending(void **state)
{
	(void)state;
	use_region(0);
	assert_true(alloc_free(0, 0, 512));
	assert_true(engine_unmap(fake_addr(0, 0), fake_pages(512)));
	fake_live(fake_addr(0, 0), fake_pages(512), true);
	fake_log_clear();
	flush_all();
	assert_calls(NONE);
	assert_int_equal(batch_bytes_exact(), 0);
}

static void untouched_mappings_are_forgotten_too(void **state)
{
	(void)state;
	alloc_map(0, 0, 1024);
	assert_true(engine_unmap(fake_addr(0, 0), fake_pages(1024)));
	assert_int_equal(engine_reuse(fake_addr(1, 0), fake_pages(1), true), ENGINE_STRANGERS);
}

static void count_record(struct region *r, void *arg)
{
	(void)r;
	++*(unsigned *)arg;
}

/* Large blocks need no record until they are given up, and are known all the same. */
static void untouched_regions_need_no_record(void **state)
{
	unsigned records = 0;

	(void)state;
	alloc_map(0, 0, 10 * 512);
	assert_int_equal(engine_reuse(fake_addr(1, 0), fake_pages(8 * 512), true), ENGINE_OK);
	fake_live(fake_addr(1, 0), fake_pages(8 * 512), true);
	fake_write(fake_addr(1, 0), fake_pages(8 * 512));
	region_each(count_record, &records);
	assert_int_equal(records, 0);
	/* In use: given out once is given out. */
	assert_int_equal(engine_reuse(fake_addr(2, 0), fake_pages(512), true), ENGINE_STRANGERS);
	assert_true(alloc_free(1, 0, 8 * 512));
	flush_all();
	assert_calls("dontneed 1.0+4096", NONE);
	assert_true(engine_unmap(fake_addr(0, 0), fake_pages(10 * 512)));
	assert_int_equal(engine_reuse(fake_addr(0, 0), fake_pages(512), true), ENGINE_STRANGERS);
}

static void a_release_larger_than_the_limit_is_not_deferred(void **state)
{
	(void)state;
	fixture_start(CONF_BACKEND_DONTNEED, 4 * MIB);
	alloc_map(0, 0, 8 * 512);
	assert_int_equal(alloc_use(0, 0, 8 * 512), ENGINE_OK);
	assert_true(alloc_free(0, 0, 8 * 512));
	assert_int_equal(batch_bytes_exact(), 0);
}

/* What lands in the middle of an unmapping must not be claimed again behind its back. */
static void claim_again(void)
{
	struct region *r = region_get(fake_page(0, 0));
	unsigned n;
	REGION_SET(set);

	fake_on_wait(NULL);
	/* The first flight lands; the other owner's page makes the region ripe again. */
	region_settle(r, 0, 512, true);
	assert_true(alloc_free(0, 0, 8));
	(void)region_claim(r, set, &n);
}

static void unmapping_outlasts_one_flight_after_another(void **state)
{
	struct region *r;
	unsigned n;
	REGION_SET(set);

	(void)state;
	use_region(0);
	assert_true(alloc_free(0, 0, 512));
	r = region_get(fake_page(0, 0));
	assert_int_equal(region_claim(r, set, &n), REGION_WHOLE);
	fake_on_wait(claim_again);
	/* The other half is still somebody's; this half leaves. */
	(void)engine_unmap(fake_addr(0, 256), fake_pages(256));
	assert_int_equal(region_first_flight(r, 256, 512), 512);
}

/* A flight that lands between two looks: what was in it when it was to be forgotten is not. */
static void what_lands_is_not_forgotten(void **state)
{
	unsigned n, unkept, excess;
	struct region *r;
	REGION_SET(set);

	(void)state;
	use_region(0);
	assert_true(alloc_free(0, 0, 300));
	r = region_get(fake_page(0, 0));
	assert_int_equal(region_claim(r, set, &n), REGION_PIECES);
	assert_int_equal(region_forget(r, 250, 512, &n, &unkept, &excess), 250);
	assert_int_equal(n, 0);
	region_settle(r, 0, 300, true);
	/* Nothing is in flight any more; yet these pages are still empty. */
	assert_int_equal(region_first_flight(r, 250, 512), 512);
	assert_int_equal(region_forget(r, 250, 512, &n, &unkept, &excess), 512);
	/* In use, so that no claim takes the region whole. */
	assert_true(alloc_free(0, 300, 212));
	region_set_clear(set);
	assert_int_equal(region_claim(r, set, &n), REGION_PIECES);
	region_settle(r, 300, 512, true);
	/* What was said to be gone for the flight's sake is counted as landed. */
	batch_after_fork();
}

/* Of a region's excess each page that is released takes its part, the last of them what is left. */
static void excess_goes_with_its_pages(void **state)
{
	struct region *r;
	unsigned unkept, excess;

	(void)state;
	use_region(0);
	r = region_get(fake_page(0, 0));
	assert_int_equal(region_keep(r, 10, 110, POLICY_ALL / 2, &excess), 100);
	assert_int_equal(excess, 100 * 512);
	/* Not twice. */
	assert_int_equal(region_keep(r, 60, 120, 0, &excess), 10);
	assert_int_equal(excess, 0);
	assert_int_equal(region_count_kept(r), 110);
	assert_int_equal(region_excess(r), 100 * 512);
	assert_int_equal(region_release(r, 0, 65, &unkept, &excess), 65);
	assert_int_equal(unkept, 55);
	assert_int_equal(excess, 50 * 512);
	assert_int_equal(region_count_kept(r), 55);
	/* A thread that vanished had changed bits, and not the account. */
	atomic_fetch_and(&r->kept[1], ~UINT64_C(0x1fe));
	(void)region_after_fork(r);
	assert_int_equal(region_count_kept(r), 47);
	assert_int_equal(region_excess(r), 50 * 512);
	assert_int_equal(region_release(r, 65, 512, &unkept, &excess), 447);
	assert_int_equal(unkept, 47);
	assert_int_equal(excess, 50 * 512);
	assert_int_equal(region_count_kept(r), 0);
	assert_int_equal(region_excess(r), 0);
}

static void fork_turns_flight_into_pending(void **state)
{
	struct region *r;
	unsigned n;
	REGION_SET(set);

	(void)state;
	use_region(0);
	use_region(1);
	assert_true(alloc_free(0, 0, 512));
	assert_true(alloc_free(1, 0, 10));
	r = region_get(fake_page(0, 0));
	/* The parent's flusher has it in flight; in the child there is no flusher. */
	assert_int_equal(region_claim(r, set, &n), REGION_WHOLE);
	fake_wiped[0] = 0;
	fake_wiped[1] = 0;
	assert_int_equal(alloc_use(0, 0, 4), ENGINE_OK);
	assert_int_equal(batch_bytes_exact(), fake_pages(508 + 10));
	assert_int_equal(fake_wiped[0], 1);
	fake_log_clear();
	flush_all();
	assert_calls("dontneed 0.4+518", NONE);
}

static void paused_keeps_the_account(void **state)
{
	(void)state;
	use_region(0);
	assert_true(alloc_free(0, 0, 300));
	engine_pause(true);
	fake_log_clear();
	assert_true(alloc_free(0, 300, 10));
	assert_calls("dontneed 0.300+10", NONE);
	assert_int_equal(count_of(STAT_PASSED), fake_pages(10));
	assert_int_equal(alloc_use(0, 0, 310), ENGINE_OK);
	assert_int_equal(batch_bytes_exact(), 0);
	engine_pause(false);
}

static void observe_changes_nothing(void **state)
{
	struct conf c;

	(void)state;
	conf_defaults(&c);
	c.mode = CONF_OBSERVE;
	c.rolled_out = true;
	assert_int_equal(engine_init(&c), CONF_OBSERVE);
	assert_false(engine_map(fake_addr(0, 0), fake_pages(512), true));
	assert_false(engine_release(fake_addr(0, 0), fake_pages(512)));
	assert_int_equal(engine_reuse(fake_addr(0, 0), fake_pages(512), true), ENGINE_STRANGERS);
	assert_true(engine_unmap(fake_addr(0, 0), fake_pages(512)));
	assert_calls(NONE);
	assert_int_equal(count_of(STAT_RELEASED), fake_pages(512));
}

/* A sample of the calls of each verb is timed; none is left out. */
static void every_verb_is_timed(void **state)
{
	struct stats_snapshot snap;

	(void)state;
	for (unsigned i = 0; i < 4000; i++) {
		assert_true(engine_map(fake_addr(0, 0), fake_pages(512), true));
		assert_int_equal(engine_reuse(fake_addr(0, 0), fake_pages(1), true), ENGINE_OK);
		assert_true(engine_release(fake_addr(0, 0), fake_pages(1)));
		/* Seven calls in two rounds: a sample of one in 256 comes by all of them. */
		if (i % 2)
			assert_true(engine_unmap(fake_addr(0, 0), fake_pages(512)));
	}
	stats_snapshot(&snap);
	for (unsigned h = 0; h < STAT_HOOKS; h++) {
		uint64_t n = 0;

		for (unsigned b = 0; b < STATS_BUCKETS; b++)
			n += snap.hook_ns[h][b];
		assert_true(n > 0);
	}
}

static void padding_is_remembered_once(void **state)
{
	(void)state;
	assert_true(engine_map(fake_addr(0, 0), fake_pages(1024), true));
	engine_pad(fake_addr(1, 128));
	assert_int_equal(engine_take_pad(fake_addr(1, 127)), 0);
	assert_int_equal(engine_take_pad(fake_addr(1, 0)), 0);
	assert_int_equal(engine_take_pad(fake_addr(1, 128)), fake_pages(512 - 128));
	assert_int_equal(engine_take_pad(fake_addr(1, 128)), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(whole_region_is_one_call),
		TEST(empty_pages_make_a_region_whole),
		TEST(pages_in_use_are_never_covered),
		TEST(unknown_pages_are_never_covered),
		TEST(neighbours_are_merged_in_address_order),
		TEST(a_flight_is_bounded),
		TEST(young_pages_wait_two_generations),
		TEST(no_deferral_zaps_at_once),
		TEST(without_a_worker_nothing_is_deferred),
		TEST(pending_bytes_are_bounded),
		TEST(the_oldest_go_first_when_room_is_made),
		TEST(pressure_stops_deferral),
		TEST(what_is_in_flight_is_not_unmapped),
		TEST(unmapping_forgets_what_is_pending),
		TEST(untouched_mappings_are_forgotten_too),
		TEST(untouched_regions_need_no_record),
		TEST(a_release_larger_than_the_limit_is_not_deferred),
		TEST(unmapping_outlasts_one_flight_after_another),
		TEST(what_lands_is_not_forgotten),
		TEST(excess_goes_with_its_pages),
		TEST(fork_turns_flight_into_pending),
		TEST(paused_keeps_the_account),
		TEST(observe_changes_nothing),
		TEST(every_verb_is_timed),
		TEST(padding_is_remembered_once),
	};

	return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
