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
#include <fcntl.h>
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

/* The status of the library's thread; empty: there is none. */
static char status[300];

static bool is_worker(const char *tid)
{
	char line[64] = "";

	snprintf(status, sizeof(status), "/proc/self/task/%s/comm", tid);
	FILE *f = fopen(status, "r");
	bool ours = f && fgets(line, sizeof(line), f) && !strcmp(line, "ptreclaim\n");

	if (f)
		(void)fclose(f);
	snprintf(status, sizeof(status), "/proc/self/task/%s/status", tid);
	return ours;
}

static void find_worker(void)
{
	DIR *dir = opendir("/proc/self/task");
	bool found = false;

	for (struct dirent *e; dir && !found && (e = readdir(dir));)
		found = e->d_name[0] != '.' && is_worker(e->d_name);
	if (dir)
		(void)closedir(dir);
	if (!found)
		status[0] = '\0';
}

/* How often it was switched to so far. Without malloc: what that gives back would be work for it. */
static uint64_t switches(void)
{
	char text[8192];
	uint64_t n = 0;
	int fd = open(status, O_RDONLY);
	ssize_t len = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;

	if (fd >= 0)
		(void)close(fd);
	text[len > 0 ? len : 0] = '\0';
	for (const char *p = text; (p = strstr(p, "ctxt_switches:")); n += strtoull(p, NULL, 10))
		p += strlen("ctxt_switches:");
	return n;
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

	if (argc > 2 || seconds < 1 || seconds > 3600) {
		fputs("usage: idle [SECONDS]\n", stderr);
		return 2;
	}
	work();
	double own = property_kb("ptreclaim.stats.own", sizeof(size_t));
	double mapped = property_kb("ptreclaim.stats.mapped", sizeof(uint64_t));

	find_worker();
	sleep(SETTLE);
	uint64_t before = switches();

	sleep(seconds);
	uint64_t after = switches();

	printf("{\n  \"seconds\": %u,\n  \"worker_threads\": %u,\n", seconds,
	       (unsigned)(status[0] != '\0'));
	print_kb("own_kb", own);
	print_kb("mapped_kb", mapped);
	printf("  \"wakeups\": %" PRIu64 "\n}\n", after - before);
	return 0;
}
