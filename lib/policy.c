// SPDX-License-Identifier: BSD-2-Clause
/* policy - see policy.h. What is believed of what was learned is in policy_belief.c. */
#include "policy.h"

#include <stdatomic.h>
#include <string.h>

#include "gauge.h"
#include "os.h"
#include "policy_internal.h"

/* Shares are in 1/65536. */
#define ONE 65536

#define MOST	  5 /* so many of them are most */
#define LEARN_MIN 4 /* samples before a class is believed */
/* Powers of two, and EXPLORE_ likewise. */
#define SAMPLE_NEW   8	/* of a class that is not: one release in so many is sampled */
#define SAMPLE_KNOWN 64 /* of one that is, and of which nothing is kept */
#define SAMPLE_KEPT  2	/* of one of which something is: most releases cannot be sampled */
#define SAMPLE_REST  16 /* but once one of a class could be, so many turns of it are left out */
#define EXPLORE_EVERY                                                                              \
	128 /* reuses of which one keeps nothing, so that there is something to learn */
#define ASK_REST	32  /* reuses of a class that are not asked about once one was in vain */
#define EXPLORE_SMALL	512 /* the same of small ranges: for what they are a zap costs much */
#define EXPLORE_DOUBTED 4   /* the same where nothing is believed before the next sample */
#define MORE                                                                                       \
	4 /* so many more owners have touched more than what is kept than have not: it is explored */
#define LOOSE  (ONE * 3 / 4)   /* share of touched pages in front below which there is no prefix */
#define NEARLY (ONE * 31 / 32) /* a share from which on it is as good as all */

struct class classes[POLICY_CLASSES];
static struct gauge kept;      /* pages */
static struct gauge excess;    /* of these, pages that will not be touched, in 1/1024 */
_Atomic int64_t policy_budget; /* likewise */

static _Atomic uint32_t kind; /* enum policy_kind */

static struct {
	_Atomic uint32_t fault, populate, zap, zero, call;
	/* Samples of SAMPLES in which a page has to be touched: to be kept, and populated. 0: never. */
	_Atomic uint32_t keep_of, populate_of;
} costs = {.keep_of = MOST};

struct counter counters[STATS_SHARDS];

/*
 * Of each `every`, a power of two, the turns in other places from round to round: the classes of a program that
 * allocates and frees in the same order again and again would else each have their turn at the same one.
 */
static uint32_t turn_of(uint32_t n, unsigned every)
{
	return (n ^ n / every) & (every - 1);
}

static uint32_t cost(const _Atomic uint32_t *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}

static int32_t share_of(const _Atomic int32_t *s)
{
	return atomic_load_explicit(s, memory_order_relaxed);
}

static bool known(const struct class *c)
{
	return atomic_load_explicit(&c->samples, memory_order_relaxed) >= LEARN_MIN;
}

void policy_set_budget(uint64_t keep_bytes)
{
	uint64_t pages = keep_bytes >> os_page_shift;
	int64_t most = (int64_t)(pages < INT64_MAX / PAGE ? pages * PAGE : INT64_MAX);

	atomic_store(&policy_budget, most);
	policy_set_grain();
	/* All shards together stay within an eighth of the budget. */
	gauge_set_grain(&excess, most / 8 / STATS_SHARDS);
}

void policy_init(uint64_t keep_bytes)
{
	policy_set_budget(keep_bytes);
	for (unsigned i = 0; i < POLICY_CLASSES; i++) {
		atomic_store(&classes[i].touched, 0);
		atomic_store(&classes[i].keep, 0);
		atomic_store(&classes[i].populate, 0);
		atomic_store(&classes[i].sure, 0);
		atomic_store(&classes[i].excess, 0);
		atomic_store(&classes[i].vain, 0);
		atomic_store(&classes[i].samples, 0);
		atomic_store(&classes[i].believed, 0);
		atomic_store(&classes[i].streak, 0);
		atomic_store(&classes[i].more, 0);
		atomic_store(&classes[i].rest, 0);
		atomic_store(&classes[i].untold, 0);
	}
	for (unsigned i = 0; i < STATS_SHARDS; i++)
		memset(&counters[i], 0, sizeof(counters[i]));
	policy_init_belief();
	gauge_set(&kept, 0);
	gauge_set(&excess, 0);
	kept.grain = 64;
}

