// SPDX-License-Identifier: BSD-2-Clause
/* arenas - what hammer does by jemalloc's own interface: arenas, extent hooks. See hammer.h. */
#include <jemalloc/jemalloc.h>
#include <stdatomic.h>
#include <stdio.h>

#include "hammer.h"

#define HELD 24

static _Atomic unsigned long calls;

/* One set of hooks for each set that was there: chaining has to know whom it stands before. */
#define SETS 8
static struct own {
	extent_hooks_t hooks;
	extent_hooks_t *before;
} sets[SETS];
static unsigned nsets;

static void *own_alloc(extent_hooks_t *h, void *new_addr, size_t size, size_t alignment, bool *zero,
		       bool *commit, unsigned arena)
{
	struct own *o = (struct own *)h;

	atomic_fetch_add(&calls, 1);
	return o->before->alloc(o->before, new_addr, size, alignment, zero, commit, arena);
}

/* As folly does it: a copy of what is there, with one function in another's place. */
static extent_hooks_t *own_hooks(extent_hooks_t *before)
{
	for (unsigned i = 0; i < nsets; i++)
		if (sets[i].before == before)
			return &sets[i].hooks;
	check(nsets < SETS, "few sets of hooks");
	sets[nsets].hooks = *before;
	sets[nsets].hooks.alloc = own_alloc;
	sets[nsets].before = before;
	return &sets[nsets++].hooks;
}

unsigned char *resize_zero(const struct block *b, size_t size)
{
	size_t old = sallocx(b->p, 0);
	unsigned char *p = rallocx(b->p, size, MALLOCX_ZERO);

	if (p && size > old)
		zero_check(p + old, size - old, "rallocx");
	return p;
}

unsigned arena_count(void)
{
	unsigned n = 1;
	size_t len = sizeof(n);

	check(!mallctl("arenas.narenas", &n, &len, NULL, 0), "arenas.narenas");
	return n;
}

unsigned long hooks_called(void)
{
	return atomic_load(&calls);
}

static void put_hooks(unsigned arena)
{
	extent_hooks_t *before = NULL, *ours, *seen = NULL;
	size_t len = sizeof(void *);
	char name[64];

	(void)snprintf(name, sizeof(name), "arena.%u.extent_hooks", arena);
	if (mallctl(name, &before, &len, NULL, 0))
		return;
	/* Its own already, from an earlier call. */
	for (unsigned i = 0; i < nsets; i++)
		if (before == &sets[i].hooks)
			return;
	ours = own_hooks(before);
	check(!mallctl(name, NULL, NULL, &ours, sizeof(void *)), "writing extent_hooks");
	len = sizeof(void *);
	check(!mallctl(name, &seen, &len, NULL, 0) && seen == ours,
	      "reading back the hooks that were written");
}

void hooks_install(void)
{
	unsigned n = arena_count();

	for (unsigned i = 0; i < n; i++)
		put_hooks(i);
}

static void use(unsigned arena, uint64_t *state, bool drop)
{
	int flags = MALLOCX_ARENA(arena) | MALLOCX_TCACHE_NONE;
	struct block held[HELD] = {{0}};

	for (unsigned i = 0; i < 4 * HELD; i++) {
		struct block *b = &held[next_random(state) % HELD];
		bool zero = next_random(state) >> 40 & 1;

		if (b->p) {
			block_check(b, b->size, "in an arena");
			dallocx(b->p, flags);
		}
		b->size = random_size(state, opts.max);
		b->seed = next_random(state) >> 3;
		b->p = mallocx(b->size, flags | (zero ? MALLOCX_ZERO : 0));
		if (!b->p) {
			check(opts.may_fail, "out of memory in an arena");
			continue;
		}
		if (zero)
			zero_check(b->p, b->size, "mallocx with MALLOCX_ZERO");
		block_fill(b);
	}
	for (unsigned i = 0; i < HELD; i++) {
		if (!held[i].p)
			continue;
		block_check(&held[i], held[i].size, "in an arena, at the end");
		if (drop)
			dallocx(held[i].p, flags);
	}
}

static void act(unsigned arena, const char *what)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "arena.%u.%s", arena, what);
	check(!mallctl(name, NULL, NULL, NULL, 0), what);
}

void arena_life(uint64_t *state)
{
	extent_hooks_t *own = nsets ? &sets[0].hooks : NULL;
	size_t len = sizeof(unsigned);
	unsigned arena;
	int r;

	/* With hooks of one's own in every second one, where there are any. */
	if (own && next_random(state) >> 40 & 1)
		r = mallctl("arenas.create", &arena, &len, &own, sizeof(void *));
	else
		r = mallctl("arenas.create", &arena, &len, NULL, 0);
	if (r && opts.may_fail)
		return;
	check(!r, "arenas.create");
	use(arena, state, false);
	act(arena, "reset");
	use(arena, state, true);
	act(arena, "purge");
	use(arena, state, false);
	act(arena, "destroy");
}
