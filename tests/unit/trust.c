// SPDX-License-Identifier: BSD-2-Clause
/*
 * What owners touched so far does not bind those to come: what is populated and what stays for these is confirmed by some
 * of them, or it ends.
 */
#include "owners.h"

/* A page of what is populated is left to its owner: touched, it confirms that it was worth it. */
static void a_page_confirms(void **state)
{
	(void)state;
	policy_init(4000 * os_page_size);
	teach(300, 300);
	for (unsigned r = 0; r < 12; r++) {
		take(r, 0, 300);
		touch(r, 0, 300);
	}
	assert_in_range(count_of(STAT_POPULATED), fake_pages(12 * 299), fake_pages(12 * 300) - 1);
	assert_true(samples() > 0);
}

static void untouched_it_does_not(void **state)
{
	(void)state;
	policy_init(4000 * os_page_size);
	teach(300, 300);
	for (unsigned r = 0; r < 12; r++) {
		take(r, 0, 300);
		touch(r, 0, 10);
	}
	/* Half of the budget; and one may have been asked about what it did touch. */
	assert_in_range(count_of(STAT_POPULATED), fake_pages(5 * 299), fake_pages(2300));
}

/* Growth by owners of whom one in so many touches all, and the others the first page only, and the last as well:
 * what is populated in vain of it, in pages. */
static uint64_t populated_in_vain(unsigned every, bool last)
{
	uint64_t vain = 0;

	for (unsigned r = 12; r < 16; r++)
		alloc_map(r, 0, 512);
	policy_init(512 * os_page_size);
	teach(40, 40);
	for (unsigned i = 0; i < 192; i++) {
		unsigned r = i / 12, page = i % 12 * 40;
		uint64_t before = count_of(STAT_POPULATED);

		take(r, page, 40);
		if (i % every == 0)
			touch(r, page, 40);
		else
			vain += (count_of(STAT_POPULATED) - before) / os_page_size;
		touch(r, page, 1);
		if (last)
			touch(r, page + 39, 1);
	}
	return vain;
}

/* All classes may change at once: what they have populated in vain is within the budget together. */
static void all_classes_share_the_budget(void **state)
{
	static const unsigned class[] = {40, 48, 56, 64, 80, 96, 112, 128};
	unsigned next = 0;

	(void)state;
	policy_init(1000 * os_page_size);
	for (unsigned c = 0; c < 8; c++) {
		teach(class[c], class[c]);
		for (unsigned taken = 0; taken < 500; taken += class[c]) {
			/* Of 512 pages the last may be left. */
			if (next % 512 + class[c] > 512)
				next += 512 - next % 512;
			take(next / 512, next % 512, class[c]);
			next += class[c];
		}
	}
	assert_in_range(count_of(STAT_POPULATED), fake_pages(700), fake_pages(1200));
}

/* And where all of them are confirmed none is kept from it. */
static void confirmed_none_keeps_others_from_it(void **state)
{
	static const unsigned class[] = {40, 48, 56, 64, 80, 96, 112, 128};
	unsigned wanted = 0;

	(void)state;
	policy_init(1000 * os_page_size);
	for (unsigned c = 0; c < 8; c++)
		teach(class[c], class[c]);
	for (unsigned i = 0; i < 8 * 60; i++) {
		unsigned pages = class[i % 8], page = i / 12 % 4 * 128;

		take(i % 12, page, pages);
		touch(i % 12, page, pages);
		wanted += pages;
		if (i < 47)
			continue;
		/* The oldest of them goes, without a sample. */
		pages = class[(i - 47) % 8];
		page = (i - 47) / 12 % 4 * 128;
		fake_live(fake_addr((i - 47) % 12, page), fake_pages(pages), false);
		assert_true(engine_unmap(fake_addr((i - 47) % 12, page), fake_pages(pages)));
		alloc_map((i - 47) % 12, page, pages);
	}
	assert_in_range(count_of(STAT_POPULATED), fake_pages(wanted / 10 * 9), fake_pages(wanted));
}

/* One owner speaks for what was populated for him. What is learned meanwhile may confirm it all, twice. */
static void others_are_not_confirmed_with_it(void **state)
{
	(void)state;
	assert_in_range(populated_in_vain(3, false), 1, 3 * 512 / 2);
}

/* As a pool does that has its own data at both ends. */
static void both_ends_confirm_nothing(void **state)
{
	(void)state;
	assert_in_range(populated_in_vain(1000, true), 1, 3 * 512 / 2);
}

/* It could not tell, and what is populated is counted by what was gone. */
static void a_page_that_stays_is_not_left_out(void **state)
{
	(void)state;
	policy_init(4000 * os_page_size);
	teach(300, 300);
	teach(250, 250);
	assert_true(policy_believes(300, 600));
	for (unsigned r = 0; r < 12; r++) {
		uint64_t before;

		take(r, 50, 250);
		touch(r, 50, 250);
		assert_true(alloc_free(r, 50, 250));
		before = count_of(STAT_POPULATED) - count_of(STAT_REUSE_ZAPPED);
		take(r, 0, 300);
		assert_int_equal(count_of(STAT_POPULATED) - count_of(STAT_REUSE_ZAPPED) - before,
				 fake_pages(fake_resident(fake_addr(r, 0), fake_pages(300)) - 250));
		touch(r, 0, 300);
	}
}

/* Twelve regions of such ranges, each touched wholly. */
static void touch_all(unsigned pages)
{
	for (unsigned i = 0; i < 12 * (512 / pages); i++) {
		take(i % 12, i / 12 * pages, pages);
		touch(i % 12, i / 12 * pages, pages);
	}
}

