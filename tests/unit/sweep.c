// SPDX-License-Identifier: BSD-2-Clause
/*
 * Regions in which somebody else has zapped: what is remembered of them, what is asked of the kernel and
 * how often, and that nothing else is ever done to them. Every test ends with a check that no live page
 * was destroyed.
 */
#include "engine_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The program zaps some of its own pages. */
static void zap(unsigned region, unsigned page, unsigned pages)
{
	engine_zapped(fake_addr(region, page), fake_pages(pages), true);
}

static void sweep(void)
{
	FLIGHT_ON_STACK(f, FLIGHT_SMALL);

	/* A queue that has become a ring would have no end. */
	(void)alarm(120);
	sweep_run(&f);
	(void)alarm(0);
}

static unsigned ranges_asked(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < fake_log_count(); i++) {
		assert_non_null(strstr(fake_log(i), "reclaim"));
		n += fake_log_ranges(i);
	}
	return n;
}

/* Far above the window, where nothing is but the account: for what takes many regions. */
static void zap_above(unsigned region)
{
	uintptr_t base = FAKE_BASE + 4096 * os_region_size;

	engine_zapped((void *)(base + region * os_region_size), fake_pages(1), true);
}

static void start_asking(void)
{
	fixture_start(CONF_BACKEND_PT_RECLAIM, 32 * MIB);
	assert_true(backend_asks());
}

static void a_sweep_asks_about_what_was_zapped(void **state)
{
	(void)state;
	start_asking();
	assert_true(sweep_idle());
	zap(3, 7, 5);
	zap(3, 100, 1); /* the same region: asked about once */
	zap(9, 0, 1);
	zap(5, 511, 2); /* two regions */
	assert_calls(NONE);
	assert_false(sweep_idle());
	assert_int_equal(count_of(STAT_ZAPPED_BY_OTHERS), fake_pages(9));
	sweep();
	assert_calls("vec-reclaim 5.0+1024 9.0+512 3.0+512", NONE);
	assert_int_equal(count_of(STAT_REGIONS_SWEPT), 4);
	assert_true(sweep_idle());
	sweep();
	assert_calls(NONE);
	zap(9, 0, 1);
	sweep();
	assert_calls("reclaim 9.0+512", NONE);
}

/* By vector, and in proportion to what was zapped since: not to all that ever was. */
static void a_sweep_costs_what_was_zapped_since(void **state)
{
	unsigned calls;

	(void)state;
	start_asking();
	for (unsigned i = 0; i < 3000; i++)
		zap_above(2 * i); /* no neighbours */
	sweep();
	assert_int_equal(ranges_asked(), 3000);
	calls = (3000 + FLIGHT_SMALL - 1) / FLIGHT_SMALL;
	assert_int_equal(fake_log_count(), calls);
	assert_int_equal(count_of(STAT_SYS_PROCESS_MADVISE), calls);
	assert_int_equal(count_of(STAT_SYS_MADVISE), 0);
	fake_log_clear();
	for (unsigned i = 0; i < 20; i++)
		zap_above(200 * i);
	sweep();
	assert_int_equal(ranges_asked(), 20);
	assert_int_equal(fake_log_count(), 1);
	assert_int_equal(count_of(STAT_REGIONS_SWEPT), 3020);
	fake_log_clear();
	sweep();
	assert_calls(NONE);
}

/* One call over a whole region frees its table, where the kernel does that: then only the edges stay. */
static void whole_regions_are_not_remembered(void **state)
{
	(void)state;
	start_asking();
	assert_true(backend_whole_frees());
	zap(2, 0, 512);
	assert_true(sweep_idle());
	zap(2, 256, 3 * 512);
	sweep();
	assert_calls("vec-reclaim 5.0+512 2.0+512", NONE);
	/* A zap of the whole undoes what was noted of its pieces. */
	zap(7, 0, 5);
	zap(7, 0, 512);
	sweep();
	assert_calls(NONE);
	fixture_start(CONF_BACKEND_DONTNEED, 32 * MIB);
	zap(2, 256, 3 * 512);
	assert_int_equal(engine_reclaimable(), 2 * os_page_size);
	zap(2, 0, 4 * 512);
	assert_int_equal(engine_reclaimable(), 0);
}

