// SPDX-License-Identifier: BSD-2-Clause
/* remote - see remote.h. */
#include "remote.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* Pages that are always being written: those of a parent or two. A process that shows more is up to
 * something, as each takes a thousand looks. */
#define TORN_MAX 8
/* Of the library's file, whatever version. */
#define LIBRARY "/libptreclaim.so"

static int copy_remote(void *arg, size_t off, void *to, size_t len)
{
	const struct remote *r = arg;
	struct iovec local = {.iov_base = to, .iov_len = len};
	struct iovec there = {.iov_base = (char *)r->at + off, .iov_len = len};
	ssize_t n = process_vm_readv(r->pid, &local, 1, &there, 1, 0);

	return n < 0 ? -errno : (size_t)n < len ? -EFAULT : 0;
}

int remote_read(const struct remote *r, struct page_image *image)
{
	struct remote copy = *r;

	return page_read(image, copy_remote, &copy);
}

static FILE *open_proc(pid_t pid, const char *name)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return fopen(path, "re");
}

/* The pid as the process itself sees it, in its own namespace. */
static uint64_t own_pid(pid_t pid)
{
	FILE *f = open_proc(pid, "status");
	uint64_t own = (uint64_t)pid;
	char line[512];

	while (f && fgets(line, sizeof(line), f)) {
		const char *last;

		if (strncmp(line, "NSpid:", 6) != 0)
			continue;
		last = strrchr(line, '\t');
		if (last)
			own = strtoull(last, NULL, 10);
		break;
	}
	if (f)
		(void)fclose(f);
	return own;
}

/* Field 22 of /proc/PID/stat; 0: unknown. */
static uint64_t start_ticks(pid_t pid)
{
	FILE *f = open_proc(pid, "stat");
	char buf[1024];
	const char *p;
	size_t n;

	if (!f)
		return 0;
	n = fread(buf, 1, sizeof(buf) - 1, f);
	(void)fclose(f);
	buf[n] = '\0';
	p = strrchr(buf, ')');
	for (unsigned field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	return p ? strtoull(p, NULL, 10) : 0;
}

/* Is the time since boot the same for us and that process? */
static bool same_time(pid_t pid)
{
	char path[64], ours[64], theirs[64];
	ssize_t a, b;

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/time", (int)pid);
	a = readlink("/proc/self/ns/time", ours, sizeof(ours));
	b = readlink(path, theirs, sizeof(theirs));
	return a < 0 || b < 0 || (a == b && !memcmp(ours, theirs, (size_t)a));
}

/* May it be that process's page, and not that of one whose child it is? */
static bool is_its_own(const struct page_image *image, pid_t pid)
{
	uint64_t start = start_ticks(pid);

	if (image->pid != own_pid(pid))
		return false;
	return !start || !image->start_ticks || start == image->start_ticks || !same_time(pid);
}

/* A line of /proc/PID/maps: could the page be there? */
static bool candidate(const char *line, uintptr_t *at)
{
	char *p;
	uintptr_t start = strtoul(line, &p, 16), end;
	size_t path = strlen(PAGE_MAPPING);

	if (*p != '-')
		return false;
	end = strtoul(p + 1, &p, 16);
	*at = start;
	/* " rw-s ...": readable and shared. */
	if (end - start < PAGE_BYTES || strnlen(p, 5) < 5 || p[1] != 'r' || p[4] != 's')
		return false;
	p = strchr(p, '/');
	return p && !strncmp(p, PAGE_MAPPING, path) && (p[path] == '\n' || !p[path]);
}

int remote_find(struct remote *r, struct page_image *image)
{
	FILE *f = open_proc(r->pid, "maps");
	bool library = false, any = false;
	int err = 0, found = -ENOENT;
	unsigned torn = 0;
	size_t cap = 0;
	char *line = NULL;

	if (!f)
		return errno == ENOENT ? -ESRCH : -errno;
	while (found == -ENOENT && getline(&line, &cap, f) > 0) {
		any = true;
		library |= strstr(line, LIBRARY) != NULL;
		if (!candidate(line, &r->at))
			continue;
		int e = remote_read(r, image);

		if (e == -EPERM || e == -ESRCH || (e == -EAGAIN && ++torn > TORN_MAX))
			found = e;
		else if (e == -EPROTONOSUPPORT)
			err = e;
		/* That of a parent which was killed while it wrote stays half written. */
		else if ((!e || e == -EAGAIN) && !is_its_own(image, r->pid))
			err = err ? err : -ESTALE;
		else if (!e || e == -EAGAIN)
			found = e;
	}
	free(line);
	(void)fclose(f);
	if (found != -ENOENT)
		return found;
	/* A kernel thread, or one that has just ended. */
	if (!any)
		return -ESRCH;
	return err ? err : library ? -ENODATA : -ENOENT;
}