void policy_set_kind(enum policy_kind k)
{
	atomic_store(&kind, k);
}

enum policy_kind policy_kind(void)
{
	return (enum policy_kind)atomic_load_explicit(&kind, memory_order_relaxed);
}

/* Owners of SAMPLES who have to touch a page so that doing something for all of them, at `price` for
 * each, is cheaper than doing nothing and paying `spared` for those who do. 0: it never is. */
static uint32_t break_even(uint64_t price, uint64_t spared)
{
	uint64_t of = spared ? (price * SAMPLES + spared - 1) / spared : SAMPLES + 1;

	return of > SAMPLES ? 0 : of < MOST ? MOST : (uint32_t)of;
}

void policy_set_costs(const struct policy_costs *c)
{
	atomic_store(&costs.fault, c->fault);
	atomic_store(&costs.populate, c->populate);
	atomic_store(&costs.zap, c->zap);
	atomic_store(&costs.zero, c->zero);
	atomic_store(&costs.call, c->call);
	/* To keep a page it is zeroed, and not zapped; else it may fault. */
	atomic_store(&costs.keep_of, break_even(c->zero > c->zap ? c->zero - c->zap : 0, c->fault));
	atomic_store(&costs.populate_of, c->populate ? break_even(c->populate, c->fault) : 0);
}

void policy_costs(struct policy_costs *out)
{
	*out = (struct policy_costs){
		.fault = cost(&costs.fault),
		.populate = cost(&costs.populate),
		.zap = cost(&costs.zap),
		.zero = cost(&costs.zero),
		.call = cost(&costs.call),
	};
}

bool policy_has_costs(void)
{
	return cost(&costs.fault) != 0;
}

void policy_no_populate(void)
{
	atomic_store(&costs.populate, 0);
	atomic_store(&costs.populate_of, 0);
}

bool policy_fits(uint64_t more)
{
	return more == 0 || gauge_near(&excess) + excess.grain * STATS_SHARDS + (int64_t)more <=
				    atomic_load_explicit(&policy_budget, memory_order_relaxed);
}

/* The last of a range is either touched or hardly worth a call of its own. */
static size_t prefix_of(size_t range, int32_t share)
{
	return share >= NEARLY ? range : (range * (size_t)share + ONE / 2) / ONE;
}

void policy_too_early(size_t range)
{
	atomic_store_explicit(&class_of(range)->rest, ASK_REST, memory_order_relaxed);
}

/* Owners who take their time would be asked at each reuse, for nothing. Threads may lose a count. */
static bool rested(struct class *c)
{
	uint32_t left = atomic_load_explicit(&c->rest, memory_order_relaxed);

	if (left)
		atomic_store_explicit(&c->rest, left - 1, memory_order_relaxed);
	return !left;
}

static struct policy_plan plan_unlearned(struct class *c, size_t range, enum policy_kind k)
{
	struct policy_plan p = {0};

	if (k == POLICY_KEEP) {
		p.keep = policy_fits(policy_excess(range, POLICY_ALL)) ? range : 0;
		p.touched = range;
		p.untouched = p.in_front = POLICY_ALL;
	} else if (k == POLICY_LEARN && range <= POLICY_SMALL_PAGES) {
		p.keep = range;
		p.touched = range;
	}
	p.ask = k == POLICY_LEARN && rested(c);
	return p;
}

/* So little behind what is kept is not worth a call: it is kept with the rest. */
static void keep_tail(struct policy_plan *p, size_t range)
{
	size_t tail = range - p->keep;
	uint32_t untouched;

	if (!tail || tail > POLICY_FEW_PAGES || !p->keep)
		return;
	untouched = (uint32_t)((p->untouched * p->keep + ONE * tail) / range);
	if (!policy_fits(policy_excess(range, untouched)))
		return;
	p->untouched = untouched;
	p->keep = range;
}

