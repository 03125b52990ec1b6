// SPDX-License-Identifier: BSD-2-Clause
/* policy - see policy.h. */
#include "policy.h"

#include <stdatomic.h>

#include "gauge.h"
#include "os.h"

/* Shares are in 1/65536. */
#define ONE 65536

/* As jemalloc has them: four size classes to each doubling. */
#define CLASSES (64 * 4)

#define SAMPLES	     8	/* the newest of a class that are remembered */
#define TOUCHED_BY   3	/* all but so many of them touched the prefix that is kept */
#define LEARN_MIN    4	/* samples before a class is believed */
#define SAMPLE_NEW   8	/* of a class that is not: one release in so many is sampled */
#define SAMPLE_KNOWN 64 /* of one that is */
#define EXPLORE_EVERY                                                                              \
	32 /* reuses of which one keeps nothing, so that there is something to learn */
#define LOOSE  (ONE * 3 / 4)   /* share of touched pages in front below which there is no prefix */
#define NEARLY (ONE * 31 / 32) /* a share from which on it is as good as all */

struct class
{
	_Atomic int32_t touched;	 /* share of the range, from its start, that most touch */
	_Atomic int32_t excess;		 /* share of it that an owner leaves untouched on average */
	_Atomic uint32_t samples;	 /* so far */
	_Atomic int32_t newest[SAMPLES]; /* share of the range, from its start, that one touched */
} __attribute__((aligned(64)));

static struct class classes[CLASSES];
static struct gauge kept;      /* pages */
static struct gauge excess;    /* of these, pages that will not be touched, in 1/1024 */
static _Atomic int64_t budget; /* likewise */

#define PAGE 1024

struct counter {
	uint32_t samples, reuses;
} __attribute__((aligned(64)));

static struct counter counters[STATS_SHARDS];

static struct counter *my_counter(void)
{
	return &counters[stats_shard() - stats_shards];
}

static struct class *class_of(size_t range)
{
	unsigned log = range ? 63 - (unsigned)__builtin_clzll(range) : 0;
	unsigned quarter = log >= 2 ? (unsigned)(range >> (log - 2)) & 3 : 0;

	return &classes[4 * log + quarter];
}

static bool known(const struct class *c)
{
	return atomic_load_explicit(&c->samples, memory_order_relaxed) >= LEARN_MIN;
}

void policy_set_budget(uint64_t keep_bytes)
{
	uint64_t pages = keep_bytes >> os_page_shift;
	int64_t most = (int64_t)(pages < INT64_MAX / PAGE ? pages * PAGE : INT64_MAX);

	atomic_store(&budget, most);
	/* All shards together stay within an eighth of the budget. */
	gauge_set_grain(&excess, most / 8 / STATS_SHARDS);
}

void policy_init(uint64_t keep_bytes)
{
	policy_set_budget(keep_bytes);
	for (unsigned i = 0; i < CLASSES; i++) {
		atomic_store(&classes[i].touched, 0);
		atomic_store(&classes[i].excess, 0);
		atomic_store(&classes[i].samples, 0);
	}
	for (unsigned i = 0; i < STATS_SHARDS; i++)
		counters[i] = (struct counter){0};
	gauge_set(&kept, 0);
	gauge_set(&excess, 0);
	kept.grain = 64;
}

uint32_t policy_untouched(size_t range)
{
	const struct class *c = class_of(range);

	return known(c) ? (uint32_t)atomic_load_explicit(&c->excess, memory_order_relaxed) : 0;
}

bool policy_fits(uint64_t more)
{
	return more == 0 || gauge_near(&excess) + excess.grain * STATS_SHARDS + (int64_t)more <=
				    atomic_load_explicit(&budget, memory_order_relaxed);
}

/* The last of a range is either touched or hardly worth a call of its own. */
static size_t prefix_of(size_t range, int32_t share)
{
	return share >= NEARLY ? range : (range * (size_t)share + ONE / 2) / ONE;
}

