// SPDX-License-Identifier: BSD-2-Clause
/* batch - see batch.h. */
#include "batch.h"

#include <stdatomic.h>

#include "gauge.h"
#include "os.h"
#include "probes.h"

static struct {
	_Atomic uint64_t bytes;
	bool may_remap;
} limits;

/*
 * Pending queue, oldest first: a stack of newcomers, and a list in order of age that was made of
 * earlier ones. Each is only pushed to or taken whole; whoever takes one owns its regions until they
 * are dequeued or put back, and a taker that vanishes (fork) takes no lock with it.
 */
static _Atomic(struct region *) newest __attribute__((aligned(128)));
static _Atomic(struct region *) oldest;
static _Atomic(struct region *) refused_queue;
static _Atomic uint64_t refused_bytes; /* about what waits there */
static _Atomic uint32_t generation;

static struct gauge pending __attribute__((aligned(128)));
static _Atomic int64_t in_flight;

/* For those who wait for a flight to land: bumped after each. */
static _Atomic uint32_t landed;
static _Atomic uint32_t waiting;

void batch_init(const struct batch_limits *l)
{
	limits.may_remap = l->may_remap;
	batch_limit(l->bytes);
}

void batch_limit(uint64_t bytes)
{
	atomic_store(&limits.bytes, bytes);
	/* All shards together stay within a sixteenth of the limit. */
	gauge_set_grain(&pending, (int64_t)(bytes / 16 / STATS_SHARDS));
}

static int64_t slop(void)
{
	return pending.grain * STATS_SHARDS;
}

uint64_t batch_bytes_near(void)
{
	int64_t n = gauge_near(&pending) + atomic_load_explicit(&in_flight, memory_order_relaxed);

	return n > 0 ? (uint64_t)n : 0;
}

uint64_t batch_bytes_most(void)
{
	return batch_bytes_near() + (uint64_t)slop();
}

uint64_t batch_bytes_exact(void)
{
	int64_t n = gauge_exact(&pending) + atomic_load(&in_flight);

	return n > 0 ? (uint64_t)n : 0;
}

bool batch_stuck(uint64_t more)
{
	uint64_t stuck = atomic_load_explicit(&refused_bytes, memory_order_relaxed);

	return stuck && stuck + more >= atomic_load_explicit(&limits.bytes, memory_order_relaxed);
}

/* Three eighths at once, so that it is worth a call, but no longer than a flight may be. */
uint64_t batch_flush_piece(uint64_t limit)
{
	return limit / 8 * 3 < BATCH_FLIGHT_BYTES ? limit / 8 * 3 : BATCH_FLIGHT_BYTES;
}

uint64_t batch_in_the_way(uint64_t more)
{
	uint64_t limit = atomic_load_explicit(&limits.bytes, memory_order_relaxed);
	uint64_t stuck = atomic_load_explicit(&refused_bytes, memory_order_relaxed);
	uint64_t most = batch_bytes_most(), piece;

	if (most + more < limit)
		return 0;
	/* What is refused stays; and nothing is flushed in vain for what has no place in the end. */
	if (more > limit / 2 || stuck + more >= limit)
		return BATCH_NO_ROOM;
	piece = batch_flush_piece(limit) + most + more - limit;
	/* Allocators hold their locks while they release: also where the limit has fallen. */
	if (piece > BATCH_FLIGHT_BYTES)
		piece = 2 * more > BATCH_FLIGHT_BYTES ? 2 * more : BATCH_FLIGHT_BYTES;
	return piece;
}

bool batch_idle(void)
{
	return !atomic_load(&newest) && !atomic_load(&oldest);
}

static bool push(_Atomic(struct region *) *to, struct region *r)
{
	struct region *head = atomic_load(to);

	do
		atomic_store_explicit(&r->next, head, memory_order_relaxed);
	while (!atomic_compare_exchange_weak(to, &head, r));
	return !head;
}

/* Push r unless it is queued already. True if the queue was empty. */
static bool enqueue(struct region *r, uint32_t stamp)
{
	/* The pages first, then the flag; a flusher clears the flag first, then looks at the pages:
	 * one of the two sees the other. */
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load(&r->flags) & REGION_QUEUED ||
	    atomic_fetch_or(&r->flags, REGION_QUEUED) & REGION_QUEUED)
		return false;
	atomic_store_explicit(&r->stamp, stamp, memory_order_relaxed);
	return push(&newest, r) && !atomic_load_explicit(&oldest, memory_order_relaxed);
}

