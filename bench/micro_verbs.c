// SPDX-License-Identifier: BSD-2-Clause
/*
 * micro_verbs - each verb by itself, by size: on 1, 8 and 64 pages and on whole regions.
 *
 * What a verb does it undoes by another, so it is called on all slots of a space in turn, and these are
 * put back with the clock stopped.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>

#include "drive.h"
#include "engine.h"
#include "gbench.h"
#include "micro.h"

#define REGIONS	   64
#define PER_REGION 4 /* slots of less than a region; these lie a quarter of it apart */

struct slots {
	char *space;
	size_t len, stride;
	uint32_t n;
};

static void slots_make(struct slots *t, size_t pages)
{
	bool whole = pages * os_page_size == os_region_size;

	t->space = drive_space(REGIONS);
	t->len = pages * os_page_size;
	t->stride = whole ? os_region_size : os_region_size / PER_REGION;
	t->n = whole ? REGIONS : REGIONS * PER_REGION;
}

static char *slot(const struct slots *t, uint32_t i)
{
	return t->space + i * t->stride;
}

typedef void (*prepare_fn)(char *p, size_t len);
typedef bool (*verb_fn)(char *p, size_t len);

/* Inlined, with its functions, into each bench. `first` is done to each slot once, `again` before each
 * round; `settle`: flush what that has released. */
static inline __attribute__((always_inline)) void run(struct gb_state *s, prepare_fn first,
						      prepare_fn again, bool settle, verb_fn verb)
{
	struct slots t;

	drive_forget();
	slots_make(&t, (size_t)gb_arg(s, 0));
	for (uint32_t i = 0; i < t.n; i++)
		first(slot(&t, i), t.len);
	while (gb_next(s)) {
		if (gb_refill(s, t.n)) {
			for (uint32_t i = 0; i < t.n; i++)
				again(slot(&t, i), t.len);
			if (settle)
				engine_flush();
			gb_resume(s);
		}
		if (!verb(slot(&t, gb_round(s, t.n)), t.len))
			gb_fail(s, "the engine does not take what it is given");
	}
	gb_items(s, 1);
	drive_space_free(t.space, REGIONS);
}

static void nothing(char *p, size_t len)
{
	(void)p;
	(void)len;
}

static void in_use(char *p, size_t len)
{
	/* Of strangers there is nothing to be taken back. */
	(void)engine_reuse(p, len, false);
}

static void forgotten(char *p, size_t len)
{
	(void)engine_unmap(p, len);
}

static void mapped(char *p, size_t len)
{
	forgotten(p, len);
	(void)engine_map(p, len, true);
}

static void pending(char *p, size_t len)
{
	in_use(p, len);
	(void)engine_release(p, len);
}

/* Its owner had it zeroed, and has written to it. */
static void pending_touched(char *p, size_t len)
{
	in_use(p, len);
	drive_touch(p, len);
	(void)engine_release(p, len);
}

static void pending_untouched(char *p, size_t len)
{
	in_use(p, len);
	(void)os.madvise(p, len, MADV_DONTNEED);
	(void)engine_release(p, len);
}

static bool map(char *p, size_t len)
{
	return engine_map(p, len, true);
}

static bool unmap(char *p, size_t len)
{
	return engine_unmap(p, len);
}

static bool release(char *p, size_t len)
{
	return engine_release(p, len);
}

static bool reuse(char *p, size_t len)
{
	return engine_reuse(p, len, false) == ENGINE_OK;
}

static bool reuse_zero(char *p, size_t len)
{
	return engine_reuse(p, len, true) == ENGINE_OK;
}

static bool zapped(char *p, size_t len)
{
	engine_zapped(p, len, true);
	return true;
}

#define BENCH(fn, first, again, settle, verb)                                                      \
	static void fn(struct gb_state *s)                                                         \
	{                                                                                          \
		run(s, first, again, settle, verb);                                                \
	}

BENCH(run_map, nothing, forgotten, false, map)
BENCH(run_unmap, nothing, mapped, false, unmap)
/* What is touched stays resident, as nothing is zapped. */
BENCH(run_release, drive_touch, in_use, false, release)
BENCH(run_cancel, drive_touch, pending, false, reuse)
BENCH(run_cancel_zero, nothing, pending_touched, false, reuse_zero)
BENCH(run_cancel_untouched, nothing, pending_untouched, false, reuse)
BENCH(run_cancel_untouched_zero, nothing, pending_untouched, false, reuse_zero)
BENCH(run_reuse_empty, nothing, pending, true, reuse)
BENCH(run_reuse_empty_zero, nothing, pending, true, reuse_zero)
BENCH(run_zapped, nothing, in_use, false, zapped)

static void add(const char *name, gb_fn fn)
{
	static const char *const names[] = {"pages"};
	int64_t pages[] = {1, 8, 64, micro_whole()};
	struct gb_bench *b = gb_add(name, fn);

	gb_arg_names(b, names, 1);
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		gb_args(b, &pages[i], 1);
}

void micro_verbs(void)
{
	add("verb/map", run_map);
	add("verb/unmap", run_unmap);
	add("verb/release", run_release);
	add("verb/cancel", run_cancel);
	add("verb/cancel_zero", run_cancel_zero);
	add("verb/cancel_untouched", run_cancel_untouched);
	add("verb/cancel_untouched_zero", run_cancel_untouched_zero);
	add("verb/reuse_empty", run_reuse_empty);
	add("verb/reuse_empty_zero", run_reuse_empty_zero);
	add("verb/zapped", run_zapped);
}
