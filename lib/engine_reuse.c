// SPDX-License-Identifier: BSD-2-Clause
/* engine_reuse - the verb that gives pages back to the allocator: see engine.h. */
#include <errno.h>
#include <sys/mman.h>

#include "batch.h"
#include "engine_internal.h"
#include "os.h"
#include "policy.h"
#include "probes.h"
#include "worker.h"

/* Runs of pending pages that one reuse collects before it deals with them. */
#define REUSE_RUNS 32

/*
 * Pending pages that a reuse took back: those before keep_to stay, zeroed if they must read zero before
 * it returns, and the others are zapped.
 */
struct runs {
	uintptr_t start;
	size_t range; /* pages of the whole reuse */
	bool zero;
	/* Share of those that stay which the owner will not touch, in 1/65536; from touched_to on, all. */
	uint32_t untouched, unpopulated;
	uintptr_t touched_to, keep_to;
	uintptr_t populate_to; /* before it, those that are gone are populated */
	uintptr_t there_to;    /* from the start to here, all stayed */
	size_t there;	       /* bytes before populate_to that did */
	unsigned n;
	size_t pages;
	bool ahead;	    /* most of the rest is to be zapped with others before it is taken */
	bool strangers;	    /* some page was in use already, or is not known */
	bool on_trust;	    /* what stays does because others have touched it */
	uintptr_t left_out; /* a page that could have stayed, or 0: it tells for others */
	uintptr_t sure_to;  /* a page before it tells whether its owner is as others were */
	uint64_t cancelled; /* bytes that were pending */
	uint64_t deadline;  /* for pages in flight */
	bool solid;	    /* nothing but the reuse's own pages lies between the runs */
	struct {
		uintptr_t addr, end;
	} run[REUSE_RUNS];
};

/* Not all of it has to be cleared. */
static void runs_begin(struct runs *s, uintptr_t addr, size_t len, bool zero)
{
	s->start = addr;
	s->range = len >> os_page_shift;
	s->zero = zero;
	s->untouched = s->unpopulated = 0;
	s->touched_to = s->keep_to = s->populate_to = s->there_to = addr;
	s->sure_to = addr + len;
	s->left_out = 0;
	s->there = 0;
	s->n = 0;
	s->pages = 0;
	s->ahead = s->strangers = s->on_trust = false;
	s->cancelled = s->deadline = 0;
	s->solid = true;
}

static inline void keep_in(struct region *r, unsigned from, unsigned to, uint32_t untouched)
{
	unsigned excess, n = region_keep(r, from, to, untouched, &excess);

	if (n)
		policy_kept(n, excess);
}

static __attribute__((noinline)) void keep_parts(uintptr_t addr, uintptr_t end, uint32_t untouched)
{
	FOR_PARTS(p, addr, end)
	{
		struct region *r = region_find(p.addr);

		if (r)
			keep_in(r, p.from, p.to, untouched);
	}
}

/* All of it lies in `only`, if that is not NULL. */
static inline void keep_part(struct region *only, uintptr_t addr, uintptr_t end, uint32_t untouched)
{
	if (only)
		keep_in(only, region_page(addr), region_page(end - 1) + 1, untouched);
	else
		keep_parts(addr, end, untouched);
}

static void zap(const struct runs *s, uintptr_t addr, uintptr_t end)
{
	int r;

	stats_add(STAT_SYS_MADVISE_REUSE, 1);
	r = os.madvise((void *)addr, end - addr, MADV_DONTNEED);
	if (!r) {
		stats_add(STAT_REUSE_ZAPPED, end - addr);
		return;
	}
	/* Locked, or the kernel is out of memory: zero is promised all the same. */
	stats_add(STAT_FAILED, end - addr);
	if (s->zero)
		os.zero((void *)addr, end - addr);
}

