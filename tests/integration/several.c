// SPDX-License-Identifier: BSD-2-Clause
/*
 * several [-t THREADS] [-n OPERATIONS] [-p PLUGIN] [-g] - threads on malloc, whoever that is, that know
 * every byte; beside them a plugin that brings jemalloc (plugin.c), and with -g blocks of glibc's own.
 *
 * Exit status 3: a byte was lost. 77: there is no such plugin, or glibc does not export its malloc.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "pattern.h"

#define BLOCKS	400
#define LARGEST ((size_t)1 << 20)

extern void *__libc_malloc(size_t) __attribute__((weak)); /* NOLINT(bugprone-reserved-identifier) */
extern void __libc_free(void *) __attribute__((weak));	  /* NOLINT(bugprone-reserved-identifier) */

static unsigned long ops = 20000;
static bool glibc_too;

static void check(bool ok, const char *what)
{
	if (ok)
		return;
	(void)fprintf(stderr, "several: failed: %s\n", what);
	_exit(5);
}

struct slot {
	struct block block;
	bool glibc;
};

static void drop(struct slot *s)
{
	if (!s->block.p)
		return;
	block_check(&s->block, s->block.size, "at free");
	if (s->glibc)
		__libc_free(s->block.p);
	else
		free(s->block.p);
	s->block.p = NULL;
}

static void make(struct slot *s, uint64_t *state)
{
	size_t size = random_size(state, LARGEST);
	void *p = NULL;

	s->glibc = glibc_too && next_random(state) >> 40 & 1;
	if (s->glibc) {
		p = __libc_malloc(size);
	} else {
		switch (next_random(state) >> 33 & 3) {
		case 0:
			p = calloc(1, size);
			if (p)
				zero_check(p, size, "calloc");
			break;
		case 1:
			check(!posix_memalign(&p, 64, size), "posix_memalign");
			break;
		default:
			p = malloc(size);
			break;
		}
	}
	check(p != NULL, "out of memory");
	s->block = (struct block){.p = p, .size = size, .seed = next_random(state) >> 3};
	block_fill(&s->block);
}

static void resize(struct slot *s, uint64_t *state)
{
	size_t size = random_size(state, LARGEST), old = s->block.size;
	unsigned char *p = realloc(s->block.p, size);

	check(p != NULL, "out of memory");
	s->block.p = p;
	block_check(&s->block, size < old ? size : old, "after realloc");
	s->block.size = size;
	s->block.seed = next_random(state) >> 3;
	block_fill(&s->block);
}

static void *work(void *arg)
{
	uint64_t state = ((uintptr_t)arg + 1) * UINT64_C(0x9e3779b97f4a7c15);
	struct slot *slots = calloc(BLOCKS, sizeof(*slots));

	check(slots != NULL, "out of memory");
	for (unsigned long i = 0; i < ops; i++) {
		uint64_t r = next_random(&state) >> 16;
		struct slot *s = &slots[r % BLOCKS];

		if (!s->block.p)
			make(s, &state);
		else if (r >> 32 & 3 || s->glibc)
			drop(s);
		else
			resize(s, &state);
	}
	for (unsigned i = 0; i < BLOCKS; i++)
		drop(&slots[i]);
	free(slots);
	return NULL;
}

static void *work_in_plugin(void *arg)
{
	bool (*plugin_work)(void);

	*(void **)&plugin_work = dlsym(arg, "plugin_work");
	check(plugin_work != NULL, "no work in the plugin");
	for (unsigned i = 0; i < 5; i++)
		check(plugin_work(), "the plugin's work");
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[16], beside = 0;
	void *plugin = NULL;
	unsigned long n = 2;
	int c;

	while ((c = getopt(argc, argv, "t:n:p:g")) != -1) {
		check(c != '?', "an option");
		if (c == 't')
			n = strtoul(optarg, NULL, 10);
		if (c == 'n')
			ops = strtoul(optarg, NULL, 10);
		if (c == 'g')
			glibc_too = true;
		if (c != 'p')
			continue;
		plugin = dlopen(optarg, RTLD_NOW | RTLD_LOCAL);
		if (!plugin)
			return 77;
	}
	if (glibc_too && (!__libc_malloc || !__libc_free))
		return 77;
	check(n <= sizeof(threads) / sizeof(threads[0]), "too many threads");
	if (plugin)
		check(!pthread_create(&beside, NULL, work_in_plugin, plugin), "pthread_create");
	for (uintptr_t i = 0; i < n; i++)
		check(!pthread_create(&threads[i], NULL, work, (void *)i), "pthread_create");
	for (unsigned long i = 0; i < n; i++)
		check(!pthread_join(threads[i], NULL), "pthread_join");
	if (plugin)
		check(!pthread_join(beside, NULL), "pthread_join");
	(void)puts("intact");
	return 0;
}
