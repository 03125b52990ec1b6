// SPDX-License-Identifier: BSD-2-Clause
/*
 * Pages that are gone and come back: what is populated of them, and what not; and what the costs of a machine
 * make of what was learned.
 */
#include "engine_fixture.h"

#include <errno.h>
#include <unistd.h>

#include "cost.h"

static const struct policy_costs usual = {
	.fault = 1000, .populate = 500, .zap = 80, .zero = 100, .call = 300};

static int setup(void **state)
{
	int r = fixture_setup(state);

	policy_set_costs(&usual);
	use_region(0);
	assert_true(alloc_free(0, 0, 512));
	flush_all();
	policy_init(32 * MIB);
	fake_log_clear();
	return r;
}

static uint64_t populated(void)
{
	return count_of(STAT_POPULATED) / os_page_size;
}

/* Without the round in which nothing is kept, so that there is something to learn. */
static enum engine_reuse take(unsigned page, unsigned pages, unsigned how)
{
	return engine_reuse(fake_addr(0, page), fake_pages(pages), how);
}

static void what_owners_touch_is_populated(void **state)
{
	(void)state;
	teach(300, 300);
	assert_int_equal(take(0, 300, ENGINE_ZERO), ENGINE_OK);
	assert_calls("populate 0.0+300", NONE);
	assert_int_equal(populated(), 300);
	assert_int_equal(count_of(STAT_SYS_POPULATE), 1);
	assert_int_equal(fake_resident(fake_addr(0, 0), fake_pages(512)), 300);
	assert_true(fake_reads_zero(fake_addr(0, 0), fake_pages(300)));
}

static void a_prefix_is(void **state)
{
	(void)state;
	teach(300, 100);
	assert_int_equal(take(0, 300, 0), ENGINE_OK);
	assert_calls("populate 0.0+100", NONE);
}

static void nothing_unlearned_is(void **state)
{
	(void)state;
	assert_int_equal(take(0, 300, ENGINE_ZERO), ENGINE_OK);
	/* What is small is taken to be touched, but not by so much. */
	assert_int_equal(take(300, 16, ENGINE_ZERO), ENGINE_OK);
	assert_calls(NONE);
}

/* Of what is pending and stays nothing is gone. */
static void only_what_is_gone_is(void **state)
{
	(void)state;
	teach(200, 200);
	assert_int_equal(take(0, 200, ENGINE_ZERO), ENGINE_OK);
	assert_true(alloc_free(0, 0, 120));
	fake_log_clear();
	/* The first 120 are pending, of the others 80 are in use: their owner gives them up, zapped. */
	assert_true(alloc_free(0, 120, 80));
	fake_log_clear();
	assert_int_equal(take(0, 200, ENGINE_ZERO), ENGINE_OK);
	assert_calls("zero 0.0+200", NONE);
	/* Half of it is there. */
	assert_true(alloc_free(0, 0, 100));
	fake_log_clear();
	teach(300, 300);
	assert_int_equal(take(200, 300, ENGINE_ZERO), ENGINE_OK);
	assert_calls("populate 0.200+300", NONE);
}

static void what_stays_in_front_is_left_out(void **state)
{
	(void)state;
	teach(200, 200);
	teach(100, 100);
	assert_int_equal(take(0, 100, ENGINE_ZERO), ENGINE_OK);
	assert_true(alloc_free(0, 0, 100));
	fake_log_clear();
	assert_int_equal(take(0, 200, ENGINE_ZERO), ENGINE_OK);
	assert_calls("zero 0.0+100", "populate 0.100+100", NONE);
}

/* Pages in front are gone, and behind them some stay: one call over both, that counts what was gone. */
static void what_stays_behind_is_not_counted(void **state)
{
	uint64_t before;

	(void)state;
	teach(200, 200);
	teach(100, 100);
	assert_int_equal(take(100, 100, ENGINE_ZERO), ENGINE_OK);
	assert_true(alloc_free(0, 100, 100));
	before = populated();
	fake_log_clear();
	assert_int_equal(take(0, 200, ENGINE_ZERO), ENGINE_OK);
	assert_calls("zero 0.100+100", "populate 0.0+200", NONE);
	assert_int_equal(populated() - before, 100);
}