/* r was taken off a queue: from here on it may be queued again. */
static void dequeued(struct region *r)
{
	atomic_fetch_and(&r->flags, ~(uint32_t)REGION_QUEUED);
	atomic_thread_fence(memory_order_seq_cst);
}

bool batch_refused(void)
{
	return atomic_load(&refused_queue) != NULL;
}

void batch_retry(void)
{
	struct region *r = atomic_exchange(&refused_queue, NULL), *next;

	atomic_store(&refused_bytes, 0);

	for (; r; r = next) {
		next = atomic_load_explicit(&r->next, memory_order_relaxed);
		push(&newest, r);
	}
}

bool batch_pending(struct region *r, unsigned pages)
{
	gauge_add(&pending, (int64_t)pages << os_page_shift);
	return enqueue(r, atomic_load_explicit(&generation, memory_order_relaxed));
}

void batch_cancelled(uint64_t bytes)
{
	gauge_add(&pending, -(int64_t)bytes);
}

static struct region *next_of(struct region *r)
{
	return atomic_load_explicit(&r->next, memory_order_relaxed);
}

/* Merge sort of a list by address: flights then come in order and neighbours meet. */
static struct region *sorted(struct region *list)
{
	struct region *half = list, *fast, *rest, *head = NULL;
	_Atomic(struct region *) anchor = NULL, *tail = &anchor;

	if (!list || !next_of(list))
		return list;
	for (fast = next_of(list); fast && next_of(fast); fast = next_of(next_of(fast)))
		half = next_of(half);
	rest = next_of(half);
	atomic_store_explicit(&half->next, NULL, memory_order_relaxed);
	list = sorted(list);
	rest = sorted(rest);
	while (list && rest) {
		struct region **least = list->base < rest->base ? &list : &rest;
		struct region *r = *least;

		*least = next_of(r);
		atomic_store_explicit(tail, r, memory_order_relaxed);
		tail = &r->next;
	}
	atomic_store_explicit(tail, list ? list : rest, memory_order_relaxed);
	head = atomic_load_explicit(&anchor, memory_order_relaxed);
	return head;
}

/* Put the pages of a range where they belong after their zap. */
static void settle(const struct iovec *v, bool ok)
{
	uintptr_t a = (uintptr_t)v->iov_base, end = a + v->iov_len;

	while (a < end) {
		struct region *r = region_find(a);
		uintptr_t stop = region_base(a) + os_region_size;

		if (stop > end)
			stop = end;
		region_settle(r, region_page(a), region_page(stop - 1) + 1, ok);
		if (!ok) {
			gauge_add(&pending, (int64_t)(stop - a));
			atomic_fetch_add(&refused_bytes, stop - a);
			if (!(atomic_fetch_or(&r->flags, REGION_QUEUED) & REGION_QUEUED))
				push(&refused_queue, r);
		}
		a = stop;
	}
}

/* Tell those who wait that pages have left flight. */
static void land(void)
{
	atomic_fetch_add(&landed, 1);
	if (atomic_load(&waiting)) {
		stats_add(STAT_SYS_FUTEX, 1);
		os.futex_wake(&landed, INT32_MAX);
	}
}

void batch_issue(struct flight *f)
{
	if (f->n) {
		unsigned failed = backend_zap(f->vec, f->flag, f->n, f->whom);
		size_t refused = 0;

		for (unsigned i = 0; i < f->n; i++) {
			bool ok = !(f->flag[i] & BACKEND_FAILED);

			settle(&f->vec[i], ok);
			if (!ok)
				refused += f->vec[i].iov_len;
		}
		PROBE_FLUSH(f->bytes, f->n, failed);
		stats_add(STAT_FAILED, refused);
		/* What had been empty of a region that was refused whole counts as if it had not. */
		if (f->pending > refused)
			stats_add(STAT_ZAPPED, f->pending - refused);
		f->failed += failed;
		f->issued++;
		atomic_fetch_sub(&in_flight, (int64_t)f->bytes);
		land();
	}
	/* The pages are free to be used: asking destroys nothing. */
	if (f->asks)
		backend_ask(f->ask, f->asks);
	f->n = 0;
	f->asks = 0;
	f->asked = 0;
	f->bytes = 0;
	f->pending = 0;
}

