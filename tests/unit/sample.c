// SPDX-License-Identifier: BSD-2-Clause
/*
 * What is learned of ranges that are in use; and what is left out where memory does not come back soon and a
 * malloc or a free is expected to take no time.
 */
#include "owners.h"

#include <errno.h>
#include <string.h>

static void growth_teaches(void **state)
{
	(void)state;
	for (unsigned r = 0; r < 8 && policy_touched(300) < 0; r++) {
		take(r, 0, 300);
		touch(r, 0, 300);
	}
	assert_int_equal(policy_touched(300), 1024);
	assert_int_equal(count_of(STAT_DEFERRED), 0);
	fake_log_clear();
	take(11, 0, 300);
	assert_calls("populate 11.0+300", NONE);
}

/* It is no hurry of theirs: the release will tell. */
static void what_nobody_touched_yet_says_nothing(void **state)
{
	(void)state;
	for (unsigned r = 0; r < 12; r++)
		take(r, 0, 300);
	assert_int_equal(samples(), 0);
	assert_int_equal(policy_touched(300), -1);
	/* And they are not looked at for good: those of today are. */
	teach(17, 17);
	for (unsigned i = 0; i < 16; i++)
		take(i % 12, 300 + 17 * (i / 12), 17);
	for (unsigned r = 0; r < 12; r++) {
		take(r, 400, 100);
		touch(r, 400, 100);
	}
	assert_int_equal(policy_touched(100), 1024);
}

/* Each look is a call, in a malloc. */
static void who_comes_late_is_not_asked_each_time(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 144; i++)
		take(i / 12, i % 12 * 40, 40);
	assert_in_range(count_of(STAT_SYS_MINCORE), 1, 20);
}

/* He touches all in the end, and each of them some more with every reuse that follows. */
static void who_is_at_it_says_nothing(void **state)
{
	(void)state;
	for (unsigned r = 0; r < 12; r++) {
		take(r, 0, 300);
		for (unsigned q = r < 5 ? 0 : r - 5; q <= r; q++)
			touch(q, 0, 50 * (r - q + 1));
	}
	assert_int_equal(policy_touched(300), -1);
	for (unsigned r = 0; r < 12; r++) {
		take(r, 300, 200);
		touch(r, 300, 20);
	}
	/* Who is done with little has said so. */
	assert_in_range(policy_touched(200), 90, 110);
}

/* What was kept for the next owner, or populated, nobody touched. */
static void what_was_given_up_meanwhile_says_nothing(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 12; i++) {
		take(0, 0, 300);
		touch(0, 0, 300);
		assert_true(alloc_free(0, 0, 300));
		take(1 + i % 3, 20 * (i / 3), 20);
		take(4 + i % 3, 20 * (i / 3), 20);
		take(7 + i % 3, 20 * (i / 3), 20);
		flush_all();
	}
	/* By releases, one in eight. */
	assert_in_range(samples(), 0, 3);
}

static void memory_that_is_gone_says_nothing(void **state)
{
	(void)state;
	take(0, 0, 300);
	touch(0, 0, 300);
	fake_live(fake_addr(0, 0), fake_pages(512), false);
	assert_true(engine_unmap(fake_addr(0, 0), fake_pages(512)));
	fake_mapped(fake_addr(0, 0), fake_pages(512), false);
	for (unsigned r = 1; r < 12; r++)
		take(r, 0, 20);
	fake_mapped(fake_addr(0, 0), fake_pages(512), true);
	assert_int_equal(samples(), 0);
}

static void a_child_looks_at_its_own(void **state)
{
	(void)state;
	take(0, 0, 300);
	touch(0, 0, 300);
	memset(fake_wiped, 0, sizeof(fake_wiped));
	engine_after_fork();
	fake_wiped[1] = 1;
	for (unsigned r = 1; r < 6; r++)
		take(r, 0, 20);
	assert_int_equal(samples(), 0);
}

/* What little is kept of a range hides nothing: owners who touch more than that are noticed by their releases. */
static void more_than_a_short_prefix_is_noticed(void **state)
{
	unsigned i;

	(void)state;
	teach(300, 20);
	for (i = 0; i < 1000 && policy_touched(300) < 1000; i++) {
		take(0, 0, 300);
		touch(0, 0, 300);
		assert_true(alloc_free(0, 0, 300));
	}
	/* Not by those that are explored, of which there are as many as eight here. */
	assert_in_range(i, 8, 300);
}

/* Few do: a program that clears one block in four, and touches the start of the others. */
static void the_few_who_touch_more_are_few(void **state)
{
	(void)state;
	teach(300, 20);
	for (unsigned i = 0; i < 1000; i++) {
		take(0, 0, 300);
		touch(0, 0, i % 4 ? 20 : 300);
		assert_true(alloc_free(0, 0, 300));
	}
	assert_in_range(policy_touched(300), 60, 80);
}

/* And those who do not are not counted as who do: what is kept is there. */
static void a_short_prefix_says_nothing_of_itself(void **state)
{
	uint64_t before, looks;

	(void)state;
	teach(300, 20);
	before = samples();
	looks = count_of(STAT_SYS_MINCORE);
	for (unsigned i = 0; i < 100; i++) {
		take(0, 0, 300);
		touch(0, 0, 5);
		assert_true(alloc_free(0, 0, 300));
	}
	assert_in_range(samples() - before, 0, 2);
	/* Nor is each of them looked at. */
	assert_in_range(count_of(STAT_SYS_MINCORE) - looks, 1, 20);
}

