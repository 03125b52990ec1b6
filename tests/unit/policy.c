// SPDX-License-Identifier: BSD-2-Clause
/* The policy: what it answers from what it was told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_os.h"
#include "policy.h"

#define MIB ((uint64_t)1 << 20)

static int setup(void **state)
{
	(void)state;
	fake_install(4096);
	policy_init(32 * MIB);
	return 0;
}

static void teach(size_t range, size_t looked, size_t touched, unsigned times)
{
	while (times--)
		policy_learn(range, looked, touched);
}

/* Would it keep a wholly resident range, not counting the rounds in which it explores? */
static unsigned keeps(size_t range, unsigned rounds)
{
	unsigned n = 0;

	while (rounds--)
		n += policy_may_keep(range, range) && policy_keep(range, range);
	return n;
}

static void unknown_small_is_kept_and_large_is_not(void **state)
{
	(void)state;
	assert_int_equal(keeps(POLICY_SMALL_PAGES, 100), 100);
	assert_int_equal(keeps(POLICY_SMALL_PAGES + 1, 100), 0);
	assert_int_equal(keeps(512, 100), 0);
	assert_int_equal(policy_touched(512), -1);
}

static void dense_owners_are_learned(void **state)
{
	(void)state;
	teach(300, 300, 300, 4);
	assert_int_equal(policy_touched(300), 1024);
	/* But for the rounds that look whether it is still so. */
	assert_in_range(keeps(300, 1000), 900, 999);
	/* Another class has learned nothing. */
	assert_int_equal(keeps(1000, 100), 0);
}

static void sparse_owners_are_learned(void **state)
{
	(void)state;
	teach(12, 12, 2, 8);
	assert_in_range(policy_touched(12), 100, 250);
	teach(300, 300, 2, 8);
	assert_int_equal(keeps(300, 100), 0);
}

static void a_change_is_followed(void **state)
{
	(void)state;
	teach(300, 300, 300, 100);
	teach(300, 300, 0, 40);
	assert_int_equal(keeps(300, 100), 0);
	teach(300, 300, 300, 40);
	assert_true(keeps(300, 100) > 80);
}

/* Kept pages times the share not touched stay within the budget. */
static void excess_is_bounded(void **state)
{
	uint64_t kept = 0;

	(void)state;
	teach(300, 100, 50, 100);
	for (unsigned i = 0; i < 10000; i++)
		if (policy_may_keep(300, 300) && policy_keep(300, 300)) {
			policy_kept(300, 300);
			kept += 300;
		}
	assert_int_equal(policy_kept_pages(), kept);
	assert_in_range(policy_excess_bytes(), 16 * MIB, 32 * MIB);
	/* Half of each is touched: twice the budget may be kept. */
	assert_in_range(kept * 4096, 32 * MIB, 64 * MIB);
	assert_int_equal(keeps(300, 100), 0);
	/* What is given up makes room again. */
	policy_unkept(kept);
	assert_int_equal(policy_kept_pages(), 0);
	assert_int_equal(policy_excess_bytes(), 0);
	assert_true(keeps(300, 100) > 80);
}

static void under_pressure_only_what_is_touched_anyway(void **state)
{
	(void)state;
	teach(300, 100, 50, 100);
	policy_set_budget(0);
	assert_int_equal(keeps(300, 100), 0);
	policy_set_budget(32 * MIB);
	assert_true(keeps(300, 100) > 80);
}

static void nothing_looked_at_teaches_nothing(void **state)
{
	(void)state;
	teach(300, 0, 0, 100);
	assert_int_equal(policy_touched(300), -1);
}

static void a_child_counts_anew(void **state)
{
	(void)state;
	teach(300, 100, 50, 10);
	policy_kept(300, 1000);
	policy_after_fork(500);
	assert_int_equal(policy_kept_pages(), 500);
	assert_in_range(policy_excess_bytes(), 240 * 4096, 260 * 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(unknown_small_is_kept_and_large_is_not, setup),
		cmocka_unit_test_setup(dense_owners_are_learned, setup),
		cmocka_unit_test_setup(sparse_owners_are_learned, setup),
		cmocka_unit_test_setup(a_change_is_followed, setup),
		cmocka_unit_test_setup(excess_is_bounded, setup),
		cmocka_unit_test_setup(under_pressure_only_what_is_touched_anyway, setup),
		cmocka_unit_test_setup(nothing_looked_at_teaches_nothing, setup),
		cmocka_unit_test_setup(a_child_counts_anew, setup),
	};

	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