/* MADV_FREE leaves pages to be taken later, and with them the table. */
static void lazily_freed_regions_are_remembered(void **state)
{
	(void)state;
	start_asking();
	engine_zapped(fake_addr(2, 256), fake_pages(3 * 512), false);
	sweep();
	assert_calls("reclaim 2.0+2048", NONE);
	fixture_start(CONF_BACKEND_DONTNEED, 32 * MIB);
	engine_zapped(fake_addr(2, 0), fake_pages(512), false);
	assert_int_equal(engine_reclaimable(), os_page_size);
}

static ssize_t flat_vmpte(const char *path, char *buf, size_t cap)
{
	(void)path;
	return snprintf(buf, cap, "VmPTE:\t1000 kB\n");
}

static void where_no_zap_frees_a_table_all_are_remembered(void **state)
{
	(void)state;
	os.read_file = flat_vmpte;
	backend_choose(CONF_BACKEND_NONE);
	assert_false(backend_whole_frees());
	zap(2, 0, 1024);
	assert_int_equal(engine_reclaimable(), 2 * os_page_size);
}

static void what_is_gone_is_forgotten(void **state)
{
	(void)state;
	start_asking();
	for (unsigned r = 1; r < 6; r += 2)
		zap(r, 5, 1);
	/* Two of the three wholly, the third in part. */
	engine_gone(fake_addr(0, 300), fake_pages(5 * 512));
	sweep();
	assert_calls("reclaim 5.0+512", NONE);
	assert_int_equal(count_of(STAT_REGIONS_SWEPT), 1);
	/* On the queue, forgotten, and zapped in again: by a new owner, perhaps. */
	zap(1, 0, 1);
	engine_gone(fake_addr(1, 0), fake_pages(512));
	zap(1, 8, 1);
	sweep();
	assert_calls("reclaim 1.0+512", NONE);
	zap(1, 0, 1);
	assert_true(engine_unmap(fake_addr(1, 0), fake_pages(512)));
	sweep();
	assert_calls(NONE);
	assert_int_equal(engine_reclaimable(), 0);
}

/* What is gone and nobody told us about: the kernel says so, and is asked about the others all the same,
 * by few calls. */
static void holes_do_not_stop_a_sweep(void **state)
{
	(void)state;
	start_asking();
	for (unsigned r = 0; r < 16; r += 2)
		zap(15 - r, 3, 1);
	fake_mapped(fake_addr(5, 40), fake_pages(9), false);
	sweep();
	assert_calls(
		"vec-reclaim 1.0+512 3.0+512 5.0+512 7.0+512 9.0+512 11.0+512 13.0+512 15.0+512",
		"reclaim 5.0+512", "vec-reclaim 7.0+512 9.0+512 11.0+512 13.0+512 15.0+512", NONE);
	/* Vectors are as good as they were. */
	zap(3, 0, 1);
	zap(9, 0, 1);
	sweep();
	assert_calls("vec-reclaim 9.0+512 3.0+512", NONE);
}

static void only_mapped_and_empty_is_reclaimable(void **state)
{
	(void)state;
	for (unsigned r = 0; r < 8; r++) {
		fake_live(fake_addr(r, 0), fake_pages(512), true);
		zap(r, 0, 500);
	}
	assert_int_equal(engine_reclaimable(), 8 * os_page_size);
	fake_write(fake_addr(2, 511), fake_pages(1)); /* not empty */
	fake_write(fake_addr(3, 0), fake_pages(512));
	fake_mapped(fake_addr(4, 17), fake_pages(1), false); /* not wholly mapped */
	assert_int_equal(engine_reclaimable(), 6 * os_page_size);
	fake_log_clear();
	/* Gone, and empty again. */
	engine_gone(fake_addr(0, 0), fake_pages(512));
	fake_live(fake_addr(2, 0), fake_pages(512), false);
	engine_zapped(fake_addr(2, 511), fake_pages(1), true);
	fake_mapped(fake_addr(2, 0), fake_pages(512), false);
	fake_mapped(fake_addr(2, 0), fake_pages(512), true);
	assert_int_equal(engine_reclaimable(), 6 * os_page_size);
	/* Looking changes nothing. */
	assert_int_equal(engine_reclaimable(), 6 * os_page_size);
	fake_fail("pagemap", EACCES, 1);
	assert_int_equal(engine_reclaimable(), 0);
}

