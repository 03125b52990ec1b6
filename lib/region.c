// SPDX-License-Identifier: BSD-2-Clause
/* region - the records: see region.h. The map that finds them is in region_map.c. */
#include "region.h"

/*
 * A page's two bits: in use 00, pending 01, flight 10, empty 11. A set of pages is kept in the low
 * bit of each field.
 */
#define FIELDS	     UINT64_C(0x5555555555555555)
#define S_IN_USE     0u
#define S_PENDING    1u
#define S_FLIGHT     2u
#define S_EMPTY	     3u
#define SPREAD(s, v) ((s) * (uint64_t)(v)) /* the fields of set s, each holding v */

static uint64_t in_state(uint64_t w, unsigned state)
{
	uint64_t lo = state & 1 ? w : ~w;
	uint64_t hi = state & 2 ? w >> 1 : ~(w >> 1);

	return lo & hi & FIELDS;
}

/* Pages [from, to) that lie in word i, as a set. */
static inline uint64_t fields_of(unsigned i, unsigned from, unsigned to)
{
	unsigned base = i * REGION_PAGES_PER_WORD;
	uint64_t set = FIELDS;

	if (from > base)
		set &= ~UINT64_C(0) << (2 * (from - base));
	if (to < base + REGION_PAGES_PER_WORD)
		set &= (UINT64_C(1) << (2 * (to - base))) - 1;
	return set;
}

/* The first page of a set in word i, which is not empty. */
static inline unsigned first_page(unsigned i, uint64_t set)
{
	return i * REGION_PAGES_PER_WORD + (unsigned)__builtin_ctzll(set) / 2;
}

