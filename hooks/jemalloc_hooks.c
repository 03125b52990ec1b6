// SPDX-License-Identifier: BSD-2-Clause
/*
 * jemalloc_hooks - the hooks themselves: jemalloc's vocabulary into the five verbs.
 *
 * They run with jemalloc's locks held: nothing here allocates, logs, or calls mallctl. A hook
 * returns false for success, as jemalloc has it.
 */
#include "jemalloc.h"

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "engine.h"
#include "os.h"
#include "tune.h"
#include "turns.h"

#define SHIMS_MAX 1024
/* jemalloc's largest small size class is less: below that it does not ask the kernel either. */
#define ZERO_BYTES ((size_t)16 << 10)
/* Waits of BATCH_WAIT_NS before a range of ours is leaked rather than unmapped. */
#define DESTROY_TRIES 50

struct shim {
	struct je_hooks ours; /* what jemalloc is given */
	struct je_hooks *prev;
	struct je_hooks seen; /* *prev when it was wrapped: its address may come to hold others */
	bool stock;	      /* prev are jemalloc's own */
	_Atomic bool ready;
};

/* Slot 0 wraps jemalloc's own hooks. */
static struct shim shims[SHIMS_MAX];
/* By arena: commit runs under a lock of the arena's. Those that share an entry only seem busier. */
static struct turns turns[256];
static _Atomic unsigned shim_count;

struct je_facts je_facts;

static bool is_shim(const struct je_hooks *h)
{
	return (uintptr_t)h >= (uintptr_t)shims && (uintptr_t)h < (uintptr_t)(shims + SHIMS_MAX);
}

/* A program that got at our struct behind mallctl's back may have copied it: such a copy is taken to
 * stand for jemalloc's own. */
static struct shim *shim_of(struct je_hooks *h)
{
	return is_shim(h) ? (struct shim *)h : &shims[0];
}

/* Is a zap all that happens when pages are given up? Asked each time: a program may change its struct
 * in place. */
static bool defers(const struct shim *s)
{
	const struct je_hooks *prev = s->prev, *stock = je_facts.stock;

	return s->stock || ((!prev->decommit || prev->decommit == stock->decommit) &&
			    prev->purge_forced == stock->purge_forced);
}

static void *at(void *addr, size_t offset)
{
	return (char *)addr + offset;
}

static size_t round_up(size_t n, size_t to)
{
	return (n + to - 1) & ~(to - 1);
}

/* Memory from brk is part of one mapping that must stay what it is, and THP advice must not be lost. */
static bool may_remap(const void *addr)
{
	return !je_facts.thp && (!je_facts.dss || (uintptr_t)addr >= (uintptr_t)sbrk(0));
}

/*
 * Growth of retained memory is asked for uncommitted. It is aligned to regions and padded to whole
 * ones, so that no region is shared with a stranger, and left uncommitted, so that each first use
 * comes through commit. Anything else is passed on as it is.
 */
static void *hook_alloc(struct je_hooks *h, void *new_addr, size_t size, size_t alignment,
			bool *zero, bool *commit, unsigned arena)
{
	struct shim *s = shim_of(h);
	size_t align = alignment > os_region_size ? alignment : os_region_size;
	size_t padded = round_up(size, os_region_size);
	void *p;

	if (*commit || new_addr || !s->stock || !engine_accounts() || padded < size)
		return s->prev->alloc(s->prev, new_addr, size, alignment, zero, commit, arena);
	p = s->prev->alloc(s->prev, NULL, padded, align, zero, commit, arena);
	if (!p) {
		padded = size;
		p = s->prev->alloc(s->prev, NULL, size, alignment, zero, commit, arena);
	}
	/* Newer versions keep flags in the low bits. */
	void *base = (void *)((uintptr_t)p & ~(uintptr_t)(os_page_size - 1));

	if (base && *commit && *zero && engine_map(base, padded, may_remap(base))) {
		if (padded > size)
			engine_pad(at(base, size));
		tune_grown(arena, size);
		*commit = false;
	}
	return p;
}

