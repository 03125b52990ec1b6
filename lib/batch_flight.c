// SPDX-License-Identifier: BSD-2-Clause
/* batch_flight - from a region's pending pages to the call that zaps them, and who waits for it: see batch.h. */
#include <stdatomic.h>

#include "batch_internal.h"
#include "os.h"
#include "probes.h"

static bool may_remap;

/* For those who wait for a flight to land: bumped after each. */
static _Atomic uint32_t landed;
static _Atomic uint32_t waiting;

void flight_init(bool remap)
{
	may_remap = remap;
}

void flight_after_fork(void)
{
	atomic_store(&waiting, 0);
}

/* Put the pages of a range where they belong after their zap. */
static void settle(const struct iovec *v, bool ok)
{
	uintptr_t a = (uintptr_t)v->iov_base, end = a + v->iov_len;

	while (a < end) {
		struct region *r = region_find(a);
		uintptr_t stop = region_base(a) + os_region_size;

		if (stop > end)
			stop = end;
		region_settle(r, region_page(a), region_page(stop - 1) + 1, ok);
		if (!ok) {
			gauge_add(&batch_gauge, (int64_t)(stop - a));
			queue_refused(r, stop - a);
		}
		a = stop;
	}
}

/* Tell those who wait that pages have left flight. */
static void land(void)
{
	atomic_fetch_add(&landed, 1);
	if (atomic_load(&waiting)) {
		stats_add(STAT_SYS_FUTEX, 1);
		os.futex_wake(&landed, INT32_MAX);
	}
}

void batch_issue(struct flight *f)
{
	if (f->n) {
		unsigned failed = backend_zap(f->vec, f->flag, f->n, f->whom);
		size_t refused = 0;

		for (unsigned i = 0; i < f->n; i++) {
			bool ok = !(f->flag[i] & BACKEND_FAILED);

			settle(&f->vec[i], ok);
			if (!ok)
				refused += f->vec[i].iov_len;
		}
		PROBE_FLUSH(f->bytes, f->n, failed);
		stats_add(STAT_FAILED, refused);
		/* What had been empty of a region that was refused whole counts as if it had not. */
		if (f->pending > refused) {
			stats_add(STAT_ZAPPED, f->pending - refused);
			queue_count_zapped(f->node, f->pending - refused);
		}
		f->failed += failed;
		f->issued++;
		atomic_fetch_sub(&batch_in_flight, (int64_t)f->bytes);
		land();
	}
	/* The pages are free to be used: asking destroys nothing. */
	if (f->asks)
		backend_ask(f->ask, f->asks);
	f->n = 0;
	f->asks = 0;
	f->asked = 0;
	f->bytes = 0;
	f->pending = 0;
}

static void add_range(struct flight *f, uintptr_t addr, size_t len, uint8_t flag)
{
	unsigned last = f->n - 1;

	if (f->n && f->flag[last] == flag &&
	    (uintptr_t)f->vec[last].iov_base + f->vec[last].iov_len == addr) {
		f->vec[last].iov_len += len;
	} else {
		f->vec[f->n] = (struct iovec){.iov_base = (void *)addr, .iov_len = len};
		f->flag[f->n] = flag;
		f->n++;
	}
	f->bytes += len;
	atomic_fetch_add(&batch_in_flight, (int64_t)len);
}

static bool asked_enough(const struct flight *f)
{
	return f->asks == f->cap || f->asked >= BATCH_ASK_BYTES;
}

static void ask_later(struct flight *f, const struct region *r)
{
	struct iovec *last;

	if (!backend_asks())
		return;
	f->asked += os_region_size;
	/* The kernel looks a VMA up for each range: let neighbours share one. */
	if (f->asks) {
		last = &f->ask[f->asks - 1];
		if ((uintptr_t)last->iov_base + last->iov_len == r->base) {
			last->iov_len += os_region_size;
			return;
		}
		if (r->base + os_region_size == (uintptr_t)last->iov_base) {
			last->iov_base = (void *)r->base;
			last->iov_len += os_region_size;
			return;
		}
	}
	f->ask[f->asks++] = (struct iovec){.iov_base = (void *)r->base, .iov_len = os_region_size};
}

void batch_ask(struct region *r, struct flight *f)
{
	ask_later(f, r);
	if (asked_enough(f))
		batch_issue(f);
}

static bool remappable(const struct region *r)
{
	return may_remap && backend_kind() == CONF_BACKEND_REMAP &&
	       atomic_load(&r->ours) == region_pages();
}

/* Not inlined into the loop of a caller: its set is on the stack. */
__attribute__((noinline)) void batch_flush_region(struct region *r, struct flight *f)
{
	unsigned node = atomic_load_explicit(&r->node, memory_order_relaxed);
	unsigned n, a, b = 0;
	REGION_SET(set);

	/* A flight is of one node: what it zaps is counted there. */
	if (f->node != node)
		batch_issue(f);
	f->node = node;
	switch (region_claim(r, set, &n)) {
	case REGION_NOTHING:
		/* It may have had empty pages in flight for a moment. */
		land();
		return;
	case REGION_WHOLE:
		add_range(f, r->base, os_region_size, remappable(r) ? BACKEND_REMAP : 0);
		f->pending += (size_t)n << os_page_shift;
		stats_add(STAT_REGIONS_FREED, 1);
		PROBE_REGION_FREED(r->base);
		if (backend_kind() != CONF_BACKEND_NONE && atomic_load(&r->flags) & REGION_ZAPPED)
			atomic_fetch_and(&r->flags, ~(uint32_t)REGION_ZAPPED);
		ask_later(f, r);
		break;
	case REGION_PIECES:
		/* What is in `set` is in flight from here on, also while earlier runs are issued. */
		while (region_set_run(set, b, &a, &b)) {
			if (f->n == f->cap)
				batch_issue(f);
			add_range(f, region_addr(r, a), (size_t)(b - a) << os_page_shift, 0);
			f->pending += (size_t)(b - a) << os_page_shift;
		}
		stats_add(STAT_REGIONS_PARTIAL, 1);
		if (backend_asks())
			stats_add(STAT_REGIONS_ASKED, 1);
		ask_later(f, r);
		break;
	}
	gauge_add(&batch_gauge, -((int64_t)n << os_page_shift));
	if (f->n == f->cap || asked_enough(f) || f->bytes >= BATCH_FLIGHT_BYTES)
		batch_issue(f);
}

bool batch_wait(struct region *r, unsigned page, uint64_t *deadline)
{
	bool left = false;

	atomic_fetch_add(&waiting, 1);
	for (;;) {
		uint32_t seen = atomic_load(&landed);

		if (region_first_flight(r, page, page + 1) != page) {
			left = true;
			break;
		}
		uint64_t now = os.clock_ns();

		if (!*deadline)
			*deadline = now + BATCH_WAIT_NS;
		if (now >= *deadline)
			break;
		stats_add(STAT_SYS_FUTEX, 1);
		os.futex_wait(&landed, seen, *deadline - now);
	}
	atomic_fetch_sub(&waiting, 1);
	return left;
}
