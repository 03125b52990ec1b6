// SPDX-License-Identifier: BSD-2-Clause
/*
 * apphooks - a program that has extent hooks of its own sees nothing but them, by every way to
 * mallctl, and they are called.
 */
#include <jemalloc/jemalloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "pattern.h"

static extent_hooks_t *first;
static _Atomic unsigned long allocs, purges, decommits;

static void check(bool good, const char *what)
{
	if (good)
		return;
	(void)fprintf(stderr, "apphooks: failed: %s\n", what);
	exit(5);
}

static void *chained_alloc(extent_hooks_t *h, void *new_addr, size_t size, size_t alignment,
			   bool *zero, bool *commit, unsigned arena)
{
	check(h->alloc == chained_alloc, "a hook is called with the hooks it is in");
	atomic_fetch_add(&allocs, 1);
	return first->alloc(first, new_addr, size, alignment, zero, commit, arena);
}

static bool own_purge(extent_hooks_t *h, void *addr, size_t size, size_t offset, size_t length,
		      unsigned arena)
{
	(void)h;
	(void)size;
	(void)arena;
	atomic_fetch_add(&purges, 1);
	return madvise((char *)addr + offset, length, MADV_DONTNEED) != 0;
}

static bool own_decommit(extent_hooks_t *h, void *addr, size_t size, size_t offset, size_t length,
			 unsigned arena)
{
	(void)h;
	(void)addr;
	(void)size;
	(void)offset;
	(void)length;
	(void)arena;
	atomic_fetch_add(&decommits, 1);
	return true;
}

/* Wholly its own: nothing of jemalloc's is behind it. */
static void *own_alloc(extent_hooks_t *h, void *new_addr, size_t size, size_t alignment, bool *zero,
		       bool *commit, unsigned arena)
{
	char *p, *at;

	(void)h;
	(void)arena;
	if (new_addr)
		return NULL;
	atomic_fetch_add(&allocs, 1);
	p = mmap(NULL, size + alignment, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		 0);
	if (p == MAP_FAILED)
		return NULL;
	at = p + (-(uintptr_t)p & (alignment - 1));
	*zero = true;
	*commit = true;
	return at;
}

static bool keep_together(extent_hooks_t *h, void *addr, size_t size, size_t a, size_t b,
			  bool committed, unsigned arena)
{
	(void)h;
	(void)addr;
	(void)size;
	(void)a;
	(void)b;
	(void)committed;
	(void)arena;
	return false;
}

static extent_hooks_t own = {.alloc = own_alloc,
			     .purge_forced = own_purge,
			     .decommit = own_decommit,
			     .split = keep_together};

static extent_hooks_t *hooks_of(unsigned arena, bool by_mib)
{
	size_t mib[3], n = 3, len = sizeof(extent_hooks_t *);
	extent_hooks_t *h = NULL;
	char name[64];

	if (!by_mib) {
		(void)snprintf(name, sizeof(name), "arena.%u.extent_hooks", arena);
		check(!mallctl(name, &h, &len, NULL, 0), "reading hooks by name");
		return h;
	}
	check(!mallctlnametomib("arena.0.extent_hooks", mib, &n) && n == 3, "mallctlnametomib");
	mib[1] = arena;
	check(!mallctlbymib(mib, 3, &h, &len, NULL, 0), "reading hooks by mib");
	return h;
}

/* Write, get the old ones in the same call, read back both ways. */
static void put_hooks(unsigned arena, extent_hooks_t *fresh, bool by_mib,
		      const extent_hooks_t *before)
{
	size_t mib[3], n = 3, len = sizeof(extent_hooks_t *);
	extent_hooks_t *old = NULL;
	char name[64];

	(void)snprintf(name, sizeof(name), "arena.%u.extent_hooks", arena);
	if (by_mib) {
		check(!mallctlnametomib(name, mib, &n), "mallctlnametomib");
		check(!mallctlbymib(mib, 3, &old, &len, &fresh, sizeof(void *)), "writing by mib");
	} else {
		check(!mallctl(name, &old, &len, &fresh, sizeof(void *)), "writing by name");
	}
	check(old == before, "the old hooks are those from before");
	check(hooks_of(arena, false) == fresh && hooks_of(arena, true) == fresh,
	      "the hooks that were written are read back");
}