/* The parent's queue, and what its sweeper had taken, are the child's to build anew. */
static void a_child_sweeps_what_its_parent_noted(void **state)
{
	FLIGHT_ON_STACK(f, FLIGHT_SMALL);

	(void)state;
	start_asking();
	zap(1, 0, 1);
	zap(3, 0, 1);
	fake_wiped[0] = fake_wiped[1] = 0;
	/* Its first: it must not be on the queue twice. */
	zap(3, 9, 1);
	zap(5, 0, 1);
	assert_int_equal(fake_wiped[0], 1);
	assert_int_equal(count_of(STAT_ZAPPED_BY_OTHERS), fake_pages(2));
	sweep();
	assert_int_equal(ranges_asked(), 3);
	assert_int_equal(count_of(STAT_REGIONS_SWEPT), 3);
	fake_log_clear();
	sweep_run(&f);
	assert_calls(NONE);
	assert_true(sweep_idle());
}

static void a_child_that_cannot_ask_still_counts(void **state)
{
	(void)state;
	zap(1, 0, 1);
	zap(3, 0, 1);
	fake_wiped[0] = 0;
	zap(3, 9, 1);
	assert_true(sweep_idle());
	assert_int_equal(engine_reclaimable(), 2 * os_page_size);
	assert_calls("mincore 1.0+512", "mincore 3.0+512", NONE);
}

/* Whatever else goes on, and whichever the backend: all of these pages are somebody's. */
static void nothing_is_ever_destroyed(void **state)
{
	static const enum conf_backend backends[] = {CONF_BACKEND_NONE, CONF_BACKEND_DONTNEED,
						     CONF_BACKEND_REMAP, CONF_BACKEND_PT_RECLAIM};
	FLIGHT_ON_STACK(f, FLIGHT_SMALL);

	(void)state;
	for (unsigned b = 0; b < 4; b++) {
		fixture_start(backends[b], 32 * MIB);
		fake_live(fake_addr(0, 0), FAKE_REGIONS * os_region_size, true);
		for (unsigned i = 0; i < 400; i++) {
			unsigned region = i * 7 % 14, page = i * 131 % 512;

			engine_zapped(fake_addr(region, page), fake_pages(1 + i * 37 % 1000),
				      i & 1);
			if (i % 8 == 0)
				engine_flush();
			if (i % 16 == 0)
				batch_tick(&f);
			if (i % 20 == 0)
				engine_pressure(i % 40 == 0);
			if (i % 32 == 0)
				sweep_run(&f);
			if (i % 64 == 0)
				fake_wiped[0] = 0;
			if (i % 50 == 0)
				engine_trim(UINT64_MAX);
		}
		engine_pressure(false);
		engine_sweep();
		engine_set_batch_bytes(0);
		for (unsigned i = 0; i < fake_log_count(); i++)
			if (strncmp(fake_log(i), "reclaim ", 8) != 0 &&
			    strncmp(fake_log(i), "vec-reclaim ", 12) != 0)
				fail_msg("%s: %s", engine_backend_name(), fake_log(i));
		assert_int_equal(fake_log_count() > 0, backends[b] == CONF_BACKEND_PT_RECLAIM);
		assert_int_equal(fake_violations(), 0);
	}
}

/* A region of which the engine has one half, and somebody who zaps the other: never flushed whole, and
 * still never if the stranger has zapped all of his. */
static void strangers_in_a_region_keep_it_in_pieces(void **state)
{
	static const enum conf_backend backends[] = {CONF_BACKEND_NONE, CONF_BACKEND_DONTNEED,
						     CONF_BACKEND_REMAP, CONF_BACKEND_PT_RECLAIM};

	(void)state;
	for (unsigned b = 0; b < 4; b++) {
		fixture_start(backends[b], 32 * MIB);
		fake_live(fake_addr(0, 256), fake_pages(256), true);
		zap(0, 256, 256);
		alloc_map(0, 0, 256);
		assert_int_equal(alloc_use(0, 0, 256), ENGINE_OK);
		assert_true(alloc_free(0, 0, 256));
		zap(0, 256, 256);
		flush_all();
		if (backends[b] == CONF_BACKEND_PT_RECLAIM)
			assert_calls("dontneed 0.0+256", "reclaim 0.0+512", NONE);
		else
			assert_calls("dontneed 0.0+256", NONE);
		assert_int_equal(count_of(STAT_REGIONS_FREED), 0);
		/* Empty as it is, it is waste: of the stranger's making. */
		assert_int_equal(engine_reclaimable(), os_page_size);
		assert_int_equal(fake_violations(), 0);
	}
}