/* Do most owners touch more than the prefix that is kept? */
static bool exceeded(const struct class *c)
{
	return atomic_load_explicit(&c->more, memory_order_relaxed) >= MORE;
}

struct policy_plan policy_plan(size_t range)
{
	struct class *c = class_of(range);
	enum policy_kind k = policy_kind();
	struct policy_plan p = {0};
	uint32_t n;

	if (__builtin_expect(k != POLICY_LEARN, 0) || !known(c))
		return plan_unlearned(c, range, k);
	p.touched = prefix_of(range, share_of(&c->touched));
	p.untouched = p.in_front = (uint32_t)share_of(&c->excess);
	p.unpopulated = (uint32_t)share_of(&c->vain);
	p.keep = prefix_of(range, share_of(&c->keep));
	p.populate = prefix_of(range, share_of(&c->populate));
	p.sure = prefix_of(range, share_of(&c->sure));
	n = count_one(&my_counter()->reuses);
	/* Where nothing stays in any case there is nothing to ask. */
	if (p.touched && policy_suspends(c, p.keep)) {
		p.explore = p.doubted = true;
		p.ask = turn_of(n, POLICY_ASKED) == 0 && rested(c);
		p.keep = p.populate = 0;
		return p;
	}
	if (exceeded(c))
		p.explore = turn_of(n, EXPLORE_DOUBTED) == 0;
	else if (range <= POLICY_SMALL_PAGES)
		p.explore = turn_of(n, EXPLORE_SMALL) == EXPLORE_SMALL - 1;
	else
		p.explore = turn_of(n, EXPLORE_EVERY) == EXPLORE_EVERY - 1;
	p.ask = p.explore;
	if (p.explore) {
		p.keep = 0;
		p.populate = 0;
	} else if (!policy_fits(policy_excess(p.keep, p.untouched))) {
		p.keep = p.sure;
		p.untouched = 0;
		p.populate = p.populate < p.keep ? p.populate : p.keep;
		p.unpopulated = 0;
	} else {
		keep_tail(&p, range);
	}
	p.on_trust = true;
	p.tell = policy_tells(p.keep) || policy_class_tells(c, p.keep);
	return p;
}

bool policy_populate_pays(size_t pages, uint32_t untouched)
{
	uint64_t each = cost(&costs.populate);
	uint64_t spared = (uint64_t)cost(&costs.fault) * (POLICY_ALL - untouched) / POLICY_ALL;

	return each && pages * spared > pages * each + cost(&costs.call);
}

bool policy_sparse(size_t range)
{
	const struct class *c = class_of(range);

	return range > POLICY_SMALL_PAGES && policy_kind() == POLICY_LEARN &&
	       (!known(c) || share_of(&c->touched) < ONE / 4);
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
	const struct class *c;
	unsigned every, turn;
	_Atomic uint8_t *rest;
	uint8_t left;

	if (range <= POLICY_FEW_PAGES)
		return false;
	turn = turn_of(count_one(&my_counter()->samples), SAMPLE_KNOWN);
	/* SAMPLE_KEPT is the most often. */
	if (turn % SAMPLE_KEPT)
		return false;
	c = class_of(range);
	rest = &my_counter()->rest[c - classes];
	left = atomic_load_explicit(rest, memory_order_relaxed);
	if (left && !doubted(c)) {
		atomic_store_explicit(rest, left - 1, memory_order_relaxed);
		return false;
	}
	every = !known(c) ? SAMPLE_NEW : share_of(&c->keep) ? SAMPLE_KEPT : SAMPLE_KNOWN;
	return !(turn & (every - 1));
}

/* The prefix that at least `of` in SAMPLES touched, of n samples in rising order. */
static int32_t touched_by(const int32_t *sorted, unsigned n, uint32_t of)
{
	return of ? sorted[(SAMPLES - of) * n / SAMPLES] : 0;
}

/* Of a prefix, the share that owners leave untouched on average. */
static int32_t left_of(const int32_t *sorted, unsigned n, int32_t prefix)
{
	int64_t left = 0;

	for (unsigned i = 0; i < n && sorted[i] < prefix; i++)
		left += prefix - sorted[i];
	return prefix ? (int32_t)(left * ONE / n / prefix) : 0;
}

