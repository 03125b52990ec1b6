/* SPDX-License-Identifier: BSD-2-Clause */
/* engine_internal - what the files of the engine share; nobody else includes it. */
#ifndef PTR_ENGINE_INTERNAL_H
#define PTR_ENGINE_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine.h"
#include "region.h"

enum alive { ALIVE_NEEDS_FIX, ALIVE_YES, ALIVE_FIXING };

struct engine {
	_Atomic uint64_t batch_bytes;
	_Atomic uint64_t keep_bytes;
	_Atomic uint32_t mode;	 /* enum conf_mode */
	_Atomic uint32_t pauses; /* how often it stopped acting */
	_Atomic bool started;
	_Atomic bool acts;     /* mode is on and nothing is paused: it defers and reclaims */
	_Atomic bool accounts; /* it has acted once: what it was told of pages has to stay right */
	_Atomic bool paused;   /* the kill file exists */
	_Atomic bool pressure; /* memory is short */
	_Atomic bool returns_soon; /* what is released comes back soon: engine_expect_returns() */
	_Atomic uint32_t *alive; /* enum alive, in memory that fork wipes; NULL if there is none */
};

extern struct engine engine __attribute__((visibility("hidden")));

static inline void engine_check_fork(void)
{
	if (engine.alive &&
	    __builtin_expect(atomic_load_explicit(engine.alive, memory_order_acquire) != ALIVE_YES,
			     0))
		engine_after_fork();
}

static inline bool engine_acts(void)
{
	return atomic_load_explicit(&engine.acts, memory_order_relaxed);
}

static inline bool engine_returns_soon(void)
{
	return atomic_load_explicit(&engine.returns_soon, memory_order_relaxed);
}

static inline bool engine_has_acted(void)
{
	return atomic_load_explicit(&engine.accounts, memory_order_relaxed);
}

/* Work acts out anew, from the mode and the kill switch. */
void engine_decide(void);
/* A release while it does not act. */
bool engine_release_idle(uintptr_t addr, uintptr_t end);
/* A zap was noted for later, when it acts: does it by now? */
void engine_noted_idle(uintptr_t addr, uintptr_t end);
/* A release is left to the allocator: counts that, and returns false. */
bool engine_decline(size_t len);
/* Has every region of the range a record? What may fail comes first, so that a release is taken whole
 * or not at all. */
bool engine_have_records(uintptr_t addr, uintptr_t end);

/* in use -> pending, and onto the queue. True if that had been empty. */
bool engine_make_pending(uintptr_t addr, uintptr_t end);

/* Samples: engine_sample.c. */

/* A range is being released: learn from it, if so little of it was kept that it tells. All of it lies in `only`, if
 * that is not NULL. */
void sample_release(const struct region *only, uintptr_t addr, size_t pages);
/* A range is taken of which nothing is there: learn from it in a while. */
void sample_watch(uintptr_t addr, size_t pages);
/* [from, to) is to be populated, or to stay, but for the page that is returned: if its owner touches that, it was worth
 * it for so many pages. 0: none can be looked at. */
uintptr_t sample_watch_one(uintptr_t from, uintptr_t to, size_t range, size_t populated);
/* That page tells for so many more of the same owner. */
void sample_watch_for(uintptr_t page, size_t more);
/* It is the turn of those that are watched. Once for each reuse that is not done at once. */
void sample_turn(void);
/* None is watched. One thread. */
void sample_reset(void);

/* One region's share of a range. */
struct part {
	uintptr_t addr, end;
	unsigned from, to; /* pages */
};

static inline bool part_next(struct part *p, uintptr_t end)
{
	p->addr = p->end;
	if (p->addr >= end)
		return false;
	p->end = region_base(p->addr) + os_region_size;
	if (p->end > end)
		p->end = end;
	p->from = region_page(p->addr);
	p->to = region_page(p->end - 1) + 1;
	return true;
}

#define FOR_PARTS(p, start, stop)                                                                  \
	for (struct part p = {.end = (uintptr_t)(start)}; part_next(&p, (uintptr_t)(stop));)

static inline uint64_t bytes(uint64_t pages)
{
	return pages << os_page_shift;
}

#endif