/* Less is populated than is kept, and what is there lies across the end of it. */
static void what_stays_beyond_it_is_not_counted(void **state)
{
	struct policy_costs c = usual;

	(void)state;
	c.populate = 700;
	policy_set_costs(&c);
	assert_int_equal(take(50, 250, 0), ENGINE_OK);
	assert_true(alloc_free(0, 50, 250));
	for (unsigned i = 0; i < 8; i++)
		policy_learn(300, 300, i < 3 ? 100 : 300, i < 3 ? 100 : 300);
	fake_log_clear();
	assert_int_equal(take(0, 300, ENGINE_ZERO), ENGINE_OK);
	assert_calls("zero 0.50+250", "populate 0.0+100", NONE);
	assert_int_equal(populated(), 50);
}

/* A round in 128 shows what owners touch: nothing stays, and nothing is populated. */
static void nothing_is_while_exploring(void **state)
{
	(void)state;
	teach(20, 20);
	for (unsigned i = 0; i < 128; i++) {
		assert_int_equal(take(0, 20, ENGINE_ZERO), ENGINE_OK);
		assert_true(alloc_free(0, 0, 20));
		flush_all();
	}
	/* Some in two, around a page. */
	assert_in_range(count_of(STAT_SYS_POPULATE), 127, 127 + 127 * 20 / 512);
}

/* Where the kernel cannot populate and nothing is pending any more, each release could be looked at. */
static void few_are_looked_at(void **state)
{
	uint64_t before;

	(void)state;
	policy_no_populate();
	teach(20, 20);
	before = count_of(STAT_SYS_MINCORE);
	for (unsigned i = 0; i < 1280; i++) {
		assert_int_equal(take(0, 20, ENGINE_ZERO), ENGINE_OK);
		fake_live(fake_addr(0, 0), fake_pages(20), true);
		fake_write(fake_addr(0, 0), fake_pages(20));
		assert_true(alloc_free(0, 0, 20));
		flush_all();
	}
	assert_in_range(count_of(STAT_SYS_MINCORE) - before, 30, 60);
}

/* Also where pages need not read zero. */
static void exploring_zaps_what_is_pending(void **state)
{
	uint64_t before;

	(void)state;
	teach(20, 20);
	before = count_of(STAT_REUSE_ZAPPED);
	for (unsigned i = 0; i < 128; i++) {
		assert_int_equal(take(0, 20, 0), ENGINE_OK);
		assert_true(alloc_free(0, 0, 20));
	}
	/* And the pages that tell for what stays. */
	assert_in_range(count_of(STAT_REUSE_ZAPPED) - before, 20 * os_page_size,
			(20 + 127 * 20 / 512) * os_page_size);
}

/* Only the policy that learns zaps others with a sparse range. */
static void zapping_all_leaves_others_alone(void **state)
{
	(void)state;
	teach(300, 2);
	assert_int_equal(take(0, 300, ENGINE_ZERO), ENGINE_OK);
	use_region(1);
	assert_true(alloc_free(0, 0, 300));
	assert_true(alloc_free(1, 0, 200));
	policy_set_kind(POLICY_ZAP);
	fake_log_clear();
	assert_int_equal(take(0, 300, ENGINE_ZERO), ENGINE_OK);
	policy_set_kind(POLICY_LEARN);
	assert_calls("dontneed 0.0+300", NONE);
	assert_int_equal(batch_bytes_exact(), 200 * os_page_size);
}

/* It counts as kept: against the budget, and until it is given up. */
static void populated_pages_count(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 80; i++)
		policy_learn(300, 300, i % 4 ? 300 : 150, i % 4 ? 300 : 150);
	assert_int_equal(take(0, 300, ENGINE_ZERO), ENGINE_OK);
	assert_calls("populate 0.0+300", NONE);
	assert_int_equal(policy_kept_pages(), 300);
	assert_in_range(policy_excess_bytes(), 10 * 4096, 100 * 4096);
	assert_true(alloc_free(0, 0, 300));
	assert_int_equal(policy_kept_pages(), 0);
	assert_int_equal(policy_excess_bytes(), 0);
}

static void the_budget_holds(void **state)
{
	(void)state;
	policy_init(8 * os_page_size);
	for (unsigned i = 0; i < 80; i++)
		policy_learn(300, 300, i % 4 ? 300 : 150, i % 4 ? 300 : 150);
	assert_int_equal(take(0, 300, ENGINE_ZERO), ENGINE_OK);
	assert_calls(NONE);
}

static void not_under_memory_pressure(void **state)
{
	(void)state;
	teach(300, 300);
	engine_pressure(true);
	assert_int_equal(take(0, 300, ENGINE_ZERO), ENGINE_OK);
	engine_pressure(false);
	assert_calls(NONE);
}