size_t policy_prefix(size_t range)
{
	const struct class *c = class_of(range);
	int32_t share;
	size_t pages;

	if (!known(c))
		return range <= POLICY_SMALL_PAGES ? range : 0;
	if (my_counter()->reuses++ % EXPLORE_EVERY == EXPLORE_EVERY - 1)
		return 0;
	share = atomic_load_explicit(&c->touched, memory_order_relaxed);
	pages = prefix_of(range, share);
	return policy_fits(policy_excess(pages, policy_untouched(range))) ? pages : 0;
}

size_t policy_touched_prefix(size_t range)
{
	const struct class *c = class_of(range);

	if (!known(c))
		return range <= POLICY_SMALL_PAGES ? range : 0;
	return prefix_of(range, atomic_load_explicit(&c->touched, memory_order_relaxed));
}

bool policy_sparse(size_t range)
{
	const struct class *c = class_of(range);

	return range > POLICY_SMALL_PAGES &&
	       (!known(c) || atomic_load_explicit(&c->touched, memory_order_relaxed) < ONE / 4);
}

void policy_kept(size_t pages, size_t more)
{
	if (pages)
		gauge_add(&kept, (int64_t)pages);
	if (more)
		gauge_add(&excess, (int64_t)more);
}

void policy_unkept(size_t pages, size_t less)
{
	if (pages)
		gauge_add(&kept, -(int64_t)pages);
	if (less)
		gauge_add(&excess, -(int64_t)less);
}

bool policy_wants_sample(size_t range)
{
	unsigned every = known(class_of(range)) ? SAMPLE_KNOWN : SAMPLE_NEW;

	return range > POLICY_FEW_PAGES && my_counter()->samples++ % every == 0;
}

/* What the remembered samples come to: the prefix that all but TOUCHED_BY of them touched. */
static void conclude(struct class *c, unsigned n)
{
	int32_t sorted[SAMPLES] = {0}, kept_share;
	int64_t left = 0;

	for (unsigned i = 0; i < n; i++) {
		int32_t share = atomic_load_explicit(&c->newest[i], memory_order_relaxed);
		unsigned at = i;

		for (; at > 0 && sorted[at - 1] > share; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = share;
	}
	kept_share = sorted[TOUCHED_BY * n / SAMPLES];
	for (unsigned i = 0; i < n && sorted[i] < kept_share; i++)
		left += kept_share - sorted[i];
	atomic_store(&c->touched, kept_share);
	atomic_store(&c->excess, kept_share ? (int32_t)(left * ONE / n / kept_share) : 0);
}

void policy_learn(size_t range, size_t looked, size_t touched, size_t front)
{
	struct class *c = class_of(range);
	uint32_t n;
	int32_t share;

	if (!looked)
		return;
	/* All that was looked at: the rest will not be different. Strewn: nothing to go by. */
	if (touched == looked)
		share = ONE;
	else if (front * ONE < touched * LOOSE)
		share = 0;
	else
		share = (int32_t)(touched * ONE / range);
	n = atomic_load(&c->samples);
	atomic_store(&c->newest[n % SAMPLES], share);
	conclude(c, n + 1 < SAMPLES ? n + 1 : SAMPLES);
	/* Last, so that the first samples are whole when they are believed. */
	atomic_store(&c->samples, n + 1);
}

uint64_t policy_kept_pages(void)
{
	int64_t n = gauge_exact(&kept);

	return n > 0 ? (uint64_t)n : 0;
}

uint64_t policy_excess_bytes(void)
{
	int64_t n = gauge_exact(&excess);

	return n > 0 ? ((uint64_t)n << os_page_shift) / PAGE : 0;
}

int policy_touched(size_t range)
{
	const struct class *c = class_of(range);

	return known(c) ? atomic_load(&c->touched) / (ONE / 1024) : -1;
}

void policy_after_fork(uint64_t kept_pages, uint64_t excess_pages)
{
	gauge_set(&kept, (int64_t)kept_pages);
	gauge_set(&excess, (int64_t)excess_pages);
}
