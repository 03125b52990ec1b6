// SPDX-License-Identifier: BSD-2-Clause
/* region_map - the radix tree from address to record: see region.h. */
#include "region.h"

#include "pool.h"

/*
 * Four levels of 2,048 slots cover 44 bits of region number: every address of a 64-bit process with
 * pages of 4 KiB or more, 5-level page tables included.
 */
#define LEVEL_BITS 11
#define LEVELS	   4
#define SLOTS	   (1u << LEVEL_BITS)

/* What a leaf slot may hold instead of a record: all pages empty or in use, all ours or none. Large
 * blocks that come and go whole thus need none. */
#define TAG	   ((uintptr_t)1)
#define TAG_OURS   ((uintptr_t)2)
#define TAG_IN_USE ((uintptr_t)4)

struct node {
	_Atomic uintptr_t slot[SLOTS];
	uintptr_t over; /* of a leaf: its regions' number without the last level, plus one */
};

static struct node root;

/*
 * The leaf that a thread was at last, which is the one it comes to next: most of a heap lies in one. Nodes
 * are never freed, so it is right for good. One word, read once: a signal's handler, which may unmap or zap,
 * comes between any two instructions. Initial-exec: reading it must never call into the dynamic linker,
 * which may allocate.
 */
static __thread struct node *_Atomic near __attribute__((tls_model("initial-exec")));

/* That leaf, if it is the one for these regions. */
static inline struct node *near_leaf(uintptr_t over)
{
	struct node *n = atomic_load_explicit(&near, memory_order_relaxed);

	return n && n->over == over ? n : NULL;
}

static unsigned slot_of(uintptr_t number, unsigned level)
{
	return (unsigned)(number >> (level * LEVEL_BITS)) & (SLOTS - 1);
}

/* The leaf slot for the region at addr; NULL if there is none (or no memory to make one). */
static _Atomic uintptr_t *leaf(uintptr_t addr, bool make)
{
	uintptr_t number = addr >> os_region_shift, over = (number >> LEVEL_BITS) + 1;
	struct node *n = near_leaf(over);

	if (n)
		return &n->slot[slot_of(number, 0)];
	n = &root;
	for (unsigned level = LEVELS - 1; level > 0; level--) {
		_Atomic uintptr_t *slot = &n->slot[slot_of(number, level)];
		uintptr_t next = atomic_load_explicit(slot, memory_order_acquire);

		if (!next) {
			if (!make)
				return NULL;
			struct node *fresh = pool_alloc(sizeof(*fresh));

			if (!fresh)
				return NULL;
			if (level == 1)
				fresh->over = over;
			/* Losing this race costs the node: once for each node at worst. */
			if (atomic_compare_exchange_strong(slot, &next, (uintptr_t)fresh))
				next = (uintptr_t)fresh;
		}
		n = (struct node *)next;
	}
	atomic_store_explicit(&near, n, memory_order_relaxed);
	return &n->slot[slot_of(number, 0)];
}

static bool is_record(uintptr_t v)
{
	return v && !(v & TAG);
}

static struct region *record_new(uintptr_t base, uintptr_t known)
{
	unsigned words = region_words();
	struct region *r = pool_alloc(sizeof(*r) + (words + words / 2) * sizeof(r->word[0]));

	if (!r)
		return NULL;
	r->base = base;
	r->kept = r->word + words;
	if (known) {
		atomic_init(&r->ours, known & TAG_OURS ? region_pages() : 0);
		for (unsigned i = 0; i < words; i++)
			atomic_init(&r->word[i], known & TAG_IN_USE ? 0 : ~UINT64_C(0));
	}
	return r;
}

/* The record in a slot, made from what the slot knew. */
static struct region *record_in(_Atomic uintptr_t *slot, uintptr_t base)
{
	uintptr_t v = atomic_load_explicit(slot, memory_order_acquire);

	while (!is_record(v)) {
		struct region *r = record_new(base, v);

		if (!r)
			return NULL;
		if (atomic_compare_exchange_strong(slot, &v, (uintptr_t)r))
			return r;
	}
	return (struct region *)v;
}

/* What the slot of the region at addr holds, by the shortest way; 0: look for it. */
static inline uintptr_t nearby(uintptr_t addr)
{
	uintptr_t number = addr >> os_region_shift;
	struct node *n = near_leaf((number >> LEVEL_BITS) + 1);

	return n ? atomic_load_explicit(&n->slot[slot_of(number, 0)], memory_order_acquire) : 0;
}

struct region *region_find(uintptr_t addr)
{
	uintptr_t v = nearby(addr);
	_Atomic uintptr_t *slot;

	if (__builtin_expect(is_record(v), 1))
		return (struct region *)v;
	slot = leaf(addr, false);
	if (!slot || !atomic_load_explicit(slot, memory_order_acquire))
		return NULL;
	return record_in(slot, region_base(addr));
}

