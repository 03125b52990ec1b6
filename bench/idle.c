// SPDX-License-Identifier: BSD-2-Clause
/*
 * idle - what the library costs a program that does nothing.
 *
 * Works the allocator for a moment, so that the library has seen memory come and go and its worker runs,
 * lets that settle, and then counts for some seconds how often the thread called "ptreclaim" is switched
 * to. Beside it, the memory that the library has for itself and how much it has been told of.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCKS 1024
#define BLOCK  ((size_t)1 << 20)
#define SETTLE 3 /* seconds: longer than anything that is put off */

typedef int (*ctl_fn)(const char *, void *, size_t *, void *, size_t);

/* In bytes of the property; -1 where there is no library to ask. */
static double property_kb(const char *name, size_t size)
{
	/* ISO C has no cast from an object's to a function's address. */
	union {
		void *object;
		ctl_fn call;
	} ctl = {dlsym(RTLD_DEFAULT, "ptreclaim_ctl")};
	uint64_t value = 0;

	return ctl.object && !ctl.call(name, &value, &size, NULL, 0) ? (double)value / 1024 : -1;
}

static void work(void)
{
	static char *block[BLOCKS];

	for (unsigned i = 0; i < BLOCKS; i++) {
		block[i] = malloc(BLOCK);
		if (block[i])
			*(volatile char *)block[i] = 1;
	}
	for (unsigned i = 0; i < BLOCKS; i++)
		free(block[i]);
}

/* Of one thread, if it is the library's: its switches since it began. */
static uint64_t switches_of(const char *tid, unsigned *threads)
{
	char path[300], line[256];
	uint64_t switches = 0;

	snprintf(path, sizeof(path), "/proc/self/task/%s/status", tid);
	FILE *f = fopen(path, "r");
	bool ours = false;

	while (f && fgets(line, sizeof(line), f)) {
		const char *colon = strchr(line, ':');

		if (!strcmp(line, "Name:\tptreclaim\n"))
			ours = true;
		if (ours && colon && strstr(line, "ctxt_switches"))
			switches += strtoull(colon + 1, NULL, 10);
	}
	if (f)
		(void)fclose(f);
	*threads += ours;
	return switches;
}

static uint64_t switches(unsigned *threads)
{
	DIR *dir = opendir("/proc/self/task");
	uint64_t all = 0;

	*threads = 0;
	for (struct dirent *e; dir && (e = readdir(dir));) {
		if (e->d_name[0] != '.')
			all += switches_of(e->d_name, threads);
	}
	if (dir)
		(void)closedir(dir);
	return all;
}

static void print_kb(const char *name, double kb)
{
	if (kb < 0)
		printf("  \"%s\": null,\n", name);
	else
		printf("  \"%s\": %.1f,\n", name, kb);
}

int main(int argc, char **argv)
{
	unsigned seconds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 10;
	unsigned threads;

	if (argc > 2 || seconds < 1 || seconds > 3600) {
		fputs("usage: idle [SECONDS]\n", stderr);
		return 2;
	}
	work();
	double own = property_kb("ptreclaim.stats.own", sizeof(size_t));
	double mapped = property_kb("ptreclaim.stats.mapped", sizeof(uint64_t));

	sleep(SETTLE);
	uint64_t before = switches(&threads);

	sleep(seconds);
	uint64_t after = switches(&threads);

	printf("{\n  \"seconds\": %u,\n  \"worker_threads\": %u,\n", seconds, threads);
	print_kb("own_kb", own);
	print_kb("mapped_kb", mapped);
	printf("  \"wakeups\": %" PRIu64 "\n}\n", after - before);
	return 0;
}
