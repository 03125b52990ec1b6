// SPDX-License-Identifier: BSD-2-Clause
/*
 * process - one process of the stress: workers, reclaimers, the monitor and a reader of /proc.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <signal.h>
#include <unistd.h>

#include "stress.h"

#define RECLAIMERS 2

struct worker *workers;

static int read_all(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	while ((n = read(fd, buf, size)) > 0 && !shared->stop)
		;
	n = n < 0 ? -errno : 0;
	close(fd);
	return (int)n;
}

static int read_pagemap(char *buf, size_t size)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	off_t at = (off_t)((uintptr_t)base / page_size * 8);
	size_t left = total_pages * 8;
	ssize_t n = 0;

	if (fd < 0)
		return -errno;
	while (left > 0) {
		n = pread(fd, buf, left < size ? left : size, at);
		if (n <= 0)
			break;
		left -= (size_t)n;
		at += n;
	}
	n = n < 0 ? -errno : 0;
	close(fd);
	return (int)n;
}

void *reader_thread(void *arg)
{
	static char buf[1 << 16];
	struct worker *w = arg;
	uint64_t last = 0;

	for (;;) {
		count(OP_read_pagemap, read_pagemap(buf, sizeof(buf)));
		count(OP_read_smaps_rollup, read_all("/proc/self/smaps_rollup", buf, sizeof(buf)));
		count(OP_read_numa_maps, read_all("/proc/self/numa_maps", buf, sizeof(buf)));
		count(OP_read_smaps, read_all("/proc/self/smaps", buf, sizeof(buf)));
		/* Referenced bits, soft-dirty bits where there are any. */
		count(OP_read_clear_refs,
		      write_file("/proc/self/clear_refs", pick(w, 2) ? "1" : "4"));
		pace(&last, proc, 40, 1000);
	}
	return NULL;
}

static void start(void *(*run)(void *), struct worker *w, pthread_t *thread)
{
	need(!pthread_create(thread, NULL, run, w), "pthread_create");
}

/* Workers, the monitor, reclaimers and the reader each have one. */
static void workers_init(void)
{
	size_t n = opts.workers + 1 + RECLAIMERS + 1;

	workers = calloc(n, sizeof(*workers));
	need(workers, "memory");
	for (size_t i = 0; i < n; i++) {
		struct worker *w = &workers[i];

		w->id = (unsigned)i;
		w->rng = opts.seed * 7919 + proc * 131 + i;
		w->history = calloc(HISTORY, sizeof(*w->history));
		w->buf = mmap(NULL, BUF_PAGES * page_size, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		need(w->history && w->buf != MAP_FAILED, "memory");
	}
}

void stress_process(unsigned process)
{
	pthread_t thread[MAX_WORKERS], other;
	size_t next = opts.workers + 1;

	proc = process;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	catch_signals();
	workers_init();
	uffd_init();
	layout_init();
	uffd_monitor_start();
	for (unsigned i = 0; i < RECLAIMERS; i++)
		start(reclaim_thread, &workers[next++], &other);
	start(reader_thread, &workers[next], &other);
	for (unsigned i = 0; i < opts.workers; i++)
		start(worker_thread, &workers[i], &thread[i]);
	for (unsigned i = 0; i < opts.workers; i++)
		pthread_join(thread[i], NULL);
	_exit(0);
}
