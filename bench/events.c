// SPDX-License-Identifier: BSD-2-Clause
/*
 * events - the same event over and over, a fixed number of times: for bench/instructions, which has
 * callgrind count what each takes.
 *
 *	events cancel PAGES COUNT	release and reuse, nothing flushed in between
 *	events zero PAGES COUNT		the same, and it has to read zero
 *	events map PAGES COUNT		map and unmap
 *	events blocks PAGES COUNT	malloc, touch and free of one block, of the allocator that is preloaded
 *	events turns PAGES COUNT	the same of 32 blocks, of which one is replaced by another in turns
 *
 * Cancels go through 32 regions in turn, as the extents of a program would.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drive.h"
#include "engine.h"
#include "os.h"
#include "policy.h"

#define REGIONS 32
#define BLOCKS	32

/* What the policy decides, and so the way an event takes, is not to hang on what the worker measures here and
 * now (under valgrind zeroing a page takes fifty times as long as its fault): these are in force. */
static const struct policy_costs usual = {
	.fault = 700, .populate = 300, .zap = 100, .zero = 100, .call = 300};

static void fix_costs(void)
{
	struct policy_costs c = {0};
	char *p = drive_space(1);

	/* It does once something is pending. */
	if (!engine_release(p, os_page_size))
		drive_die("the engine does not take what it is given");
	for (unsigned tries = 0; tries < 300 && !c.fault; tries++) {
		(void)usleep(10000);
		policy_costs(&c);
	}
	policy_set_costs(&usual);
	if (engine_reuse(p, os_page_size, false) != ENGINE_OK)
		drive_die("the engine does not give what it was given");
}

static void cancel(size_t len, unsigned long count, bool zero)
{
	char *space = drive_space(REGIONS);

	drive_touch(space, REGIONS * os_region_size);
	for (unsigned long i = 0; i < count; i++) {
		char *p = space + i % REGIONS * os_region_size;

		if (!engine_release(p, len) || engine_reuse(p, len, zero) != ENGINE_OK)
			drive_die("the engine does not take what it is given");
		/* Else what was zapped to learn would tell that nobody does. */
		drive_touch(p, len);
	}
}

static void map(size_t len, unsigned long count)
{
	char *space = drive_space(REGIONS);

	if (!engine_unmap(space, REGIONS * os_region_size))
		drive_die("a zap is in flight");
	for (unsigned long i = 0; i < count; i++) {
		char *p = space + i % REGIONS * os_region_size;

		if (!engine_map(p, len, true) || !engine_unmap(p, len))
			drive_die("the engine does not take what it is given");
	}
}

/* The same for the library that is preloaded, if one is. */
static void fix_costs_of_preloaded(void)
{
	int (*ctl)(const char *, void *, size_t *, void *, size_t);
	const struct {
		const char *name;
		uint64_t ns;
	} cost[] = {
		{"ptreclaim.policy.populate_ns", usual.populate},
		{"ptreclaim.policy.zap_ns", usual.zap},
		{"ptreclaim.policy.zero_ns", usual.zero},
		{"ptreclaim.policy.call_ns", usual.call},
		/* Last: from then on the others count. */
		{"ptreclaim.policy.fault_ns", usual.fault},
	};

	*(void **)&ctl = dlsym(RTLD_DEFAULT, "ptreclaim_ctl");
	for (size_t i = 0; ctl && i < sizeof(cost) / sizeof(cost[0]); i++) {
		uint64_t ns = cost[i].ns;

		if (ctl(cost[i].name, NULL, NULL, &ns, sizeof(ns)))
			drive_die("the library does not take what things cost");
	}
}

static void blocks(size_t len, unsigned long count, unsigned n)
{
	/* Volatile: a compiler may drop a malloc whose memory nobody looks at. */
	static char *volatile block[BLOCKS];

	for (unsigned long i = 0; i < count; i++) {
		/* Not in the order of their addresses. */
		unsigned which = (unsigned)(i % n * 7 % n);

		free(block[which]);
		block[which] = malloc(len);
		if (!block[which])
			drive_die("no memory");
		drive_touch(block[which], len);
	}
}

static unsigned long number(const char *text)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &end, 10);
	return errno || *end || *text == '-' ? 0 : n;
}

int main(int argc, char **argv)
{
	unsigned long pages = argc == 4 ? number(argv[2]) : 0;
	unsigned long count = argc == 4 ? number(argv[3]) : 0;

	os_init();
	if (!count || !pages || pages > os_region_size / os_page_size)
		goto usage;
	if (!strcmp(argv[1], "blocks") || !strcmp(argv[1], "turns")) {
		fix_costs_of_preloaded();
		blocks(pages * os_page_size, count, argv[1][0] == 'b' ? 1 : BLOCKS);
		return 0;
	}
	drive_start();
	fix_costs();
	if (!strcmp(argv[1], "cancel") || !strcmp(argv[1], "zero"))
		cancel(pages * os_page_size, count, argv[1][0] == 'z');
	else if (!strcmp(argv[1], "map"))
		map(pages * os_page_size, count);
	else
		goto usage;
	return 0;
usage:
	(void)fprintf(stderr, "usage: events cancel|zero|map|blocks|turns PAGES COUNT\n");
	return 2;
}
