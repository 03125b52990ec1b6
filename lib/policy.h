/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy - what to do with pages that come back: keep those that are still there (zero them in place) or
 * zap them, and leave those that are gone to page faults or populate them all in one call.
 *
 * Keeping and populating save the page faults of an owner that will touch the pages and cost RSS if it
 * does not. Owners touch their memory from the start: all of it, but for what rounding up to a size class
 * has added, or a small part of what they asked for. So what is learned, by size class, is how long a
 * prefix is touched. At some releases mincore tells which pages are resident; in a range of which
 * nothing had been kept, those are the ones its owner touched. So now and then a range is taken back
 * without any of it being kept, and its release tells what owners do today.
 *
 * Of the last samples a share decides: kept is the prefix that so many of the owners touched wholly that
 * it costs less than zapping the pages and having some of them fault again; populated is the prefix for
 * which one call costs less than the faults that are expected. What these cost is measured on the machine
 * (cost.h). Never does less than most of the owners decide, whatever it saves: what the others leave
 * untouched is excess RSS, is counted, and stays within a budget.
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
/* One part in so many of these is a short prefix. */
#define POLICY_FEW_KEPT 4
/* At most so many bytes are populated for one reuse: allocators hold a lock meanwhile. And where others
 * are about who may wait for that lock, no more than they would have waited for a zap. Where a malloc is
 * expected to take no time (engine_expect_returns), none. */
#define POLICY_POPULATE_BYTES	     ((size_t)1 << 21)
#define POLICY_POPULATE_BYTES_SHARED ((size_t)128 << 10)

/* And there a range larger than this is not zeroed where the allocator would have zapped it: that takes longer. */
#define POLICY_ZERO_BYTES ((size_t)128 << 10)

/* So many pages are populated at once that one more page fault does not count: an owner tells by one of his own whether
 * that was worth it. One for whom it is fewer tells for others as well: policy_trusted(). */
#define POLICY_CONFIRM_PAGES 32

/* Where nothing is believed any more, one owner in so many is asked. */
#define POLICY_ASKED 2

/* What is done with pages that come back. */
enum policy_kind {
	POLICY_LEARN, /* what is expected to cost less */
	POLICY_KEEP,  /* all that is pending stays, if the budget allows it */
	POLICY_ZAP,   /* all that is pending is zapped, but for very few pages */
};

/* What things cost on this machine, in nanoseconds; of a page, or of a system call without its pages. */
struct policy_costs {
	uint32_t fault;	   /* the page fault of a page that is touched, zeroing included */
	uint32_t populate; /* the same page populated with others; 0: the kernel cannot */
	uint32_t zap;
	uint32_t zero; /* writing zeroes over a page that is there */
	uint32_t call;
};

/* How a range is to be taken back. Pages from its start. */
struct policy_plan {
	size_t keep;	      /* of these, those that are there stay */
	size_t populate;      /* of these, those that are gone are populated */
	size_t sure;	      /* of these, all owners of late have touched each */
	size_t touched;	      /* most owners touch so many; 0: it is not known */
	uint32_t untouched;   /* share of the kept that is expected to stay untouched, in 1/65536 */
	uint32_t in_front;    /* the same without a tail that is kept because it is short */
	uint32_t unpopulated; /* the same of those that are populated */
	bool explore;	      /* nothing of it should be there before its owner comes */
	bool ask;	      /* what its owner will touch should be learned */
	bool doubted;	      /* and it has to be, for anything to stay again */
	bool on_trust;	      /* what stays does because others have touched it */
	bool tell; /* and it is time that somebody tells whether that is right: policy_tell() */
};

/* Reset, with a budget of excess RSS in bytes. What things cost stays. */
void policy_init(uint64_t keep_bytes);

/* Change the budget: 0 under memory pressure. */
void policy_set_budget(uint64_t keep_bytes);

void policy_set_kind(enum policy_kind kind);
enum policy_kind policy_kind(void);

/* From now on it goes by these. Nothing is populated before they were set. */
void policy_set_costs(const struct policy_costs *c);
void policy_costs(struct policy_costs *out);
/* Was it told what they cost? */
bool policy_has_costs(void);
/* The kernel does not populate after all. */
void policy_no_populate(void);

