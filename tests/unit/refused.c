// SPDX-License-Identifier: BSD-2-Clause
/*
 * What happens when the kernel refuses, and what each backend asks of it. Every test ends with a check
 * that no live page was destroyed.
 */
#include "engine_fixture.h"

#include <errno.h>
#include <stdlib.h>

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

/* Refused in the thread that released it, while its region waits in the queue: what counts as refused must not
 * keep everything from being taken for good. */
static void one_refusal_is_not_for_good(void **state)
{
	(void)state;
	fixture_start(CONF_BACKEND_DONTNEED, 0);
	use_region(0);
	fake_fail("dontneed", ENOMEM, 1);
	(void)alloc_free(0, 0, 20);
	tick_twice();
	assert_int_equal(batch_bytes_exact(), 0);
	assert_false(alloc_free(0, 100, 20));
	fake_live(fake_addr(0, 100), fake_pages(20), true);
	/* The worker looks whether there is anything, and tries again. */
	assert_true(batch_refused());
	batch_retry();
	assert_false(batch_refused());
	assert_true(alloc_free(0, 100, 20));
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
	/* Whether it was the range or the vector shows at the second. */
	assert_calls("vec-dontneed 0.0+1 0.2+1 0.4+1", "dontneed 0.0+1", "vec-dontneed 0.2+1 0.4+1",
		     "dontneed 0.2+1", "dontneed 0.4+1", NONE);
	assert_int_equal(batch_bytes_exact(), fake_pages(1));
	assert_false(fake_reads_zero(fake_addr(0, 0), fake_pages(1)));
	assert_true(fake_reads_zero(fake_addr(0, 2), fake_pages(1)));
}

/* The calls that 1,024 ranges take, of which those fail that are divisible by `every`. */
static uint64_t calls_of_full_vector(unsigned every)
{
	static struct iovec vec[BACKEND_VEC_MAX];
	static uint8_t flag[BACKEND_VEC_MAX];
	unsigned holes = 0;

	fixture_start(CONF_BACKEND_DONTNEED, 32 * MIB);
	for (unsigned i = 0; i < BACKEND_VEC_MAX; i++) {
		void *addr = fake_addr(0, 2 * i);

		vec[i] = (struct iovec){.iov_base = addr, .iov_len = os_page_size};
		flag[i] = 0;
		fake_live(addr, os_page_size, true);
		fake_write(addr, os_page_size);
		fake_live(addr, os_page_size, false);
		if (i % every == every - 1) {
			fake_mapped(addr, os_page_size, false);
			holes++;
		}
	}
	assert_int_equal(backend_zap(vec, flag, BACKEND_VEC_MAX, BACKEND_FOR_FLUSH), holes);
	for (unsigned i = 0; i < BACKEND_VEC_MAX; i++)
		assert_int_equal(flag[i], i % every == every - 1 ? BACKEND_FAILED : 0);
	assert_int_equal(fake_resident(fake_addr(0, 0), fake_pages(2 * BACKEND_VEC_MAX)), 0);
	return count_of(STAT_SYS_PROCESS_MADVISE) + count_of(STAT_SYS_MADVISE);
}

/* Behind a range that is not there the rest goes on as a vector, and many such ranges never cost much
 * more than doing all of them singly. */