struct region *region_known(uintptr_t addr)
{
	uintptr_t v = nearby(addr);
	_Atomic uintptr_t *slot;

	if (__builtin_expect(is_record(v), 1))
		return (struct region *)v;
	slot = leaf(addr, false);
	v = slot ? atomic_load_explicit(slot, memory_order_acquire) : 0;
	return is_record(v) ? (struct region *)v : NULL;
}

struct region *region_next(uintptr_t addr, uintptr_t end)
{
	uintptr_t number = addr >> os_region_shift, stop = end >> os_region_shift;

	while (number < stop) {
		unsigned level = LEVELS - 1;
		uintptr_t v = atomic_load_explicit(&root.slot[slot_of(number, level)],
						   memory_order_acquire);

		while (v && level) {
			struct node *n = (struct node *)v;

			level--;
			v = atomic_load_explicit(&n->slot[slot_of(number, level)],
						 memory_order_acquire);
		}
		if (is_record(v))
			return (struct region *)v;
		/* All that this slot stands for. */
		number = ((number >> (level * LEVEL_BITS)) + 1) << (level * LEVEL_BITS);
	}
	return NULL;
}

struct region *region_get(uintptr_t addr)
{
	uintptr_t v = nearby(addr);
	_Atomic uintptr_t *slot;

	if (__builtin_expect(is_record(v), 1))
		return (struct region *)v;
	slot = leaf(addr, true);
	return slot ? record_in(slot, region_base(addr)) : NULL;
}

static bool is_whole(uintptr_t addr, uintptr_t end)
{
	return region_base(addr) == addr && end - addr >= os_region_size;
}

static uintptr_t end_in_region(uintptr_t addr, uintptr_t end)
{
	uintptr_t next = region_base(addr) + os_region_size;

	return next < end ? next : end;
}

bool region_map(uintptr_t addr, size_t len, bool ours)
{
	uintptr_t end = addr + len;

	/* First whatever may fail. */
	for (uintptr_t a = addr; a < end; a = end_in_region(a, end)) {
		_Atomic uintptr_t *slot = leaf(a, true);

		if (!slot || (!is_whole(a, end) && !record_in(slot, region_base(a))))
			return false;
	}
	for (uintptr_t a = addr; a < end; a = end_in_region(a, end)) {
		_Atomic uintptr_t *slot = leaf(a, true);
		uintptr_t none = 0;

		if (is_whole(a, end) &&
		    atomic_compare_exchange_strong(slot, &none, ours ? TAG | TAG_OURS : TAG))
			continue;
		struct region *r = record_in(slot, region_base(a));

		if (!r) /* a slot that knew "all empty" already: nothing to add */
			continue;
		region_fresh(r, region_page(a), region_page(end_in_region(a, end) - 1) + 1, ours);
	}
	return true;
}

bool region_own(uintptr_t addr, size_t len)
{
	uintptr_t end = addr + len;

	for (uintptr_t a = addr; a < end; a = end_in_region(a, end)) {
		struct region *r = region_get(a);

		if (!r)
			return false;
		atomic_fetch_add(&r->ours,
				 (uint32_t)((end_in_region(a, end) - a) >> os_page_shift));
	}
	return true;
}

void region_forget_untouched(uintptr_t addr)
{
	_Atomic uintptr_t *slot = leaf(addr, false);
	uintptr_t v = slot ? atomic_load(slot) : 0;

	while (v && !is_record(v))
		if (atomic_compare_exchange_weak(slot, &v, 0))
			return;
}

bool region_ours(uintptr_t addr)
{
	_Atomic uintptr_t *slot = leaf(addr, false);
	uintptr_t v = slot ? atomic_load_explicit(slot, memory_order_acquire) : 0;

	if (is_record(v))
		return atomic_load(&((struct region *)v)->ours) == region_pages();
	return v & TAG_OURS;
}

bool region_use_untouched(uintptr_t addr)
{
	_Atomic uintptr_t *slot = leaf(addr, false);
	uintptr_t v = slot ? atomic_load(slot) : 0;

	while (v && !is_record(v) && !(v & TAG_IN_USE))
		if (atomic_compare_exchange_weak(slot, &v, v | TAG_IN_USE))
			return true;
	return false;
}

static void each(struct node *n, unsigned level, void (*fn)(struct region *, void *), void *arg)
{
	for (unsigned i = 0; i < SLOTS; i++) {
		uintptr_t v = atomic_load_explicit(&n->slot[i], memory_order_acquire);

		if (!v)
			continue;
		if (level)
			each((struct node *)v, level - 1, fn, arg);
		else if (is_record(v))
			fn((struct region *)v, arg);
	}
}

void region_each(void (*fn)(struct region *r, void *arg), void *arg)
{
	each(&root, LEVELS - 1, fn, arg);
}

void region_reset(void)
{
	/* Only of this thread: in tests others end before. */
	near = NULL;
	for (unsigned i = 0; i < SLOTS; i++)
		atomic_store(&root.slot[i], 0);
}
