/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy - what to do with pending pages that come back: keep them (zero the resident ones in place)
 * or zap them there and then.
 *
 * Keeping saves the page faults of an owner that will touch the pages and costs RSS if it does not.
 * Whether owners touch what they are given is learned by size class: at some releases, the share
 * of pages found resident among those that were not kept. A decision compares the expected costs,
 * and the pages kept times the share their owners are expected not to touch stay within a budget.
 *
 * Pure functions of what they are told and of what they counted: no system call, no clock. Safe in
 * any thread; races between threads cost precision, never correctness.
 */
#ifndef PTR_POLICY_H
#define PTR_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Pieces of up to this many pages are taken to be touched wholly until learned otherwise. */
#define POLICY_SMALL_PAGES 16
/* Pieces of up to this many pages are zeroed without asking what is resident. */
#define POLICY_BLIND_PAGES 2
/* At most this many pages of a release are looked at. */
#define POLICY_SAMPLE_PAGES 512

/* Reset, with a budget of excess RSS in bytes. */
void policy_init(uint64_t keep_bytes);

/* Change the budget: 0 under memory pressure. */
void policy_set_budget(uint64_t keep_bytes);

/*
 * The allocator takes back a range of `range` pages, of which `resident` are pending and resident
 * (or may be). Keep them?
 */
bool policy_keep(size_t range, size_t resident);

/* Could policy_keep answer yes for this range if few pages were resident? Saves asking. */
bool policy_may_keep(size_t range, size_t pending);

/* `pages` of a range of `range` pages are kept from now on / not any more. */
void policy_kept(size_t range, size_t pages);
void policy_unkept(size_t pages);

/* Should this release of `range` pages be sampled? */
bool policy_wants_sample(size_t range);
/* Of `looked` pages that were not kept, `touched` were resident at the release. */
void policy_learn(size_t range, size_t looked, size_t touched);

/* For reports: kept pages, the excess they are expected to cause in bytes, and the learned share
 * touched (0 to 1024; -1 unknown) of a range's size class. */
uint64_t policy_kept_pages(void);
uint64_t policy_excess_bytes(void);
int policy_touched(size_t range);

/* The child after fork: kept pages are counted anew. */
void policy_after_fork(uint64_t kept_pages);

#endif
