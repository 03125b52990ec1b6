// SPDX-License-Identifier: BSD-2-Clause
/* policy_belief - how much is populated on the strength of what was learned: see policy.h. */
#include "policy_internal.h"

/* After so many owners who confirmed, one after the other, one confirms for so many. */
#define STREAK	 8
#define CONFIRMS 4
/* So many are populated that one more page fault does not count: it tells whether that is worth it. */
#define CONFIRM_PAGES 32
/* Of what is not populated because all classes have too much, one part in so many. */
#define FORGET 16

static _Atomic int64_t believed_of_all; /* pages, of all classes */

static int64_t believed_by_all(void)
{
	return atomic_load_explicit(&believed_of_all, memory_order_relaxed);
}

/* Not less than nothing: some of it was forgotten. */
static void by_all_less(int64_t pages)
{
	int64_t was = believed_by_all();

	while (!atomic_compare_exchange_weak_explicit(&believed_of_all, &was,
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
		atomic_fetch_add_explicit(&believed_of_all, more, memory_order_relaxed);
	}
	return before + (int64_t)pages <= most;
}

bool policy_wants_confirmed(size_t range, size_t pages)
{
	int64_t most = most_believed();

	if (believed_by_all() > most)
		return pages > POLICY_SMALL_PAGES;
	return pages >= CONFIRM_PAGES && believed_of(class_of(range)) > most / 4;
}

/* A class that had populated `was` since it was confirmed has `is` now. */
static void believed_less(uint32_t was, uint32_t is)
{
	/* Where the kernel had no memory nothing is there. */
	if (was <= INT32_MAX && was > is)
		by_all_less(was - is);
}

void policy_confirm(size_t range, size_t pages)
{
	struct class *c = class_of(range);
	uint32_t was = atomic_load_explicit(&c->believed, memory_order_relaxed), is;

	(void)count_one(&c->streak);
	do {
		/* Not what the kernel had no memory for: that is a sample's to say. */
		if (was > INT32_MAX)
			return;
		is = was > pages ? was - (uint32_t)pages : 0;
	} while (!atomic_compare_exchange_weak_explicit(
		&c->believed, &was, is, memory_order_relaxed, memory_order_relaxed));
	believed_less(was, is);
}

void policy_unconfirmed(size_t range)
{
	atomic_store_explicit(&class_of(range)->streak, 0, memory_order_relaxed);
}

unsigned policy_confirms(size_t range, size_t pages)
{
	const struct class *c = class_of(range);

	/* For others only where there are so many: else what it does for them is lost. */
	return atomic_load_explicit(&c->streak, memory_order_relaxed) < STREAK ||
			       believed_of(c) < (int64_t)(CONFIRMS * pages)
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

void policy_believe_anew(struct class *c)
{
	if (believed_of(c))
		believed_less(atomic_exchange_explicit(&c->believed, 0, memory_order_relaxed), 0);
}

void policy_init_belief(void)
{
	atomic_store(&believed_of_all, 0);
}
