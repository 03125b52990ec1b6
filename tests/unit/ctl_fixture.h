/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl_fixture - reading and writing properties that are there. */
#ifndef PTR_CTL_FIXTURE_H
#define PTR_CTL_FIXTURE_H

#include "engine_fixture.h"

#include "ctl.h"

static inline uint64_t number(const char *name)
{
	uint64_t value = 0;
	size_t len = sizeof(value);

	if (ctl_byname(name, &value, &len, NULL, 0) || len != sizeof(value))
		fail_msg("%s cannot be read", name);
	return value;
}

static inline int write_number(const char *name, uint64_t value)
{
	return ctl_byname(name, NULL, NULL, &value, sizeof(value));
}

#endif
