// SPDX-License-Identifier: BSD-2-Clause
/*
 * floor - see floor.h.
 *
 * The preloaded library calls this while its process exits: everything lives on the stack (some
 * 8 kB), nothing is allocated or mapped, so that measuring does not move what is measured.
 */
#include "floor.h"

#include "os.h"
#include "pagemap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SCAN_RUNS 128

#define PAGEMAP_CHUNK 512

#define READ_CHUNK 2048
#define LINE_HEAD  128

#define NOWHERE UINT64_MAX

struct walk {
	struct floor_report *out;
	int pagemap;
	bool scan;		   /* this kernel has PAGEMAP_SCAN, as far as we know */
	bool hugetlb;		   /* the VMA at hand has no PTE tables below its pages */
	uint64_t region, pmd, pud; /* indices of those seen last: addresses only rise */
	uint64_t tables;	   /* PTE tables needed */
	union {
		struct scan_run run[SCAN_RUNS];
		uint64_t entry[PAGEMAP_CHUNK];
	};
};

static int open_proc(pid_t pid, const char *name)
{
	char path[64];
	int fd;

	if (pid < 0)
		return -ESRCH;
	if (pid)
		(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	else
		(void)snprintf(path, sizeof(path), "/proc/thread-self/%s", name);
	do
		fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd < 0 && errno == EINTR);
	if (fd >= 0)
		return fd;
	return errno == ENOENT ? -ESRCH : -errno;
}