static void stay(const struct runs *s, struct region *only, uintptr_t addr, uintptr_t end)
{
	if (addr >= end)
		return;
	if (s->zero)
		os.zero((void *)addr, end - addr);
	stats_add(STAT_KEPT, end - addr);
	if (addr < s->touched_to) {
		uintptr_t middle = s->touched_to < end ? s->touched_to : end;

		keep_part(only, addr, middle, s->untouched);
		addr = middle;
	}
	if (addr < end)
		keep_part(only, addr, end, POLICY_ALL);
}

/* Of what is to stay or to be populated, the page that is left out: it tells for `told` pages. 0: none, or another one
 * does already. */
static uintptr_t leave_out(struct runs *s, uintptr_t addr, uintptr_t end, size_t told)
{
	if (end > s->sure_to)
		end = s->sure_to;
	if (!told || end <= addr)
		return 0;
	if (s->left_out) {
		sample_watch_for(s->left_out, told);
		return 0;
	}
	return s->left_out = sample_watch_one(addr, end, s->range, told);
}

static void keep(struct runs *s, struct region *only, uintptr_t addr, uintptr_t end)
{
	size_t told = s->on_trust ? policy_tell(s->range, (end - addr) >> os_page_shift) : 0;
	uintptr_t page;

	if (told == POLICY_NO_ROOM) {
		zap(s, addr, end);
		return;
	}
	if (addr < s->populate_to)
		s->there += (end < s->populate_to ? end : s->populate_to) - addr;
	if (addr == s->there_to)
		s->there_to = end;
	page = leave_out(s, addr, end, told);
	if (page) {
		stay(s, only, addr, page);
		addr = page + os_page_size;
		zap(s, page, addr);
	}
	stay(s, only, addr, end);
}

static void runs_finish(struct runs *s)
{
	bool few;

	if (!s->n)
		return;
	few = s->pages <= POLICY_FEW_PAGES &&
	      policy_fits(policy_excess(s->pages, s->run[0].addr < s->touched_to ? s->untouched
										 : POLICY_ALL));

	if (!few && s->solid) {
		/* The pages between the runs are the caller's as well, and empty: one run of all. */
		s->run[0].end = s->run[s->n - 1].end;
		s->n = 1;
	}
	for (unsigned i = 0; i < s->n; i++) {
		if (few)
			keep(s, NULL, s->run[i].addr, s->run[i].end);
		else
			zap(s, s->run[i].addr, s->run[i].end);
	}
	s->n = 0;
	s->pages = 0;
}

static void add_run(struct runs *s, uintptr_t addr, uintptr_t end)
{
	if (s->n && s->run[s->n - 1].end == addr) {
		s->run[s->n - 1].end = end;
	} else {
		if (s->n == REUSE_RUNS)
			runs_finish(s);
		s->run[s->n].addr = addr;
		s->run[s->n].end = end;
		s->n++;
	}
	s->pages += (end - addr) >> os_page_shift;
}

static void runs_add(struct runs *s, struct region *only, uintptr_t addr, uintptr_t end)
{
	if (addr < s->keep_to) {
		uintptr_t stop = end < s->keep_to ? end : s->keep_to;

		keep(s, only, addr, stop);
		addr = stop;
	}
	if (addr < end)
		add_run(s, addr, end);
}

/*
 * A reuse took [addr, end) and met a page that would not land. What was taken is pending again,
 * zeroed already or not; unless strangers are among it, which must never be: then what was pending
 * is zeroed, so that it stays true that the range reads zero, and its pages become strangers too. `dirty`
 * is of r, from page `from` on.
 */
static void reuse_refused(struct runs *s, struct region *r, const struct region_set *dirty,
			  unsigned from, uintptr_t addr, uintptr_t end, bool strangers)
{
	unsigned a, b = from;

	if (!strangers) {
		if (engine_make_pending(addr, end))
			worker_kick();
		return;
	}
	s->solid = s->on_trust = false;
	s->keep_to = UINTPTR_MAX;
	while (region_set_run_in(dirty, b, region_page(end), &a, &b))
		runs_add(s, r, region_addr(r, a), region_addr(r, b));
	runs_finish(s);
}

