// SPDX-License-Identifier: BSD-2-Clause
/* The policy: what it answers from what it was told. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_os.h"
#include "policy.h"
#include "stats.h"

#define MIB ((uint64_t)1 << 20)

static int setup(void **state)
{
	(void)state;
	fake_install(4096);
	policy_init(32 * MIB);
	return 0;
}

/* Owners of such ranges touch so many pages from the start. */
static void teach(size_t range, size_t touched, unsigned times)
{
	while (times--)
		policy_learn(range, range, touched, touched);
}

/* What is kept of such a range in most of many rounds: in a few it explores. */
static size_t prefix(size_t range)
{
	size_t most = 0, zero = 0;

	for (unsigned i = 0; i < 100; i++) {
		size_t n = policy_plan(range).keep;

		if (!n)
			zero++;
		else
			most = n;
	}
	return zero > 50 ? 0 : most;
}

static void unknown_small_is_kept_and_large_is_not(void **state)
{
	(void)state;
	assert_int_equal(prefix(POLICY_SMALL_PAGES), POLICY_SMALL_PAGES);
	assert_int_equal(prefix(POLICY_SMALL_PAGES + 1), 0);
	assert_int_equal(prefix(512), 0);
	assert_int_equal(policy_touched(512), -1);
}

static void a_few_samples_are_not_believed(void **state)
{
	(void)state;
	teach(300, 300, 3);
	assert_int_equal(prefix(300), 0);
	teach(300, 300, 1);
	assert_int_equal(prefix(300), 300);
}

/* Most is most also of as few as are believed. */
static void half_of_a_few_is_not_most(void **state)
{
	(void)state;
	teach(300, 2, 2);
	teach(300, 300, 2);
	assert_in_range(policy_plan(300).touched, 1, 3);
}

static unsigned explores(size_t range)
{
	unsigned n = 0;

	for (unsigned i = 0; i < 128; i++)
		n += policy_plan(range).explore;
	return n;
}

/* Of a class that has populated as much as it may nothing stays, and some owners are asked, until they confirm it. */
static void what_is_doubted_is_explored(void **state)
{
	unsigned asked = 0;

	(void)state;
	teach(300, 300, 10);
	assert_int_equal(explores(300), 1);
	assert_true(policy_believes(300, 1));
	assert_false(policy_believes(300, 1000000));
	assert_false(policy_believes(300, 1));
	assert_true(policy_believes(500, 1));
	assert_int_equal(explores(300), 128);
	for (unsigned i = 0; i < 128; i++)
		asked += policy_plan(300).ask;
	assert_int_equal(asked, 128 / POLICY_ASKED);
	/* Owners who release may be those of before. */
	teach(300, 300, 1);
	assert_false(policy_believes(300, 300));
	policy_confirm(300, 1200);
	assert_int_equal(explores(300), 1);
	assert_true(policy_believes(300, 1));
}

/* As many as touch it one after the other speak for all, but not where one in eight does not. */
static void many_confirm_it_all(void **state)
{
	(void)state;
	teach(300, 300, 10);
	assert_false(policy_believes(300, 1000000));
	for (unsigned i = 0; i < 320; i++)
		if (i % 8)
			policy_confirm(300, 1);
		else
			policy_unconfirmed(300);
	assert_false(policy_believes(300, 1000));
	for (unsigned i = 0; i < 40; i++)
		policy_confirm(300, 1);
	assert_true(policy_believes(300, 1000));
}

/* What stays is believed to be touched as what is populated is: some tell for it, or it ends. */
static void what_stays_is_told_for(void **state)
{
	size_t told = 0, stayed = 0;

	(void)state;
	teach(300, 300, 10);
	for (unsigned i = 0; i < 1000; i++) {
		struct policy_plan p = policy_plan(300);

		size_t n = p.tell ? policy_tell(300, p.keep) : 0;

		if (n == POLICY_NO_ROOM)
			continue;
		told += n;
		if (!p.tell)
			policy_trust(300, p.keep);
		stayed += p.keep;
	}
	/* Half of the budget, and what one tells for. */
	assert_in_range(stayed, 4096 - 512, 4096 + 512);
	assert_in_range(told, stayed - 512, stayed);
}