static bool hook_dalloc(struct je_hooks *h, void *addr, size_t size, bool committed, unsigned arena)
{
	struct shim *s = shim_of(h);

	if ((s->stock && je_facts.retain) || !s->prev->dalloc)
		return true;
	if (engine_unmap(addr, size) && !s->prev->dalloc(s->prev, addr, size, committed, arena))
		return false;
	/* Not unmapped after all. If it was uncommitted, it was ours and still has to read zero. */
	if (!committed && !engine_release(addr, size))
		memset(addr, 0, size);
	return true;
}

static void hook_destroy(struct je_hooks *h, void *addr, size_t size, bool committed,
			 unsigned arena)
{
	struct shim *s = shim_of(h);
	size_t pad = s->stock ? engine_take_pad(at(addr, size)) : 0;

	/* Also where there is nothing to call: the memory is its owner's again. That one goes on to
	 * use it, so a zap in flight has to land first. Of our own, address space is lost instead. */
	for (unsigned tries = 0; !engine_unmap(addr, size + pad); tries++)
		if (s->stock && tries == DESTROY_TRIES)
			return;
	if (s->prev->destroy)
		s->prev->destroy(s->prev, addr, size + pad, committed, arena);
}

static bool hook_commit(struct je_hooks *h, void *addr, size_t size, size_t offset, size_t length,
			unsigned arena)
{
	struct shim *s = shim_of(h);
	unsigned shared = turns_take(&turns[arena % 256]) ? ENGINE_SHARED : 0;

	switch (engine_reuse(at(addr, offset), length, ENGINE_ZERO | shared)) {
	case ENGINE_OK:
		tune_taken_back(arena, length);
		return false;
	case ENGINE_BUSY:
		/* jemalloc puts the extent back and takes other memory. */
		return true;
	case ENGINE_STRANGERS:
		break;
	}
	if (!s->prev->commit || s->prev->commit(s->prev, addr, size, offset, length, arena))
		return true;
	tune_taken_back(arena, length);
	return false;
}

static bool hook_decommit(struct je_hooks *h, void *addr, size_t size, size_t offset, size_t length,
			  unsigned arena)
{
	struct shim *s = shim_of(h);

	/* Where neither does, jemalloc goes on to purge_forced, which counts. */
	if (!(defers(s) && engine_release(at(addr, offset), length)) &&
	    (!s->prev->decommit || s->prev->decommit(s->prev, addr, size, offset, length, arena)))
		return true;
	tune_purged(arena, at(addr, offset), length);
	return false;
}

static bool hook_purge_lazy(struct je_hooks *h, void *addr, size_t size, size_t offset,
			    size_t length, unsigned arena)
{
	struct shim *s = shim_of(h);

	return !s->prev->purge_lazy ||
	       s->prev->purge_lazy(s->prev, addr, size, offset, length, arena);
}

static bool hook_purge_forced(struct je_hooks *h, void *addr, size_t size, size_t offset,
			      size_t length, unsigned arena)
{
	struct shim *s = shim_of(h);

	/* Its madvise is seen by hooks/madvise.c. */
	if (!s->prev->purge_forced ||
	    s->prev->purge_forced(s->prev, addr, size, offset, length, arena))
		return true;
	tune_purged(arena, at(addr, offset), length);
	return false;
}

static bool hook_split(struct je_hooks *h, void *addr, size_t size, size_t a, size_t b,
		       bool committed, unsigned arena)
{
	struct shim *s = shim_of(h);

	return !s->prev->split || s->prev->split(s->prev, addr, size, a, b, committed, arena);
}

/*
 * What jemalloc's own merge hook does, which must not be called: that first fetches the thread's
 * state, and in a thread that so far has only freed this completes it, which allocates, with the
 * lock of the extents held. It waits for itself then.
 */
