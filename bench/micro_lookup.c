// SPDX-License-Identifier: BSD-2-Clause
/*
 * micro_lookup - from an address to the record of its region: one that is in the cache, one of so many that
 * it is not, and none.
 */
#include <stddef.h>
#include <stdint.h>

#include "drive.h"
#include "gbench.h"
#include "micro.h"
#include "region.h"

/* Nothing is mapped there, and nobody looks: records are of addresses. */
#define PLACE ((uintptr_t)1 << 45)
#define FEW   32
#define MANY  65536 /* a few hundred bytes each: more than caches hold */

static void make(size_t regions)
{
	for (size_t i = 0; i < regions; i++)
		if (!region_get(PLACE + i * os_region_size))
			drive_die("no memory for records");
}

static void look(struct gb_state *s, uintptr_t place, uint64_t among, bool there)
{
	uint64_t x = 1;

	while (gb_next(s)) {
		/* Knuth's generator: a place that no prefetcher guesses. */
		x = x * UINT64_C(6364136223846793005) + 1;

		struct region *r = region_find(place + (x >> 40) % among * os_region_size);

		/* Reading a word of it is what a lookup is for. */
		if ((r &&
		     atomic_load_explicit(&r->word[0], memory_order_relaxed) == ~UINT64_C(1)) ||
		    !r == there)
			gb_fail(s, "not what was put there");
	}
	gb_items(s, 1);
}

static void run_hit(struct gb_state *s)
{
	make(FEW);
	look(s, PLACE, FEW, true);
}

static void run_cold(struct gb_state *s)
{
	make(MANY);
	look(s, PLACE, MANY, true);
}

/* A slot, but no record in it. */
static void run_miss(struct gb_state *s)
{
	make(MANY);
	look(s, PLACE + MANY * os_region_size, FEW, false);
}

/* Not even a node of the tree. */
static void run_nowhere(struct gb_state *s)
{
	look(s, PLACE / 2, FEW, false);
}

void micro_lookup(void)
{
	(void)gb_add("lookup/hit", run_hit);
	(void)gb_add("lookup/cold", run_cold);
	(void)gb_add("lookup/miss", run_miss);
	(void)gb_add("lookup/nowhere", run_nowhere);
}
