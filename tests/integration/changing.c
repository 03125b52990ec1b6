// SPDX-License-Identifier: BSD-2-Clause
/*
 * changing - a program whose use of memory changes: its blocks were touched wholly, all of them, and those
 * that come after are not touched and stay. Prints its RSS then, in kB.
 *
 *	changing one     400 blocks of 1 MiB, each replaced by one that is not touched
 *	changing first   the same, of which the first page is
 *	changing many    blocks of 24 sizes, likewise replaced
 *	changing grown   growth in 24 sizes, after each was learned
 *	changing threads as `many', in 8 threads
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIZES	24
#define EACH	12
#define BLOCKS	400
#define THREADS 8

static volatile int sink;

static char *block(size_t len, size_t touched)
{
	/* Volatile: a compiler may drop what nobody looks at. */
	char *volatile p = malloc(len);

	if (!p) {
		(void)fprintf(stderr, "changing: no memory\n");
		exit(1);
	}
	if (touched)
		memset(p, 1, touched);
	sink = touched ? p[touched - 1] : 0;
	return p;
}

/* From 128 KiB to 7 MiB, four to each power of two. */
static size_t size_of(unsigned i)
{
	return ((size_t)(4 + i % 4) << 15) << i / 4;
}

static void one(size_t touched)
{
	static char *live[BLOCKS];
	size_t len = (size_t)1 << 20;

	for (unsigned i = 0; i < BLOCKS; i++)
		live[i] = block(len, len);
	for (unsigned i = 0; i < BLOCKS; i++) {
		free(live[i]);
		live[i] = block(len, touched);
	}
}

/* All threads change together. */
static pthread_barrier_t change;

static void *many(void *arg)
{
	unsigned each = *(unsigned *)arg;
	char *live[SIZES][EACH];

	for (unsigned n = 0; n < each; n++)
		for (unsigned i = 0; i < SIZES; i++)
			live[i][n] = block(size_of(i), size_of(i));
	(void)pthread_barrier_wait(&change);
	for (unsigned n = 0; n < each; n++) {
		for (unsigned i = 0; i < SIZES; i++) {
			free(live[i][n]);
			live[i][n] = block(size_of(i), 0);
		}
	}
	return NULL;
}

static char *volatile grew[SIZES][EACH];

static void grown(void)
{
	for (unsigned round = 0; round < 20; round++) {
		for (unsigned i = 0; i < SIZES; i++) {
			char *p[4];

			for (unsigned k = 0; k < 4; k++)
				p[k] = block(size_of(i), size_of(i));
			for (unsigned k = 0; k < 4; k++)
				free(p[k]);
		}
	}
	(void)usleep(300000);
	for (unsigned n = 0; n < EACH; n++)
		for (unsigned i = 0; i < SIZES; i++)
			grew[i][n] = block(size_of(i), 0);
}

static void threads(void)
{
	static unsigned each = EACH / 4;
	pthread_t thread[THREADS];

	(void)pthread_barrier_init(&change, NULL, THREADS);
	for (unsigned i = 0; i < THREADS; i++) {
		if (pthread_create(&thread[i], NULL, many, &each))
			exit(1);
	}
	for (unsigned i = 0; i < THREADS; i++)
		(void)pthread_join(thread[i], NULL);
}

static long rss(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[256];
	long kb = 0;

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "VmRSS:", 6))
			kb = strtol(line + 6, NULL, 10);
	if (f)
		(void)fclose(f);
	return kb;
}

/* Once what is pending is flushed: it has not become less for half a second. */
static long settled(void)
{
	long least = rss();

	for (unsigned i = 0, quiet = 0; i < 100 && quiet < 5; i++) {
		long now;

		(void)usleep(100000);
		now = rss();
		quiet = now < least ? 0 : quiet + 1;
		least = now < least ? now : least;
	}
	return least;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	unsigned each = EACH;

	if (!strcmp(what, "one") || !strcmp(what, "first"))
		one(!strcmp(what, "first"));
	else if (!strcmp(what, "many") && !pthread_barrier_init(&change, NULL, 1))
		(void)many(&each);
	else if (!strcmp(what, "grown"))
		grown();
	else if (!strcmp(what, "threads"))
		threads();
	else
		return 2;
	printf("%ld\n", settled());
	return 0;
}
