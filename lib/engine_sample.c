// SPDX-License-Identifier: BSD-2-Clause
/*
 * engine_sample - what owners touch of what they are given, as policy wants to know it.
 *
 * It is asked of the kernel (mincore) when a range is released. But a program that only grows releases
 * nothing, and by the time it does the pages of its growth have all been faulted in one by one. So ranges that
 * are in use are looked at as well, a few reuses after they were taken: those of which nothing was there
 * when they were taken tell what their owners touch; those that were populated or kept, but for one page,
 * tell by that page whether it was worth it. Where nothing is touched the owner may yet come, and where more is
 * than a few reuses before he is at it: that is left to the release.
 *
 * Each shard of threads has a few slots, so that nobody waits: who finds them taken does not look. A range
 * that was given up or unmapped meanwhile is dropped, and where that is not seen, a sample is wrong:
 * nothing but cost hangs on it.
 */
#include <sys/mman.h>

#include "engine_internal.h"
#include "os.h"
#include "policy.h"
#include "stats.h"
#include "worker.h"

#define SLOTS  8
#define NEARLY 32 /* one part in so many of a range does not matter */
#define TRIES  4  /* to find a page that was not kept */
#define LATER  1  /* reuses that come before a range is looked at */
#define AGAIN  3  /* times that a page is, of which nothing is seen yet; each time later */

struct slot {
	_Atomic uintptr_t addr; /* of what is looked at; FREE, BUSY */
	size_t range;		/* pages of the range */
	size_t pages;		/* of it that are looked at */
	size_t seen;		/* of these, touched at the last look */
	unsigned later;		/* reuses until then */
	unsigned again;		/* times it was looked at */
	size_t populated; /* pages with which it and its like were; then one is looked at. Or 0 */
};

/* Not addresses of pages. */
#define FREE 0
#define BUSY 1

static struct {
	_Atomic unsigned taken; /* slots */
	_Atomic unsigned picks;
	struct slot slot[SLOTS];
} __attribute__((aligned(64))) shards[STATS_SHARDS];

/* Of a range, so many pages are looked at. */
static size_t looked_at(size_t range)
{
	return range < POLICY_SAMPLE_PAGES ? range : POLICY_SAMPLE_PAGES;
}

/* Is any of these pages kept? All lie in `only`, if that is not NULL. */
static bool any_kept(const struct region *only, uintptr_t addr, size_t pages)
{
	if (only)
		return region_kept(only, region_page(addr), region_page(addr) + (unsigned)pages);
	FOR_PARTS(p, addr, addr + bytes(pages))
	{
		struct region *r = region_known(p.addr);

		if (r && region_kept(r, p.from, p.to))
			return true;
	}
	return false;
}

/* How many of the first n pages are there, and how many of these lie in front. False: it cannot be told. */
static bool resident(uintptr_t addr, size_t n, size_t *touched, size_t *front)
{
	unsigned char there[POLICY_SAMPLE_PAGES];

	*touched = *front = 0;
	stats_add(STAT_SYS_MINCORE, 1);
	if (os.mincore((void *)addr, bytes(n), there))
		return false;
	for (size_t i = 0; i < n; i++)
		*touched += there[i] & 1;
	for (size_t i = 0; i < *touched; i++)
		*front += there[i] & 1;
	return true;
}

/* Of a range whose first pages all are there, how many are, to within what does not matter: owners touch it
 * from the start, but for what rounding up to a size class has added. */
static size_t boundary(uintptr_t addr, size_t from, size_t range)
{
	size_t to = range;

	while (to - from > range / NEARLY) {
		size_t middle = from + (to - from) / 2, touched, front;

		if (!resident(addr + bytes(middle), 1, &touched, &front))
			break;
		if (touched)
			from = middle + 1;
		else
			to = middle;
	}
	return to == range ? range : from;
}

/* The same of all of it, by its first pages, *looked at the end. */
static bool touched_of(uintptr_t addr, size_t range, size_t *looked, size_t *touched, size_t *front)
{
	*looked = looked_at(range);
	if (!resident(addr, *looked, touched, front))
		return false;
	if (*touched == *looked && *looked < range) {
		*touched = *front = boundary(addr, *looked, range);
		*looked = range;
	}
	return true;
}

void sample_release(const struct region *only, uintptr_t addr, size_t pages)
{
	size_t n = looked_at(pages), few = 0, touched, front;

	/* A short prefix that was kept says nothing of itself; but its owner may have touched more. */
	if (any_kept(only, addr, n)) {
		few = n / POLICY_FEW_KEPT;
		if (!few || any_kept(only, addr + bytes(few), n - few))
			return;
	}
	if (few) {
		if (resident(addr, n, &touched, &front))
			policy_saw_prefix(pages, touched > few);
		return;
	}
	if (!touched_of(addr, pages, &n, &touched, &front))
		return;
	(void)policy_learn(pages, n, touched, front);
	stats_add(STAT_POLICY_SAMPLES, 1);
}

