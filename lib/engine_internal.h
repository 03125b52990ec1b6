/* SPDX-License-Identifier: BSD-2-Clause */
/* engine_internal - what the files of the engine share; nobody else includes it. */
#ifndef PTR_ENGINE_INTERNAL_H
#define PTR_ENGINE_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine.h"
#include "region.h"

enum alive { ALIVE_NEEDS_FIX, ALIVE_YES, ALIVE_FIXING };

struct engine {
	_Atomic uint64_t batch_bytes;
	_Atomic uint64_t keep_bytes;
	enum conf_mode mode;
	_Atomic bool paused;	 /* the kill file exists */
	_Atomic bool pressure;	 /* memory is short */
	_Atomic uint32_t *alive; /* enum alive, in memory that fork wipes; NULL if there is none */
};

extern struct engine engine;

static inline void engine_check_fork(void)
{
	if (engine.alive &&
	    __builtin_expect(atomic_load_explicit(engine.alive, memory_order_acquire) != ALIVE_YES,
			     0))
		engine_after_fork();
}

/* in use -> pending, and onto the queue. True if that had been empty. */
bool engine_make_pending(uintptr_t addr, uintptr_t end);

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