static void add_range(struct flight *f, uintptr_t addr, size_t len, uint8_t flag)
{
	unsigned last = f->n - 1;

	if (f->n && f->flag[last] == flag &&
	    (uintptr_t)f->vec[last].iov_base + f->vec[last].iov_len == addr) {
		f->vec[last].iov_len += len;
	} else {
		f->vec[f->n] = (struct iovec){.iov_base = (void *)addr, .iov_len = len};
		f->flag[f->n] = flag;
		f->n++;
	}
	f->bytes += len;
	atomic_fetch_add(&in_flight, (int64_t)len);
}

static bool asked_enough(const struct flight *f)
{
	return f->asks == f->cap || f->asked >= BATCH_ASK_BYTES;
}

static void ask_later(struct flight *f, const struct region *r)
{
	struct iovec *last;

	if (!backend_asks())
		return;
	f->asked += os_region_size;
	/* The kernel looks a VMA up for each range: let neighbours share one. */
	if (f->asks) {
		last = &f->ask[f->asks - 1];
		if ((uintptr_t)last->iov_base + last->iov_len == r->base) {
			last->iov_len += os_region_size;
			return;
		}
		if (r->base + os_region_size == (uintptr_t)last->iov_base) {
			last->iov_base = (void *)r->base;
			last->iov_len += os_region_size;
			return;
		}
	}
	f->ask[f->asks++] = (struct iovec){.iov_base = (void *)r->base, .iov_len = os_region_size};
}

void batch_ask(struct region *r, struct flight *f)
{
	ask_later(f, r);
	if (asked_enough(f))
		batch_issue(f);
}

static bool remappable(const struct region *r)
{
	return limits.may_remap && backend_kind() == CONF_BACKEND_REMAP &&
	       atomic_load(&r->ours) == region_pages();
}

/* Not inlined into the loop of a caller: its set is on the stack. */
__attribute__((noinline)) void batch_flush_region(struct region *r, struct flight *f)
{
	unsigned n, a, b = 0;
	REGION_SET(set);

	switch (region_claim(r, set, &n)) {
	case REGION_NOTHING:
		/* It may have had empty pages in flight for a moment. */
		land();
		return;
	case REGION_WHOLE:
		add_range(f, r->base, os_region_size, remappable(r) ? BACKEND_REMAP : 0);
		f->pending += (size_t)n << os_page_shift;
		stats_add(STAT_REGIONS_FREED, 1);
		PROBE_REGION_FREED(r->base);
		if (backend_kind() != CONF_BACKEND_NONE && atomic_load(&r->flags) & REGION_ZAPPED)
			atomic_fetch_and(&r->flags, ~(uint32_t)REGION_ZAPPED);
		ask_later(f, r);
		break;
	case REGION_PIECES:
		/* What is in `set` is in flight from here on, also while earlier runs are issued. */
		while (region_set_run(set, b, &a, &b)) {
			if (f->n == f->cap)
				batch_issue(f);
			add_range(f, region_addr(r, a), (size_t)(b - a) << os_page_shift, 0);
			f->pending += (size_t)(b - a) << os_page_shift;
		}
		stats_add(STAT_REGIONS_PARTIAL, 1);
		if (backend_asks())
			stats_add(STAT_REGIONS_ASKED, 1);
		ask_later(f, r);
		break;
	}
	gauge_add(&pending, -((int64_t)n << os_page_shift));
	if (f->n == f->cap || asked_enough(f) || f->bytes >= BATCH_FLIGHT_BYTES)
		batch_issue(f);
}

/* The newcomers in order of age, behind `list`. */
static struct region *with_newcomers(struct region *list)
{
	struct region *r = atomic_exchange(&newest, NULL), *turned = NULL, *next, *last = list;

	for (; r; r = next) {
		next = next_of(r);
		atomic_store_explicit(&r->next, turned, memory_order_relaxed);
		turned = r;
	}
	if (!list)
		return turned;
	while (next_of(last))
		last = next_of(last);
	atomic_store_explicit(&last->next, turned, memory_order_relaxed);
	return list;
}

/* Give back the part of a list that was not used, still in order of age. */
static void put_back(struct region *list)
{
	struct region *none = NULL, *next;

	if (!list || atomic_compare_exchange_strong(&oldest, &none, list))
		return;
	/* Somebody else did the same meanwhile: these count as newcomers, and keep their stamps. */
	for (; list; list = next) {
		next = next_of(list);
		push(&newest, list);
	}
}

