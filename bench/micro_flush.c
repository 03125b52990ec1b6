// SPDX-License-Identifier: BSD-2-Clause
/*
 * micro_flush - zapping what is pending, by how many ranges there are: pieces of 4 pages in regions that
 * are in use otherwise, and whole regions that do not touch. Of each range one page is resident.
 */
#include <stddef.h>

#include "drive.h"
#include "engine.h"
#include "gbench.h"
#include "micro.h"

#define PIECE_PAGES  4
#define PIECES_APART 8 /* pages from one to the next */

static size_t piece_offset(size_t i)
{
	return i * PIECES_APART * os_page_size;
}

static size_t whole_offset(size_t i)
{
	return 2 * i * os_region_size;
}

static void run(struct gb_state *s, size_t len, size_t (*offset)(size_t))
{
	size_t ranges = (size_t)gb_arg(s, 0);
	size_t regions = offset(ranges) / os_region_size + 1;
	char *space = drive_space(regions);

	drive_forget();
	while (gb_next(s)) {
		gb_pause(s);
		for (size_t i = 0; i < ranges; i++) {
			char *p = space + offset(i);

			(void)engine_reuse(p, len, false);
			drive_touch(p, os_page_size);
			if (!engine_release(p, len))
				gb_fail(s, "the engine does not take what it is given");
		}
		gb_resume(s);
		engine_flush();
	}
	gb_items(s, ranges);
	drive_space_free(space, regions);
}

static void run_pieces(struct gb_state *s)
{
	run(s, PIECE_PAGES * os_page_size, piece_offset);
}

static void run_whole(struct gb_state *s)
{
	run(s, os_region_size, whole_offset);
}

static struct gb_bench *add(const char *name, gb_fn fn)
{
	static const char *const names[] = {"ranges"};
	struct gb_bench *b = gb_add(name, fn);

	gb_arg_names(b, names, 1);
	gb_unit(b, GB_US);
	return b;
}

void micro_flush(void)
{
	gb_range(add("flush/pieces", run_pieces), 1, 1024);
	gb_range(add("flush/regions", run_whole), 1, 64);
}
