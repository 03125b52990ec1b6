// SPDX-License-Identifier: BSD-2-Clause
/*
 * teller - a jemalloc program that asks the library that was preloaded for its statistics.
 *
 *   teller OPTS [THREADS]
 *
 * Prints them. With threads, all ask at the same time and again and again, and each text has to be
 * whole. Asking must not allocate.
 */
#include <dlfcn.h>
#include <inttypes.h>
#include <jemalloc/jemalloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef void (*print_fn)(void (*write_cb)(void *arg, const char *text), void *arg,
			 const char *opts);

static print_fn print;
static const char *opts;

static void to_stdout(void *arg, const char *text)
{
	++*(unsigned *)arg;
	(void)fputs(text, stdout);
}

static void is_whole(void *arg, const char *text)
{
	size_t n = strlen(text);

	if (!strncmp(text, "{\n", 2) && n > 1000 && !strcmp(text + n - 2, "}\n"))
		++*(unsigned *)arg;
}

static void *ask(void *arg)
{
	for (unsigned i = 0; i < 200; i++)
		print(is_whole, arg, "Jf");
	return NULL;
}

static uint64_t allocated(void)
{
	uint64_t n = 0;
	size_t size = sizeof(n);

	(void)mallctl("thread.allocated", &n, &size, NULL, 0);
	return n;
}

static void churn(void)
{
	void *block[64] = {NULL};

	for (unsigned i = 0; i < 4000; i++) {
		size_t size = (size_t)4096 << i % 9;
		void **b = &block[i * 7 % 64];

		free(*b);
		*b = malloc(size);
		if (*b)
			memset(*b, 1, size);
	}
	for (unsigned i = 0; i < 64; i++)
		free(block[i]);
}

int main(int argc, char **argv)
{
	unsigned threads = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0, calls = 0;
	unsigned whole[16] = {0};
	pthread_t t[16];
	uint64_t before;

	*(void **)&print = dlsym(RTLD_DEFAULT, "ptreclaim_stats_print");
	if (argc < 2 || !print || threads > 16)
		return 2;
	opts = argv[1];
	churn();
	for (unsigned i = 0; i < threads; i++)
		if (pthread_create(&t[i], NULL, ask, &whole[i]))
			return 2;
	for (unsigned i = 0; i < threads; i++) {
		(void)pthread_join(t[i], NULL);
		if (whole[i] != 200)
			return 1;
	}
	/* stdio has its buffer before anybody counts. */
	(void)fputs("", stdout);
	(void)fflush(stdout);
	(void)setvbuf(stdout, NULL, _IONBF, 0);
	before = allocated();
	print(to_stdout, &calls, *opts ? opts : NULL);
	if (calls != 1)
		return 1;
	if (allocated() != before) {
		(void)fprintf(stderr, "it allocated %" PRIu64 " bytes\n", allocated() - before);
		return 1;
	}
	print(NULL, NULL, opts);
	return 0;
}