/* How many of 128 that come back are explored. */
static unsigned explored(unsigned pages)
{
	unsigned n = 0;

	for (unsigned i = 0; i < 128; i++)
		n += policy_plan(pages).explore;
	return n;
}

/* Exploring ends with its answer. Of what is large the first pages are looked at only, and a large part of these
 * is little of all. */
static void what_was_explored_is_not_explored_for_good(void **state)
{
	(void)state;
	teach(2048, 20);
	for (unsigned i = 0; i < 400; i++) {
		take(0, 0, 2048);
		touch(0, 0, 200);
		assert_true(alloc_free(0, 0, 2048));
	}
	assert_in_range(policy_touched(2048), 99, 101);
	assert_int_equal(explored(2048), 1);
}

/* Nor where owners touch pages here and there, of which no prefix comes. */
static void what_is_strewn_is_not_explored_for_good(void **state)
{
	(void)state;
	teach(300, 20);
	for (unsigned i = 0; i < 400; i++) {
		take(0, 0, 300);
		touch(0, 0, 20);
		touch(0, 150, 100);
		assert_true(alloc_free(0, 0, 300));
	}
	assert_int_equal(explored(300), 1);
	/* Also where what is kept makes it look like one. */
	teach(300, 70);
	for (unsigned i = 0; i < 400; i++) {
		take(0, 0, 300);
		touch(0, 0, 1);
		touch(0, 150, 10);
		assert_true(alloc_free(0, 0, 300));
	}
	assert_int_equal(explored(300), 1);
}

/* Owners whom nobody waits for: each has touched some more whenever he is looked at. */
static void who_takes_his_time_is_not_asked_each_time(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 144; i++) {
		take(i / 12, i % 12 * 40, 40);
		for (unsigned q = i < 8 ? 0 : i - 8; q <= i; q++)
			touch(q / 12, q % 12 * 40, i - q + 1);
	}
	assert_in_range(count_of(STAT_SYS_MINCORE), 1, 40);
}

/* The allocator gives up what has rested: a malloc takes no longer for us. */
static void at_leisure_nothing_is_populated(void **state)
{
	(void)state;
	engine_expect_returns(false);
	teach(300, 300);
	take(0, 0, 300);
	assert_calls(NONE);
	engine_expect_returns(true);
	take(1, 0, 300);
	assert_calls("populate 1.0+300", NONE);
}

static void at_leisure_much_is_not_zeroed(void **state)
{
	(void)state;
	teach(300, 300);
	teach(32, 32);
	engine_zero(fake_addr(0, 0), fake_pages(300));
	assert_calls("zero 0.0+300", NONE);
	engine_expect_returns(false);
	engine_zero(fake_addr(1, 0), fake_pages(300));
	engine_zero(fake_addr(1, 300), fake_pages(32));
	assert_calls("dontneed 1.0+300", "zero 1.300+32", NONE);
}

/* Nor does a free: what needs no company is zapped at once, with nothing else. */
static void at_leisure_regions_are_not_put_off(void **state)
{
	(void)state;
	for (unsigned r = 0; r < 4; r++)
		use_region(r);
	assert_true(alloc_free(3, 0, 512));
	engine_expect_returns(false);
	fake_log_clear();
	assert_true(alloc_free(0, 0, 1024));
	assert_calls("dontneed 0.0+1024", NONE);
	assert_int_equal(count_of(STAT_UNDEFERRED), fake_pages(1024));
	assert_int_equal(batch_bytes_exact(), fake_pages(512));
	assert_true(alloc_free(2, 0, 511));
	assert_calls(NONE);
	assert_int_equal(batch_bytes_exact(), fake_pages(1023));
}

/* What the kernel refuses of it is remembered: it still reads zero when it is taken back. */
static void at_leisure_a_refusal_is_remembered(void **state)
{
	(void)state;
	use_region(0);
	engine_expect_returns(false);
	fake_fail("dontneed", EINVAL, 9);
	assert_true(alloc_free(0, 0, 512));
	assert_int_equal(batch_bytes_exact(), fake_pages(512));
	assert_true(batch_refused());
	/* alloc_use() looks whether it does. */
	assert_int_equal(alloc_use(0, 0, 512), ENGINE_OK);
	assert_int_equal(batch_bytes_exact(), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(growth_teaches),
		TEST(what_nobody_touched_yet_says_nothing),
		TEST(who_comes_late_is_not_asked_each_time),
		TEST(who_is_at_it_says_nothing),
		TEST(what_was_given_up_meanwhile_says_nothing),
		TEST(memory_that_is_gone_says_nothing),
		TEST(a_child_looks_at_its_own),
		TEST(more_than_a_short_prefix_is_noticed),
		TEST(the_few_who_touch_more_are_few),
		TEST(a_short_prefix_says_nothing_of_itself),
		TEST(what_was_explored_is_not_explored_for_good),
		TEST(what_is_strewn_is_not_explored_for_good),
		TEST(who_takes_his_time_is_not_asked_each_time),
		TEST(at_leisure_nothing_is_populated),
		TEST(at_leisure_much_is_not_zeroed),
		TEST(at_leisure_regions_are_not_put_off),
		TEST(at_leisure_a_refusal_is_remembered),
	};

	return cmocka_run_group_tests_name("sample", tests, NULL, NULL);
}
