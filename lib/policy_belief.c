// SPDX-License-Identifier: BSD-2-Clause
/* policy_belief - how much stays or is populated on the strength of what was learned: see policy.h. */
#include "policy_internal.h"

/* After so many owners who confirmed, one after the other, one confirms for so many. */
#define STREAK	 8
#define CONFIRMS 4
/* After so many that is how owners are, and nothing is held against those before: not if one in thirty leaves it. */
#define SURE 32
/* Of what is not populated because all classes have too much, one part in so many. */
#define FORGET 64
/* A thread has at least so many pages for itself before it counts them with those of all. */
#define GRAIN_LEAST 16

_Atomic int64_t policy_believed;	/* pages, of all classes */
static _Atomic uint32_t trusted_by_all; /* pages that stayed and that nobody told for yet */
static _Atomic uint32_t trusting;	/* threads that had some */
_Atomic uint32_t policy_grain;

/* Not less than nothing: some of it was forgotten. */
static void by_all_less(int64_t pages)
{
	int64_t was = believed_by_all();

	while (!atomic_compare_exchange_weak_explicit(&policy_believed, &was,
						      was > pages ? was - pages : 0,
						      memory_order_relaxed, memory_order_relaxed))
		;
}

bool policy_believes(size_t range, size_t pages)
{
	struct class *c = class_of(range);
	int64_t most = most_believed(), before = believed_of(c);

	/*
	 * All classes may have changed. What others have left may be released by now, and is not asked about any
	 * more: so that it is not in the way for good, some of it is forgotten.
	 */
	if (before + (int64_t)pages <= most && believed_by_all() + (int64_t)pages > 2 * most) {
		by_all_less((int64_t)pages / FORGET + 1);
		return false;
	}
	/* What was too much counts as well, once: then the class is doubted, and asked about more often. */
	if (most && before <= most) {
		int64_t more = most + 1 - before;

		if (more > (int64_t)pages)
			more = (int64_t)pages;
		atomic_fetch_add_explicit(&c->believed, (uint32_t)more, memory_order_relaxed);
		atomic_fetch_add_explicit(&policy_believed, more, memory_order_relaxed);
	}
	return before + (int64_t)pages <= most;
}

bool policy_no_room(size_t pages)
{
	by_all_less((int64_t)pages / FORGET + 1);
	return true;
}

/* So that all threads together do not have much more than what one range tells for. */
void policy_set_grain(void)
{
	uint32_t threads = atomic_load(&trusting);
	uint32_t grain = told_at_once() / (threads ? threads : 1);

	atomic_store(&policy_grain, grain > GRAIN_LEAST ? grain : GRAIN_LEAST);
}

static __attribute__((noinline, cold)) void one_more_trusts(void)
{
	atomic_fetch_add(&trusting, 1);
	policy_set_grain();
}

void policy_trust(size_t range, size_t pages)
{
	struct counter *mine = my_counter();

	(void)count_more(&mine->trusted, (uint32_t)pages);
	(void)count_more(&mine->untold[class_of(range) - classes], (uint32_t)pages);
	if (__builtin_expect(!atomic_load_explicit(&mine->trusts, memory_order_relaxed), 0) &&
	    !atomic_exchange(&mine->trusts, true))
		one_more_trusts();
}

/* What a thread has of it goes to what all have. If that is enough for one to tell: all of it, else 0. */
static uint32_t collect(_Atomic uint32_t *mine, _Atomic uint32_t *of_all)
{
	uint32_t n = atomic_exchange_explicit(mine, 0, memory_order_relaxed);

	if (atomic_fetch_add_explicit(of_all, n, memory_order_relaxed) + n < told_at_once())
		return 0;
	return atomic_exchange_explicit(of_all, 0, memory_order_relaxed);
}

/* They were told for: not once more with those of others, unless these came between. */
static void told_by_class(uint32_t pages)
{
	uint32_t was = atomic_load_explicit(&trusted_by_all, memory_order_relaxed);

	while (!atomic_compare_exchange_weak_explicit(&trusted_by_all, &was,
						      was > pages ? was - pages : 0,
						      memory_order_relaxed, memory_order_relaxed))
		;
}