/* What the remembered samples come to. */
static void conclude(struct class *c, unsigned n)
{
	int32_t sorted[SAMPLES] = {0}, keep, populate;

	for (unsigned i = 0; i < n; i++) {
		int32_t share = share_of(&c->newest[i]);
		unsigned at = i;

		for (; at > 0 && sorted[at - 1] > share; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = share;
	}
	keep = touched_by(sorted, n, cost(&costs.keep_of));
	populate = touched_by(sorted, n, cost(&costs.populate_of));
	if (populate > keep)
		populate = keep;
	atomic_store(&c->touched, touched_by(sorted, n, MOST));
	atomic_store(&c->keep, keep);
	atomic_store(&c->populate, populate);
	atomic_store(&c->sure, sorted[0] < keep ? sorted[0] : keep);
	atomic_store(&c->excess, left_of(sorted, n, keep));
	atomic_store(&c->vain, left_of(sorted, n, populate));
}

/* The next releases of a class are not looked at. */
static void rest(const struct class *c)
{
	atomic_store_explicit(&my_counter()->rest[c - classes], SAMPLE_REST, memory_order_relaxed);
}

void policy_saw_prefix(size_t range, bool more)
{
	struct class *c = class_of(range);
	uint32_t n = atomic_load_explicit(&c->more, memory_order_relaxed);

	/* What a few do is not to be taken for what most do, however long they go on. */
	if (more && n < 2 * MORE)
		atomic_store_explicit(&c->more, n + 1, memory_order_relaxed);
	else if (!more && n)
		atomic_store_explicit(&c->more, n - 1, memory_order_relaxed);
	if (!more)
		rest(c);
}

/*
 * Does what was learned say why owners touched more than a short prefix? Most touch that of it; or they touch so little
 * in front that nothing is kept, and then every release tells.
 */
static bool answered(const struct class *c, size_t range, size_t looked)
{
	return !share_of(&c->keep) ||
	       prefix_of(range, share_of(&c->touched)) >= looked / POLICY_FEW_KEPT;
}

bool policy_learn(size_t range, size_t looked, size_t touched, size_t front)
{
	struct class *c = class_of(range);
	bool as_learned;
	uint32_t n;
	int32_t share;

	if (!looked)
		return false;
	/* All that was looked at: the rest will not be different. Strewn: nothing to go by. */
	if (touched == looked)
		share = ONE;
	else if (front * ONE < touched * LOOSE)
		share = 0;
	else
		share = (int32_t)(touched * ONE / range);
	as_learned = share >= share_of(&c->keep);
	if (as_learned)
		policy_sampled(c, range);
	if (known(c) && share_of(&c->keep))
		rest(c);
	n = atomic_load(&c->samples);
	atomic_store(&c->newest[n % SAMPLES], share);
	conclude(c, n + 1 < SAMPLES ? n + 1 : SAMPLES);
	if (answered(c, range, looked))
		atomic_store_explicit(&c->more, 0, memory_order_relaxed);
	/* Last, so that the first samples are whole when they are believed. */
	atomic_store(&c->samples, n + 1);
	return as_learned;
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

	return known(c) ? share_of(&c->touched) / (ONE / 1024) : -1;
}

static uint64_t permille(const _Atomic int32_t *share)
{
	return (uint64_t)share_of(share) * 1000 / ONE;
}

bool policy_class(unsigned i, struct policy_class *out)
{
	const struct class *c = &classes[i];
	unsigned log = i / 4, quarter = i % 4;

	if (i >= POLICY_CLASSES || !known(c))
		return false;
	*out = (struct policy_class){
		.pages = log >= 2 ? (uint64_t)(4 + quarter) << (log - 2) : (uint64_t)1 << log,
		.samples = atomic_load(&c->samples),
		.touched = permille(&c->touched),
		.kept = permille(&c->keep),
		.populated = permille(&c->populate),
	};
	return true;
}

void policy_after_fork(uint64_t kept_pages, uint64_t excess_pages)
{
	gauge_set(&kept, (int64_t)kept_pages);
	gauge_set(&excess, (int64_t)excess_pages);
}
