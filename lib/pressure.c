// SPDX-License-Identifier: BSD-2-Clause
/* pressure - see pressure.h. */
#include "pressure.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "os.h"

/* 100 ms of stalling within 2 s; without privileges the window must be a multiple of 2 s. */
#define TRIGGER "some 100000 2000000"

static _Atomic int handle = -1;

/* Where cgroup v2 may be mounted, beside v1 or alone. */
static const char *const mounts[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};

static int open_own_cgroup(void)
{
	char text[4096], path[4096 + 64], *line, *end;

	if (os.read_file("/proc/self/cgroup", text, sizeof(text)) <= 0)
		return -1;
	/* The v2 line is "0::/path"; the root group has no pressure of its own. */
	line = strncmp(text, "0::", 3) ? strstr(text, "\n0::") : text;
	if (!line)
		return -1;
	line = strstr(line, "0::") + 3;
	end = strchr(line, '\n');
	if (end)
		*end = '\0';
	if (!strcmp(line, "/"))
		return -1;
	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s%s/memory.pressure", mounts[i], line);
		int fd = os.psi_open(path, TRIGGER);

		if (fd >= 0)
			return fd;
	}
	return -1;
}

void pressure_init(void)
{
	int fd = open_own_cgroup();

	if (fd < 0)
		fd = os.psi_open("/proc/pressure/memory", TRIGGER);
	atomic_store(&handle, fd);
}

void pressure_renew(void)
{
	int fd = atomic_exchange(&handle, -1);

	if (fd >= 0)
		os.psi_close(fd);
	pressure_init();
}

bool pressure_armed(void)
{
	return atomic_load(&handle) >= 0;
}

bool pressure_high(void)
{
	int fd = atomic_load(&handle), r = fd >= 0 ? os.psi_fired(fd) : 0;

	/* The host closed our descriptor: go without. */
	if (r < 0)
		atomic_store(&handle, -1);
	return r > 0;
}
