// SPDX-License-Identifier: BSD-2-Clause
/*
 * hooks - the path through a real allocator: malloc, touch and free of one large block, which is an extent
 * that comes and goes.
 *
 *	MALLOC_CONF=dirty_decay_ms:0 LD_PRELOAD=libjemalloc.so.2 hooks
 *	MALLOC_CONF=dirty_decay_ms:0 LD_PRELOAD=libjemalloc.so.2:libptreclaim.so hooks
 *
 * `block` is on the arena as it is: with stock's hooks, or with ptreclaim's. `copied` is on an arena with a
 * copy of stock's hooks: what jemalloc charges for hooks of whatever kind. Where statistics are to be had,
 * `purges` is how many extents were given up in an iteration.
 */
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gbench.h"

#define HOOKS 9 /* functions in extent_hooks_t */
#define ALL   "4096"

typedef int (*mallctl_fn)(const char *name, void *oldp, size_t *oldlenp, void *newp, size_t newlen);

static mallctl_fn mallctl;
static size_t page;

static uint64_t purges(void)
{
	uint64_t epoch = 1, n = 0;
	size_t len = sizeof(n);

	if (!mallctl || mallctl("epoch", NULL, NULL, &epoch, sizeof(epoch)) ||
	    mallctl("stats.arenas." ALL ".dirty_nmadvise", &n, &len, NULL, 0))
		return 0;
	return n;
}

static void blocks(struct gb_state *s)
{
	size_t size = (size_t)gb_arg(s, 0) << 10, touched = gb_arg(s, 1) ? size : 1;
	uint64_t before = purges();

	while (gb_next(s)) {
		/* Volatile: a compiler may drop a malloc whose memory nobody looks at. */
		volatile char *volatile p = malloc(size);

		if (!p) {
			gb_fail(s, "no memory");
			break;
		}
		for (size_t i = 0; i < touched; i += page)
			p[i] = 1;
		free((void *)(uintptr_t)p);
	}
	gb_items(s, 1);
	gb_counter(s, "purges", (double)(purges() - before), GB_PER_ITERATION);
}

/* An arena with these hooks, for this thread. False: there is no such thing here. */
static bool move_to_arena(void *const *hooks, unsigned *home)
{
	unsigned arena;
	size_t len = sizeof(arena);

	return !mallctl("thread.arena", home, &len, NULL, 0) &&
	       !mallctl("arenas.create", &arena, &len, (void *)(uintptr_t)&hooks, sizeof(hooks)) &&
	       !mallctl("thread.arena", NULL, NULL, &arena, sizeof(arena));
}

static void run_copied(struct gb_state *s)
{
	static void *copy[HOOKS]; /* the arena stays, and so has this */
	void **stock;
	size_t len = sizeof(stock);
	unsigned home;

	if (!mallctl) {
		gb_skip(s, "no jemalloc is loaded");
		return;
	}
	if (dlsym(RTLD_DEFAULT, "ptreclaim_ctl")) {
		gb_skip(s, "ptreclaim is loaded: an arena's hooks are its");
		return;
	}
	if (mallctl("arena.0.extent_hooks", (void *)&stock, &len, NULL, 0)) {
		gb_skip(s, "this jemalloc has no extent hooks");
		return;
	}
	for (size_t i = 0; i < HOOKS; i++)
		copy[i] = stock[i];
	if (!move_to_arena(copy, &home)) {
		gb_fail(s, "cannot make an arena");
		return;
	}
	blocks(s);
	(void)mallctl("thread.arena", NULL, NULL, &home, sizeof(home));
}

static void add(const char *name, gb_fn fn)
{
	static const char *const names[] = {"kib", "dense"};
	static const int64_t kib[] = {64, 256, 1024};
	struct gb_bench *b = gb_add(name, fn);

	gb_arg_names(b, names, 2);
	for (size_t i = 0; i < 2 * sizeof(kib) / sizeof(kib[0]); i++)
		gb_args(b, (const int64_t[]){kib[i / 2], i % 2}, 2);
}

int main(int argc, char **argv)
{
	char text[32] = "unknown";
	ssize_t decay;
	size_t len = sizeof(decay);

	page = (size_t)sysconf(_SC_PAGESIZE);
	*(void **)&mallctl = dlsym(RTLD_DEFAULT, "mallctl");
	if (mallctl && !mallctl("arenas.dirty_decay_ms", &decay, &len, NULL, 0))
		(void)snprintf(text, sizeof(text), "%zd", decay);
	add("hooks/block", blocks);
	add("hooks/copied", run_copied);
	gb_context("dirty_decay_ms", text);
	gb_context("ptreclaim", dlsym(RTLD_DEFAULT, "ptreclaim_ctl") ? "loaded" : "no");
	return gb_main(argc, argv);
}