static void a_vector_goes_on_behind_a_hole(void **state)
{
	(void)state;
	assert_int_equal(calls_of_full_vector(2000), 1);
	assert_int_equal(calls_of_full_vector(600), 3);
	assert_int_equal(calls_of_full_vector(1024), 2);
	assert_int_equal(calls_of_full_vector(100), 10 + 1 + 10);
	for (unsigned every = 1; every <= 5; every++)
		assert_in_range(calls_of_full_vector(every), 1, BACKEND_VEC_MAX + 4);
	/* The vector is not to blame: the next is one again. */
	assert_int_equal(calls_of_full_vector(2000), 1);
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

/* Memory that was in use before the engine heard of it, and may be mapped anew all the same. */
static void remap_what_is_owned(void **state)
{
	(void)state;
	fixture_start(CONF_BACKEND_REMAP, 32 * MIB);
	fake_live(fake_addr(0, 0), fake_pages(6 * 512), true);
	assert_true(engine_own(fake_addr(0, 0), fake_pages(2 * 512)));
	assert_true(engine_own(fake_addr(4, 0), fake_pages(256))); /* the rest is brk, say */
	assert_true(engine_own(fake_addr(5, 0), fake_pages(512)));
	for (unsigned r = 0; r < 6; r++)
		if (r != 1)
			assert_true(alloc_free(r, 0, 512));
	assert_true(alloc_free(1, 0, 511));
	fake_log_clear();
	flush_all();
	/* 0: owned, wholly pending. 1: a page is in use. 2, 3: not owned; 4: in part. */
	assert_calls("remap 0.0+512", "remap 5.0+512", "vec-dontneed 1.0+511 2.0+1536", NONE);
	/* Owned by pieces is owned. */
	assert_true(engine_own(fake_addr(4, 256), fake_pages(256)));
	assert_int_equal(engine_reuse(fake_addr(4, 0), fake_pages(512), false), ENGINE_OK);
	assert_true(alloc_free(4, 0, 512));
	fake_log_clear();
	flush_all();
	assert_calls("remap 4.0+512", NONE);
	/* What was unmapped is not, whoever has it now. */
	assert_true(engine_unmap(fake_addr(5, 0), fake_pages(512)));
	fake_live(fake_addr(5, 0), fake_pages(512), true);
	assert_true(alloc_free(5, 0, 512));
	fake_log_clear();
	flush_all();
	assert_calls("dontneed 5.0+512", NONE);
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
	use_region(2);
	assert_true(alloc_free(0, 0, 10));
	assert_true(alloc_free(2, 5, 10));
	flush_all();
	assert_calls("vec-dontneed 0.0+10 2.5+10", "vec-reclaim 0.0+512 2.0+512", NONE);
}

static void neighbours_are_asked_about_as_one(void **state)
{
	(void)state;
	fixture_start(CONF_BACKEND_PT_RECLAIM, 32 * MIB);
	use_region(1);
	use_region(2);
	assert_true(alloc_free(1, 5, 10));
	assert_true(alloc_free(2, 5, 10));
	flush_all();
	assert_calls("vec-dontneed 1.5+10 2.5+10", "reclaim 1.0+1024", NONE);
}

/* As much is stuck as may be pending: the allocator is left to find out itself. Until it works again. */
static void a_kernel_that_refuses_is_left_to_the_allocator(void **state)
{
	(void)state;
	fixture_start(CONF_BACKEND_DONTNEED, MIB);
	use_region(0);
	use_region(1);
	fake_fail("dontneed", EINVAL, 99);
	assert_true(alloc_free(0, 0, 300));
	flush_all();
	assert_int_equal(batch_bytes_exact(), fake_pages(300));
	assert_false(engine_release(fake_addr(1, 0), fake_pages(8)));
	assert_int_equal(count_of(STAT_DECLINED), fake_pages(8));
	assert_int_equal(batch_bytes_exact(), fake_pages(300));
	fake_fail("", 0, 0);
	batch_retry();
	flush_all();
	assert_int_equal(batch_bytes_exact(), 0);
	assert_true(alloc_free(1, 0, 8));
}

static void zapped_regions_are_only_asked_about(void **state)
{
	FLIGHT_ON_STACK(f, FLIGHT_SMALL);

	(void)state;
	engine_zapped(fake_addr(0, 3), fake_pages(5), false);
	sweep_run(&f);
	assert_calls(NONE); /* this kernel could not be asked */
	fixture_start(CONF_BACKEND_PT_RECLAIM, 32 * MIB);
	engine_zapped(fake_addr(0, 3), fake_pages(5), false);
	engine_zapped(fake_addr(0, 9), fake_pages(5), false);
	engine_zapped(fake_addr(7, 510), fake_pages(4), false);
	sweep_run(&f);
	assert_int_equal(count_of(STAT_REGIONS_SWEPT), 3);
	assert_calls("vec-reclaim 7.0+1024 0.0+512", NONE);
	sweep_run(&f);
	assert_calls(NONE);
}

static void no_vector_is_longer_than_a_kernel_takes(void **state)
{
	FLIGHT_ON_STACK(f, FLIGHT_SMALL);

	(void)state;
	fixture_start(CONF_BACKEND_PT_RECLAIM, 32 * MIB);
	/* 2 GiB, of which a vector would lose its last page. What lies above the fake is not seen. */
	for (unsigned i = 0; i < 4; i++)
		engine_zapped(fake_addr(256 * i, 0), fake_pages(256 * 512), false);
	sweep_run(&f);
	assert_calls("reclaim 0.0+262144", NONE);
}

static void count(struct region *r, void *arg)
{
	(void)r;
	(*(unsigned *)arg)++;
}

/* Of a reservation little was used: what it has of tables is less than a record for each region. */
static void much_address_space_makes_no_records(void **state)
{
	FLIGHT_ON_STACK(f, FLIGHT_SMALL);
	unsigned records = 0;

	(void)state;
	fixture_start(CONF_BACKEND_PT_RECLAIM, 32 * MIB);
	engine_zapped(fake_addr(0, 0), fake_pages(512 * 512), true);
	assert_calls("reclaim 0.0+262144", NONE);
	engine_zapped(fake_addr(0, 0), fake_pages(512 * 512), false);
	sweep_run(&f);
	assert_calls(NONE);
	region_each(count, &records);
	assert_int_equal(records, 0);
	/* What is known of is forgotten, and nothing else looked at. */
	engine_zapped(fake_addr(3, 1), fake_pages(1), false);
	engine_gone(NULL, SIZE_MAX / 2);
	sweep_run(&f);
	assert_calls(NONE);
}

static void a_child_sweeps_what_it_zaps(void **state)
{
	FLIGHT_ON_STACK(f, FLIGHT_SMALL);

	(void)state;
	fixture_start(CONF_BACKEND_PT_RECLAIM, 32 * MIB);
	for (unsigned i = 0; i < 3; i++)
		engine_zapped(fake_addr(i, 3), fake_pages(5), false);
	fake_wiped[0] = 0;
	fake_wiped[1] = 0;
	/* On the queue in the parent, on which it must not come twice. */
	engine_zapped(fake_addr(1, 3), fake_pages(5), false);
	sweep_run(&f);
	assert_calls("reclaim 0.0+1536", NONE);
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
		TEST(a_refused_zap_is_remembered),
		TEST(a_refused_zap_is_tried_again_later),
		TEST(one_refusal_is_not_for_good),
		TEST(eagain_is_tried_twice_at_once),
		TEST(a_refused_vector_falls_back_for_good),
		TEST(a_short_vector_is_finished_one_by_one),
		TEST(one_range_that_fails_does_not_stop_the_rest),
		TEST(a_vector_goes_on_behind_a_hole),
		TEST(remap_only_what_is_ours),
		TEST(remap_what_is_owned),
		TEST(remap_falls_back_to_a_zap),
		TEST(pt_reclaim_asks_after_the_pieces),
		TEST(neighbours_are_asked_about_as_one),
		TEST(a_kernel_that_refuses_is_left_to_the_allocator),
		TEST(zapped_regions_are_only_asked_about),
		TEST(no_vector_is_longer_than_a_kernel_takes),
		TEST(much_address_space_makes_no_records),
		TEST(a_child_sweeps_what_it_zaps),
		TEST(out_of_memory_declines),
	};

	return cmocka_run_group_tests_name("refused", tests, NULL, NULL);
}
