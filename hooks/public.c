// SPDX-License-Identifier: BSD-2-Clause
/* public - the C interface: see ptreclaim.h. */
#include "ptreclaim.h"

#include "config.h"
#include "engine.h"
#include "jemalloc.h"
#include "preload.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT const char *ptreclaim_version(void)
{
	return PACKAGE_VERSION;
}

EXPORT void ptreclaim_flush(void)
{
	engine_flush();
}

EXPORT int ptreclaim_hook_arena(unsigned arena)
{
	int r = preload_start_for_arena();

	return r ? r : jemalloc_hook_arena(arena);
}
