// SPDX-License-Identifier: BSD-2-Clause
/* engine - see engine.h. */
#include "engine.h"

#include <stdatomic.h>

#include "backend.h"
#include "batch.h"
#include "engine_internal.h"
#include "os.h"
#include "policy.h"
#include "pool.h"
#include "predict.h"
#include "region.h"
#include "sweep.h"
#include "worker.h"

struct engine engine;

const char *engine_backend_name(void)
{
	return conf_backend_name(backend_kind());
}

enum conf_mode engine_init(const struct conf *c)
{
	enum conf_mode mode = conf_effective_mode(c);

	atomic_store(&engine.started, false);
	atomic_store(&engine.mode, mode);
	if (mode == CONF_OFF)
		return mode;
	stats_init();
	backend_choose(c->backend);
	engine.batch_bytes = c->batch_bytes;
	engine.keep_bytes = c->keep_bytes;
	engine.alive = (_Atomic uint32_t *)os.wiped_on_fork();
	if (engine.alive) {
		atomic_store(engine.alive, ALIVE_YES);
		worker_init(engine.alive + 1);
	}
	batch_init(&(struct batch_limits){.bytes = c->batch_bytes, .may_remap = true});
	policy_init(c->keep_bytes);
	sample_reset();
	policy_set_kind((enum policy_kind)c->policy);
	predict_init(c->batch_bytes);
	predict_after_fork();
	atomic_store(&engine.paused, false);
	atomic_store(&engine.returns_soon, true);
	/* What is noted before it acts first has to be caught up with as well. */
	atomic_store(&engine.pauses, mode != CONF_ON);
	atomic_store(&engine.accounts, false);
	engine_decide();
	atomic_store(&engine.started, true);
	return mode;
}

static void add_kept(struct region *r, void *arg)
{
	uint64_t *sums = arg;

	sums[0] += region_count_kept(r);
	sums[1] += region_excess(r);
}

static void fix_after_fork(void)
{
	uint64_t kept[2] = {0}; /* pages, excess */

	stats_reset();
	predict_after_fork();
	backend_after_fork();
	batch_after_fork();
	sweep_after_fork();
	sample_reset();
	region_each(add_kept, kept);
	policy_after_fork(kept[0], kept[1]);
}

void engine_fork_child(void)
{
	if (!engine_started() || engine.alive)
		return;
	worker_forget();
	fix_after_fork();
}

void engine_after_fork(void)
{
	uint32_t state = ALIVE_NEEDS_FIX;

	if (!engine_started() || !engine.alive)
		return;
	if (atomic_compare_exchange_strong(engine.alive, &state, ALIVE_FIXING)) {
		fix_after_fork();
		atomic_store(engine.alive, ALIVE_YES);
	}
	/* Another thread of the child is at it: its work is bounded, and so is this wait. */
	while (atomic_load(engine.alive) == ALIVE_FIXING)
		os.futex_wait(engine.alive, ALIVE_FIXING, 1000000);
}

bool engine_map(void *addr, size_t len, bool ours)
{
	uint64_t t = stats_hook_begin();

	if (!engine_has_acted())
		return false;
	engine_check_fork();
	if (!region_map((uintptr_t)addr, len, ours))
		return false;
	stats_add(STAT_MAPPED, len);
	stats_hook_end(STAT_HOOK_MAP, t);
	return true;
}

bool engine_own(void *addr, size_t len)
{
	return engine_has_acted() && region_own((uintptr_t)addr, len);
}

void engine_pad(void *end)
{
	struct region *r = region_find((uintptr_t)end);

	if (r)
		atomic_store(&r->slack, region_page((uintptr_t)end));
}

size_t engine_take_pad(void *end)
{
	uint32_t page = region_page((uintptr_t)end);
	struct region *r = page ? region_find((uintptr_t)end) : NULL;

	if (!r || !atomic_compare_exchange_strong(&r->slack, &page, 0))
		return 0;
	return os_region_size - bytes(page);
}

/*
 * What does not come back soon and is large needs no company to be worth a call: later, on top of what else is
 * to be flushed, its zap would keep somebody waiting for more than he gave up.
 */
static bool deferring(size_t len)
{
	return (len < os_region_size || engine_returns_soon()) &&
	       atomic_load_explicit(&engine.batch_bytes, memory_order_relaxed) &&
	       !atomic_load_explicit(&engine.pressure, memory_order_relaxed) && worker_running();
}