/* Some stay untouched, and between them always others that are touched: these do not speak for them. */
static void who_touches_does_not_tell_for_who_does_not(void **state)
{
	static const size_t others[] = {24, 400, 507, 700, 3000};

	(void)state;
	for (unsigned i = 0; i < sizeof(others) / sizeof(*others); i++) {
		size_t stayed = 0;

		policy_init(32 * MIB);
		teach(5, 5, 10);
		teach(others[i], others[i], 10);
		for (unsigned n = 0; n < 40000; n++) {
			size_t range = n % 2 ? others[i] : 5;
			struct policy_plan p = policy_plan(range);
			size_t told = p.tell ? policy_tell(range, p.keep) : 0;

			if (told == POLICY_NO_ROOM)
				continue;
			if (!p.tell)
				policy_trust(range, p.keep);
			if (range == 5)
				stayed += p.keep;
			else if (told)
				policy_confirm(range, told);
		}
		/* Of 100000 pages. */
		assert_in_range(stayed, 0, 4096 + 2 * 512);
	}
}

struct teller {
	size_t told, stayed;
};

static void *teller(void *arg)
{
	struct teller *t = arg;

	stats_take();
	for (unsigned i = 0; i < 40; i++) {
		struct policy_plan p = policy_plan(20);

		size_t n = p.tell ? policy_tell(20, p.keep) : 0;

		policy_confirm(20, 1000);
		if (n == POLICY_NO_ROOM)
			continue;
		t->told += n;
		if (!p.tell)
			policy_trust(20, p.keep);
		t->stayed += p.keep;
		/* All of them at once, none with the shard of one before it. */
		if (i == 0)
			(void)usleep(100000);
	}
	return NULL;
}

/* Many threads do not have more for themselves together. */
static void threads_share_what_is_not_told(void **state)
{
	pthread_t thread[48];
	struct teller t[48] = {{0}};
	size_t told = 0, stayed = 0;

	(void)state;
	stats_init();
	teach(20, 20, 10);
	for (unsigned i = 0; i < 48; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, teller, &t[i]), 0);
	for (unsigned i = 0; i < 48; i++) {
		assert_int_equal(pthread_join(thread[i], NULL), 0);
		told += t[i].told;
		stayed += t[i].stayed;
	}
	assert_in_range(stayed, 48 * 39 * 20, 48 * 40 * 20);
	/* What many count at the same time may be told for twice. */
	assert_in_range(told, stayed - (512 + 48 * 20 + 512), stayed + 512);
}

/* What some have populated, never confirmed, is not in the way of the others for good. */
static void what_nobody_asks_about_is_forgotten(void **state)
{
	unsigned refused = 0;

	(void)state;
	for (unsigned pages = 40; pages <= 80; pages += 20) {
		teach(pages, pages, 8);
		for (unsigned i = 0; i < 4000 / pages; i++)
			(void)policy_believes(pages, pages);
	}
	teach(300, 300, 8);
	while (refused < 1000 && !policy_believes(300, 300))
		refused++;
	assert_in_range(refused, 1, 999);
}

/* A program that allocates and frees in the same order again and again: by count, each of its classes has its turn. */
static void classes_that_take_turns_are_all_looked_at(void **state)
{
	static const size_t range[] = {300, 200, 100, 64, 12};

	(void)state;
	for (unsigned of = 1; of <= 5; of++) {
		unsigned news[5] = {0}, known[5] = {0}, explored[5] = {0};

		policy_init(32 * MIB);
		for (unsigned i = 0; i < 640 * of; i++)
			news[i % of] += policy_wants_sample(range[i % of]);
		for (unsigned i = 0; i < of; i++)
			teach(range[i], range[i], 8);
		for (unsigned i = 0; i < 5120 * of; i++) {
			known[i % of] += policy_wants_sample(range[i % of]);
			explored[i % of] += policy_plan(range[i % of]).explore;
		}
		for (unsigned i = 0; i < of; i++) {
			assert_in_range(news[i], 40, 160);
			assert_in_range(known[i], 1280, 3840);
			assert_in_range(explored[i], range[i] > POLICY_SMALL_PAGES ? 20 : 5, 80);
		}
	}
}

static void dense_owners_are_learned(void **state)
{
	size_t zero = 0;

	(void)state;
	teach(300, 300, 4);
	assert_int_equal(policy_touched(300), 1024);
	assert_int_equal(prefix(300), 300);
	/* Now and then it looks whether it is still so. */
	for (unsigned i = 0; i < 1000; i++)
		zero += policy_plan(300).keep == 0;
	assert_in_range(zero, 5, 100);
	/* Another class has learned nothing. */
	assert_int_equal(prefix(1000), 0);
}

static void sparse_owners_are_learned(void **state)
{
	(void)state;
	teach(12, 2, 8);
	assert_int_equal(prefix(12), 2);
	teach(300, 2, 8);
	assert_in_range(prefix(300), 1, 2);
}