static bool watch(uintptr_t addr, size_t pages, size_t range, size_t populated)
{
	unsigned shard = stats_mine.index;

	for (unsigned i = 0; i < SLOTS; i++) {
		struct slot *s = &shards[shard].slot[i];
		uintptr_t is = FREE;

		if (!atomic_compare_exchange_strong(&s->addr, &is, BUSY))
			continue;
		s->range = range;
		s->pages = pages;
		s->seen = 0;
		s->later = LATER;
		s->again = 0;
		s->populated = populated;
		atomic_store(&s->addr, addr);
		atomic_fetch_add(&shards[shard].taken, 1);
		return true;
	}
	return false;
}

void sample_watch(uintptr_t addr, size_t pages)
{
	(void)watch(addr, looked_at(pages), pages, 0);
}

static uint32_t pick(void)
{
	return atomic_fetch_add_explicit(&shards[stats_mine.index].picks, 1, memory_order_relaxed) *
	       UINT32_C(2654435769);
}

uintptr_t sample_watch_one(uintptr_t from, uintptr_t to, size_t range, size_t populated)
{
	unsigned of = policy_confirms(range, populated);

	for (unsigned i = 0; i < TRIES; i++) {
		uint32_t n = pick();
		/* Any: of an owner who touches the first and the last page only, none that is known tells. */
		uintptr_t page = from + bytes((n >> 8) % ((to - from) >> os_page_shift));

		if ((n >> 28) % of)
			break;
		if (!any_kept(NULL, page, 1))
			return watch(page, 1, range, of * populated) ? page : 0;
	}
	return 0;
}

void sample_watch_for(uintptr_t page, size_t more)
{
	for (unsigned i = 0; i < SLOTS; i++) {
		struct slot *s = &shards[stats_mine.index].slot[i];
		uintptr_t is = page;

		if (!atomic_compare_exchange_strong(&s->addr, &is, BUSY))
			continue;
		s->populated += more;
		atomic_store(&s->addr, page);
		return;
	}
}

/* Has all of it been in use since, by what is known? */
static bool still_used(uintptr_t addr, size_t pages)
{
	FOR_PARTS(p, addr, addr + bytes(pages))
	{
		struct region *r = region_known(p.addr);

		if (r && !region_in_use(r, p.from, p.to))
			return false;
	}
	return !any_kept(NULL, addr, pages);
}

/* False: it has to be looked at once more. */
static bool look(struct slot *s, uintptr_t addr)
{
	size_t looked = s->pages, touched, front;

	if (!still_used(addr, s->pages)) {
		if (s->populated)
			policy_returned(s->range, s->populated);
		return true;
	}
	if (s->populated ? !resident(addr, looked, &touched, &front)
			 : !touched_of(addr, s->range, &looked, &touched, &front))
		return true;
	if (!touched && s->populated) {
		policy_unconfirmed(s->range);
		/* His own, or late. */
		s->later = LATER << 2 * ++s->again;
		return s->again > AGAIN;
	}
	if (!touched) {
		policy_too_early(s->range);
		return true;
	}
	/* Its owner may be on his way through it, unless he is nearly there by now. If he still is then, the
	 * release will tell. */
	if (touched < looked && touched != s->seen && (s->seen || touched < looked / 4 * 3)) {
		if (s->seen) {
			policy_too_early(s->range);
			return true;
		}
		s->seen = touched;
		s->later = LATER;
		return false;
	}
	if (s->populated)
		policy_confirm(s->range, s->populated);
	else if (policy_learn(s->range, looked, touched, front))
		policy_confirm(s->range, s->range);
	/* Not for those who end before there is anything to decide. */
	if (!policy_has_costs() && policy_touched(s->range) >= 0)
		worker_measure();
	stats_add(STAT_POLICY_SAMPLES, 1);
	return true;
}

static void turn(struct slot *s, _Atomic unsigned *taken)
{
	uintptr_t addr = atomic_load_explicit(&s->addr, memory_order_relaxed);
	bool done;

	if (addr == FREE || addr == BUSY || !atomic_compare_exchange_strong(&s->addr, &addr, BUSY))
		return;
	done = s->later-- == 0 && look(s, addr);
	atomic_store(&s->addr, done ? FREE : addr);
	if (done)
		atomic_fetch_sub(taken, 1);
}

void sample_turn(void)
{
	unsigned shard = stats_mine.index;

	if (!atomic_load_explicit(&shards[shard].taken, memory_order_relaxed))
		return;
	for (unsigned i = 0; i < SLOTS; i++)
		turn(&shards[shard].slot[i], &shards[shard].taken);
}

void sample_reset(void)
{
	for (unsigned shard = 0; shard < STATS_SHARDS; shard++) {
		/* Written to only where it must be: in a child each page costs a copy. */
		for (unsigned i = 0; i < SLOTS; i++)
			if (atomic_load(&shards[shard].slot[i].addr) != FREE)
				atomic_store(&shards[shard].slot[i].addr, FREE);
		if (atomic_load(&shards[shard].taken))
			atomic_store(&shards[shard].taken, 0);
	}
}