static ssize_t read_some(int fd, void *buf, size_t len)
{
	ssize_t r;

	do
		r = read(fd, buf, len);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

/*
 * Call fn(ctx, line) with the head of each line of a file of /proc/PID: lines may be longer than
 * any buffer (a path of maps, the groups in status). Stops at the first result other than 0.
 */
static int each_line(pid_t pid, const char *name, int (*fn)(void *ctx, const char *line), void *ctx)
{
	char buf[READ_CHUNK], line[LINE_HEAD];
	int fd = open_proc(pid, name);
	size_t len = 0;
	ssize_t got;
	int r = 0;

	if (fd < 0)
		return fd;
	while (!r && (got = read_some(fd, buf, sizeof(buf))) != 0) {
		if (got < 0)
			r = (int)got;
		for (ssize_t i = 0; i < got && !r; i++) {
			if (buf[i] != '\n') {
				if (len < sizeof(line) - 1)
					line[len++] = buf[i];
				continue;
			}
			line[len] = '\0';
			len = 0;
			r = fn(ctx, line);
		}
	}
	(void)close(fd);
	return r;
}

static int comm_line(void *ctx, const char *line)
{
	struct floor_report *out = ctx;

	/* A line break in a name is shown as a blank. */
	(void)snprintf(out->comm + strlen(out->comm), sizeof(out->comm) - strlen(out->comm), "%s%s",
		       *out->comm ? " " : "", line);
	return 0;
}

/* VmPTE comes after the others: seeing it ends the reading. */
#define STATUS_DONE 1

static int status_line(void *ctx, const char *line)
{
	struct floor_report *out = ctx;

	if (!strncmp(line, "VmSize:", 7))
		out->virt_kb = strtoull(line + 7, NULL, 10);
	else if (!strncmp(line, "VmRSS:", 6))
		out->rss_kb = strtoull(line + 6, NULL, 10);
	else if (!strncmp(line, "VmPTE:", 6)) {
		out->vmpte_kb = strtoull(line + 6, NULL, 10);
		return STATUS_DONE;
	}
	return 0;
}

static int read_vm(pid_t pid, struct floor_report *out)
{
	int r;

	*out = (struct floor_report){0};
	r = each_line(pid, "comm", comm_line, out);
	if (r)
		return r;
	r = each_line(pid, "status", status_line, out);
	if (r == STATUS_DONE)
		return 0;
	/* Kernel threads and zombies have no address space, so no such line. */
	return r ? r : -ESRCH;
}

int floor_vm(pid_t pid, struct floor_report *out)
{
	int saved = errno;
	int r = read_vm(pid, out);

	errno = saved;
	return r;
}

/* Entries of a table, and so the ratio of spans of neighbouring levels, as a shift. */
static unsigned level_shift(void)
{
	return os_region_shift - os_page_shift;
}

/*
 * Whether the table that spans 1 << shift bytes is a level of its own, or the root, which VmPTE
 * leaves out. A fresh program's stack is at the top of its address space.
 */
static bool below_root(unsigned shift)
{
	uint64_t top = getauxval(AT_RANDOM);

	return !top || shift >= 64 || top >> shift;
}

/* One page at addr is there. */
static void count_page(struct walk *w, uint64_t addr, bool table)
{
	unsigned pmd_shift = os_region_shift + level_shift();
	uint64_t region = addr >> os_region_shift;
	uint64_t pmd = addr >> pmd_shift;
	uint64_t pud = pmd >> level_shift();

	if (region == w->region)
		return;
	w->region = region;
	w->out->regions++;
	w->tables += table;
	if (pmd != w->pmd) {
		w->pmd = pmd;
		w->out->pmd_tables++;
	}
	if (pud != w->pud) {
		w->pud = pud;
		w->out->pud_tables++;
	}
}

static uint64_t next_region(uint64_t addr)
{
	return (addr | (os_region_size - 1)) + 1;
}

/* The first address of [start, end) in a region that is not counted yet. */
static uint64_t skip_counted(const struct walk *w, uint64_t start)
{
	return start >> os_region_shift == w->region ? next_region(start) : start;
}

/*
 * Count the runs of present or swapped pages in [start, end). -ENOTTY where there is no such call.
 *
 * A huge page of a file or of hugetlb needs no table; one of anonymous memory has a table laid by
 * for the day it is split, which is part of VmPTE and cannot be avoided.
 */
static int walk_scan(struct walk *w, uint64_t start, uint64_t end)
{
	while (start < end) {
		struct scan_arg arg = {
			.size = sizeof(arg),
			.start = start,
			.end = end,
			.vec = (uintptr_t)w->run,
			.vec_len = SCAN_RUNS,
			.category_anyof_mask = SCAN_PRESENT | SCAN_SWAPPED,
			.return_mask = SCAN_HUGE | SCAN_FILE,
		};
		int n = ioctl(w->pagemap, SCAN_IOCTL, &arg);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == ESRCH ? -ESRCH : -ENOTTY;
		for (int i = 0; i < n; i++) {
			const struct scan_run *run = &w->run[i];
			bool table = !(run->categories & SCAN_HUGE) ||
				     !(run->categories & SCAN_FILE || w->hugetlb);

			for (uint64_t a = run->start; a < run->end; a = next_region(a))
				count_page(w, a, table);
		}
		if (n < SCAN_RUNS || arg.walk_end <= start)
			break;
		/* The vector ran full: what is left of the last region changes nothing. */
		start = skip_counted(w, arg.walk_end);
	}
	return 0;
}

/* The same from the file, which says 8 bytes about every page, present or not. */
static int walk_pagemap(struct walk *w, uint64_t start, uint64_t end)
{
	while (start < end) {
		uint64_t stop = next_region(start) < end ? next_region(start) : end;
		uint64_t want = (stop - start) >> os_page_shift;
		ssize_t r, n;

		if (want > PAGEMAP_CHUNK)
			want = PAGEMAP_CHUNK;
		r = pread(w->pagemap, w->entry, want * 8, (off_t)((start >> os_page_shift) * 8));
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (!r)
			return 0; /* the address space went away */
		n = r / 8;
		for (ssize_t i = 0; i < n; i++) {
			if (w->entry[i] & (PAGEMAP_PRESENT | PAGEMAP_SWAPPED)) {
				count_page(w, start, !w->hugetlb);
				break;
			}
		}
		start = skip_counted(w, start + ((uint64_t)n << os_page_shift));
	}
	return 0;
}

/* One line of maps: "start-end perms offset dev inode path". */
static int walk_line(void *ctx, const char *line)
{
	struct walk *w = ctx;
	char *rest;
	uint64_t start = strtoull(line, &rest, 16), end;

	if (*rest != '-')
		return 0;
	end = strtoull(rest + 1, &rest, 16);
	w->out->vmas++;
	/* The kernel's half ([vsyscall]) is not in this process's tables. */
	if ((int64_t)start < 0)
		return 0;
	/* Only the usual kind of hugetlb can be told by its name. */
	w->hugetlb = strstr(rest, " /anon_hugepage");
	start = skip_counted(w, start);
	if (w->scan) {
		int r = walk_scan(w, start, end);

		if (r != -ENOTTY)
			return r;
		w->scan = false;
		start = skip_counted(w, start);
	}
	return walk_pagemap(w, start, end);
}

static int measure(pid_t pid, struct floor_report *out)
{
	struct walk w = {
		.out = out, .scan = true, .region = NOWHERE, .pmd = NOWHERE, .pud = NOWHERE};
	unsigned pmd_shift, pud_shift;
	uint64_t tables;
	int r;

	os_init();
	r = read_vm(pid, out);
	if (r)
		return r;
	w.pagemap = open_proc(pid, "pagemap");
	if (w.pagemap < 0)
		return w.pagemap;
	r = each_line(pid, "maps", walk_line, &w);
	(void)close(w.pagemap);
	if (r)
		return r;
	/* A process that went away during the walk has no lines. */
	if (!out->vmas)
		return -ESRCH;

	pmd_shift = os_region_shift + level_shift();
	pud_shift = pmd_shift + level_shift();
	if (!below_root(pmd_shift))
		out->pmd_tables = 0;
	if (!below_root(pud_shift))
		out->pud_tables = 0;
	tables = w.tables + out->pmd_tables + out->pud_tables;
	out->floor_kb = (tables << os_page_shift) / 1024;
	out->waste_kb = out->vmpte_kb > out->floor_kb ? out->vmpte_kb - out->floor_kb : 0;
	return 0;
}

int floor_measure(pid_t pid, struct floor_report *out)
{
	int saved = errno;
	int r = measure(pid, out);

	errno = saved;
	return r;
}
