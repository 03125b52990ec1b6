// SPDX-License-Identifier: BSD-2-Clause
/* jemalloc_tune - see jemalloc_tune.h. */
#include "jemalloc_tune.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "engine.h"
#include "jemalloc.h"
#include "madvise.h"
#include "os.h"
#include "tune.h"
#include "worker.h"

#define MIB_MAX 4
/* One of them at least comes a while after the mapping, when the arena is there. */
#define LOOKS 2

/* A name with an arena in it, looked up once: the index is in the place that `at` tells. */
struct name {
	size_t mib[MIB_MAX], len, at;
};

static struct name dirty_decay, muzzy_decay, dirty_pages;
static size_t page_size;
static bool threads_refused;
static bool arenas_to_come;
static bool maps_come; /* the allocator's calls of mmap() come to us */
/* How often they are looked for before memory is mapped again, which a new one begins with. */
static _Atomic unsigned looks = LOOKS;

static void look_up(struct name *n, const char *name, size_t at)
{
	n->len = MIB_MAX;
	n->at = at;
	if (jemalloc_nametomib(name, n->mib, &n->len))
		n->len = 0;
}

static int of_arena(const struct name *n, unsigned arena, void *oldp, size_t *oldlenp, void *newp,
		    size_t newlen)
{
	size_t mib[MIB_MAX];

	if (!n->len)
		return -1;
	for (size_t i = 0; i < n->len; i++)
		mib[i] = i == n->at ? arena : n->mib[i];
	return jemalloc_bymib(mib, n->len, oldp, oldlenp, newp, newlen);
}

static bool read_decay(const struct name *n, unsigned arena, int64_t *ms)
{
	ssize_t value;
	size_t len = sizeof(value);

	if (of_arena(n, arena, &value, &len, NULL, 0) || len != sizeof(value))
		return false;
	*ms = value;
	return true;
}

/* False: it was no longer what it was when we looked, and is that again. */
static bool write_decay(const struct name *n, unsigned arena, int64_t was, int64_t ms)
{
	ssize_t value = (ssize_t)ms, old = (ssize_t)was;
	size_t len = sizeof(old);

	if (was == ms)
		return true;
	if (of_arena(n, arena, &old, &len, &value, sizeof(value)))
		return false;
	if (old == was)
		return true;
	(void)of_arena(n, arena, NULL, NULL, &old, sizeof(old));
	return false;
}

static void decide(unsigned arena)
{
	struct tune_settings was, s;

	/* It may be destroyed at any moment, by its owner, who knows what it is for. */
	if (!jemalloc_owns_arena(arena)) {
		tune_leave(arena);
		return;
	}
	/* EFAULT: there is no such arena yet, or any more. */
	if (!read_decay(&dirty_decay, arena, &was.dirty_ms) ||
	    !read_decay(&muzzy_decay, arena, &was.muzzy_ms))
		return;
	s = was;
	if (!tune_decide(arena, &s))
		return;
	/* First: what a shorter dirty decay frees at once is not to become muzzy. */
	if (!write_decay(&muzzy_decay, arena, was.muzzy_ms, s.muzzy_ms) ||
	    !write_decay(&dirty_decay, arena, was.dirty_ms, s.dirty_ms))
		tune_lost(arena);
}

static unsigned arenas(void)
{
	unsigned n = 0;
	size_t len = sizeof(n);

	if (jemalloc_ctl("arenas.narenas", &n, &len, NULL, 0))
		return 0;
	return n < TUNE_ARENAS ? n : TUNE_ARENAS;
}

/* How much is dirty is known to jemalloc's statistics, as of when they were last asked to be renewed. */
static void tell_dirty(unsigned n)
{
	uint64_t epoch = 1;

	if (!page_size || jemalloc_ctl("epoch", NULL, NULL, &epoch, sizeof(epoch)))
		return;
	for (unsigned i = 0; i < n; i++) {
		size_t pages, len = sizeof(pages);

		if (!of_arena(&dirty_pages, i, &pages, &len, NULL, 0) && len == sizeof(pages))
			tune_dirty(i, (uint64_t)pages * page_size);
	}
}

static void decide_threads(void)
{
	bool on = false;
	size_t len = sizeof(on);

	/* ENOENT where jemalloc was built without them. */
	if (jemalloc_ctl("background_thread", &on, &len, NULL, 0))
		threads_refused = true;
	if (tune_decide_threads(&on, threads_refused))
		(void)jemalloc_ctl("background_thread", NULL, NULL, &on, sizeof(on));
}

static void poll_settings(void)
{
	unsigned n = arenas();

	tune_begin(os.clock_ns(), engine_mode_in_force() == CONF_ON);
	for (unsigned i = 0; i < n; i++)
		decide(i);
	if (tune_wants_dirty())
		tell_dirty(n);
	decide_threads();
}

static bool chore(void);

static void wanted(void)
{
	worker_set_chore(chore);
}

/* Something was mapped: by whom is not told. In the thread that did, with the allocator's locks held. */
static void mapped(void)
{
	atomic_store(&looks, LOOKS);
	wanted();
}

/* Was that the last look before something is mapped? */
static bool last_look(void)
{
	unsigned left = atomic_load(&looks);

	while (left && !atomic_compare_exchange_weak(&looks, &left, left - 1))
		;
	return left <= 1;
}

/* The worker's: false when there is nothing more to look for. */
static bool chore(void)
{
	bool tuning = tune_mode() != CONF_TUNE_OFF || tune_holds(), told = false;

	if (arenas_to_come) {
		/* Before the look: what is mapped after it is told. */
		told = last_look() && maps_come;
		if (told)
			mappings_tell(mapped);
		arenas_to_come = jemalloc_poll();
	}
	if (tuning)
		poll_settings();
	return (arenas_to_come && !told) || tune_mode() != CONF_TUNE_OFF || tune_holds();
}

/* Somebody else's mmap() before ours would keep the allocator's calls from us. */
static bool first_is_ours(const char *name)
{
	Dl_info theirs, ours;
	void *first = dlsym(RTLD_DEFAULT, name);

	return first && dladdr(first, &theirs) && dladdr(&maps_come, &ours) &&
	       theirs.dli_fbase == ours.dli_fbase;
}

void jemalloc_tune_start(enum conf_tune mode, bool to_come)
{
	size_t len = sizeof(page_size);

	arenas_to_come = to_come;
	maps_come = first_is_ours("mmap");
	look_up(&dirty_decay, "arena.0.dirty_decay_ms", 1);
	look_up(&muzzy_decay, "arena.0.muzzy_decay_ms", 1);
	look_up(&dirty_pages, "stats.arenas.0.pdirty", 2);
	if (jemalloc_ctl("arenas.page", &page_size, &len, NULL, 0))
		page_size = 0;
	threads_refused = jemalloc_option_false("background_thread");
	if (to_come)
		wanted();
	tune_on_change(wanted);
	if (mode != CONF_TUNE_OFF)
		tune_set_mode(mode);
}