/* Zap a range that was just released, in the thread that released it. False if the kernel refused:
 * then the worker has to try again. */
static __attribute__((noinline)) bool flush_range(uintptr_t addr, uintptr_t end)
{
	FLIGHT_ON_STACK(f, FLIGHT_SMALL);

	stats_add(STAT_FLUSH_INLINE, 1);
	FOR_PARTS(p, addr, end)
	{
		struct region *r = region_find(p.addr);

		if (r)
			batch_flush_region(r, &f);
	}
	batch_issue(&f);
	return !f.failed;
}

static __attribute__((noinline)) bool flush_for_room(size_t len, uint64_t least, bool *kick)
{
	if (least == BATCH_NO_ROOM)
		return false;
	FLIGHT_ON_STACK(f, FLIGHT_SMALL);
	batch_flush_some(least, STAT_FLUSH_BYTES, &f);
	/* While the queue was with us, the worker may have seen none and gone to sleep. */
	*kick = f.failed || !batch_idle();
	return !batch_in_the_way(len);
}

/*
 * Is there room for so much more to be pending? If not, the oldest is flushed, and enough of it that
 * this is not the case again soon. *kick: the worker has to look.
 */
static inline bool make_room(size_t len, bool *kick)
{
	uint64_t least = batch_in_the_way(len);

	return __builtin_expect(!least, 1) || flush_for_room(len, least, kick);
}

static inline bool make_pending_in(struct region *r, unsigned from, unsigned to)
{
	unsigned unkept, excess, n = region_release(r, from, to, &unkept, &excess);

	if (unkept)
		policy_unkept(unkept, excess);
	return batch_pending(r, n);
}

bool engine_make_pending(uintptr_t addr, uintptr_t end)
{
	bool first = false;

	FOR_PARTS(p, addr, end)
	{
		struct region *r = region_find(p.addr);

		if (r)
			first |= make_pending_in(r, p.from, p.to);
	}
	return first;
}

bool engine_release(void *start, size_t len)
{
	uintptr_t addr = (uintptr_t)start, end = addr + len;
	uint64_t t = stats_hook_begin();
	bool kick = false, defer;
	size_t pages = len >> os_page_shift;
	struct region *only = NULL; /* what all of it lies in */

	if (__builtin_expect(!engine_acts(), 0))
		return engine_release_idle(addr, end);
	engine_check_fork();
	/* A kernel that refuses (locked memory, a filter) has to say so to the allocator. */
	if (len && end <= region_base(addr) + os_region_size)
		only = region_get(addr);
	if (batch_stuck(len) || (!only && !engine_have_records(addr, end)))
		return engine_decline(len);
	/* What was kept is resident, touched or not. */
	if (policy_wants_sample(pages))
		sample_release(only, addr, pages);
	defer = deferring(len) && make_room(len, &kick);
	/* First: what is counted of a zap may not be ahead of it. */
	stats_add(defer ? STAT_DEFERRED : STAT_UNDEFERRED, len);
	if (only)
		kick |= make_pending_in(only, region_page(addr),
					region_page(addr) + (unsigned)pages);
	else
		kick |= engine_make_pending(addr, end);
	if (!defer)
		kick |= !flush_range(addr, end);
	if (kick)
		worker_kick();
	else if (!defer)
		worker_stir();
	stats_hook_end(STAT_HOOK_RELEASE, t);
	return true;
}

bool engine_unmap(void *start, size_t len)
{
	uintptr_t addr = (uintptr_t)start, end = addr + len;
	uint64_t t = stats_hook_begin(), deadline = 0;

	if (!engine_started())
		return true;
	sweep_forget(addr, end);
	if (!engine_has_acted())
		return true;
	engine_check_fork();
	FOR_PARTS(p, addr, end)
	{
		struct region *r;
		unsigned page;

		if (p.end - p.addr == os_region_size)
			region_forget_untouched(p.addr);
		r = region_find(p.addr);
		if (!r)
			continue;
		region_disown(r, p.to - p.from);
		/* What lands is empty, and could be claimed again: only what was forgotten since the
		 * last look stays so. */
		do {
			unsigned pending, unkept, excess;

			page = region_forget(r, p.from, p.to, &pending, &unkept, &excess);
			policy_unkept(unkept, excess);
			batch_cancelled(bytes(pending));
			if (page < p.to && !batch_wait(r, page, &deadline))
				return false;
		} while (page < p.to);
	}
	stats_add(STAT_UNMAPPED, len);
	stats_hook_end(STAT_HOOK_UNMAP, t);
	return true;
}