/* A region of the engine's own in which the allocator has zapped behind its back. */
static void a_region_flushed_whole_is_not_waste(void **state)
{
	(void)state;
	use_region(0);
	zap(0, 0, 1);
	assert_true(alloc_free(0, 0, 512));
	flush_all();
	assert_calls("dontneed 0.0+512", NONE);
	assert_int_equal(engine_reclaimable(), 0);
}

static void paused_notes_and_asks_nothing(void **state)
{
	(void)state;
	start_asking();
	engine_pause(true);
	zap(1, 0, 1);
	assert_true(sweep_idle());
	assert_int_equal(count_of(STAT_ZAPPED_BY_OTHERS), fake_pages(1));
	assert_int_equal(engine_reclaimable(), os_page_size);
	fake_log_clear();
	engine_pause(false);
	engine_catch_up();
	sweep();
	assert_calls("reclaim 1.0+512", NONE);
}

/* What was queued when it was switched off stays noted. */
static void a_sweep_that_was_put_off_is_made_up_for(void **state)
{
	(void)state;
	start_asking();
	zap(1, 0, 1);
	assert_false(sweep_idle());
	engine_pause(true);
	sweep_put_off();
	assert_true(sweep_idle());
	engine_pause(false);
	engine_catch_up();
	sweep();
	assert_calls("reclaim 1.0+512", NONE);
}

/* By whole tables, where it comes to that, or page by page into fresh ones. */
static void what_is_moved_is_remembered_where_it_is(void **state)
{
	(void)state;
	start_asking();
	zap(1, 0, 9);
	zap(3, 0, 9);
	zap(9, 0, 9);
	engine_moved(fake_addr(0, 0), fake_addr(10, 0), fake_pages(5 * 512));
	sweep();
	assert_calls("vec-reclaim 13.0+512 11.0+512 9.0+512", NONE);
	zap(1, 0, 9);
	zap(7, 0, 9);
	engine_moved(fake_addr(0, 0), fake_addr(10, 100), fake_pages(5 * 512));
	sweep();
	assert_calls("vec-reclaim 11.0+1024 7.0+512", NONE);
	sweep();
	assert_calls(NONE);
}

/* "count, change nothing": also on a kernel that could be asked. */
static void observing_asks_nothing(void **state)
{
	struct conf c;

	(void)state;
	start_asking();
	conf_defaults(&c);
	c.mode = CONF_OBSERVE;
	c.backend = CONF_BACKEND_PT_RECLAIM;
	c.rolled_out = true;
	assert_int_equal(engine_init(&c), CONF_OBSERVE);
	assert_false(engine_sweeps());
	zap(1, 0, 1);
	engine_sweep();
	assert_calls(NONE);
	assert_int_equal(engine_reclaimable(), os_page_size);
	assert_int_equal(count_of(STAT_ZAPPED_BY_OTHERS), os_page_size);
}

static void *no_memory(size_t len)
{
	(void)len;
	return NULL;
}

static void out_of_memory_forgets(void **state)
{
	(void)state;
	start_asking();
	region_reset();
	pool_reset();
	os.map = no_memory;
	zap(1, 0, 1024);
	os.map = os_linux.map;
	assert_true(sweep_idle());
	sweep();
	assert_calls(NONE);
	assert_int_equal(count_of(STAT_ZAPPED_BY_OTHERS), fake_pages(1024));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_sweep_asks_about_what_was_zapped),
		TEST(a_sweep_costs_what_was_zapped_since),
		TEST(whole_regions_are_not_remembered),
		TEST(lazily_freed_regions_are_remembered),
		TEST(where_no_zap_frees_a_table_all_are_remembered),
		TEST(what_is_gone_is_forgotten),
		TEST(holes_do_not_stop_a_sweep),
		TEST(only_mapped_and_empty_is_reclaimable),
		TEST(a_child_sweeps_what_its_parent_noted),
		TEST(a_child_that_cannot_ask_still_counts),
		TEST(nothing_is_ever_destroyed),
		TEST(strangers_in_a_region_keep_it_in_pieces),
		TEST(a_region_flushed_whole_is_not_waste),
		TEST(what_is_moved_is_remembered_where_it_is),
		TEST(observing_asks_nothing),
		TEST(paused_notes_and_asks_nothing),
		TEST(a_sweep_that_was_put_off_is_made_up_for),
		TEST(out_of_memory_forgets),
	};

	return cmocka_run_group_tests_name("sweep", tests, NULL, NULL);
}