/* A sample is of the first pages only. */
static void what_was_not_looked_at_is_like_what_was(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 8; i++)
		policy_learn(4000, 512, 512, 512);
	assert_int_equal(prefix(4000), 4000);
	for (unsigned i = 0; i < 100; i++)
		policy_learn(4000, 512, 2, 2);
	assert_in_range(prefix(4000), 0, 40);
}

static void strewn_pages_are_no_prefix(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 8; i++)
		policy_learn(300, 300, 150, 75);
	assert_int_equal(prefix(300), 0);
}

static void a_change_is_followed(void **state)
{
	(void)state;
	teach(300, 300, 100);
	teach(300, 3, 60);
	assert_in_range(prefix(300), 0, 10);
	teach(300, 300, 60);
	assert_in_range(prefix(300), 290, 300);
}

/* One owner in four touches half, the others all: some of what is kept will not be touched. */
static void teach_mixed(void)
{
	for (unsigned i = 0; i < 200; i++)
		teach(300, i % 4 ? 300 : 150, 1);
}

/* Few owners touch much: for most of them it would be kept in vain. */
static void the_many_decide(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 200; i++)
		teach(300, i % 4 ? 3 : 300, 1);
	assert_int_equal(prefix(300), 3);
	teach_mixed();
	assert_int_equal(prefix(300), 300);
}

static void excess_is_bounded(void **state)
{
	uint64_t kept = 0, excess = 0;

	(void)state;
	teach_mixed();
	for (unsigned i = 0; i < 10000; i++) {
		struct policy_plan p = policy_plan(300);

		policy_kept(p.keep, p.keep * p.untouched / 64);
		kept += p.keep;
		excess += p.keep * p.untouched / 64;
	}
	assert_int_equal(policy_kept_pages(), kept);
	assert_in_range(policy_excess_bytes(), 16 * MIB, 32 * MIB);
	/* What all touch stays all the same. */
	assert_int_equal(prefix(300), 150);
	/* What is given up makes room again. */
	policy_unkept(kept, excess);
	assert_int_equal(policy_kept_pages(), 0);
	assert_int_equal(policy_excess_bytes(), 0);
	assert_int_equal(prefix(300), 300);
}

/* All of it is kept because others touched what they were given, and nobody vouches for that. */
static void without_a_budget_nothing_stays(void **state)
{
	(void)state;
	teach_mixed();
	teach(600, 600, 10);
	policy_set_budget(0);
	assert_int_equal(prefix(300), 0);
	assert_int_equal(prefix(600), 0);
	policy_set_budget(32 * MIB);
	assert_int_equal(prefix(300), 300);
	assert_int_equal(prefix(600), 600);
}

/* So little behind what is kept is kept as well, and counted; if there is room for it. */
static void a_short_tail_stays(void **state)
{
	struct policy_plan p;

	(void)state;
	teach(20, 17, 10);
	p = policy_plan(20);
	assert_int_equal(p.keep, 20);
	assert_in_range(p.untouched, POLICY_ALL * 3 / 20 - 1, POLICY_ALL * 3 / 20);
	assert_int_equal(p.populate, 0);
	teach(24, 19, 10);
	assert_int_equal(policy_plan(24).keep, 19);
	policy_kept(32 * MIB / 4096, 32 * MIB / 4096 * 1024);
	p = policy_plan(20);
	assert_int_equal(p.keep, 17);
	assert_int_equal(p.untouched, 0);
}

static void what_is_touched_is_known_after_some_samples(void **state)
{
	(void)state;
	assert_int_equal(policy_plan(1200).touched, 0);
	teach(1200, 1200, 10);
	assert_int_equal(policy_plan(1200).touched, 1200);
	teach(600, 20, 10);
	assert_in_range(policy_plan(600).touched, 19, 21);
	assert_true(policy_sparse(600));
	assert_false(policy_sparse(1200));
}

/* Pages count by the share that stays untouched, and never pass the budget. */
static void what_stays_is_within_the_budget(void **state)
{
	size_t n = 0;

	(void)state;
	for (; policy_fits(policy_excess(300, POLICY_ALL)); n += 300) {
		policy_kept(300, 300 * 1024);
		assert_in_range(policy_excess_bytes(), 0, 32 * MIB);
	}
	assert_in_range(n, 24 * MIB / 4096, 32 * MIB / 4096);
	assert_true(policy_fits(policy_excess(300, 0)));
	policy_unkept(600, 600 * 1024);
	assert_true(policy_fits(policy_excess(300, POLICY_ALL)));
}

