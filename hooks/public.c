// SPDX-License-Identifier: BSD-2-Clause
/* public - the C interface: see ptreclaim.h. */
#include "ptreclaim.h"

#include "config.h"
#include "ctl.h"
#include "engine.h"
#include "jemalloc.h"
#include "preload.h"
#include "publish.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT const char *ptreclaim_version(void)
{
	return PACKAGE_VERSION;
}

EXPORT void ptreclaim_flush(void)
{
	engine_flush();
}

EXPORT void ptreclaim_stats_print(void (*write_cb)(void *arg, const char *text), void *arg,
				  const char *opts)
{
	/* A child that never came to a hook counts its own all the same. */
	engine_after_fork();
	publish_stats(write_cb, arg, opts);
}

EXPORT int ptreclaim_ctl(const char *name, void *oldp, size_t *oldlenp, void *newp, size_t newlen)
{
	return ctl_byname(name, oldp, oldlenp, newp, newlen);
}

EXPORT int ptreclaim_ctlnametomib(const char *name, size_t *mibp, size_t *miblenp)
{
	return ctl_nametomib(name, mibp, miblenp);
}

EXPORT int ptreclaim_ctlbymib(const size_t *mib, size_t miblen, void *oldp, size_t *oldlenp,
			      void *newp, size_t newlen)
{
	return ctl_bymib(mib, miblen, oldp, oldlenp, newp, newlen);
}

EXPORT int ptreclaim_hook_arena(unsigned arena)
{
	int r = preload_start_for_arena();

	return r ? r : jemalloc_hook_arena(arena);
}
