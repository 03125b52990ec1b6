/* SPDX-License-Identifier: BSD-2-Clause */
/* owners - fresh memory, and owners who take it and touch it: what tests of what is learned of them share. */
#ifndef PTR_TEST_OWNERS_H
#define PTR_TEST_OWNERS_H

#include "engine_fixture.h"

static const struct policy_costs usual = {
	.fault = 1000, .populate = 500, .zap = 80, .zero = 100, .call = 300};

/* Fresh memory, as a program has it that only grows. */
static inline int setup(void **state)
{
	int r = fixture_setup(state);

	policy_set_costs(&usual);
	for (unsigned region = 0; region < 12; region++)
		alloc_map(region, 0, 512);
	fake_log_mincore(false);
	fake_log_clear();
	return r;
}

static inline int teardown(void **state)
{
	fake_log_mincore(true);
	return fixture_teardown(state);
}

static inline void take(unsigned region, unsigned page, unsigned pages)
{
	assert_int_equal(engine_reuse(fake_addr(region, page), fake_pages(pages), ENGINE_ZERO),
			 ENGINE_OK);
}

static inline void touch(unsigned region, unsigned page, unsigned pages)
{
	void *addr = fake_addr(region, page);

	fake_live(addr, fake_pages(pages), true);
	fake_write(addr, fake_pages(pages));
}

static inline uint64_t samples(void)
{
	return count_of(STAT_POLICY_SAMPLES);
}

#endif