/* Not the builtin: processors of long ago lack the instruction, and a compiler for them all makes a call. */
static inline unsigned count(uint64_t set)
{
	set -= (set >> 1) & FIELDS;
	set = (set & UINT64_C(0x3333333333333333)) + ((set >> 2) & UINT64_C(0x3333333333333333));
	set = (set + (set >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
	return (unsigned)((set * UINT64_C(0x0101010101010101)) >> 56);
}

/*
 * Transitions are sequentially consistent: who makes a page pending looks next whether its region is queued,
 * and there is no fence in between (batch).
 */

/* Move the fields of `within` that are in a state of `from` (a bit mask of states) to state `to`.
 * Returns those that moved, and the word as it was. */
static uint64_t move(_Atomic uint64_t *word, uint64_t within, unsigned from, unsigned to,
		     uint64_t *was)
{
	uint64_t w = atomic_load_explicit(word, memory_order_acquire);
	uint64_t set;

	do {
		set = 0;
		for (unsigned s = S_IN_USE; s <= S_EMPTY; s++)
			if (from & (1u << s))
				set |= in_state(w, s);
		set &= within;
		if (!set)
			break;
	} while (!atomic_compare_exchange_weak_explicit(
		word, &w, (w & ~SPREAD(set, 3)) | SPREAD(set, to), memory_order_seq_cst,
		memory_order_acquire));
	*was = w;
	return set;
}

#define FROM(s) (1u << (s))

/* Pages [from, to) that have their kept bit in word i. */
static inline uint64_t kept_of(unsigned i, unsigned from, unsigned to)
{
	unsigned base = i * 64;
	uint64_t bits = ~UINT64_C(0);

	if (from > base)
		bits <<= from - base;
	if (to < base + 64)
		bits &= (UINT64_C(1) << (to - base)) - 1;
	return bits;
}

#define FOR_KEPT(i, from, to) for (unsigned i = (from) / 64; i * 64 < (to); i++)

static __attribute__((noinline)) unsigned change_kept_words(struct region *r, unsigned from,
							    unsigned to, bool set)
{
	unsigned changed = to - from;

	FOR_KEPT(i, from, to)
	{
		uint64_t bits = kept_of(i, from, to);
		_Atomic uint64_t *w = &r->kept[i];
		uint64_t old = atomic_load_explicit(w, memory_order_relaxed);
		uint64_t change = (set ? ~old : old) & bits;

		/* All of them, mostly. */
		if (change != bits)
			changed -= count(bits & ~change);
		if (!change)
			continue;
		if (set)
			atomic_fetch_or_explicit(w, change, memory_order_relaxed);
		else
			atomic_fetch_and_explicit(w, ~change, memory_order_relaxed);
	}
	return changed;
}

/* Clear or set the kept bits of [from, to), which are the caller's to change. Returns how many changed. */
static inline unsigned change_kept(struct region *r, unsigned from, unsigned to, bool set)
{
	/* Mostly it is one word, and all of them change, or none. */
	if (from / 64 == (to - 1) / 64) {
		uint64_t bits = ~UINT64_C(0) >> (64 - (to - from)) << from % 64;
		_Atomic uint64_t *w = &r->kept[from / 64];
		uint64_t old = atomic_load_explicit(w, memory_order_relaxed) & bits;

		if (old == (set ? bits : 0))
			return 0;
		if (old == (set ? 0 : bits)) {
			if (set)
				atomic_fetch_or_explicit(w, bits, memory_order_relaxed);
			else
				atomic_fetch_and_explicit(w, ~bits, memory_order_relaxed);
			return to - from;
		}
	}
	return change_kept_words(r, from, to, set);
}

#define FOR_WORDS(i, from, to)                                                                     \
	for (unsigned i = (from) / REGION_PAGES_PER_WORD; i * REGION_PAGES_PER_WORD < (to); i++)

#define ACCOUNT(pages, excess) ((uint64_t)(pages) << 32 | (excess))

/* n pages of r are no longer kept: what of the region's excess goes with them. Which pages caused it is
 * not recorded: they take their part of it. */
static __attribute__((noinline)) unsigned take_excess(struct region *r, unsigned n)
{
	uint64_t account = atomic_load_explicit(&r->account, memory_order_relaxed);
	uint32_t part, pages, excess;

	do {
		pages = (uint32_t)(account >> 32);
		excess = (uint32_t)account;
		/* Fewer: they are being kept in another thread, which has yet to say so. */
		part = n >= pages ? excess : (uint32_t)((uint64_t)excess * n / pages);
	} while (!atomic_compare_exchange_weak_explicit(
		&r->account, &account, account - ACCOUNT(n, part), memory_order_relaxed,
		memory_order_relaxed));
	return part;
}

/* The words of [from, to), which is not empty, and what lies in each, as a set: on the path of hooks. */
struct span {
	unsigned i, last;
	uint64_t within;
};

static inline uint64_t span_end(unsigned to)
{
	return FIELDS >> 2 * (REGION_PAGES_PER_WORD - 1 - (to - 1) % REGION_PAGES_PER_WORD);
}

static inline struct span span_first(unsigned from, unsigned to)
{
	struct span s = {
		.i = from / REGION_PAGES_PER_WORD,
		.last = (to - 1) / REGION_PAGES_PER_WORD,
		.within = FIELDS << 2 * (from % REGION_PAGES_PER_WORD),
	};

	if (s.i == s.last)
		s.within &= span_end(to);
	return s;
}

static inline void span_next(struct span *s, unsigned to)
{
	s->within = ++s->i == s->last ? span_end(to) : FIELDS;
}

/* Extents are small: most lie in one word. */
static inline bool in_one_word(unsigned from, unsigned to)
{
	return from / REGION_PAGES_PER_WORD == (to - 1) / REGION_PAGES_PER_WORD;
}

static inline uint64_t fields_in_word(unsigned from, unsigned to)
{
	return FIELDS >> 2 * (REGION_PAGES_PER_WORD - (to - from))
				 << 2 * (from % REGION_PAGES_PER_WORD);
}

#define FOR_SPAN(s, from, to)                                                                      \
	for (struct span s = span_first(from, to); s.i <= s.last; span_next(&s, to))

/* No longer kept: how many of [from, to) were, and what of the region's excess goes with them. */
static inline unsigned unkeep(struct region *r, unsigned from, unsigned to, unsigned *excess)
{
	unsigned n = change_kept(r, from, to, false);

	*excess = 0;
	if (!n)
		return 0;
	/* Mostly there is none. */
	if (!region_excess(r))
		atomic_fetch_sub_explicit(&r->account, ACCOUNT(n, 0), memory_order_relaxed);
	else
		*excess = take_excess(r, n);
	return n;
}

static __attribute__((noinline)) unsigned give_up_words(struct region *r, unsigned from,
							unsigned to, unsigned state)
{
	unsigned n = to - from;

	FOR_SPAN(s, from, to)
	{
		_Atomic uint64_t *word = &r->word[s.i];
		uint64_t w = atomic_load_explicit(word, memory_order_acquire), was;

		/* All of them in use, as it should be. */
		if (!(w & SPREAD(s.within, 3)) &&
		    atomic_compare_exchange_strong_explicit(word, &w, w | SPREAD(s.within, state),
							    memory_order_seq_cst,
							    memory_order_relaxed))
			continue;
		n -= count(s.within) - count(move(word, s.within, FROM(S_IN_USE), state, &was));
	}
	return n;
}

static inline unsigned give_up(struct region *r, unsigned from, unsigned to, unsigned state,
			       unsigned *unkept, unsigned *excess)
{
	/* First the kept bits: once a page is given up its next owner may set them again. */
	*unkept = unkeep(r, from, to, excess);
	if (in_one_word(from, to)) {
		uint64_t within = fields_in_word(from, to);
		_Atomic uint64_t *word = &r->word[from / REGION_PAGES_PER_WORD];
		uint64_t w = atomic_load_explicit(word, memory_order_acquire);

		if (!(w & SPREAD(within, 3)) && atomic_compare_exchange_strong_explicit(
							word, &w, w | SPREAD(within, state),
							memory_order_seq_cst, memory_order_relaxed))
			return to - from;
	}
	return give_up_words(r, from, to, state);
}

unsigned region_release(struct region *r, unsigned from, unsigned to, unsigned *unkept,
			unsigned *excess)
{
	return give_up(r, from, to, S_PENDING, unkept, excess);
}

void region_vacate(struct region *r, unsigned from, unsigned to, unsigned *unkept, unsigned *excess)
{
	(void)give_up(r, from, to, S_EMPTY, unkept, excess);
}

bool region_mark_empty(struct region *r)
{
	uint64_t was;

	for (unsigned i = 0; i < region_words(); i++)
		if (in_state(atomic_load(&r->word[i]), S_EMPTY) != FIELDS)
			return false;
	return move(&r->word[0], 1, FROM(S_EMPTY), S_PENDING, &was) != 0;
}

unsigned region_reuse(struct region *r, unsigned from, unsigned to, struct region_set *dirty,
		      unsigned *pending, bool *strangers)
{
	unsigned missing = 0;

	FOR_SPAN(s, from, to)
	{
		uint64_t all = s.within, within, flight, found, take;
		uint64_t w = atomic_load_explicit(&r->word[s.i], memory_order_acquire);

		/* All of them pending, or all empty: what an extent is that comes back as it went. */
		take = w & SPREAD(all, 3);
		if ((take == all || take == SPREAD(all, 3)) &&
		    atomic_compare_exchange_strong_explicit(&r->word[s.i], &w, w & ~take,
							    memory_order_seq_cst,
							    memory_order_relaxed)) {
			if (take == all)
				dirty->word[s.i] |= all;
			else
				missing += count(all);
			continue;
		}
		do {
			within = all;
			flight = in_state(w, S_FLIGHT) & within;
			/* Only what lies before the first page in flight: the answer is a prefix. */
			if (flight)
				within &= (flight & -flight) - 1;
			found = in_state(w, S_PENDING) & within;
			take = found | (in_state(w, S_EMPTY) & within);
		} while (take && !atomic_compare_exchange_weak_explicit(
					 &r->word[s.i], &w, w & ~SPREAD(take, 3),
					 memory_order_seq_cst, memory_order_acquire));
		dirty->word[s.i] |= found;
		missing += count(within & ~found);
		if (within & ~take)
			*strangers = true;
		if (flight) {
			unsigned page = first_page(s.i, flight);

			*pending += page - from - missing;
			return page;
		}
	}
	*pending += to - from - missing;
	return to;
}

static inline bool reuse_word(_Atomic uint64_t *word, uint64_t all)
{
	uint64_t w = atomic_load_explicit(word, memory_order_acquire);

	return (w & SPREAD(all, 3)) == all &&
	       atomic_compare_exchange_strong_explicit(word, &w, w & ~all, memory_order_seq_cst,
						       memory_order_relaxed);
}

static __attribute__((noinline)) unsigned reuse_pending_words(struct region *r, unsigned from,
							      unsigned to)
{
	FOR_SPAN(s, from, to)
	{
		if (!reuse_word(&r->word[s.i], s.within))
			return s.i * REGION_PAGES_PER_WORD > from ? s.i * REGION_PAGES_PER_WORD
								  : from;
	}
	return to;
}

unsigned region_reuse_pending(struct region *r, unsigned from, unsigned to)
{
	if (!in_one_word(from, to))
		return reuse_pending_words(r, from, to);
	return reuse_word(&r->word[from / REGION_PAGES_PER_WORD], fields_in_word(from, to)) ? to
											    : from;
}

void region_fresh(struct region *r, unsigned from, unsigned to, bool ours)
{
	uint64_t was;

	FOR_WORDS(i, from, to)
	move(&r->word[i], fields_of(i, from, to), FROM(S_IN_USE), S_EMPTY, &was);
	if (ours)
		atomic_fetch_add(&r->ours, to - from);
}

void region_disown(struct region *r, unsigned pages)
{
	uint32_t ours = atomic_load(&r->ours);

	/* Which of the pages were ours is not recorded: as much as may have been goes. */
	while (!atomic_compare_exchange_weak(&r->ours, &ours, ours > pages ? ours - pages : 0))
		;
}

unsigned region_forget(struct region *r, unsigned from, unsigned to, unsigned *pending,
		       unsigned *unkept, unsigned *excess)
{
	unsigned first = to;
	uint64_t was;

	*pending = 0;
	FOR_WORDS(i, from, to)
	{
		uint64_t within = fields_of(i, from, to), flight;
		uint64_t moved =
			move(&r->word[i], within, FROM(S_PENDING) | FROM(S_EMPTY), S_IN_USE, &was);

		*pending += count(in_state(was, S_PENDING) & moved);
		/* As it was in that look: what lands after it is empty, and was not forgotten. */
		flight = in_state(was, S_FLIGHT) & within;
		if (flight && first == to)
			first = first_page(i, flight);
	}
	*unkept = unkeep(r, from, to, excess);
	return first;
}

bool region_in_use(const struct region *r, unsigned from, unsigned to)
{
	FOR_SPAN(s, from, to)
	if (atomic_load_explicit(&r->word[s.i], memory_order_relaxed) & SPREAD(s.within, 3))
		return false;
	return true;
}

unsigned region_first_flight(const struct region *r, unsigned from, unsigned to)
{
	FOR_WORDS(i, from, to)
	{
		uint64_t flight =
			in_state(atomic_load(&r->word[i]), S_FLIGHT) & fields_of(i, from, to);

		if (flight)
			return first_page(i, flight);
	}
	return to;
}

/* Everything pending or empty, into flight. False if a page is in use, or somebody else's flight:
 * then nothing empty is in flight, but what was pending may be: it is in `set`. */
static __attribute__((noinline)) bool claim_whole(struct region *r, struct region_set *set)
{
	REGION_SET(emptied);
	uint64_t was;

	for (unsigned i = 0; i < set->words; i++) {
		uint64_t moved =
			move(&r->word[i], FIELDS, FROM(S_PENDING) | FROM(S_EMPTY), S_FLIGHT, &was);

		set->word[i] = moved & in_state(was, S_PENDING);
		emptied->word[i] = moved & in_state(was, S_EMPTY);
		if (moved == FIELDS)
			continue;
		for (unsigned j = 0; j <= i; j++)
			move(&r->word[j], emptied->word[j], FROM(S_FLIGHT), S_EMPTY, &was);
		return false;
	}
	return true;
}

enum region_claim region_claim(struct region *r, struct region_set *set, unsigned *pending)
{
	bool whole = true;
	uint64_t any = 0, was;

	*pending = 0;
	for (unsigned i = 0; i < set->words; i++) {
		uint64_t w = atomic_load_explicit(&r->word[i], memory_order_acquire);

		any |= in_state(w, S_PENDING);
		if (in_state(w, S_IN_USE) | in_state(w, S_FLIGHT))
			whole = false;
	}
	if (!any)
		return REGION_NOTHING;
	region_set_clear(set);
	whole = whole && claim_whole(r, set);
	for (unsigned i = 0; i < set->words; i++) {
		if (!whole)
			set->word[i] |= move(&r->word[i], FIELDS, FROM(S_PENDING), S_FLIGHT, &was);
		*pending += count(set->word[i]);
	}
	return whole ? REGION_WHOLE : *pending ? REGION_PIECES : REGION_NOTHING;
}

void region_settle(struct region *r, unsigned from, unsigned to, bool ok)
{
	uint64_t was;

	FOR_WORDS(i, from, to)
	move(&r->word[i], fields_of(i, from, to), FROM(S_FLIGHT), ok ? S_EMPTY : S_PENDING, &was);
}

unsigned region_keep(struct region *r, unsigned from, unsigned to, uint32_t share, unsigned *excess)
{
	unsigned n = change_kept(r, from, to, true);

	*excess = (unsigned)((uint64_t)n * share >> 6);
	if (n)
		atomic_fetch_add_explicit(&r->account, ACCOUNT(n, *excess), memory_order_relaxed);
	return n;
}

unsigned region_unkeep(struct region *r, unsigned from, unsigned to, unsigned *excess)
{
	return unkeep(r, from, to, excess);
}

static __attribute__((noinline)) bool kept_in_words(const struct region *r, unsigned from,
						    unsigned to)
{
	FOR_KEPT(i, from, to)
	if (atomic_load_explicit(&r->kept[i], memory_order_relaxed) & kept_of(i, from, to))
		return true;
	return false;
}

bool region_kept(const struct region *r, unsigned from, unsigned to)
{
	/* Mostly the first is like the others. */
	return atomic_load_explicit(&r->kept[from / 64], memory_order_relaxed) >> from % 64 & 1 ||
	       kept_in_words(r, from, to);
}

/* A thread that is gone may have changed bits and not yet said so. */
static void count_anew(struct region *r)
{
	unsigned n = 0, excess = region_excess(r);

	FOR_KEPT(i, 0, region_pages())
	{
		uint64_t w = atomic_load_explicit(&r->kept[i], memory_order_relaxed);

		if (w)
			n += count(w);
	}
	if (n != region_count_kept(r))
		atomic_store(&r->account, ACCOUNT(n, n ? excess : 0));
}

unsigned region_after_fork(struct region *r)
{
	uint64_t was;

	for (unsigned i = 0; i < region_words(); i++)
		move(&r->word[i], FIELDS, FROM(S_FLIGHT), S_PENDING, &was);
	count_anew(r);
	/* Written to only where it must be: each record costs the child a copied page. */
	if (atomic_load(&r->flags) & ~(uint32_t)REGION_ZAPPED)
		atomic_fetch_and(&r->flags, REGION_ZAPPED);
	return region_count_pending(r, 0, region_pages());
}

unsigned region_count_pending(const struct region *r, unsigned from, unsigned to)
{
	unsigned n = 0;

	FOR_WORDS(i, from, to)
	n += count(in_state(atomic_load_explicit(&r->word[i], memory_order_relaxed), S_PENDING) &
		   fields_of(i, from, to));
	return n;
}

void region_set_add(struct region_set *s, unsigned from, unsigned to)
{
	FOR_SPAN(part, from, to)
	s->word[part.i] |= part.within;
}

bool region_set_run(const struct region_set *s, unsigned from, unsigned *start, unsigned *end)
{
	return region_set_run_in(s, from, region_pages(), start, end);
}

bool region_set_run_in(const struct region_set *s, unsigned from, unsigned pages, unsigned *start,
		       unsigned *end)
{
	unsigned p = from;

	while (p < pages) {
		unsigned i = p / REGION_PAGES_PER_WORD, bit = 2 * (p % REGION_PAGES_PER_WORD);
		uint64_t rest = s->word[i] >> bit << bit;

		if (rest) {
			p = first_page(i, rest);
			break;
		}
		p = (i + 1) * REGION_PAGES_PER_WORD;
	}
	if (p >= pages)
		return false;
	*start = p;
	while (p < pages) {
		unsigned i = p / REGION_PAGES_PER_WORD, bit = 2 * (p % REGION_PAGES_PER_WORD);
		uint64_t gaps = (~s->word[i] & FIELDS) >> bit << bit;

		if (gaps) {
			p = first_page(i, gaps);
			break;
		}
		p = (i + 1) * REGION_PAGES_PER_WORD;
	}
	*end = p < pages ? p : pages;
	return true;
}