static size_t count_pending(uintptr_t addr, uintptr_t end)
{
	size_t n = 0;

	FOR_PARTS(p, addr, end)
	{
		struct region *r = region_known(p.addr);

		if (r)
			n += region_count_pending(r, p.from, p.to);
	}
	return n;
}

/*
 * Most of what is pending in this range would have to be zapped by a call of its own: zap it with
 * others that are pending, in one, before it is taken back.
 */
static __attribute__((noinline)) void flush_ahead(uintptr_t addr, uintptr_t end)
{
	FLIGHT_ON_STACK(f, FLIGHT_SMALL);
	f.whom = BACKEND_FOR_REUSE;
	stats_add(STAT_FLUSH_AHEAD, 1);
	FOR_PARTS(p, addr, end)
	{
		struct region *r = region_known(p.addr);

		if (r)
			batch_flush_region(r, &f);
	}
	batch_fill(&f);
	/* While the queue was with us, the worker may have seen none and gone to sleep. */
	if (f.failed || !batch_idle())
		worker_kick();
}

/*
 * How much of what is pending stays. Where it has to be zeroed for that, what the owner will touch. Where
 * not, keeping costs nothing but what he will not touch: all of it, unless that is most of it or the
 * budget has no room for it.
 */
static void decide(struct runs *s, const struct policy_plan *p, uintptr_t addr, uintptr_t end,
		   bool shared)
{
	size_t most = (!engine_returns_soon() ? 0
		       : shared		      ? POLICY_POPULATE_BYTES_SHARED
					      : POLICY_POPULATE_BYTES) >>
		      os_page_shift;
	uint64_t more = 0;

	/* What lies behind touched_to is counted by itself. */
	s->untouched = s->zero ? p->untouched : p->in_front;
	s->unpopulated = p->unpopulated;
	/* Of what is behind it it is known that some leave it; unless that is most. */
	s->sure_to = p->sure > p->keep / 2 ? addr + bytes(p->sure) : end;
	s->on_trust = p->on_trust;
	s->touched_to = s->zero ? end : addr + bytes(p->touched);
	s->populate_to = addr + bytes(p->populate < most ? p->populate : most);
	s->there_to = addr;
	if (!s->zero && !p->explore && policy_kind() == POLICY_LEARN &&
	    (!p->touched || p->touched >= s->range / 4)) {
		s->keep_to = end;
		if (s->untouched)
			more = policy_excess(count_pending(addr, s->touched_to), s->untouched);
		if (s->touched_to < end)
			more += policy_excess(count_pending(s->touched_to, end), POLICY_ALL);
		if (policy_fits(more))
			return;
		/* Less is kept where the budget is spent, and all of that is touched. */
		if (p->untouched < s->untouched)
			s->untouched = p->untouched;
	}
	s->keep_to = addr + bytes(p->keep);
	/* The first, without what rounding may have added, only spares the second. */
	s->ahead = s->keep_to < end && p->touched <= s->range / 4 + 1 && policy_sparse(s->range) &&
		   (s->zero || p->touched) && count_pending(s->keep_to, end) > POLICY_FEW_PAGES;
}

/* The error of the call, if any. */
static int populate_part(const struct runs *s, uintptr_t from, uintptr_t to)
{
	int r;

	if (from >= to)
		return 0;
	stats_add(STAT_SYS_POPULATE, 1);
	r = os.madvise((void *)from, to - from, OS_MADV_POPULATE_WRITE);
	if (r && r != -ENOMEM && r != -EAGAIN && r != -EINTR)
		policy_no_populate();
	else
		/* Also where memory ran out in the middle: what is there is not there because of an owner. */
		keep_part(NULL, from, to, s->unpopulated);
	return r;
}

/* What its owner will touch and is not there: one call, or two around a page that is to tell, instead of many
 * faults. */
