// SPDX-License-Identifier: BSD-2-Clause
/* sweep - see sweep.h. */
#include "sweep.h"

#include <stdatomic.h>

#include "backend.h"
#include "os.h"
#include "region.h"
#include "stats.h"

/* A stack that is only pushed to or taken whole. */
static _Atomic(struct region *) queue;

bool sweep_idle(void)
{
	return !atomic_load(&queue);
}

static bool set_flag(struct region *r, uint32_t flag)
{
	return !(atomic_load(&r->flags) & flag) && !(atomic_fetch_or(&r->flags, flag) & flag);
}

static void clear_flag(struct region *r, uint32_t flag)
{
	if (atomic_load(&r->flags) & flag)
		atomic_fetch_and(&r->flags, ~flag);
}

/* True if the queue was empty. */
static bool push(struct region *r)
{
	struct region *head = atomic_load(&queue);

	do
		atomic_store_explicit(&r->next_sweep, head, memory_order_relaxed);
	while (!atomic_compare_exchange_weak(&queue, &head, r));
	return !head;
}

static uintptr_t end_in_region(uintptr_t addr, uintptr_t end)
{
	uintptr_t next = region_base(addr) + os_region_size;

	return next < end ? next : end;
}

static bool note(uintptr_t addr, uintptr_t end, bool dropped, bool ask)
{
	bool whole_frees = dropped && backend_whole_frees(), first = false;

	for (uintptr_t stop; addr < end; addr = stop) {
		struct region *r;

		stop = end_in_region(addr, end);
		if (whole_frees && stop - addr == os_region_size) {
			sweep_forget(addr, stop);
			continue;
		}
		r = region_get(addr);
		if (!r)
			continue;
		(void)set_flag(r, REGION_ZAPPED);
		if (ask && set_flag(r, REGION_SWEEP))
			first |= push(r);
	}
	return first;
}

void sweep_forget(uintptr_t addr, uintptr_t end)
{
	struct region *r;

	/* Of a call that the kernel is going to refuse the range may be anything. */
	if (end <= addr || end - addr < os_region_size)
		return;
	addr = region_base(addr + os_region_size - 1);
	for (end = region_base(end); (r = region_next(addr, end)); addr = r->base + os_region_size)
		clear_flag(r, REGION_ZAPPED);
}

/* Whole regions. */
static void note_many(uintptr_t addr, uintptr_t end, bool dropped, bool ask)
{
	struct iovec all = {.iov_base = (void *)addr, .iov_len = end - addr};
	struct region *r;

	if (dropped && ask)
		backend_ask(&all, 1);
	if (dropped && (ask || backend_whole_frees())) {
		sweep_forget(addr, end);
		return;
	}
	for (; (r = region_next(addr, end)); addr = r->base + os_region_size)
		(void)set_flag(r, REGION_ZAPPED);
}

bool sweep_note(uintptr_t addr, uintptr_t end, bool dropped, bool ask)
{
	uintptr_t first = region_base(addr + os_region_size - 1), last = region_base(end);
	bool queued_first;

	if (end <= addr || end - addr < SWEEP_MANY * os_region_size)
		return note(addr, end, dropped, ask);
	note_many(first, last, dropped, ask);
	queued_first = note(addr, first, dropped, ask);
	queued_first |= note(last, end, dropped, ask);
	return queued_first;
}

bool sweep_moved(uintptr_t addr, uintptr_t to, size_t len, bool ask)
{
	bool first = false;

	for (uintptr_t a = addr, end = addr + len, stop; a < end; a = stop) {
		struct region *r = region_known(a);

		stop = end_in_region(a, end);
		if (!r || !(atomic_load(&r->flags) & REGION_ZAPPED))
			continue;
		sweep_forget(a, stop);
		first |= sweep_note(to + (a - addr), to + (stop - addr), false, ask);
	}
	return first;
}

void sweep_run(struct flight *f)
{
	struct region *r = atomic_exchange(&queue, NULL), *next;

	for (; r; r = next) {
		next = atomic_load_explicit(&r->next_sweep, memory_order_relaxed);
		/* Off the queue before the kernel is asked: a zap after that is noted again. */
		atomic_fetch_and(&r->flags, ~(uint32_t)REGION_SWEEP);
		/* Forgotten meanwhile: nothing to be asked about, and perhaps not ours to ask. */
		if (!(atomic_fetch_and(&r->flags, ~(uint32_t)REGION_ZAPPED) & REGION_ZAPPED))
			continue;
		stats_add(STAT_REGIONS_SWEPT, 1);
		batch_ask(r, f);
	}
	batch_issue(f);
}

struct count {
	int pagemap;
	uint64_t empty, used; /* regions with no page, and with some */
};

#define UNANSWERED 0xff /* mincore(2) says 0 or 1 */

/*
 * Is any of the region mapped? A mapping that ends or begins within it has a table there as any other,
 * which the advice frees as well. At a hole mincore stops, having answered for what lies before; behind
 * it the last page stands for all. An island in the middle is overlooked.
 */
static bool mapped(const struct region *r)
{
	unsigned char *resident = __builtin_alloca(region_pages());

	resident[0] = UNANSWERED;
	return !os.mincore((void *)r->base, os_region_size, resident) ||
	       resident[0] != UNANSWERED ||
	       !os.mincore((void *)region_addr(r, region_pages() - 1), os_page_size, resident);
}

static void count_region(struct region *r, void *arg)
{
	struct count *c = arg;

	if (!(atomic_load(&r->flags) & REGION_ZAPPED) || !mapped(r))
		return;
	if (os.populated(c->pagemap, (void *)r->base, os_region_size))
		c->used++;
	else
		c->empty++;
}

/* Zaps of what was never touched leave no table: there cannot be more than all, less those in use. */
static uint64_t at_most_all(const struct count *c)
{
	long kb = backend_vmpte_kb();
	uint64_t all = (uint64_t)kb / (os_page_size >> 10);

	if (kb < 0 || c->empty + c->used <= all)
		return c->empty;
	return all > c->used ? all - c->used : 0;
}

uint64_t sweep_reclaimable(void)
{
	struct count c = {.pagemap = os.pagemap_open()};

	if (c.pagemap < 0)
		return 0;
	region_each(count_region, &c);
	os.pagemap_close(c.pagemap);
	return at_most_all(&c) << os_page_shift;
}

bool sweep_requeue_region(struct region *r)
{
	return atomic_load(&r->flags) & REGION_ZAPPED && set_flag(r, REGION_SWEEP) && push(r);
}

static void requeue(struct region *r, void *arg)
{
	(void)arg;
	(void)sweep_requeue_region(r);
}

void sweep_put_off(void)
{
	struct region *r = atomic_exchange(&queue, NULL), *next;

	for (; r; r = next) {
		next = atomic_load_explicit(&r->next_sweep, memory_order_relaxed);
		atomic_fetch_and(&r->flags, ~(uint32_t)REGION_SWEEP);
	}
}

void sweep_requeue(void)
{
	region_each(requeue, NULL);
}

void sweep_after_fork(void)
{
	atomic_store(&queue, NULL);
	/* The child has its parent's empty tables, and what the parent's sweeper had in hand is nobody's. */
	if (backend_asks())
		region_each(requeue, NULL);
}
