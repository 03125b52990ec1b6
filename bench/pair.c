// SPDX-License-Identifier: BSD-2-Clause
/*
 * pair - the time of one large free() and the malloc() that follows it.
 *
 * At jemalloc's default decay the block stays dirty in between, so no page is zapped or faulted:
 * what is timed is the allocator's own path with whatever hooks are installed on it. Only the first
 * byte of a block is touched.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BATCHES 301

static const size_t sizes[] = {64 << 10, 256 << 10, 1 << 20};

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

static volatile unsigned char *touched_malloc(size_t size)
{
	volatile unsigned char *p = malloc(size);

	if (!p) {
		fprintf(stderr, "pair: malloc of %zu bytes: no memory\n", size);
		exit(1);
	}
	*p = 1;
	return p;
}

/*
 * ns per pair. Batches are short, so that some fall between two of a neighbour's turns: the least is
 * the path's own time, the median is what this machine made of it.
 */
struct result {
	double least, median;
};

static struct result measure(size_t size, unsigned long loops)
{
	double ns[BATCHES] = {0};

	/* The first batch warms up and is not counted. */
	for (int batch = -1; batch < BATCHES; batch++) {
		volatile unsigned char *p = touched_malloc(size);
		double start = now_ns();

		for (unsigned long i = 0; i < loops; i++) {
			free((void *)(size_t)p);
			p = touched_malloc(size);
		}
		double end = now_ns();

		free((void *)(size_t)p);
		if (batch >= 0)
			ns[batch] = (end - start) / (double)loops;
	}
	qsort(ns, BATCHES, sizeof(ns[0]), compare_double);
	return (struct result){ns[0], ns[BATCHES / 2]};
}

static int usage(FILE *to)
{
	fputs("usage: pair [--loops N] [--json]\n"
	      "  --loops N   pairs per batch (default 2000)\n",
	      to);
	return to == stdout ? 0 : 2;
}

int main(int argc, char **argv)
{
	unsigned long loops = 2000;
	int json = 0;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--json")) {
			json = 1;
		} else if (!strcmp(argv[i], "--loops") && i + 1 < argc) {
			char *end;

			errno = 0;
			loops = strtoul(argv[++i], &end, 10);
			if (errno || *end || !loops || *argv[i] == '-')
				return usage(stderr);
		} else {
			return usage(strcmp(argv[i], "--help") ? stderr : stdout);
		}
	}
	if (!json)
		printf("%10s %12s %12s\n", "size KiB", "least ns", "median ns");
	else
		puts("{");
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t kb = sizes[i] >> 10;
		struct result r = measure(sizes[i], loops);

		if (json)
			printf("  \"pair_%zuk_ns\": %.2f,\n  \"pair_%zuk_median_ns\": %.2f,\n", kb,
			       r.least, kb, r.median);
		else
			printf("%10zu %12.1f %12.1f\n", kb, r.least, r.median);
	}
	if (json)
		printf("  \"loops\": %lu\n}\n", loops);
	return 0;
}