static void populate(struct runs *s)
{
	uintptr_t from = s->there_to, to = s->populate_to, hole = 0;
	size_t gone, told = 0;
	int r;

	if (from >= to)
		return;
	gone = (to - s->start - s->there) >> os_page_shift;
	if (!policy_populate_pays(gone, s->unpopulated) ||
	    !policy_fits(policy_excess(gone, s->unpopulated)) ||
	    atomic_load_explicit(&engine.pressure, memory_order_relaxed))
		return;
	if (gone < POLICY_CONFIRM_PAGES)
		told = policy_tell(s->range, gone);
	else if (!policy_believes(s->range, gone))
		told = POLICY_NO_ROOM;
	else if (policy_wants_confirmed(s->range))
		told = gone;
	if (told == POLICY_NO_ROOM)
		return;
	hole = leave_out(s, from, to, told);
	/* Or it is among what stayed, and lies behind some that is gone. */
	if (!hole && s->left_out >= from && s->left_out < to) {
		hole = s->left_out;
		gone++;
	}
	r = populate_part(s, from, hole ? hole : to);
	if (hole && !r)
		r = populate_part(s, hole + os_page_size, to);
	if (!r)
		stats_add(STAT_POPULATED, bytes(hole ? gone - 1 : gone));
	else
		policy_disbelieve(s->range);
}

static inline void cancelled(uintptr_t addr, size_t len, uint64_t pending)
{
	batch_cancelled(pending);
	stats_add(STAT_CANCELLED, pending);
	PROBE_CANCEL(addr, len, pending);
}

/* Pages of [addr, end) become the owner's, those before addr are already, and so are the first `taken`, which were
 * pending. False: some would not land. */
static bool take(struct runs *s, uintptr_t addr, uintptr_t end, unsigned taken,
		 struct region_set *dirty)
{
	FOR_PARTS(p, addr, end)
	{
		struct region *r;
		unsigned n = 0, page = p.from, a, b;

		if (p.end - p.addr == os_region_size && region_use_untouched(p.addr))
			continue;
		r = region_find(p.addr);
		if (!r) {
			s->strangers = true;
			s->solid = false;
			continue;
		}
		region_set_clear_in(dirty, p.from, p.to);
		if (taken) {
			region_set_add(dirty, page, page + taken);
			page += taken;
			n = taken;
			taken = 0;
		}
		while ((page = region_reuse(r, page, p.to, dirty, &n, &s->strangers)) < p.to) {
			stats_add(STAT_REUSE_WAITS, 1);
			if (batch_wait(r, page, &s->deadline))
				continue;
			stats_add(STAT_REUSE_TIMEOUTS, 1);
			batch_cancelled(bytes(n) + s->cancelled);
			reuse_refused(s, r, dirty, p.from, s->start, region_addr(r, page),
				      s->strangers);
			return false;
		}
		if (s->strangers)
			s->solid = false;
		s->cancelled += bytes(n);
		if (n == p.to - p.from)
			runs_add(s, r, p.addr, p.end);
		else if (n)
			for (b = p.from; region_set_run_in(dirty, b, p.to, &a, &b);)
				runs_add(s, r, region_addr(r, a), region_addr(r, b));
	}
	return true;
}

/* What does its owner touch? A small range may hold many blocks, and is touched as they come: what that comes to
 * tells its release. But whether it is touched at all is asked where that is in doubt. */
static void ask(const struct runs *s, const struct policy_plan *p)
{
	if (s->range > POLICY_SMALL_PAGES)
		sample_watch(s->start, s->range);
	else if (p->doubted)
		(void)sample_watch_one(s->start, s->start + bytes(s->range), s->range, s->range);
}