static unsigned create(extent_hooks_t *with, bool by_mib)
{
	size_t mib[2], n = 2, len = sizeof(unsigned);
	unsigned arena = 0;
	void *newp = with ? &with : NULL;
	int r;

	if (by_mib) {
		check(!mallctlnametomib("arenas.create", mib, &n), "mallctlnametomib");
		r = mallctlbymib(mib, n, &arena, &len, newp, with ? sizeof(void *) : 0);
	} else {
		r = mallctl("arenas.create", &arena, &len, newp, with ? sizeof(void *) : 0);
	}
	check(!r, "arenas.create");
	check(hooks_of(arena, by_mib) == (with ? with : first), "hooks of a new arena");
	return arena;
}

static void act(unsigned arena, const char *what, bool by_mib)
{
	size_t mib[3], n = 3;
	char name[64];

	(void)snprintf(name, sizeof(name), "arena.%u.%s", arena, what);
	if (!by_mib) {
		check(!mallctl(name, NULL, NULL, NULL, 0), what);
		return;
	}
	check(!mallctlnametomib(name, mib, &n), "mallctlnametomib");
	check(!mallctlbymib(mib, n, NULL, NULL, NULL, 0), what);
}

static void use(unsigned arena, bool drop)
{
	int flags = MALLOCX_ARENA(arena) | MALLOCX_TCACHE_NONE;
	static struct block held[64];
	uint64_t state = arena + 5;

	for (unsigned i = 0; i < 64; i++)
		held[i].p = NULL;
	for (unsigned i = 0; i < 1000; i++) {
		struct block *b = &held[next_random(&state) % 64];

		if (b->p) {
			block_check(b, b->size, "in an arena");
			dallocx(b->p, flags);
		}
		b->size = random_size(&state, 1 << 20);
		b->seed = next_random(&state) >> 3;
		b->p = mallocx(b->size, flags | MALLOCX_ZERO);
		check(b->p != NULL, "memory");
		zero_check(b->p, b->size, "MALLOCX_ZERO");
		block_fill(b);
	}
	for (unsigned i = 0; i < 64 && drop; i++)
		if (held[i].p) {
			block_check(&held[i], held[i].size, "at the end");
			dallocx(held[i].p, flags);
		}
}

static void life(extent_hooks_t *with, bool by_mib)
{
	unsigned arena = create(with, by_mib);
	unsigned long before = atomic_load(&allocs);

	use(arena, false);
	check(!with || atomic_load(&allocs) > before, "the program's alloc is called");
	act(arena, "reset", by_mib);
	use(arena, true);
	act(arena, "purge", by_mib);
	use(arena, false);
	act(arena, "destroy", by_mib);
}

int main(void)
{
	extent_hooks_t chained;
	unsigned before;

	first = hooks_of(0, false);
	check(first && first == hooks_of(0, true), "the same hooks by name and by mib");
	chained = *first;
	chained.alloc = chained_alloc;

	for (int by_mib = 0; by_mib < 2; by_mib++) {
		life(NULL, by_mib);
		life(&chained, by_mib);
		life(&own, by_mib);
	}
	/* An arena that is in use when its hooks change, there and back. */
	before = create(NULL, false);
	use(before, true);
	put_hooks(before, &chained, true, first);
	use(before, true);
	put_hooks(before, first, false, &chained);
	use(before, true);
	put_hooks(0, &chained, false, first);
	for (unsigned i = 0; i < 4; i++)
		free(calloc(1, (size_t)8 << 20));
	put_hooks(0, first, true, &chained);

	check(atomic_load(&purges) > 0, "the program's purge_forced is called");
	check(atomic_load(&decommits) > 0, "the program's decommit is called");
	(void)puts("intact");
	return 0;
}
