// SPDX-License-Identifier: BSD-2-Clause
/* batch - see batch.h. */
#include <stdatomic.h>

#include "batch_internal.h"
#include "node.h"
#include "os.h"

static _Atomic uint64_t limit_bytes;
static _Atomic uint32_t generation;

/*
 * Pending queue of a node, oldest first: a stack of newcomers, and a list in order of age that was made of
 * earlier ones. Each is only pushed to or taken whole; whoever takes one owns its regions until they
 * are dequeued or put back, and a taker that vanishes (fork) takes no lock with it. All regions of a queue
 * have its node: that is set before a region is pushed, and not while it is here.
 */
static struct queue {
	_Atomic(struct region *) newest;
	_Atomic(struct region *) oldest;
	_Atomic(struct region *) refused;
	_Atomic uint64_t zapped, flights; /* counted */
} __attribute__((aligned(128))) queues[NODE_MAX];

#define FOR_QUEUES(q) for (struct queue *q = queues, *q##_end = q + node_count(); q < q##_end; q++)

_Atomic uint64_t batch_refused_bytes;

struct gauge batch_gauge __attribute__((aligned(128)));
_Atomic int64_t batch_in_flight;

static struct queue *queue_of(const struct region *r)
{
	return &queues[atomic_load_explicit(&r->node, memory_order_relaxed)];
}

void batch_init(const struct batch_limits *l)
{
	flight_init(l->may_remap);
	batch_limit(l->bytes);
}

void batch_limit(uint64_t bytes)
{
	atomic_store(&limit_bytes, bytes);
	/* All shards together stay within a sixteenth of the limit. */
	gauge_set_grain(&batch_gauge, (int64_t)(bytes / 16 / STATS_SHARDS));
}

static int64_t slop(void)
{
	return batch_gauge.grain * STATS_SHARDS;
}

uint64_t batch_bytes_near(void)
{
	int64_t n = gauge_near(&batch_gauge) +
		    atomic_load_explicit(&batch_in_flight, memory_order_relaxed);

	return n > 0 ? (uint64_t)n : 0;
}

uint64_t batch_bytes_most(void)
{
	return batch_bytes_near() + (uint64_t)slop();
}

uint64_t batch_bytes_exact(void)
{
	int64_t n = gauge_exact(&batch_gauge) + atomic_load(&batch_in_flight);

	return n > 0 ? (uint64_t)n : 0;
}

bool batch_stuck_by(uint64_t refused, uint64_t more)
{
	return refused + more >= atomic_load_explicit(&limit_bytes, memory_order_relaxed);
}

/* Three eighths at once, so that it is worth a call, but no longer than a flight may be. */
uint64_t batch_flush_piece(uint64_t limit)
{
	return limit / 8 * 3 < BATCH_FLIGHT_BYTES ? limit / 8 * 3 : BATCH_FLIGHT_BYTES;
}

uint64_t batch_in_the_way(uint64_t more)
{
	uint64_t limit = atomic_load_explicit(&limit_bytes, memory_order_relaxed);
	uint64_t most = batch_bytes_most(), stuck, piece;

	if (most + more < limit)
		return 0;
	stuck = atomic_load_explicit(&batch_refused_bytes, memory_order_relaxed);
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
	FOR_QUEUES(q)
	if (atomic_load(&q->newest) || atomic_load(&q->oldest))
		return false;
	return true;
}

static bool push(_Atomic(struct region *) *to, struct region *r)
{
	struct region *head = atomic_load(to);

	do
		atomic_store_explicit(&r->next, head, memory_order_relaxed);
	while (!atomic_compare_exchange_weak(to, &head, r));
	return !head;
}

/* Is it for the caller to push r, which it has pages for? Not if it is queued already. */
static bool to_be_pushed(struct region *r)
{
	/*
	 * The pages first, then the flag; a flusher clears the flag first, then looks at the pages: one of
	 * the two sees the other. Here all are sequentially consistent, that of the pages in region.c; there
	 * a fence stands between the two.
	 */
	return !(atomic_load(&r->flags) & REGION_QUEUED) &&
	       !(atomic_fetch_or(&r->flags, REGION_QUEUED) & REGION_QUEUED);
}

