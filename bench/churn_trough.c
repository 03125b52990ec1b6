// SPDX-License-Identifier: BSD-2-Clause
/* churn_trough - what is left once nearly everything was given back. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "churn.h"
#include "os.h"

#define STEP_MS 50

uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

void sleep_until(uint64_t ns)
{
	struct timespec ts = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL))
		;
}

void floor_look(struct floor_report *r)
{
	int err = floor_measure(0, r);

	if (err) {
		dprintf(STDERR_FILENO, "churn: cannot measure the floor: %s\n", strerror(-err));
		_exit(CHURN_FAILED);
	}
}

static int compare_u64(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double median_ms(uint64_t ns[CHURN_FORKS])
{
	size_t middle = CHURN_FORKS / 2;

	qsort(ns, CHURN_FORKS, sizeof(ns[0]), compare_u64);
	return (double)ns[middle] / 1e6;
}

/* The parent's share of fork(): copying the tables is what it waits for. */
static void time_fork(struct trough *t)
{
	uint64_t wall[CHURN_FORKS], cpu[CHURN_FORKS];

	for (unsigned i = 0; i < CHURN_FORKS; i++) {
		uint64_t wall_start = now_ns(), cpu_start = clock_ns(CLOCK_THREAD_CPUTIME_ID);
		pid_t child = fork();

		if (!child)
			_exit(0);
		cpu[i] = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_start;
		wall[i] = now_ns() - wall_start;
		if (child < 0) {
			perror("churn: fork");
			_exit(CHURN_FAILED);
		}
		waitpid(child, NULL, 0);
	}
	t->fork_ms = median_ms(wall);
	t->fork_cpu_ms = median_ms(cpu);
}

/* 5% of the floor, 64 kB, and room for the table that each arena's current end lies in. */
static uint64_t waste_target(const struct floor_report *r, unsigned arenas)
{
	return r->floor_kb / 20 + 64 + 8 * (uint64_t)arenas;
}

/* What the library counted last, in bytes; -1 if it does not say. */
static int64_t reclaimable(const char *path)
{
	static const char name[] = "\nptreclaim_reclaimable_bytes ";
	static char text[128 << 10];

	if (os.read_file(path, text, sizeof(text)) < 0)
		return -1;
	const char *line = strstr(text, name);

	return line ? strtoll(line + sizeof(name) - 1, NULL, 10) : -1;
}

void trough_watch(const struct churn_opts *o, unsigned arenas, struct trough *t)
{
	uint64_t start = now_ns();
	bool first = true;

	t->reached_ms = -1;
	for (uint64_t ms = 0; first || ms <= o->trough_ms; ms += STEP_MS) {
		sleep_until(start + ms * 1000000u);
		floor_look(&t->at_end);
		sample_note(&t->at_end);
		if (first)
			t->at_start = t->at_end;
		first = false;
		t->target_kb = waste_target(&t->at_end, arenas);
		if (t->reached_ms < 0 && t->at_end.waste_kb <= t->target_kb)
			t->reached_ms = (int64_t)((now_ns() - start) / 1000000u);
	}
	t->reclaimable_kb = o->stats_file ? reclaimable(o->stats_file) : -1;
	if (t->reclaimable_kb > 0)
		t->reclaimable_kb /= 1024;
	time_fork(t);
}

typedef int mallctl_fn(const char *, void *, size_t *, void *, size_t);

/* gperftools' malloc is another name of its tc_malloc, and one page heap serves all threads. */
static bool malloc_is_tcmalloc(void)
{
	void *tc = dlsym(RTLD_DEFAULT, "tc_malloc");

	return tc && tc == dlsym(RTLD_DEFAULT, "malloc");
}

static unsigned arena_threads(mallctl_fn *ctl, unsigned i)
{
	char name[64];
	unsigned n = 0;
	size_t len = sizeof(n);

	snprintf(name, sizeof(name), "stats.arenas.%u.nthreads", i);
	return ctl(name, &n, &len, NULL, 0) ? 0 : n;
}

static bool arena_exists(mallctl_fn *ctl, unsigned i)
{
	char name[64];
	bool yes = false;
	size_t len = sizeof(yes);

	snprintf(name, sizeof(name), "arena.%u.initialized", i);
	return !ctl(name, &yes, &len, NULL, 0) && yes;
}

unsigned arenas_count(unsigned threads, unsigned *created)
{
	/* Looked up, not linked: the allocator is not known when churn is built. */
	mallctl_fn *ctl = (mallctl_fn *)(uintptr_t)dlsym(RTLD_DEFAULT, "mallctl");
	unsigned total = 0, used = 0;
	size_t len = sizeof(total);
	uint64_t epoch = 1;

	if (malloc_is_tcmalloc()) {
		*created = 0;
		return 0;
	}
	*created = threads;
	if (!ctl || ctl("arenas.narenas", &total, &len, NULL, 0))
		return threads;
	ctl("epoch", NULL, NULL, &epoch, sizeof(epoch));
	*created = 0;
	for (unsigned i = 0; i < total; i++) {
		if (!arena_exists(ctl, i))
			continue;
		++*created;
		used += arena_threads(ctl, i) > 0;
	}
	return used;
}

uint64_t peak_rss_kb(void)
{
	char buf[4096];

	if (os.read_file("/proc/self/status", buf, sizeof(buf)) < 0)
		return 0;
	const char *line = strstr(buf, "VmHWM:");

	return line ? strtoull(line + 6, NULL, 10) : 0;
}
