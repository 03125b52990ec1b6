/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * region - address -> what the allocator and the engine have done to each page.
 *
 * A region is the naturally aligned span of one PTE table. Its record keeps two bits a page:
 *
 *	in use    the allocator has it, or nobody ever told us about it
 *	pending   given up, not yet zapped: must be zeroed before it may read as zero again
 *	flight    a destructive call over it is being made: nobody else may touch it
 *	empty     zapped or never used: reads zero
 *
 *	in use -> pending -> flight -> empty     by release, claim, settle
 *	pending, empty -> in use                 by reuse, which waits for flight to end
 *
 * 32 pages share a word and each transition is one compare-and-swap of it, so there is no lock that
 * a fork, a signal or a descheduled thread could leave taken, and every word is consistent at any
 * instant. The map from address to record is a radix tree that grows by use; a region of which
 * nothing was ever used costs one slot and no record.
 */
#ifndef PTR_REGION_H
#define PTR_REGION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REGION_PAGES_PER_WORD 32
enum region_flag {
	REGION_QUEUED = 1, /* on the pending queue */
	REGION_SWEEP = 2,  /* on the queue of zapped regions */
	REGION_ZAPPED = 4, /* zapped in by others: its table may have become empty */
};

struct region {
	_Atomic(struct region *) next;	     /* pending queue */
	_Atomic(struct region *) next_sweep; /* queue of zapped regions */
	uintptr_t base;
	_Atomic uint32_t flags;
	_Atomic uint32_t stamp; /* batch generation at which it was queued */
	_Atomic uint32_t ours;	/* pages that were mapped by our own alloc and may be remapped */
	_Atomic uint32_t slack; /* first page of the padding behind our last mapping here, or 0 */
	_Atomic uint32_t
		node; /* whose queue it is on, or was last; not changed while it is on one */
	/* Of its kept pages: so many will not be touched, in 1/1024; and in the upper half, their number. */
	_Atomic uint64_t account;
	_Atomic uint64_t *kept;	 /* one bit a page; behind word[] */
	_Atomic uint64_t word[]; /* states */
};

/* What a claim got. */
enum region_claim { REGION_NOTHING, REGION_PIECES, REGION_WHOLE };

/* Page sets of one region, one bit in each two-bit field, as word[] is laid out. */
struct region_set {
	unsigned words; /* region_words() */
	uint64_t word[];
};

/* One on the stack, empty, gone with the function: a hook may run on little stack, and how large a
 * set is depends on the page size. Not in a loop. */
#define REGION_SET_UNCLEARED(name)                                                                 \
	struct region_set *name =                                                                  \
		__builtin_alloca(sizeof(*name) + region_words() * sizeof(name->word[0]));          \
	name->words = region_words()
#define REGION_SET(name)                                                                           \
	REGION_SET_UNCLEARED(name);                                                                \
	region_set_clear(name)

/* Words of state in a region, and pages. */
static inline unsigned region_words(void);
static inline unsigned region_pages(void);

/* The record for the region at addr. NULL: nothing known of it (find), or no memory (get). find
 * makes a record for a region that is only known as all empty. */
struct region *region_find(uintptr_t addr);
struct region *region_known(uintptr_t addr); /* only a record that is there */
/* The first record that is there of the regions in [addr, end), both aligned to regions; NULL: none. Goes
 * by what is known: empty address space costs nothing, however much of it there is. */
struct region *region_next(uintptr_t addr, uintptr_t end);
struct region *region_get(uintptr_t addr);

/* A fresh mapping, page-aligned: all of it is empty. `ours`: it may be remapped. Returns false if
 * memory ran out; then nothing of it is recorded. */
bool region_map(uintptr_t addr, size_t len, bool ours);

/* [addr, addr + len) may be mapped anew; nothing is said of its states. False: no memory. */
bool region_own(uintptr_t addr, size_t len);

/* in use -> empty for [from, to) of r, freshly mapped. */
void region_fresh(struct region *r, unsigned from, unsigned to, bool ours);

/* Forget pages [from, to) of r, but for those in flight: the first that was, or `to`. Only after the answer
 * `to` are all forgotten; else call again once it has landed. What was pending and what was kept of them is
 * counted. */
unsigned region_forget(struct region *r, unsigned from, unsigned to, unsigned *pending,
		       unsigned *unkept, unsigned *excess);
/* So many pages of r are being unmapped: they are ours no more. */
void region_disown(struct region *r, unsigned pages);
/* The first page of [from, to) that is in flight, or `to`. */
unsigned region_first_flight(const struct region *r, unsigned from, unsigned to);
/* Forget the region at addr if it has no record. */
void region_forget_untouched(uintptr_t addr);
/* Was every page of the region at addr mapped as ours? */
bool region_ours(uintptr_t addr);
/* Take the whole region at addr into use if it has no record and is all empty; it still has none. */
bool region_use_untouched(uintptr_t addr);

/* In all that follows a range of pages is not empty. */