/* The first `taken` pages are taken already: they were pending, and stay. */
static __attribute__((noinline)) enum engine_reuse
reuse(uintptr_t addr, size_t len, unsigned how, const struct policy_plan *plan, unsigned taken)
{
	uintptr_t end = addr + len;
	struct runs runs;
	REGION_SET_UNCLEARED(dirty);

	/* First: what others tell may make room for this one. */
	if (engine_acts())
		sample_turn();
	runs_begin(&runs, addr, len, how & ENGINE_ZERO);
	decide(&runs, plan, addr, end, how & ENGINE_SHARED);
	if (__builtin_expect(runs.ahead, 0)) {
		/* What stays of it first: it is not to be zapped with the rest. */
		if (!take(&runs, addr, runs.keep_to, 0, dirty))
			return ENGINE_BUSY;
		flush_ahead(runs.keep_to, end);
		addr = runs.keep_to;
	}
	if (!take(&runs, addr, end, taken, dirty))
		return ENGINE_BUSY;
	if (runs.cancelled)
		cancelled(runs.start, len, runs.cancelled);
	runs_finish(&runs);
	if (!runs.strangers && engine_acts()) {
		populate(&runs);
		if (plan->ask)
			ask(&runs, plan);
	}
	return runs.strangers ? ENGINE_STRANGERS : ENGINE_OK;
}

/*
 * The same where all of it stays and is pending, in one region, as most extents are that come back: so nothing
 * is to be zapped, waited for or populated. Returns how many pages that was true of; if not of all, no more was
 * done than to take them.
 */
static inline unsigned reuse_at_once(uintptr_t addr, size_t len, bool zero,
				     const struct policy_plan *plan)
{
	size_t pages = len >> os_page_shift;
	unsigned from = region_page(addr), to = from + (unsigned)pages, end;
	struct region *r;

	if (plan->keep < pages || (!zero && plan->touched < pages) || !pages || plan->tell ||
	    pages > region_pages() - from)
		return 0;
	r = region_known(addr);
	if (!r)
		return 0;
	end = region_reuse_pending(r, from, to);
	if (end < to)
		return end - from;
	if (zero)
		os.zero((void *)addr, len);
	keep_in(r, from, to, plan->untouched);
	if (plan->on_trust)
		policy_trust(pages, pages);
	stats_add(STAT_KEPT, len);
	cancelled(addr, len, len);
	return (unsigned)pages;
}

enum engine_reuse engine_reuse(void *start, size_t len, unsigned how)
{
	uint64_t t = stats_hook_begin();
	enum engine_reuse answer = ENGINE_OK;
	struct policy_plan plan;
	unsigned taken;

	if (__builtin_expect(!engine_has_acted(), 0))
		return ENGINE_STRANGERS;
	engine_check_fork();
	plan = policy_plan(len >> os_page_shift);
	taken = reuse_at_once((uintptr_t)start, len, how & ENGINE_ZERO, &plan);
	if (!taken || taken < len >> os_page_shift)
		answer = reuse((uintptr_t)start, len, how, &plan, taken);
	if (answer != ENGINE_BUSY) {
		stats_add(STAT_REUSED, len);
		stats_hook_end(STAT_HOOK_REUSE, t);
	}
	return answer;
}

/* The owner before, who has not given it back to us, is gone all the same. */
static void unkeep(uintptr_t addr, uintptr_t end)
{
	FOR_PARTS(p, addr, end)
	{
		struct region *r = region_known(p.addr);
		unsigned excess, n = r ? region_unkeep(r, p.from, p.to, &excess) : 0;

		if (n)
			policy_unkept(n, excess);
	}
}

void engine_zero(void *start, size_t len)
{
	uintptr_t addr = (uintptr_t)start;
	struct policy_plan p = {0};
	struct runs runs;

	/* Not deferring, it does what jemalloc would: everything is zapped. */
	runs_begin(&runs, addr, len, true);
	if (engine_acts()) {
		engine_check_fork();
		sample_turn();
		unkeep(addr, addr + len);
		p = policy_plan(runs.range);
		if (len <= POLICY_ZERO_BYTES || engine_returns_soon())
			runs.keep_to += bytes(p.keep);
		runs.untouched = p.untouched;
		runs.on_trust = p.on_trust;
		runs.touched_to = addr + len;
	}
	runs_add(&runs, NULL, addr, addr + len);
	runs_finish(&runs);
	/* Where nothing else is taken back nobody else tells. */
	if (p.doubted && p.ask)
		ask(&runs, &p);
}