/* Others may wait for the lock that the caller holds. */
static void a_lock_is_not_held_for_long(void **state)
{
	(void)state;
	teach(300, 300);
	assert_int_equal(take(0, 300, ENGINE_ZERO | ENGINE_SHARED), ENGINE_OK);
	assert_calls("populate 0.0+32", NONE);
	for (unsigned r = 1; r < 3; r++)
		alloc_map(r, 0, 512);
	teach(1024, 1024);
	assert_int_equal(engine_reuse(fake_addr(1, 0), fake_pages(1024), ENGINE_ZERO), ENGINE_OK);
	assert_calls("populate 1.0+512", NONE);
}

/* A kernel of before 5.14, or a filter: asked once, and not again. */
static void a_kernel_that_cannot_is_left_alone(void **state)
{
	(void)state;
	teach(100, 100);
	fake_fail("populate", EINVAL, 1);
	assert_int_equal(take(0, 100, ENGINE_ZERO), ENGINE_OK);
	assert_calls("populate 0.0+100", NONE);
	assert_int_equal(take(100, 100, ENGINE_ZERO), ENGINE_OK);
	assert_calls(NONE);
	assert_int_equal(populated(), 0);
	assert_int_equal(policy_kept_pages(), 0);
}

/* Out of memory for now: the owner will see about that. */
static void one_that_will_not_now_is_asked_again(void **state)
{
	(void)state;
	teach(100, 100);
	fake_fail("populate", ENOMEM, 1);
	assert_int_equal(take(0, 100, ENGINE_ZERO), ENGINE_OK);
	assert_int_equal(populated(), 0);
	assert_int_equal(take(100, 100, ENGINE_ZERO), ENGINE_OK);
	assert_calls("populate 0.0+100", NONE);
	/* But not before an owner has touched such a range. */
	policy_learn(100, 100, 100, 100);
	assert_int_equal(take(200, 100, ENGINE_ZERO), ENGINE_OK);
	assert_calls("populate 0.200+100", NONE);
	assert_int_equal(populated(), 100);
}

static void strangers_are_left_alone(void **state)
{
	(void)state;
	teach(100, 100);
	assert_int_equal(take(450, 62, ENGINE_ZERO), ENGINE_OK);
	fake_log_clear();
	assert_int_equal(take(412, 100, ENGINE_ZERO), ENGINE_STRANGERS);
	assert_calls(NONE);
}

/* The kill file exists, or the mode is another: a process behaves as if nobody were there. */
static void not_while_it_does_not_act(void **state)
{
	(void)state;
	teach(300, 300);
	engine_pause(true);
	assert_int_equal(take(0, 300, ENGINE_ZERO), ENGINE_OK);
	assert_calls(NONE);
	engine_pause(false);
	engine_set_mode(CONF_OBSERVE);
	fake_log_clear();
	assert_int_equal(take(300, 200, ENGINE_ZERO), ENGINE_OK);
	engine_set_mode(CONF_ON);
	assert_calls(NONE);
}

/* Some of it may be there all the same: not to be taken for what an owner touched. */
static void a_part_that_was_populated_counts_as_kept(void **state)
{
	(void)state;
	teach(300, 300);
	fake_mapped(fake_addr(0, 299), fake_pages(1), false);
	assert_int_equal(take(0, 300, ENGINE_ZERO), ENGINE_OK);
	assert_int_equal(policy_kept_pages(), 300);
}

/* What owners have touched so far says nothing of those to come: until one is seen to, no more is populated
 * than the budget is, and nothing where there is none. */
static void belief_is_limited(void **state)
{
	(void)state;
	policy_init(700 * os_page_size);
	teach(300, 300);
	for (unsigned r = 1; r < 8; r++) {
		alloc_map(r, 0, 512);
		assert_int_equal(engine_reuse(fake_addr(r, 0), fake_pages(300), ENGINE_ZERO),
				 ENGINE_OK);
	}
	/* All but the page by which it is confirmed. */
	assert_int_equal(populated(), 299);
	/* One that touches less confirms nothing. */
	policy_learn(300, 300, 2, 2);
	assert_int_equal(take(0, 300, ENGINE_ZERO), ENGINE_OK);
	assert_int_equal(populated(), 299);
	/* Nor does a release: whose it is was given it before. */
	policy_learn(300, 300, 300, 300);
	alloc_map(8, 0, 512);
	assert_int_equal(engine_reuse(fake_addr(8, 0), fake_pages(300), ENGINE_ZERO), ENGINE_OK);
	assert_int_equal(populated(), 299);
	/* But the owner for whom it was. */
	fake_live(fake_addr(1, 0), fake_pages(300), true);
	fake_write(fake_addr(1, 0), fake_pages(300));
	for (unsigned i = 0; i < 64; i++)
		assert_int_equal(take(300 + i, 1, ENGINE_ZERO), ENGINE_OK);
	policy_learn(300, 300, 300, 300);
	alloc_map(9, 0, 512);
	assert_int_equal(engine_reuse(fake_addr(9, 0), fake_pages(300), ENGINE_ZERO), ENGINE_OK);
	assert_int_equal(populated(), 598);
	engine_set_keep_bytes(0);
	alloc_map(10, 0, 512);
	assert_int_equal(engine_reuse(fake_addr(10, 0), fake_pages(300), ENGINE_ZERO), ENGINE_OK);
	assert_int_equal(populated(), 598);
}