static bool stock_merge(const void *addr_a, const void *addr_b)
{
	uintptr_t end = je_facts.dss ? (uintptr_t)sbrk(0) : 0;

	/* Memory from brk and other memory stay apart. */
	return ((uintptr_t)addr_a < end) != ((uintptr_t)addr_b < end);
}

static bool hook_merge_stock(struct je_hooks *h, void *addr_a, size_t a, void *addr_b, size_t b,
			     bool committed, unsigned arena)
{
	(void)h;
	(void)a;
	(void)b;
	(void)committed;
	(void)arena;
	return stock_merge(addr_a, addr_b);
}

static bool hook_merge(struct je_hooks *h, void *addr_a, size_t a, void *addr_b, size_t b,
		       bool committed, unsigned arena)
{
	struct shim *s = shim_of(h);

	if (s->prev->merge == je_facts.stock->merge)
		return stock_merge(addr_a, addr_b);
	return !s->prev->merge || s->prev->merge(s->prev, addr_a, a, addr_b, b, committed, arena);
}

/*
 * What jemalloc gets for memset. With hooks of whatever kind on an arena it clears a dirty extent for
 * calloc by memset, all of it, where without hooks it has the kernel drop the pages. For a program
 * that asks for much and touches little that is the difference between little memory and much.
 */
void *jemalloc_memset(void *addr, int byte, size_t len)
{
	if (__builtin_expect(len <= ZERO_BYTES, 1) || byte ||
	    (((uintptr_t)addr | len) & (os_page_size - 1)) || je_facts.thp)
		return memset(addr, byte, len);
	/* Where the program has hooks of its own, or calls this itself, memory may be of any kind. */
	if ((je_facts.named || je_facts.shares_object ||
	     atomic_load_explicit(&shim_count, memory_order_relaxed) > 1) &&
	    !engine_is_ours(addr, len))
		return memset(addr, byte, len);
	engine_zero(addr, len);
	return addr;
}

static void shim_fill(struct shim *s, struct je_hooks *prev)
{
	s->prev = prev;
	s->seen = *prev;
	s->stock = prev == je_facts.stock;
	s->ours = (struct je_hooks){
		.alloc = hook_alloc,
		/* Never NULL: 5.3.1 would take that as leave to bypass decommit. */
		.dalloc = hook_dalloc,
		.destroy = hook_destroy,
		.commit = hook_commit,
		.decommit = hook_decommit,
		/* jemalloc asks beforehand whether these are NULL. */
		.purge_lazy = prev->purge_lazy ? hook_purge_lazy : NULL,
		.purge_forced = prev->purge_forced ? hook_purge_forced : NULL,
		.split = prev->split ? hook_split : NULL,
		.merge = prev->merge ? hook_merge : NULL,
	};
	if (s->stock) {
		/* On the path of every large malloc and free, and they ignore whose they are. */
		s->ours.split = prev->split;
		if (prev->merge)
			s->ours.merge = hook_merge_stock;
		s->ours.purge_lazy = prev->purge_lazy;
	}
	atomic_store(&s->ready, true);
}

struct je_hooks *jemalloc_wrap(struct je_hooks *prev)
{
	unsigned n = atomic_load(&shim_count);

	if (!prev || is_shim(prev))
		return prev;
	for (unsigned i = 0; i < n && i < SHIMS_MAX; i++)
		if (atomic_load(&shims[i].ready) && shims[i].prev == prev &&
		    !memcmp(&shims[i].seen, prev, sizeof(*prev)))
			return &shims[i].ours;
	n = atomic_fetch_add(&shim_count, 1);
	if (n >= SHIMS_MAX) {
		atomic_store(&shim_count, SHIMS_MAX);
		return NULL;
	}
	shim_fill(&shims[n], prev);
	return &shims[n].ours;
}

struct je_hooks *jemalloc_unwrap(struct je_hooks *h)
{
	return h && is_shim(h) ? ((struct shim *)h)->prev : h;
}
