// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the engine asks of the kernel, call by call: what is zapped, in which pieces, when, and what
 * happens after a failure. Every test ends with a check that no live page was destroyed.
 */
#include "engine_fixture.h"

#include <errno.h>
#include <stdlib.h>

#define NONE ((const char *)NULL)

/* A region of 512 pages, all of it used and written. */
static void use_region(unsigned region)
{
	alloc_map(region, 0, 512);
	assert_int_equal(alloc_use(region, 0, 512), ENGINE_OK);
}

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
	assert_int_equal(count_of(STAT_POLICY_SAMPLES), count_of(STAT_SYS_MINCORE));
}

/* What is known of owners of 300 pages: they touch `share` of them. */
static void teach(unsigned pages, unsigned touched)
{
	for (unsigned i = 0; i < 10; i++)
		policy_learn(pages, pages, touched, touched);
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

/* Owners that touch little: what is pending goes with as much else as there is, in one call. */
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
	assert_calls("vec-dontneed 0.0+300 2.7+20 1.0+512", NONE);
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
	assert_int_equal(fake_log_count(), 1);
	assert_in_range(batch_bytes_exact(), 6 * 2 * MIB, 8 * 2 * MIB);
}

/* jemalloc clears for calloc: as owners of such ranges touch it. */
static void zeroing_keeps_and_zaps(void **state)
{
	void *addr = fake_addr(0, 0);

	(void)state;
	use_region(0);
	policy_init(32 * MIB);
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

/* What a failed zap leaves behind must still be zeroed for the next owner. */
static void a_refused_zap_is_remembered(void **state)
{
	(void)state;
	use_region(0);
	assert_true(alloc_free(0, 0, 512));
	fake_fail("dontneed", EINVAL, 1000);
	tick_twice();
	assert_calls("dontneed 0.0+512", NONE);
	assert_int_equal(batch_bytes_exact(), 2 * MIB);
	assert_false(fake_reads_zero(fake_addr(0, 0), fake_pages(512)));
	/* Taken back: the kernel still refuses, before and in the reuse, so it is zeroed by hand. */
	assert_int_equal(alloc_use(0, 0, 512), ENGINE_OK);
	assert_calls("dontneed 0.0+512", "dontneed 0.0+512", "zero 0.0+512", NONE);
	assert_int_equal(batch_bytes_exact(), 0);
}

static void a_refused_zap_is_tried_again_later(void **state)
{
	FLIGHT_ON_STACK(f, FLIGHT_SMALL);

	(void)state;
	use_region(0);
	assert_true(alloc_free(0, 0, 512));
	fake_fail("dontneed", EINVAL, 1);
	tick_twice();
	assert_calls("dontneed 0.0+512", NONE);
	/* It waits apart: neither age nor size nor a request asks the kernel over and over. */
	assert_true(batch_refused());
	for (unsigned i = 0; i < 100; i++)
		batch_tick(&f);
	batch_flush_some(UINT64_MAX, STAT_FLUSH_BYTES, &f);
	assert_calls(NONE);
	batch_retry();
	assert_false(batch_refused());
	tick_twice();
	assert_calls("dontneed 0.0+512", NONE);
	assert_int_equal(batch_bytes_exact(), 0);
}

static void eagain_is_tried_twice_at_once(void **state)
{
	(void)state;
	use_region(0);
	assert_true(alloc_free(0, 0, 512));
	fake_fail("dontneed", EAGAIN, 1);
	flush_all();
	assert_calls("dontneed 0.0+512", "dontneed 0.0+512", NONE);
	assert_int_equal(batch_bytes_exact(), 0);
}

static void free_every_other_page(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		assert_true(alloc_free(0, 2 * i, 1));
}

static void a_refused_vector_falls_back_for_good(void **state)
{
	(void)state;
	use_region(0);
	free_every_other_page(3);
	fake_fail("vec-dontneed", EPERM, 1);
	flush_all();
	assert_calls("vec-dontneed 0.0+1 0.2+1 0.4+1", "dontneed 0.0+1", "dontneed 0.2+1",
		     "dontneed 0.4+1", NONE);
	assert_int_equal(count_of(STAT_FALLBACKS), 1);
	assert_true(alloc_free(0, 6, 1));
	assert_true(alloc_free(0, 8, 1));
	flush_all();
	assert_calls("dontneed 0.6+1", "dontneed 0.8+1", NONE);
}

static void a_short_vector_is_finished_one_by_one(void **state)
{
	(void)state;
	use_region(0);
	free_every_other_page(4);
	fake_short_vectors(2);
	flush_all();
	assert_calls("vec-dontneed 0.0+1 0.2+1 0.4+1 0.6+1", "dontneed 0.4+1", "dontneed 0.6+1",
		     NONE);
	assert_int_equal(batch_bytes_exact(), 0);
	/* That it worked in part shows that vectors work: they stay. */
	fake_short_vectors(-1);
	assert_true(alloc_free(0, 100, 1));
	assert_true(alloc_free(0, 102, 1));
	flush_all();
	assert_calls("vec-dontneed 0.100+1 0.102+1", NONE);
}

static void one_range_that_fails_does_not_stop_the_rest(void **state)
{
	(void)state;
	use_region(0);
	free_every_other_page(3);
	fake_short_vectors(0);
	fake_fail("dontneed", ENOMEM, 1);
	flush_all();
	assert_calls("vec-dontneed 0.0+1 0.2+1 0.4+1", "dontneed 0.0+1", "dontneed 0.2+1",
		     "dontneed 0.4+1", NONE);
	assert_int_equal(batch_bytes_exact(), fake_pages(1));
	assert_false(fake_reads_zero(fake_addr(0, 0), fake_pages(1)));
	assert_true(fake_reads_zero(fake_addr(0, 2), fake_pages(1)));
}

/* Another thread, in the middle of a zap, takes back a page of it. */
static enum engine_reuse met;
static unsigned met_page;

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

static void remap_only_what_is_ours(void **state)
{
	(void)state;
	fixture_start(CONF_BACKEND_REMAP, 32 * MIB);
	assert_int_equal(backend_kind(), CONF_BACKEND_REMAP);
	use_region(0);
	/* Region 2 was mapped by others: the engine learns of it by its release. */
	fake_live(fake_addr(2, 0), fake_pages(512), true);
	assert_true(engine_map(fake_addr(3, 0), fake_pages(512), false));
	assert_int_equal(alloc_use(3, 0, 512), ENGINE_OK);
	assert_true(alloc_free(0, 0, 512));
	assert_true(alloc_free(2, 0, 512));
	assert_true(alloc_free(3, 0, 512));
	fake_log_clear();
	flush_all();
	assert_calls("remap 0.0+512", "dontneed 2.0+1024", NONE);
}

static void remap_falls_back_to_a_zap(void **state)
{
	(void)state;
	fixture_start(CONF_BACKEND_REMAP, 32 * MIB);
	use_region(0);
	assert_true(alloc_free(0, 0, 512));
	fake_fail("remap", ENOMEM, 1);
	flush_all();
	assert_calls("remap 0.0+512", "dontneed 0.0+512", NONE);
	assert_int_equal(batch_bytes_exact(), 0);
}

static void pt_reclaim_asks_after_the_pieces(void **state)
{
	(void)state;
	fixture_start(CONF_BACKEND_PT_RECLAIM, 32 * MIB);
	assert_int_equal(backend_kind(), CONF_BACKEND_PT_RECLAIM);
	use_region(0);
	use_region(1);
	assert_true(alloc_free(0, 0, 10));
	assert_true(alloc_free(1, 5, 10));
	flush_all();
	assert_calls("vec-dontneed 0.0+10 1.5+10", "vec-reclaim 0.0+512 1.0+512", NONE);
}

static void zapped_regions_are_only_asked_about(void **state)
{
	FLIGHT_ON_STACK(f, FLIGHT_SMALL);

	(void)state;
	engine_zapped(fake_addr(0, 3), fake_pages(5));
	batch_sweep(&f);
	assert_calls(NONE); /* this kernel could not be asked */
	fixture_start(CONF_BACKEND_PT_RECLAIM, 32 * MIB);
	engine_zapped(fake_addr(0, 3), fake_pages(5));
	engine_zapped(fake_addr(0, 9), fake_pages(5));
	engine_zapped(fake_addr(7, 510), fake_pages(4));
	batch_sweep(&f);
	assert_int_equal(count_of(STAT_REGIONS_SWEPT), 3);
	assert_calls("vec-reclaim 8.0+512 7.0+512 0.0+512", NONE);
	batch_sweep(&f);
	assert_calls(NONE);
}

static void paused_keeps_the_account(void **state)
{
	(void)state;
	use_region(0);
	assert_true(alloc_free(0, 0, 300));
	engine_pause(true);
	fake_live(fake_addr(0, 300), fake_pages(10), false);
	assert_false(engine_release(fake_addr(0, 300), fake_pages(10)));
	fake_log_clear();
	assert_int_equal(alloc_use(0, 0, 300), ENGINE_OK);
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

static void *no_memory(size_t len)
{
	(void)len;
	return NULL;
}

static void out_of_memory_declines(void **state)
{
	(void)state;
	region_reset();
	pool_reset();
	os.map = no_memory;
	/* Nothing left for records: the release is not taken, and nothing is half done. */
	assert_false(engine_release(fake_addr(0, 0), fake_pages(512)));
	assert_false(engine_map(fake_addr(0, 0), fake_pages(512), true));
	os.map = os_linux.map;
	flush_all();
	assert_calls(NONE);
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
		TEST(taking_back_cancels),
		TEST(what_owners_touch_is_kept_and_the_rest_is_zapped),
		TEST(owners_are_watched),
		TEST(large_pieces_are_zapped_when_nothing_is_known),
		TEST(sparse_reuse_zaps_others_too),
		TEST(excess_stays_with_its_region),
		TEST(a_sparse_reuse_makes_one_flight),
		TEST(zeroing_keeps_and_zaps),
		TEST(one_zap_covers_the_empty_pages_between),
		TEST(zero_is_not_owed_to_those_who_do_not_ask),
		TEST(no_deferral_zaps_at_once),
		TEST(without_a_worker_nothing_is_deferred),
		TEST(pending_bytes_are_bounded),
		TEST(the_oldest_go_first_when_room_is_made),
		TEST(pressure_stops_deferral),
		TEST(a_refused_zap_is_remembered),
		TEST(a_refused_zap_is_tried_again_later),
		TEST(eagain_is_tried_twice_at_once),
		TEST(a_refused_vector_falls_back_for_good),
		TEST(a_short_vector_is_finished_one_by_one),
		TEST(one_range_that_fails_does_not_stop_the_rest),
		TEST(what_is_in_flight_is_not_given_out),
		TEST(refused_reuse_gives_back_what_it_took),
		TEST(what_is_in_flight_is_not_unmapped),
		TEST(unmapping_forgets_what_is_pending),
		TEST(untouched_mappings_are_forgotten_too),
		TEST(untouched_regions_need_no_record),
		TEST(a_release_larger_than_the_limit_is_not_deferred),
		TEST(unmapping_outlasts_one_flight_after_another),
		TEST(strangers_are_named),
		TEST(fork_turns_flight_into_pending),
		TEST(remap_only_what_is_ours),
		TEST(remap_falls_back_to_a_zap),
		TEST(pt_reclaim_asks_after_the_pieces),
		TEST(zapped_regions_are_only_asked_about),
		TEST(paused_keeps_the_account),
		TEST(observe_changes_nothing),
		TEST(padding_is_remembered_once),
		TEST(out_of_memory_declines),
	};

	return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
