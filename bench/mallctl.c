// SPDX-License-Identifier: BSD-2-Clause
/*
 * mallctl - what jemalloc's own properties cost when the library stands in for mallctl(3).
 *
 * In one process, in turns: through the name, as programs call it, and jemalloc's own function beside
 * it. Without preload the two are the same, and the ratio is 1.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BATCHES 401
#define LOOPS	2000

typedef int ctl_fn(const char *, void *, size_t *, void *, size_t);
typedef int nametomib_fn(const char *, size_t *, size_t *);
typedef int bymib_fn(const size_t *, size_t, void *, size_t *, void *, size_t);

struct way {
	ctl_fn *ctl;
	nametomib_fn *nametomib;
	bymib_fn *bymib;
};

static size_t mib[8], miblen = 8;

static void by_mib(const struct way *w)
{
	uint64_t value;
	size_t len = sizeof(value);

	if (w->bymib(mib, miblen, &value, &len, NULL, 0))
		abort();
}

static void by_name(const struct way *w)
{
	uint64_t value;
	size_t len = sizeof(value);

	if (w->ctl("thread.allocated", &value, &len, NULL, 0))
		abort();
}

static void epoch(const struct way *w)
{
	uint64_t value;
	size_t len = sizeof(value);

	if (w->ctl("epoch", &value, &len, NULL, 0))
		abort();
}

static void name_to_mib(const struct way *w)
{
	size_t m[8], n = 8;

	if (w->nametomib("thread.allocated", m, &n))
		abort();
}

static const struct {
	const char *name;
	void (*call)(const struct way *w);
} calls[] = {
	{"mallctlbymib thread.allocated", by_mib},
	{"mallctl thread.allocated", by_name},
	{"mallctl epoch", epoch},
	{"mallctlnametomib thread.allocated", name_to_mib},
};

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static int compare_double(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double batch_ns(void (*call)(const struct way *w), const struct way *w)
{
	double start = now_ns();

	for (unsigned i = 0; i < LOOPS; i++)
		call(w);
	return (now_ns() - start) / LOOPS;
}

static void measure(const char *name, void (*call)(const struct way *w), const struct way *way)
{
	static double ns[2][BATCHES];

	for (unsigned b = 0; b < BATCHES; b++)
		for (unsigned i = 0; i < 2; i++)
			ns[i][b] = batch_ns(call, &way[i]);
	for (unsigned i = 0; i < 2; i++)
		qsort(ns[i], BATCHES, sizeof(ns[i][0]), compare_double);
	(void)printf("%-36s %8.2f %8.2f %8.3f %8.2f %8.2f %8.3f\n", name, ns[0][0], ns[1][0],
		     ns[0][0] / ns[1][0], ns[0][BATCHES / 2], ns[1][BATCHES / 2],
		     ns[0][BATCHES / 2] / ns[1][BATCHES / 2]);
}

static void find(void *handle, struct way *w)
{
	*(void **)&w->ctl = dlsym(handle, "mallctl");
	*(void **)&w->nametomib = dlsym(handle, "mallctlnametomib");
	*(void **)&w->bymib = dlsym(handle, "mallctlbymib");
}

int main(int argc, char **argv)
{
	void *jemalloc = dlopen("libjemalloc.so.2", RTLD_NOW | RTLD_NOLOAD);
	struct way way[2];

	(void)argv;
	if (argc != 1) {
		(void)fputs("usage: mallctl\n", stderr);
		return 2;
	}
	if (!jemalloc) {
		(void)fputs("mallctl: no libjemalloc.so.2 in this process\n", stderr);
		return 1;
	}
	find(RTLD_DEFAULT, &way[0]);
	find(jemalloc, &way[1]);
	if (way[1].nametomib("thread.allocated", mib, &miblen))
		return 1;
	(void)printf("%-36s %26s %26s\n", "ns a call", "least: by name, own, ratio",
		     "median: by name, own, ratio");
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		measure(calls[i].name, calls[i].call, way);
	return 0;
}