/* Also a small one has room, and also when it came later. */
static void a_budget_changes_while_running(void **state)
{
	(void)state;
	policy_set_budget(MIB);
	assert_true(policy_fits(policy_excess(100, POLICY_ALL)));
	policy_kept(100, 100 * 1024);
	assert_true(policy_fits(policy_excess(100, POLICY_ALL)));
	policy_kept(100, 100 * 1024);
	assert_false(policy_fits(policy_excess(100, POLICY_ALL)));
	assert_true(policy_fits(policy_excess(10, POLICY_ALL)));
	policy_set_budget(0);
	assert_false(policy_fits(policy_excess(1000, POLICY_ALL)));
	policy_set_budget(UINT64_MAX);
	assert_true(policy_fits(policy_excess(1000000, POLICY_ALL)));
}

static void known_classes_are_sampled_less(void **state)
{
	unsigned before = 0, after = 0;

	(void)state;
	assert_false(policy_wants_sample(POLICY_FEW_PAGES));
	for (unsigned i = 0; i < 640; i++)
		before += policy_wants_sample(300);
	/* Nothing is kept: every release shows what its owner touched. */
	teach(300, 0, 10);
	for (unsigned i = 0; i < 640; i++)
		after += policy_wants_sample(300);
	assert_true(before > 0 && after > 0 && after * 4 < before);
	/* Only those show it now that were taken back to explore. */
	teach(300, 300, 10);
	after = 0;
	for (unsigned i = 0; i < 640; i++)
		after += policy_wants_sample(300);
	assert_true(after > before);
}

static void little_touched_is_sparse(void **state)
{
	(void)state;
	assert_false(policy_sparse(POLICY_SMALL_PAGES));
	assert_true(policy_sparse(300));
	teach(300, 290, 10);
	teach(600, 30, 10);
	/* Also in the rounds that keep nothing to learn something. */
	for (unsigned i = 0; i < 100; i++) {
		(void)policy_plan(300).keep;
		assert_false(policy_sparse(300));
	}
	assert_true(policy_sparse(600));
}

static void nothing_looked_at_teaches_nothing(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100; i++)
		policy_learn(300, 0, 0, 0);
	assert_int_equal(policy_touched(300), -1);
}

static void a_child_counts_anew(void **state)
{
	(void)state;
	policy_kept(1000, 100 * 1024);
	assert_int_equal(policy_excess_bytes(), 100 * 4096);
	policy_after_fork(500, 7 * 1024);
	assert_int_equal(policy_kept_pages(), 500);
	assert_int_equal(policy_excess_bytes(), 7 * 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(unknown_small_is_kept_and_large_is_not, setup),
		cmocka_unit_test_setup(a_few_samples_are_not_believed, setup),
		cmocka_unit_test_setup(what_was_not_looked_at_is_like_what_was, setup),
		cmocka_unit_test_setup(strewn_pages_are_no_prefix, setup),
		cmocka_unit_test_setup(the_many_decide, setup),
		cmocka_unit_test_setup(little_touched_is_sparse, setup),
		cmocka_unit_test_setup(what_is_touched_is_known_after_some_samples, setup),
		cmocka_unit_test_setup(a_short_tail_stays, setup),
		cmocka_unit_test_setup(many_confirm_it_all, setup),
		cmocka_unit_test_setup(what_stays_is_told_for, setup),
		cmocka_unit_test_setup(who_touches_does_not_tell_for_who_does_not, setup),
		cmocka_unit_test_setup(threads_share_what_is_not_told, setup),
		cmocka_unit_test_setup(what_stays_is_within_the_budget, setup),
		cmocka_unit_test_setup(a_budget_changes_while_running, setup),
		cmocka_unit_test_setup(known_classes_are_sampled_less, setup),
		cmocka_unit_test_setup(half_of_a_few_is_not_most, setup),
		cmocka_unit_test_setup(what_is_doubted_is_explored, setup),
		cmocka_unit_test_setup(what_nobody_asks_about_is_forgotten, setup),
		cmocka_unit_test_setup(classes_that_take_turns_are_all_looked_at, setup),
		cmocka_unit_test_setup(dense_owners_are_learned, setup),
		cmocka_unit_test_setup(sparse_owners_are_learned, setup),
		cmocka_unit_test_setup(a_change_is_followed, setup),
		cmocka_unit_test_setup(excess_is_bounded, setup),
		cmocka_unit_test_setup(without_a_budget_nothing_stays, setup),
		cmocka_unit_test_setup(nothing_looked_at_teaches_nothing, setup),
		cmocka_unit_test_setup(a_child_counts_anew, setup),
	};

	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