/* Flush a list that nobody else has. Returns bytes flushed. */
static uint64_t flush_list(struct region *list, struct flight *f)
{
	uint64_t before = batch_bytes_exact(), after;

	for (struct region *r = sorted(list), *next; r; r = next) {
		next = next_of(r);
		/* Off the queue before the claim: a page released after it queues r again. */
		dequeued(r);
		batch_flush_region(r, f);
	}
	batch_issue(f);
	after = batch_bytes_exact();
	return before > after ? before - after : 0;
}

uint64_t batch_tick(struct flight *f)
{
	uint32_t now = atomic_fetch_add(&generation, 1) + 1;
	struct region *r = with_newcomers(atomic_exchange(&oldest, NULL)), *next;
	_Atomic(struct region *) ripe = NULL, young = NULL, *ripe_end = &ripe, *young_end = &young;

	/* All are looked at: those that had to be put back one by one are out of order. */
	for (; r; r = next) {
		uint32_t stamp = atomic_load_explicit(&r->stamp, memory_order_relaxed);
		_Atomic(struct region *) **end =
			(int32_t)(now - stamp) >= 2 ? &ripe_end : &young_end;

		next = next_of(r);
		atomic_store_explicit(*end, r, memory_order_relaxed);
		*end = &r->next;
	}
	atomic_store_explicit(ripe_end, NULL, memory_order_relaxed);
	atomic_store_explicit(young_end, NULL, memory_order_relaxed);
	put_back(atomic_load_explicit(&young, memory_order_relaxed));
	if (!ripe)
		return 0;
	stats_add(STAT_FLUSH_AGE, 1);
	return flush_list(ripe, f);
}

uint64_t batch_flush_all(enum stat why, struct flight *f)
{
	stats_add(why, 1);
	return flush_list(with_newcomers(atomic_exchange(&oldest, NULL)), f);
}

uint64_t batch_flush_some(uint64_t least, enum stat why, struct flight *f)
{
	struct region *list = atomic_exchange(&oldest, NULL), *r, *last = NULL;
	uint64_t n = 0;

	if (!list)
		list = with_newcomers(NULL);
	for (r = list; r && n < least; r = next_of(r)) {
		n += (uint64_t)region_count_pending(r, 0, region_pages()) << os_page_shift;
		last = r;
	}
	if (!last) {
		put_back(list);
		return 0;
	}
	atomic_store_explicit(&last->next, NULL, memory_order_relaxed);
	put_back(r);
	stats_add(why, 1);
	return flush_list(list, f);
}

void batch_fill(struct flight *f)
{
	struct region *list = atomic_exchange(&oldest, NULL), *next;
	/* A region may have many pieces: some room is left for those of the last. */
	unsigned most = f->cap - f->cap / 4, issued = f->issued;

	if (!list)
		list = with_newcomers(NULL);
	for (; list && f->n < most && f->asks < most && f->bytes < BATCH_FLIGHT_BYTES &&
	       f->issued == issued;
	     list = next) {
		next = next_of(list);
		dequeued(list);
		batch_flush_region(list, f);
	}
	put_back(list);
	batch_issue(f);
}

bool batch_wait(struct region *r, unsigned page, uint64_t *deadline)
{
	bool left = false;

	atomic_fetch_add(&waiting, 1);
	for (;;) {
		uint32_t seen = atomic_load(&landed);

		if (region_first_flight(r, page, page + 1) != page) {
			left = true;
			break;
		}
		uint64_t now = os.clock_ns();

		if (!*deadline)
			*deadline = now + BATCH_WAIT_NS;
		if (now >= *deadline)
			break;
		stats_add(STAT_SYS_FUTEX, 1);
		os.futex_wait(&landed, seen, *deadline - now);
	}
	atomic_fetch_sub(&waiting, 1);
	return left;
}

static void requeue(struct region *r, void *arg)
{
	int64_t *bytes = arg;
	unsigned n = region_after_fork(r);

	if (!n)
		return;
	*bytes += (int64_t)n << os_page_shift;
	enqueue(r, atomic_load(&generation));
}

void batch_after_fork(void)
{
	int64_t bytes = 0;

	atomic_store(&newest, NULL);
	atomic_store(&oldest, NULL);
	atomic_store(&refused_queue, NULL);
	atomic_store(&refused_bytes, 0);
	atomic_store(&in_flight, 0);
	atomic_store(&waiting, 0);
	region_each(requeue, &bytes);
	gauge_set(&pending, bytes);
}