static int setup_64k(void **state)
{
	os_init_sizes(65536);
	fixture_start(CONF_BACKEND_DONTNEED, 512 * MIB);
	(void)state;
	policy_set_costs(&usual);
	return 0;
}

static int teardown_64k(void **state)
{
	int r = fixture_teardown(state);

	os_init_sizes(4096);
	return r;
}

/* It is the bytes that take the time. */
static void large_pages_are_fewer(void **state)
{
	(void)state;
	policy_init(512 * MIB);
	alloc_map(0, 0, 1000);
	teach(300, 300);
	assert_int_equal(take(0, 300, ENGINE_ZERO), ENGINE_OK);
	assert_calls("populate 0.0+32", NONE);
	assert_int_equal(take(300, 300, ENGINE_ZERO | ENGINE_SHARED), ENGINE_OK);
	assert_calls("populate 0.300+2", NONE);
}

static void expect_plan(const struct policy_costs *c, size_t keep, size_t populate)
{
	struct policy_plan p;

	policy_init(32 * MIB);
	policy_set_costs(c);
	/* Of eight owners five touch all of it, and three a third. */
	for (unsigned i = 0; i < 8; i++)
		policy_learn(300, 300, i < 3 ? 100 : 300, i < 3 ? 100 : 300);
	p = policy_plan(300);
	assert_in_range(p.keep, keep, keep + 1);
	assert_in_range(p.populate, populate, populate + 1);
}

static void costs_decide(void **state)
{
	struct policy_costs c = usual;

	(void)state;
	expect_plan(&c, 300, 300);
	/* One in eight faults is not worth it: only where nearly all would touch the page. */
	c.populate = 800;
	expect_plan(&c, 300, 100);
	/* More than a fault: never. */
	c.populate = 1100;
	expect_plan(&c, 300, 0);
	c.populate = 0;
	expect_plan(&c, 300, 0);
	/* Zeroing that costs as much as a fault: kept is what all touch. */
	c = usual;
	c.zero = 1000;
	expect_plan(&c, 100, 100);
	c.zap = 500;
	expect_plan(&c, 300, 300);
	c.zap = 80;
	c.zero = 1200;
	expect_plan(&c, 0, 0);
	policy_set_costs(&usual);
}

/* What is populated is less than what is kept, and less of it in vain. */
static void populated_in_vain_is_less_than_kept(void **state)
{
	struct policy_costs c = usual;
	struct policy_plan p;

	(void)state;
	c.populate = 800;
	expect_plan(&c, 300, 100);
	do
		p = policy_plan(300);
	while (p.explore);
	assert_in_range(p.untouched, POLICY_ALL / 5, POLICY_ALL / 3);
	assert_int_equal(p.unpopulated, 0);
	policy_set_costs(&usual);
}

static void a_few_pages_do_not_pay_for_a_call(void **state)
{
	struct policy_costs c = usual;

	(void)state;
	assert_false(policy_populate_pays(0, 0));
	assert_true(policy_populate_pays(1, 0));
	assert_false(policy_populate_pays(1, POLICY_ALL / 2));
	assert_false(policy_populate_pays(1000, POLICY_ALL / 2));
	assert_true(policy_populate_pays(1000, POLICY_ALL / 4));
	c.call = 600;
	policy_set_costs(&c);
	assert_false(policy_populate_pays(1, 0));
	assert_true(policy_populate_pays(2, 0));
}

