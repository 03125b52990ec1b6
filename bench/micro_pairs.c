// SPDX-License-Identifier: BSD-2-Clause
/*
 * micro_pairs - a release and the reuse that cancels it, in 1 to 8 threads: what an extent's coming and
 * going costs on the hook path, and whether threads get in each other's way.
 *
 * `apart`: each thread in regions of its own. `shared`: all in the same regions, each in pages of its own.
 */
#include <stddef.h>

#include "drive.h"
#include "engine.h"
#include "gbench.h"
#include "micro.h"

#define THREADS 8
#define REGIONS 8

/* Of all threads; made by the first. */
static char *common;

/* Where *space is may be known only once the loop has begun. */
static void pairs(struct gb_state *s, char *const *space, size_t offset)
{
	size_t len = (size_t)gb_arg(s, 0) * os_page_size, i = 0;

	while (gb_next(s)) {
		char *p = *space + i++ % REGIONS * os_region_size + offset;

		if (!engine_release(p, len) || engine_reuse(p, len, false) != ENGINE_OK)
			gb_fail(s, "the engine does not take what it is given");
	}
	gb_items(s, 1);
	gb_counter(s, "pairs_per_thread", (double)i, GB_RATE_PER_THREAD);
}

static void run_apart(struct gb_state *s)
{
	char *space = drive_space(REGIONS);

	pairs(s, &space, 0);
	drive_space_free(space, REGIONS);
}

static void make_common(struct gb_state *s)
{
	(void)s;
	common = drive_space(REGIONS);
}

static void free_common(struct gb_state *s)
{
	(void)s;
	drive_space_free(common, REGIONS);
}

static void run_shared(struct gb_state *s)
{
	pairs(s, &common, (size_t)gb_thread(s) * (os_region_size / THREADS));
}

static struct gb_bench *add(const char *name, gb_fn fn)
{
	static const char *const names[] = {"pages"};
	static const int64_t pages[] = {1, 16, 64};
	struct gb_bench *b = gb_add(name, fn);

	gb_arg_names(b, names, 1);
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		gb_args(b, &pages[i], 1);
	gb_threads(b, THREADS);
	gb_real_time(b);
	return b;
}

void micro_pairs(void)
{
	(void)add("pair/apart", run_apart);
	gb_around(add("pair/shared", run_shared), make_common, free_common);
}