/* in use -> pending for [from, to). Returns pages that became pending; *unkept gets those of them
 * that had been kept, *excess their share of the region's excess. */
unsigned region_release(struct region *r, unsigned from, unsigned to, unsigned *unkept,
			unsigned *excess);

/* in use -> empty for [from, to), zapped by their owner. As region_release otherwise. */
void region_vacate(struct region *r, unsigned from, unsigned to, unsigned *unkept,
		   unsigned *excess);
/* If all of r is empty: make its first page pending, so that a flush takes the whole. True if so. */
bool region_mark_empty(struct region *r);

/*
 * pending, empty -> in use for [from, to). Pages found pending are set in *dirty (not cleared
 * first) and counted in *pending; *strangers is set if a page was in use already. Returns the first
 * page that is in flight and so was left alone, or `to` when done; call again from there.
 */
unsigned region_reuse(struct region *r, unsigned from, unsigned to, struct region_set *dirty,
		      unsigned *pending, bool *strangers);

/* The same as long as all of it is pending, word by word: returns the first page that was not taken, or `to`. */
unsigned region_reuse_pending(struct region *r, unsigned from, unsigned to);
/* Add [from, to), which is not empty, to a set. */
void region_set_add(struct region_set *s, unsigned from, unsigned to);

/*
 * Take what is pending into flight; with it all that is empty, if that makes the region whole. `set`
 * gets the pages taken when the answer is REGION_PIECES; *pending counts those that were pending.
 */
enum region_claim region_claim(struct region *r, struct region_set *set, unsigned *pending);

/* flight -> empty (ok) or pending, for [from, to) that the caller has in flight. */
void region_settle(struct region *r, unsigned from, unsigned to, bool ok);

/* Mark [from, to) kept, of which `share` in 65536 will not be touched. Returns how many were not kept
 * before; *excess gets what they add to the region's. */
unsigned region_keep(struct region *r, unsigned from, unsigned to, uint32_t share,
		     unsigned *excess);
/* [from, to) gets another owner without having been given up: what was kept for the last is not any more. Returns
 * how many were; *excess gets their share of the region's. */
unsigned region_unkeep(struct region *r, unsigned from, unsigned to, unsigned *excess);
/* Is all of [from, to) in use? */
bool region_in_use(const struct region *r, unsigned from, unsigned to);
/* Is any of [from, to) kept? */
bool region_kept(const struct region *r, unsigned from, unsigned to);

/* After fork, one thread: what a vanished flusher had in flight is pending again. Returns pending
 * pages. */
unsigned region_after_fork(struct region *r);

unsigned region_count_pending(const struct region *r, unsigned from, unsigned to);
/* Its kept pages, and what of them will not be touched, in 1/1024 page: by its account, which lags behind the
 * bits of pages that are being kept or released. */
static inline unsigned region_count_kept(const struct region *r);
static inline unsigned region_excess(const struct region *r);

/* Next run of pages in a set at or after `from`: true with [*start, *end). */
bool region_set_run(const struct region_set *s, unsigned from, unsigned *start, unsigned *end);

/* The same in a set of which only the words that [.., to) lies in mean anything. */
bool region_set_run_in(const struct region_set *s, unsigned from, unsigned to, unsigned *start,
		       unsigned *end);

/* Call fn for every record. Records are never freed; those made meanwhile may be missed. */
void region_each(void (*fn)(struct region *r, void *arg), void *arg);

/* Forget everything (tests; with pool_reset). */
void region_reset(void);

#include "os.h"

static inline unsigned region_pages(void)
{
	return 1u << (os_region_shift - os_page_shift);
}

static inline unsigned region_words(void)
{
	return region_pages() / REGION_PAGES_PER_WORD;
}

static inline void region_set_clear(struct region_set *s)
{
	s->words = region_words();
	for (unsigned i = 0; i < s->words; i++)
		s->word[i] = 0;
}

/* Only the words that [from, to) lies in. */
static inline void region_set_clear_in(struct region_set *s, unsigned from, unsigned to)
{
	for (unsigned i = from / REGION_PAGES_PER_WORD; i * REGION_PAGES_PER_WORD < to; i++)
		s->word[i] = 0;
}

static inline unsigned region_count_kept(const struct region *r)
{
	return (unsigned)(atomic_load_explicit(&r->account, memory_order_relaxed) >> 32);
}

static inline unsigned region_excess(const struct region *r)
{
	return (unsigned)atomic_load_explicit(&r->account, memory_order_relaxed);
}

static inline uintptr_t region_base(uintptr_t addr)
{
	return addr & ~(uintptr_t)(os_region_size - 1);
}

/* Page number of addr in its region. */
static inline unsigned region_page(uintptr_t addr)
{
	return (unsigned)((addr & (os_region_size - 1)) >> os_page_shift);
}

static inline uintptr_t region_addr(const struct region *r, unsigned page)
{
	return r->base + ((uintptr_t)page << os_page_shift);
}

#endif