bool engine_is_ours(void *start, size_t len)
{
	FOR_PARTS(p, start, (uintptr_t)start + len)
	if (!region_ours(p.addr))
		return false;
	return true;
}

void engine_zapped(void *start, size_t len, bool dropped)
{
	uintptr_t addr = (uintptr_t)start, end = addr + len;
	bool acts = engine_acts();

	if (!engine_started())
		return;
	engine_check_fork();
	stats_add(STAT_ZAPPED_BY_OTHERS, len);
	worker_stir();
	if (sweep_note(addr, end, dropped, acts && engine_sweeps()))
		worker_kick();
	if (!acts)
		engine_noted_idle(addr, end);
}

void engine_gone(void *addr, size_t len)
{
	if (engine_started())
		sweep_forget((uintptr_t)addr, (uintptr_t)addr + len);
}

void engine_moved(void *from, void *to, size_t len)
{
	if (!engine_started())
		return;
	engine_check_fork();
	if (sweep_moved((uintptr_t)from, (uintptr_t)to, len, engine_sweeps()))
		worker_kick();
}

uint64_t engine_reclaimable(void)
{
	return engine_started() ? sweep_reclaimable() : 0;
}

uint64_t engine_predicted_tables(void)
{
	return engine_mode_in_force() == CONF_OBSERVE ? sweep_reclaimable() : 0;
}

bool engine_sweeps(void)
{
	return engine_acts() && backend_asks();
}

void engine_sweep(void)
{
	FLIGHT_ON_STACK(f, FLIGHT_SMALL);

	/* Observing, what was noted is only counted. */
	if (engine_acts() && !sweep_idle())
		sweep_run(&f);
}

void engine_flush(void)
{
	FLIGHT_ON_STACK(f, 4 * FLIGHT_SMALL);

	if (!engine_has_acted())
		return;
	engine_check_fork();
	batch_flush_all(STAT_FLUSH_REQUEST, &f);
	if (f.failed)
		worker_kick();
}

void engine_trim(uint64_t least)
{
	FLIGHT_ON_STACK(f, FLIGHT_SMALL);

	if (!engine_has_acted())
		return;
	engine_check_fork();
	(void)batch_flush_some(least, STAT_FLUSH_BYTES, &f);
	if (f.failed || !batch_idle())
		worker_kick();
}

uint64_t engine_pending_most(void)
{
	return batch_bytes_most();
}

void engine_expect_returns(bool soon)
{
	atomic_store(&engine.returns_soon, soon);
}

uint64_t engine_batch_bytes(void)
{
	return atomic_load(&engine.batch_bytes);
}

uint64_t engine_keep_bytes(void)
{
	return atomic_load(&engine.keep_bytes);
}

void engine_set_batch_bytes(uint64_t n)
{
	engine_check_fork();
	atomic_store(&engine.batch_bytes, n);
	batch_limit(n);
	predict_init(n);
	if (batch_in_the_way(0))
		engine_flush();
}

void engine_set_keep_bytes(uint64_t n)
{
	engine_check_fork();
	atomic_store(&engine.keep_bytes, n);
	policy_set_budget(atomic_load(&engine.pressure) ? 0 : n);
}

void engine_pressure(bool high)
{
	if (atomic_exchange(&engine.pressure, high) != high)
		policy_set_budget(high ? 0 : engine.keep_bytes);
}

void engine_state(struct engine_state *out)
{
	*out = (struct engine_state){
		.pending_bytes = batch_bytes_exact(),
		.kept_bytes = bytes(policy_kept_pages()),
		.excess_bytes = policy_excess_bytes(),
		.own_bytes = pool_bytes(),
	};
}

unsigned engine_nodes(struct engine_node out[NODE_MAX])
{
	struct batch_node b[NODE_MAX];
	unsigned nodes = batch_nodes(b);

	for (unsigned n = 0; n < nodes; n++)
		out[n] = (struct engine_node){
			.pending_bytes = b[n].pending_bytes,
			.zapped_bytes = b[n].zapped_bytes,
			.flushes = b[n].flushes,
			.own_bytes = pool_node_bytes(n),
		};
	return nodes;
}