size_t policy_tell(size_t range, size_t pages)
{
	struct class *c = class_of(range);
	_Atomic uint32_t *untold = &my_counter()->untold[c - classes];
	int64_t most = most_believed(), before;
	uint32_t n = 0, n_all;

	policy_trust(range, pages);
	if (policy_tells(0))
		n = collect(&my_counter()->trusted, &trusted_by_all);
	if (n) {
		atomic_store_explicit(untold, 0, memory_order_relaxed);
		atomic_store_explicit(&c->untold, 0, memory_order_relaxed);
	} else if (policy_class_tells(c, 0)) {
		n = collect(untold, &c->untold);
		told_by_class(n);
	}
	if (!n)
		return 0;
	/*
	 * First it is counted: of threads that look at the same time not all are to find room. And all of it, as it
	 * has stayed, once more where it is too much: were a little less enough, each sample of an earlier owner
	 * would let as much stay as one tells for.
	 */
	before = believed_of(c);
	n_all = before <= most && before + n > most ? n + told_at_once() : n;
	atomic_fetch_add_explicit(&c->believed, n_all, memory_order_relaxed);
	atomic_fetch_add_explicit(&policy_believed, n_all, memory_order_relaxed);
	return believed_of(c) <= most && believed_by_all() <= 2 * most ? n : POLICY_NO_ROOM;
}

bool policy_wants_confirmed(size_t range)
{
	int64_t most = most_believed();

	return believed_by_all() > most / 2 || believed_of(class_of(range)) > most / 8;
}

/* A class that had populated `was` since it was confirmed has `is` now. */
static void believed_less(uint32_t was, uint32_t is)
{
	/* Where the kernel had no memory nothing is there. */
	if (was <= INT32_MAX && was > is)
		by_all_less(was - is);
}

/* Not what the kernel had no memory for: that is a sample's to say. */
static void class_less(struct class *c, size_t pages)
{
	uint32_t was = atomic_load_explicit(&c->believed, memory_order_relaxed), is;

	do {
		if (was > INT32_MAX)
			return;
		is = was > pages ? was - (uint32_t)pages : 0;
	} while (!atomic_compare_exchange_weak_explicit(
		&c->believed, &was, is, memory_order_relaxed, memory_order_relaxed));
	believed_less(was, is);
}

void policy_confirm(size_t range, size_t pages)
{
	struct class *c = class_of(range);

	if (count_one(&c->streak) >= SURE) {
		atomic_store_explicit(&c->streak, STREAK, memory_order_relaxed);
		pages = INT32_MAX;
	}
	class_less(c, pages);
}

void policy_returned(size_t range, size_t pages)
{
	class_less(class_of(range), pages);
}

void policy_unconfirmed(size_t range)
{
	struct class *c = class_of(range);

	atomic_store_explicit(&c->streak, 0, memory_order_relaxed);
	if (doubted(c))
		policy_too_early(range);
}

unsigned policy_confirms(size_t range, size_t pages)
{
	const struct class *c = class_of(range);

	/* For others only where there are so many: else what it does for them is lost. Nor where it takes many to be
	 * believed again, or one is for so much that a page fault does not count. */
	return atomic_load_explicit(&c->streak, memory_order_relaxed) < STREAK ||
			       believed_of(c) < (int64_t)(CONFIRMS * pages) || doubted(c) ||
			       pages > told_at_once() / CONFIRMS
		       ? 1
		       : CONFIRMS;
}

void policy_disbelieve(size_t range)
{
	/* More than any budget has. */
	believed_less(atomic_exchange_explicit(&class_of(range)->believed, (uint32_t)INT32_MAX + 1,
					       memory_order_relaxed),
		      0);
}

void policy_sampled(struct class *c, size_t pages)
{
	uint32_t was = atomic_load_explicit(&c->believed, memory_order_relaxed), is, less;

	if (!was)
		return;
	less = (uint32_t)(pages / FORGET + 1 < INT32_MAX ? pages / FORGET + 1 : INT32_MAX);
	do
		is = was > INT32_MAX || was < less ? 0 : was - less;
	while (!atomic_compare_exchange_weak_explicit(&c->believed, &was, is, memory_order_relaxed,
						      memory_order_relaxed));
	believed_less(was, is);
}

void policy_init_belief(void)
{
	atomic_store(&policy_believed, 0);
	atomic_store(&trusted_by_all, 0);
	atomic_store(&trusting, 0);
	policy_set_grain();
}
