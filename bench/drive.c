// SPDX-License-Identifier: BSD-2-Clause
/* drive - see drive.h. */
#include "drive.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "conf.h"
#include "engine.h"
#include "os.h"
#include "policy.h"
#include "worker.h"

/* More than any bench keeps. */
#define KEEP_BYTES ((uint64_t)1 << 40)

_Noreturn void drive_die(const char *what)
{
	(void)fprintf(stderr, "%s: %s\n", program_invocation_short_name, what);
	exit(1);
}

void drive_start(void)
{
	struct conf c;

	conf_defaults(&c);
	c.batch_ms = CONF_MS_MAX;
	c.batch_bytes = (uint64_t)4 << 30;
	c.keep_bytes = KEEP_BYTES;
	c.kill_file[0] = '\0';
	if (engine_init(&c) != CONF_ON || worker_start(&c))
		drive_die("cannot start the engine");
}

void drive_forget(void)
{
	engine_flush();
	policy_init(KEEP_BYTES);
}

/* The mapping begins one region before or at the space: where, is not remembered but worked out. */
char *drive_space(size_t regions)
{
	char *p = os.map((regions + 1) * os_region_size), *space;
	size_t before;

	if (!p)
		drive_die("no memory");
	before = os_region_size - ((uintptr_t)p & (os_region_size - 1));
	space = p + before;
	(void)os.unmap(p, before);
	if (before < os_region_size)
		(void)os.unmap(space + regions * os_region_size, os_region_size - before);
	if (!engine_map(space, regions * os_region_size, true))
		drive_die("no memory for records");
	/* Whole regions taken at once would have none: see region_use_untouched. */
	for (size_t i = 0; i < regions; i++) {
		char *at = space + i * os_region_size;

		if (engine_reuse(at, os_page_size, false) != ENGINE_OK ||
		    engine_reuse(at + os_page_size, os_region_size - os_page_size, false) !=
			    ENGINE_OK)
			drive_die("the engine does not give what it was given");
	}
	return space;
}

void drive_space_free(char *space, size_t regions)
{
	if (!engine_unmap(space, regions * os_region_size) ||
	    os.unmap(space, regions * os_region_size))
		drive_die("cannot unmap");
}

void drive_touch(char *p, size_t len)
{
	for (size_t i = 0; i < len; i += os_page_size)
		*(volatile char *)(p + i) = 1;
}
