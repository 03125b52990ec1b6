// SPDX-License-Identifier: BSD-2-Clause
/* policy - see policy.h. */
#include "policy.h"

#include <stdatomic.h>

#include "gauge.h"
#include "os.h"

/* Expected costs in nanoseconds: what was seen on the machines this was built on. */
#define COST_CALL      1000 /* a zapping system call */
#define COST_ZAP_PAGE  100  /* a resident page in it */
#define COST_ZERO_PAGE 250  /* zeroing a resident page in place */
#define COST_FAULT     1500 /* a page fault, zeroing included */

/* Shares are in 1/1024. */
#define ONE 1024

#define CLASSES	       32
#define SAMPLE_EVERY   8
#define LEARN_MIN      4  /* samples before a class is believed */
#define EXPLORE_EVERY  16 /* decisions of which one zaps, so that there is something to learn */
#define NEWEST_WEIGHT  8  /* the newest sample counts 1/8 */

struct class {
	_Atomic int32_t touched; /* in 1/1024 */
	_Atomic uint32_t samples;
} __attribute__((aligned(64)));

static struct class classes[CLASSES];
static struct gauge kept;   /* pages */
static struct gauge excess; /* pages x share not touched, in 1/1024 page */
static _Atomic int64_t budget;

struct counter {
	uint32_t samples, decisions;
} __attribute__((aligned(64)));

static struct counter counters[STATS_SHARDS];

static struct counter *my_counter(void)
{
	return &counters[stats_shard() - stats_shards];
}

static struct class *class_of(size_t range)
{
	return &classes[range ? 63 - __builtin_clzll(range) : 0];
}

void policy_set_budget(uint64_t keep_bytes)
{
	uint64_t pages = keep_bytes >> os_page_shift;

	atomic_store(&budget, (int64_t)(pages < INT64_MAX / ONE ? pages * ONE : INT64_MAX));
}

void policy_init(uint64_t keep_bytes)
{
	policy_set_budget(keep_bytes);
	for (unsigned i = 0; i < CLASSES; i++) {
		atomic_store(&classes[i].touched, 0);
		atomic_store(&classes[i].samples, 0);
	}
	for (unsigned i = 0; i < STATS_SHARDS; i++)
		counters[i] = (struct counter){0};
	gauge_set(&kept, 0);
	gauge_set(&excess, 0);
	kept.grain = 64;
	/* All shards together stay within a quarter of the budget. */
	excess.grain = atomic_load(&budget) / 4 / STATS_SHARDS;
}

/* Share of such a range that its owner is expected to touch. */
static int32_t expected(size_t range)
{
	struct class *c = class_of(range);

	if (atomic_load_explicit(&c->samples, memory_order_relaxed) >= LEARN_MIN)
		return atomic_load_explicit(&c->touched, memory_order_relaxed);
	return range <= POLICY_SMALL_PAGES ? ONE : 0;
}

static bool in_budget(int32_t touched, size_t pages)
{
	int64_t more = (int64_t)pages * (ONE - touched);

	return more == 0 || gauge_near(&excess) + excess.grain * STATS_SHARDS + more <=
				    atomic_load_explicit(&budget, memory_order_relaxed);
}

static bool cheaper(int32_t touched, size_t resident)
{
	int64_t zap_page = COST_ZAP_PAGE + (int64_t)touched * COST_FAULT / ONE;

	return (int64_t)resident * (COST_ZERO_PAGE - zap_page) <= COST_CALL;
}

bool policy_may_keep(size_t range, size_t pending)
{
	int32_t touched = expected(range);

	if (pending <= POLICY_SMALL_PAGES && touched == ONE)
		return true;
	if (pending > POLICY_SMALL_PAGES &&
	    my_counter()->decisions++ % EXPLORE_EVERY == EXPLORE_EVERY - 1)
		return false;
	return cheaper(touched, pending) && in_budget(touched, 1);
}

bool policy_keep(size_t range, size_t resident)
{
	int32_t touched = expected(range);

	return cheaper(touched, resident) && in_budget(touched, resident);
}

void policy_kept(size_t range, size_t pages)
{
	gauge_add(&kept, (int64_t)pages);
	gauge_add(&excess, (int64_t)pages * (ONE - expected(range)));
}

void policy_unkept(size_t pages)
{
	int64_t all = gauge_near(&kept), e = gauge_near(&excess);

	if (!pages)
		return;
	gauge_add(&kept, -(int64_t)pages);
	/* Which pages these were is not recorded: they take the mean with them. */
	if (e > 0)
		gauge_add(&excess, all > (int64_t)pages
					   ? -(int64_t)((double)e * (double)pages / (double)all)
					   : -e);
}

bool policy_wants_sample(size_t range)
{
	return range > POLICY_BLIND_PAGES && my_counter()->samples++ % SAMPLE_EVERY == 0;
}

void policy_learn(size_t range, size_t looked, size_t touched)
{
	struct class *c = class_of(range);
	int32_t share, old;

	if (!looked)
		return;
	share = (int32_t)(touched * ONE / looked);
	old = atomic_load(&c->touched);
	/* The first sample is all there is to go by. */
	if (atomic_fetch_add(&c->samples, 1) == 0)
		atomic_store(&c->touched, share);
	else
		atomic_store(&c->touched, old + (share - old) / NEWEST_WEIGHT);
}

uint64_t policy_kept_pages(void)
{
	int64_t n = gauge_exact(&kept);

	return n > 0 ? (uint64_t)n : 0;
}

uint64_t policy_excess_bytes(void)
{
	int64_t n = gauge_exact(&excess);

	return n > 0 ? (uint64_t)n / ONE << os_page_shift : 0;
}

int policy_touched(size_t range)
{
	struct class *c = class_of(range);

	return atomic_load(&c->samples) >= LEARN_MIN ? atomic_load(&c->touched) : -1;
}

void policy_after_fork(uint64_t kept_pages)
{
	int64_t all = gauge_exact(&kept), e = gauge_exact(&excess);

	gauge_set(&kept, (int64_t)kept_pages);
	gauge_set(&excess, all > 0 && e > 0 ? (int64_t)((double)e * (double)kept_pages / (double)all) : 0);
}