static void kinds_do_as_they_are_called(void **state)
{
	(void)state;
	teach(300, 2);
	assert_int_equal(take(0, 300, ENGINE_ZERO), ENGINE_OK);
	assert_true(alloc_free(0, 0, 300));
	fake_log_clear();
	policy_set_kind(POLICY_KEEP);
	assert_int_equal(take(0, 300, ENGINE_ZERO), ENGINE_OK);
	assert_calls("zero 0.0+300", NONE);
	assert_int_equal(policy_excess_bytes(), 300 * os_page_size);
	assert_true(alloc_free(0, 0, 300));
	policy_init(32 * MIB);
	teach(300, 300);
	fake_log_clear();
	policy_set_kind(POLICY_ZAP);
	assert_int_equal(take(0, 300, ENGINE_ZERO), ENGINE_OK);
	assert_calls("dontneed 0.0+300", NONE);
	assert_true(alloc_free(0, 0, 300));
	fake_log_clear();
	assert_int_equal(take(0, 300, 0), ENGINE_OK);
	assert_calls("dontneed 0.0+300", NONE);
	policy_set_kind(POLICY_LEARN);
}

static void keep_all_within_the_budget(void **state)
{
	(void)state;
	policy_init(400 * os_page_size);
	policy_set_kind(POLICY_KEEP);
	use_region(1);
	assert_true(alloc_free(1, 0, 300));
	assert_true(alloc_free(1, 300, 200));
	fake_log_clear();
	assert_int_equal(engine_reuse(fake_addr(1, 0), fake_pages(300), ENGINE_ZERO), ENGINE_OK);
	assert_int_equal(engine_reuse(fake_addr(1, 300), fake_pages(200), ENGINE_ZERO), ENGINE_OK);
	assert_calls("zero 1.0+300", "dontneed 1.300+200", NONE);
	policy_set_kind(POLICY_LEARN);
}

/* One that goes from dense to sparse and back is followed, through the engine alone: some hundreds of rounds. */
static bool follows(unsigned touched, unsigned rounds)
{
	for (unsigned i = 0; i < rounds; i++) {
		struct policy_class c;

		assert_int_equal(take(0, 256, ENGINE_ZERO), ENGINE_OK);
		fake_live(fake_addr(0, 0), fake_pages(256), true);
		fake_write(fake_addr(0, 0), fake_pages(touched));
		assert_true(alloc_free(0, 0, 256));
		flush_all();
		if (policy_class(32, &c) && c.pages == 256 && c.touched == touched * 1000u / 256)
			return true;
	}
	return false;
}

static void changes_are_followed(void **state)
{
	(void)state;
	assert_true(follows(256, 100));
	assert_true(follows(4, 640));
	assert_true(follows(256, 640));
	assert_true(follows(128, 640));
}

/* On this machine. Times are what they are; but nothing is free, and what is refused is said to be. */
static int refusing(void *addr, size_t len, int advice)
{
	return advice == OS_MADV_POPULATE_WRITE ? -EINVAL : os_linux.madvise(addr, len, advice);
}

static int broken(void *addr, size_t len, int advice)
{
	(void)addr;
	(void)len;
	(void)advice;
	return -EPERM;
}

static void costs_are_measured(void **state)
{
	struct policy_costs c = {0};

	(void)state;
	os = os_linux;
	assert_true(cost_measure(&c));
	assert_true(c.fault && c.call);
	os.madvise = refusing;
	assert_true(cost_measure(&c));
	assert_true(c.fault && !c.populate);
	os.madvise = broken;
	assert_false(cost_measure(&c));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		T(what_owners_touch_is_populated),
		T(a_prefix_is),
		T(nothing_unlearned_is),
		T(only_what_is_gone_is),
		T(what_stays_in_front_is_left_out),
		T(what_stays_behind_is_not_counted),
		T(what_stays_beyond_it_is_not_counted),
		T(nothing_is_while_exploring),
		T(few_are_looked_at),
		T(exploring_zaps_what_is_pending),
		T(zapping_all_leaves_others_alone),
		T(populated_pages_count),
		T(the_budget_holds),
		T(not_under_memory_pressure),
		T(a_lock_is_not_held_for_long),
		T(a_kernel_that_cannot_is_left_alone),
		T(one_that_will_not_now_is_asked_again),
		T(strangers_are_left_alone),
		T(not_while_it_does_not_act),
		T(a_part_that_was_populated_counts_as_kept),
		T(belief_is_limited),
		cmocka_unit_test_setup_teardown(large_pages_are_fewer, setup_64k, teardown_64k),
		T(costs_decide),
		T(populated_in_vain_is_less_than_kept),
		T(a_few_pages_do_not_pay_for_a_call),
		T(kinds_do_as_they_are_called),
		T(keep_all_within_the_budget),
		T(changes_are_followed),
		T(costs_are_measured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
