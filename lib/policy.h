/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy - what to do with pending pages that come back: keep them (zero them in place) or zap them
 * there and then.
 *
 * Keeping saves the page faults of an owner that will touch the pages and costs RSS if it does not.
 * Owners touch their memory from the start: all of it, but for what rounding up to a size class has
 * added, or a small part of what they asked for. So what is learned, by size class, is how long a
 * prefix is touched. At some releases mincore tells which pages are resident; in a range of which
 * nothing had been kept, those are the ones its owner touched. Of the last samples most decide: kept
 * is the prefix that five in eight owners touched wholly, and the rest is zapped. What the others
 * leave untouched is excess RSS, is counted, and stays within a budget.
 *
 * Pure functions of what they are told and of what they counted: no system call, no clock. Safe in
 * any thread; races between threads cost precision, never correctness.
 */
#ifndef PTR_POLICY_H
#define PTR_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ranges of up to this many pages are taken to be touched wholly until learned otherwise. */
#define POLICY_SMALL_PAGES 16
/* So few pages are not worth a system call: they are zeroed in place, if the budget allows it. */
#define POLICY_FEW_PAGES 4
/* At most this many pages of a release are looked at, from its start. */
#define POLICY_SAMPLE_PAGES 512

/* Reset, with a budget of excess RSS in bytes. */
void policy_init(uint64_t keep_bytes);

/* Change the budget: 0 under memory pressure. */
void policy_set_budget(uint64_t keep_bytes);

/* The allocator takes back a range of so many pages: how many from its start should be kept? */
size_t policy_prefix(size_t range);

/* How much of such a range, from its start, is touched by most of its owners; 0: not known. */
size_t policy_touched_prefix(size_t range);
/* A share: all of them. */
#define POLICY_ALL UINT32_C(65536)
/* What `pages` add to the excess, in 1/1024 page, if this share will not be touched. */
static inline uint64_t policy_excess(size_t pages, uint32_t untouched)
{
	return (uint64_t)pages * untouched >> 6;
}
/* Is there room for so much more of it? */
bool policy_fits(uint64_t excess);

/* Is so little of such a range touched that pending pages in it are better zapped, with many others
 * at once, before it is taken back? */
bool policy_sparse(size_t range);

/* Share of the kept prefix of such a range that is expected to stay untouched, in 1/65536. */
uint32_t policy_untouched(size_t range);
/* `pages` are kept from now on / not any more, of which `excess` in 1/1024 page will not be touched. */
void policy_kept(size_t pages, size_t excess);
void policy_unkept(size_t pages, size_t excess);

/* Should this release of `range` pages be sampled? */
bool policy_wants_sample(size_t range);

/* What a sample saw of a released range: the first `looked` pages, none of them kept; `touched` of
 * them were resident, `front` of these among the first `touched`. */
void policy_learn(size_t range, size_t looked, size_t touched, size_t front);

/* For reports: kept pages, the excess they are expected to cause in bytes, and the share of such a
 * range that is expected to be touched (0 to 1024; -1 unknown). */
uint64_t policy_kept_pages(void);
uint64_t policy_excess_bytes(void);
int policy_touched(size_t range);

/* The child after fork: kept pages are counted anew. */
void policy_after_fork(uint64_t kept_pages, uint64_t excess);

#endif