/* The allocator takes back a range of so many pages. */
struct policy_plan policy_plan(size_t range);

/* Is one call that populates so many pages cheaper than the faults of those that will be touched? */
bool policy_populate_pays(size_t pages, uint32_t untouched);

/*
 * `pages` of such a range would be populated on the strength of what owners touched so far. The next may be
 * others, who leave all of it, and no release tells that as long as they have it: between two samples that
 * confirm what was learned, a class populates half of the budget at most, and all classes the whole. True: go on,
 * they are counted.
 */
bool policy_believes(size_t range, size_t pages);
/* Has so much been populated since that it should be confirmed soon? */
bool policy_wants_confirmed(size_t range);
/* Of an owner's pages that were populated the one that was left out was touched: so many pages, its own and
 * those of others whom it stands for, were not populated in vain. */
void policy_confirm(size_t range, size_t pages);
/* He has given his range back before that could be told: his own are not there in vain, nor, as far as he is like them,
 * those of the others for whom he tells. It is no sign that owners touch what they are given. */
void policy_returned(size_t range, size_t pages);
/* It was not. */
void policy_unconfirmed(size_t range);
/* For how many owners, itself included, the next stands, for whom so many pages are populated: more than one where
 * many before it have confirmed. */
unsigned policy_confirms(size_t range, size_t pages);
/*
 * What stays on the strength of what owners touched so far is the same as what is populated, and counts with it. So that
 * this takes next to nothing, each thread adds some up first (policy_trust), and when it is much one range tells for
 * what stayed in others, too (policy_tell): by a page of its own that is left out, as it would be of one that is
 * populated. Each class has its turn: those who touch what they are given do not speak for those who do not.
 */
void policy_trust(size_t range, size_t pages);
/* `pages` of such a range would stay. For how many pages, these and others, should the range tell? 0: there are not
 * enough yet. POLICY_NO_ROOM: they should not stay, nobody has told for the last. */
#define POLICY_NO_ROOM SIZE_MAX
size_t policy_tell(size_t range, size_t pages);
/* The kernel had no memory for it: such ranges are not populated before the next sample that confirms. */
void policy_disbelieve(size_t range);

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

/* `pages` are kept from now on / not any more, of which `excess` in 1/1024 page will not be touched. */
void policy_kept(size_t pages, size_t excess);
void policy_unkept(size_t pages, size_t excess);

/* Should this release of `range` pages be sampled? */
bool policy_wants_sample(size_t range);

/* What a sample saw of a released range: the first `looked` pages, none of them kept; `touched` of
 * them were resident, `front` of these among the first `touched`. Is it what was learned before? */
bool policy_learn(size_t range, size_t looked, size_t touched, size_t front);

/*
 * A release was looked at of a range of which a short prefix had been kept: did its owner touch more than that?
 * Nothing is learned of it, as he may have touched less. Where most touch more it is explored what they do.
 */
void policy_saw_prefix(size_t range, bool more);

/* Such a range was looked at while in use, and nobody had touched it yet, or was done: for some reuses nothing is
 * to be asked. */
void policy_too_early(size_t range);

/* For reports: kept pages, the excess they are expected to cause in bytes, and the share of such a
 * range that is expected to be touched (0 to 1024; -1 unknown). */
uint64_t policy_kept_pages(void);
uint64_t policy_excess_bytes(void);
int policy_touched(size_t range);

/* The state, by size class: its smallest range, how often it was sampled, and what that comes to. */
#define POLICY_CLASSES (64 * 4)
struct policy_class {
	uint64_t pages;
	uint64_t samples;
	uint64_t touched;   /* shares of a range, per mille: what most owners touch of it */
	uint64_t kept;	    /* what is kept */
	uint64_t populated; /* what is populated */
};
/* False: there is no such class, or nothing was learned of it. */
bool policy_class(unsigned i, struct policy_class *out);

/* The child after fork: kept pages are counted anew. */
void policy_after_fork(uint64_t kept_pages, uint64_t excess);

#endif