/* True if the queue was empty. */
static bool push_newcomer(struct region *r)
{
	struct queue *q = queue_of(r);

	atomic_store_explicit(&r->stamp, atomic_load_explicit(&generation, memory_order_relaxed),
			      memory_order_relaxed);
	return push(&q->newest, r) && !atomic_load_explicit(&q->oldest, memory_order_relaxed);
}

/* r was taken off a queue: from here on it may be queued again. */
static void dequeued(struct region *r)
{
	atomic_fetch_and(&r->flags, ~(uint32_t)REGION_QUEUED);
	atomic_thread_fence(memory_order_seq_cst);
}

void queue_refused(struct region *r, uint64_t bytes)
{
	atomic_fetch_add(&batch_refused_bytes, bytes);
	if (!(atomic_fetch_or(&r->flags, REGION_QUEUED) & REGION_QUEUED))
		push(&queue_of(r)->refused, r);
}

void queue_count_zapped(unsigned node, uint64_t bytes)
{
	atomic_fetch_add_explicit(&queues[node].zapped, bytes, memory_order_relaxed);
	atomic_fetch_add_explicit(&queues[node].flights, 1, memory_order_relaxed);
}

bool batch_refused(void)
{
	/* Also of a region that was queued already when it was refused: what is counted has to be forgotten. */
	if (atomic_load(&batch_refused_bytes))
		return true;
	FOR_QUEUES(q)
	if (atomic_load(&q->refused))
		return true;
	return false;
}

static struct region *next_of(struct region *r)
{
	return atomic_load_explicit(&r->next, memory_order_relaxed);
}

static void push_all(_Atomic(struct region *) *to, struct region *list)
{
	for (struct region *next; list; list = next) {
		next = next_of(list);
		push(to, list);
	}
}

void batch_retry(void)
{
	struct region *list[NODE_MAX];
	unsigned nodes = node_count();

	/* All are taken before what they hold counts for nothing. */
	for (unsigned n = 0; n < nodes; n++)
		list[n] = atomic_exchange(&queues[n].refused, NULL);
	atomic_store(&batch_refused_bytes, 0);
	for (unsigned n = 0; n < nodes; n++)
		push_all(&queues[n].newest, list[n]);
}

bool batch_pending(struct region *r, unsigned pages)
{
	gauge_add(&batch_gauge, (int64_t)pages << os_page_shift);
	if (!to_be_pushed(r))
		return false;
	if (__builtin_expect(node_count() > 1, 0))
		atomic_store_explicit(&r->node, node_here(), memory_order_relaxed);
	return push_newcomer(r);
}

