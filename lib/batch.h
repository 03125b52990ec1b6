/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * batch - what is pending, when it is flushed, what is in flight.
 *
 * A region with pending pages is queued once, stamped with the current generation. The worker opens
 * a new generation every half of batch_ms and flushes what was queued two generations ago, so no
 * page is pending for longer than batch_ms and no hook reads a clock. Where much is pending, the
 * thread that releases more flushes the oldest, a few MiB at a time: on its own CPU, where the pages
 * are warm and no other has to be interrupted. Flushing takes regions in address order, claims their
 * pages, and hands neighbours as one range to the backend. Each NUMA node has a queue of its own (node).
 *
 * All functions are safe in any thread, allocate nothing and take no lock.
 */
#ifndef PTR_BATCH_H
#define PTR_BATCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backend.h"
#include "node.h"
#include "region.h"
#include "stats.h"

struct batch_limits {
	uint64_t bytes; /* most bytes pending or in flight */
	bool may_remap; /* whole regions of our own may be mapped anew */
};

void batch_init(const struct batch_limits *l);
/* How much is flushed at once where so much may be pending. */
uint64_t batch_flush_piece(uint64_t limit);
/* Another limit from now on; what is pending beyond it is overdue. */
void batch_limit(uint64_t bytes);

/*
 * A flush in the making: ranges that are in flight until it is issued. The caller owns the memory;
 * FLIGHT_SMALL fits on any thread's stack.
 */
#define FLIGHT_SMALL 64
struct flight {
	unsigned n, cap;
	size_t bytes;
	size_t pending; /* of these, what was pending; the others were empty already */
	struct iovec *vec;
	uint8_t *flag;
	unsigned asks; /* ranges of regions to be passed to MADV_PT_RECLAIM afterwards */
	size_t asked;  /* their bytes */
	struct iovec *ask;
	unsigned failed; /* ranges that were refused */
	unsigned issued; /* how often it was */
	unsigned node;	 /* of what it holds */
	enum backend_for whom;
	/* NULL, or to be called before the queue of a node is flushed: the worker moves there. */
	void (*enter)(unsigned node);
};

#define FLIGHT_ON_STACK(f, size)                                                                   \
	struct iovec f##_vec[size], f##_ask[size];                                                 \
	uint8_t f##_flag[size];                                                                    \
	struct flight f = {.cap = (size), .vec = f##_vec, .flag = f##_flag, .ask = f##_ask}

/* Most bytes in one flight: what bounds the wait of somebody who wants one of its pages back. */
#define BATCH_FLIGHT_BYTES ((size_t)16 << 20)

/* Most bytes asked about at once: the kernel cuts a vector off at 2 GiB. */
#define BATCH_ASK_BYTES ((size_t)1 << 30)

/* Pages of r became pending: queue it. Returns true if the queue was empty. */
bool batch_pending(struct region *r, unsigned pages);

/* Pages left pending by being taken back. */
void batch_cancelled(uint64_t bytes);

/* Flush what one region has pending, now. */
void batch_flush_region(struct region *r, struct flight *f);
/* Issue what f holds. */
void batch_issue(struct flight *f);

/* Flush the queue: everything. `why` is counted. Returns bytes flushed. */
uint64_t batch_flush_all(enum stat why, struct flight *f);
/* Flush the oldest regions, those of the caller's node before others, until about `least` bytes are flushed. */
uint64_t batch_flush_some(uint64_t least, enum stat why, struct flight *f);
/* Fill f with the oldest regions of its node, or of the caller's, and issue it: one flight, not more. Like batch_flush_some it may find
 * the queue taken, or take it from under others for the time: kick the worker afterwards. */
void batch_fill(struct flight *f);
/* Open a generation and flush what was queued two ago. */
uint64_t batch_tick(struct flight *f);

/* Nothing queued? */
bool batch_idle(void);

/* Regions whose zap the kernel refused wait apart: is there any, and put them back on the queue. */
bool batch_refused(void);
void batch_retry(void);

/* By node, as far as there are several. Pending is looked up in every record. Returns node_count(). */
struct batch_node {
	uint64_t pending_bytes;
	uint64_t zapped_bytes; /* by flushes */
	uint64_t flushes;      /* how many flights that were */
};
unsigned batch_nodes(struct batch_node out[NODE_MAX]);

/* Bytes pending or in flight: near and most (a load or two, for hooks), exact (for reports). */
uint64_t batch_bytes_near(void);
uint64_t batch_bytes_most(void); /* not less than there are */
uint64_t batch_bytes_exact(void);
/*
 * How much should be flushed before `more` bytes become pending, so that the limit is not reached? 0:
 * nothing. BATCH_NO_ROOM: there is no room for so much.
 */
#define BATCH_NO_ROOM UINT64_MAX
uint64_t batch_in_the_way(uint64_t more);

/* About what waits because the kernel refused it, on all nodes. */
extern _Atomic uint64_t batch_refused_bytes __attribute__((visibility("hidden")));
bool batch_stuck_by(uint64_t refused, uint64_t more);
/* Is as much as may be pending already stuck there, because the kernel refuses to zap it? */
static inline bool batch_stuck(uint64_t more)
{
	uint64_t refused = atomic_load_explicit(&batch_refused_bytes, memory_order_relaxed);

	return __builtin_expect(refused != 0, 0) && batch_stuck_by(refused, more);
}

/* Wait until page of r is out of flight, at most until *deadline (0: set on the first wait). False
 * if the time is up. */
#define BATCH_WAIT_NS (20u * 1000 * 1000)
bool batch_wait(struct region *r, unsigned page, uint64_t *deadline);

/* Put r among those that the kernel is asked about when f is issued, which it may be now. */
void batch_ask(struct region *r, struct flight *f);

/* The child after fork, alone: rebuild queue and gauges from the records. */
void batch_after_fork(void);

#endif
