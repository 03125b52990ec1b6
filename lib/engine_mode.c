// SPDX-License-Identifier: BSD-2-Clause
/*
 * engine_mode - off, observe, on, and the ways between them while the program runs: see engine.h.
 *
 * The state that matters to a hook is whether the engine acts: one flag, made of the mode and of the kill
 * switch. Where it does not, account is kept all the same once it has acted.
 */
#include <stdatomic.h>
#include <sys/mman.h>

#include "backend.h"
#include "batch.h"
#include "engine_internal.h"
#include "os.h"
#include "policy.h"
#include "predict.h"
#include "sweep.h"
#include "worker.h"

enum conf_mode engine_mode(void)
{
	return (enum conf_mode)atomic_load_explicit(&engine.mode, memory_order_relaxed);
}

enum conf_mode engine_mode_in_force(void)
{
	return atomic_load(&engine.paused) ? CONF_OFF : engine_mode();
}

bool engine_started(void)
{
	return atomic_load_explicit(&engine.started, memory_order_relaxed);
}

bool engine_accounts(void)
{
	return engine_has_acted();
}

/* Mode and pause are changed by different threads: the last to look sees both. */
void engine_decide(void)
{
	bool acts;

	do {
		acts = engine_mode_in_force() == CONF_ON;
		if (acts)
			atomic_store(&engine.accounts, true);
		if (atomic_exchange(&engine.acts, acts) && !acts)
			atomic_fetch_add(&engine.pauses, 1);
	} while (acts != (engine_mode_in_force() == CONF_ON));
}

void engine_pause(bool paused)
{
	atomic_store(&engine.paused, paused);
	engine_decide();
}

bool engine_paused(void)
{
	return atomic_load(&engine.paused);
}

void engine_set_mode(enum conf_mode mode)
{
	if (!engine_started())
		return;
	engine_check_fork();
	atomic_store(&engine.mode, mode);
	engine_decide();
	if (!engine_acts())
		engine_flush();
	else if (!worker_running())
		engine_catch_up();
	/* What is released by those who have not seen it yet, and what it has in hand itself, is the worker's. */
	if (worker_running())
		worker_nudge();
}

bool engine_acting(uint32_t *pauses)
{
	*pauses = atomic_load(&engine.pauses);
	return atomic_load(&engine.acts);
}

static void catch_up_region(struct region *r, void *arg)
{
	bool *first = arg;

	/* There a flush frees no table. */
	if (backend_kind() == CONF_BACKEND_NONE)
		return;
	if (atomic_load(&r->flags) & REGION_ZAPPED && region_mark_empty(r))
		*first |= batch_pending(r, 1);
}

/*
 * A range was zapped and noted while it did not act, or so it seemed. If it was switched on since, whoever
 * caught up may have come too early to see that.
 */
void engine_noted_idle(uintptr_t addr, uintptr_t end)
{
	bool first = false;

	/* The notes first, then the flag; who switches sets the flag first, then looks at the notes. */
	atomic_thread_fence(memory_order_seq_cst);
	if (!engine_acts())
		return;
	FOR_PARTS(p, addr, end)
	{
		struct region *r = region_known(p.addr);

		if (!r)
			continue;
		catch_up_region(r, &first);
		if (engine_sweeps())
			first |= sweep_requeue_region(r);
	}
	if (first)
		worker_kick();
}

void engine_catch_up(void)
{
	bool first = false;

	/* Regions that became empty piece by piece have kept their tables: they go as a whole. */
	region_each(catch_up_region, &first);
	if (engine_sweeps())
		sweep_requeue();
	if (first || !sweep_idle())
		worker_kick();
}

bool engine_decline(size_t len)
{
	stats_add(STAT_DECLINED, len);
	return false;
}

bool engine_have_records(uintptr_t addr, uintptr_t end)
{
	FOR_PARTS(p, addr, end)
	if (!region_get(p.addr))
		return false;
	return true;
}

/*
 * Not acting: the zap that the allocator would make, in its place, so that the account stays right. The
 * pages are in use, and the caller's, until they are empty.
 */
static bool zap_at_once(uintptr_t addr, uintptr_t end)
{
	unsigned unkept, excess;

	if (!engine_have_records(addr, end))
		return engine_decline(end - addr);
	stats_add(STAT_SYS_MADVISE, 1);
	if (os.madvise((void *)addr, end - addr, MADV_DONTNEED))
		return engine_decline(end - addr);
	stats_add(STAT_PASSED, end - addr);
	FOR_PARTS(p, addr, end)
	{
		region_vacate(region_find(p.addr), p.from, p.to, &unkept, &excess);
		policy_unkept(unkept, excess);
	}
	(void)sweep_note(addr, end, true, false);
	engine_noted_idle(addr, end);
	return true;
}

bool engine_release_idle(uintptr_t addr, uintptr_t end)
{
	bool taken;

	if (engine_started())
		engine_check_fork();
	if (engine_mode_in_force() == CONF_OBSERVE)
		predict_release(end - addr);
	taken = engine_has_acted() ? zap_at_once(addr, end) : engine_decline(end - addr);
	worker_stir();
	return taken;
}
