// SPDX-License-Identifier: BSD-2-Clause
/* public - the C interface: see ptreclaim.h. */
#include "ptreclaim.h"

#include "config.h"
#include "engine.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT const char *ptreclaim_version(void)
{
	return PACKAGE_VERSION;
}

EXPORT void ptreclaim_flush(void)
{
	engine_flush();
}