/* What stays for owners who touch nothing and go on having it: all that was pending, after dense owners. */
#define TOUCHING 0x100 /* or they do */
static uint64_t stays(unsigned how)
{
	policy_init(1000 * os_page_size);
	teach(40, 40);
	touch_all(40);
	for (unsigned i = 0; i < 144; i++)
		assert_true(alloc_free(i / 12, i % 12 * 40, 40));
	for (unsigned i = 0; i < 144; i++) {
		assert_int_equal(engine_reuse(fake_addr(i / 12, i % 12 * 40), fake_pages(40),
					      how & ENGINE_ZERO),
				 ENGINE_OK);
		if (how & TOUCHING)
			touch(i / 12, i % 12 * 40, 40);
	}
	return policy_kept_pages();
}

static void for_who_touches_nothing_little_stays(void **state)
{
	assert_in_range(stays(ENGINE_ZERO), 400, 1000);
	/* Nor where it need not be zeroed. */
	assert_int_equal(setup(state), 0);
	assert_in_range(stays(0), 400, 1000);
}

/* Nor are all of them asked for good. */
static void who_leaves_all_is_not_asked_each_time(void **state)
{
	uint64_t before;

	(void)state;
	(void)stays(ENGINE_ZERO);
	before = count_of(STAT_SYS_MINCORE);
	for (unsigned i = 0; i < 600; i++) {
		alloc_map(12 + i / 12 % 3, i % 12 * 40, 40);
		take(12 + i / 12 % 3, i % 12 * 40, 40);
		assert_true(engine_unmap(fake_addr(12 + i / 12 % 3, i % 12 * 40), fake_pages(40)));
	}
	assert_in_range(count_of(STAT_SYS_MINCORE) - before, 1, 60);
}

static void for_who_touches_it_all_stays(void **state)
{
	(void)state;
	assert_in_range(stays(ENGINE_ZERO | TOUCHING), 144 * 40 * 9 / 10, 144 * 40);
}

/* Nor where owners who had touched all give it up meanwhile, one for each who comes. */
static void those_who_leave_do_not_vouch_for_those_who_come(void **state)
{
	for (unsigned pages = POLICY_FEW_PAGES + 1; pages <= 64; pages++) {
		unsigned ranges = 12 * (512 / pages);

		assert_int_equal(setup(state), 0);
		policy_init(1000 * os_page_size);
		touch_all(pages);
		for (unsigned i = 0; i < ranges; i++) {
			assert_true(alloc_free(i % 12, i / 12 * pages, pages));
			fake_log_mincore(false);
			take(i % 12, i / 12 * pages, pages);
		}
		/* Of 6000. */
		assert_in_range(policy_kept_pages(), 0, 1250);
	}
}

/* Where nothing is taken back but zeroed, owners tell as well: what touches all is zeroed in place for good. */
static void zeroed_ranges_tell_too(void **state)
{
	uint64_t before;

	(void)state;
	policy_init(1000 * os_page_size);
	teach(40, 40);
	touch_all(40);
	for (unsigned round = 0; round < 3; round++) {
		before = count_of(STAT_REUSE_ZAPPED);
		for (unsigned i = 0; i < 144; i++) {
			void *addr = fake_addr(i / 12, i % 12 * 40);

			fake_live(addr, fake_pages(40), false);
			engine_zero(addr, fake_pages(40));
			touch(i / 12, i % 12 * 40, 40);
		}
	}
	assert_in_range(count_of(STAT_REUSE_ZAPPED) - before, 0, fake_pages(144 * 40 / 4));
}

/* One block that comes and goes: whether it was touched is not known once it is gone. */
static void who_returns_at_once_is_not_asked_each_time(void **state)
{
	(void)state;
	policy_init(4096 * os_page_size);
	teach(40, 40);
	for (unsigned i = 0; i < 600; i++) {
		take(0, 0, 40);
		touch(0, 0, 40);
		assert_true(alloc_free(0, 0, 40));
	}
	/* For 256 pages each, and one in 128 is explored. */
	assert_in_range(count_of(STAT_SYS_MADVISE_REUSE), 40, 600 * 40 / 256 + 600 / 128 + 10);
}

/* A kernel that has no memory for it is believed whatever an earlier owner touches. */
static void refusal_is_not_outdone(void **state)
{
	(void)state;
	policy_init(4000 * os_page_size);
	teach(300, 300);
	for (unsigned r = 0; r < 2; r++) {
		take(r, 0, 300);
		touch(r, 0, 300);
	}
	policy_disbelieve(300);
	for (unsigned r = 2; r < 6; r++)
		take(r, 0, 20);
	assert_true(samples() > 0);
	fake_log_clear();
	take(7, 0, 300);
	assert_calls(NONE);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_page_confirms),
		TEST(untouched_it_does_not),
		TEST(all_classes_share_the_budget),
		TEST(confirmed_none_keeps_others_from_it),
		TEST(others_are_not_confirmed_with_it),
		TEST(both_ends_confirm_nothing),
		TEST(a_page_that_stays_is_not_left_out),
		TEST(for_who_touches_nothing_little_stays),
		TEST(who_leaves_all_is_not_asked_each_time),
		TEST(for_who_touches_it_all_stays),
		TEST(those_who_leave_do_not_vouch_for_those_who_come),
		TEST(zeroed_ranges_tell_too),
		TEST(who_returns_at_once_is_not_asked_each_time),
		TEST(refusal_is_not_outdone),
	};

	return cmocka_run_group_tests_name("trust", tests, NULL, NULL);
}