void batch_cancelled(uint64_t bytes)
{
	gauge_add(&batch_gauge, -(int64_t)bytes);
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

/* The newcomers in order of age, behind `list`. */
static struct region *with_newcomers(struct queue *q, struct region *list)
{
	struct region *r = atomic_exchange(&q->newest, NULL), *turned = NULL, *next, *last = list;

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

/* The oldest: what is known to be, or all. */
static struct region *take_oldest(struct queue *q)
{
	struct region *list = atomic_exchange(&q->oldest, NULL);

	return list ? list : with_newcomers(q, NULL);
}

/* Give back the part of a list that was not used, still in order of age. */
static void put_back(struct queue *q, struct region *list)
{
	struct region *none = NULL;

	/* Somebody else may do the same meanwhile: these count as newcomers, and keep their stamps. */
	if (list && !atomic_compare_exchange_strong(&q->oldest, &none, list))
		push_all(&q->newest, list);
}

/* Flush a list of q's that nobody else has. Returns bytes flushed. */
static uint64_t flush_list(struct queue *q, struct region *list, struct flight *f)
{
	uint64_t before = batch_bytes_exact(), after;

	if (f->enter && list)
		f->enter((unsigned)(q - queues));
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

/* Flush what was queued two generations ago. */
static uint64_t flush_ripe(struct queue *q, uint32_t now, struct flight *f)
{
	struct region *r = with_newcomers(q, atomic_exchange(&q->oldest, NULL)), *next;
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
	put_back(q, atomic_load_explicit(&young, memory_order_relaxed));
	if (!ripe)
		return 0;
	stats_add(STAT_FLUSH_AGE, 1);
	return flush_list(q, ripe, f);
}

uint64_t batch_tick(struct flight *f)
{
	uint32_t now = atomic_fetch_add(&generation, 1) + 1;
	uint64_t n = 0;

	FOR_QUEUES(q)
	n += flush_ripe(q, now, f);
	return n;
}

uint64_t batch_flush_all(enum stat why, struct flight *f)
{
	uint64_t n = 0;

	stats_add(why, 1);
	FOR_QUEUES(q)
	n += flush_list(q, with_newcomers(q, atomic_exchange(&q->oldest, NULL)), f);
	return n;
}

/* Flush the oldest of a queue, until about `least` bytes are flushed; how much they were to be is added to
 * *found. */
static uint64_t flush_oldest(struct queue *q, uint64_t least, uint64_t *found, struct flight *f)
{
	struct region *list = take_oldest(q), *r, *last = NULL;

	for (r = list; r && *found < least; r = next_of(r)) {
		*found += (uint64_t)region_count_pending(r, 0, region_pages()) << os_page_shift;
		last = r;
	}
	if (!last) {
		put_back(q, list);
		return 0;
	}
	atomic_store_explicit(&last->next, NULL, memory_order_relaxed);
	put_back(q, r);
	return flush_list(q, list, f);
}

uint64_t batch_flush_some(uint64_t least, enum stat why, struct flight *f)
{
	unsigned nodes = node_count(), own = node_here();
	uint64_t n = 0, found = 0;

	if (!least || batch_idle())
		return 0;
	stats_add(why, 1);
	/* The caller's first: its processor is near their pages. */
	for (unsigned i = 0; i < nodes && found < least; i++)
		n += flush_oldest(&queues[(own + i) % nodes], least, &found, f);
	return n;
}

void batch_fill(struct flight *f)
{
	/* Of the node that is on board already: so it stays one call. */
	struct queue *q = &queues[f->n ? f->node : node_here()];
	struct region *list = take_oldest(q), *next;
	/* A region may have many pieces: some room is left for those of the last. */
	unsigned most = f->cap - f->cap / 4, issued = f->issued;

	for (; list && f->n < most && f->asks < most && f->bytes < BATCH_FLIGHT_BYTES &&
	       f->issued == issued;
	     list = next) {
		next = next_of(list);
		dequeued(list);
		batch_flush_region(list, f);
	}
	put_back(q, list);
	batch_issue(f);
}

static void add_pending(struct region *r, void *arg)
{
	uint64_t *bytes = arg;

	/* Nothing is pending that is not queued, but for a moment. */
	if (atomic_load(&r->flags) & REGION_QUEUED)
		bytes[atomic_load(&r->node)] += (uint64_t)region_count_pending(r, 0, region_pages())
						<< os_page_shift;
}

unsigned batch_nodes(struct batch_node out[NODE_MAX])
{
	unsigned nodes = node_count();
	uint64_t bytes[NODE_MAX] = {0};

	if (nodes == 1)
		bytes[0] = batch_bytes_exact();
	else
		region_each(add_pending, bytes);
	for (unsigned n = 0; n < nodes; n++)
		out[n] = (struct batch_node){
			.pending_bytes = bytes[n],
			.zapped_bytes = atomic_load(&queues[n].zapped),
			.flushes = atomic_load(&queues[n].flights),
		};
	return nodes;
}

static void requeue(struct region *r, void *arg)
{
	int64_t *bytes = arg;
	unsigned n = region_after_fork(r);

	if (!n)
		return;
	*bytes += (int64_t)n << os_page_shift;
	if (to_be_pushed(r))
		(void)push_newcomer(r);
}

void batch_after_fork(void)
{
	int64_t bytes = 0;

	FOR_QUEUES(q)
	{
		atomic_store(&q->newest, NULL);
		atomic_store(&q->oldest, NULL);
		atomic_store(&q->refused, NULL);
		atomic_store(&q->zapped, 0);
		atomic_store(&q->flights, 0);
	}
	atomic_store(&batch_refused_bytes, 0);
	atomic_store(&batch_in_flight, 0);
	flight_after_fork();
	region_each(requeue, &bytes);
	gauge_set(&batch_gauge, bytes);
}
