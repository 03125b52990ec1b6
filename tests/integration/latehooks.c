// SPDX-License-Identifier: BSD-2-Clause
/*
 * latehooks - a program that has put extent hooks of its own before an arena, and switches the library on
 * afterwards. Its memory is shared: MADV_DONTNEED does not make that zero. Exit status 3: calloc gave
 * what does not read zero.
 *
 * Usage: latehooks ARENA [-r]. -r: another thread calls calloc all the while.
 */
#include <dlfcn.h>
#include <jemalloc/jemalloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define ROUNDS 200

static unsigned arena;
static unsigned long purges;

static void check(bool good, const char *what)
{
	if (good)
		return;
	(void)fprintf(stderr, "latehooks: failed: %s\n", what);
	exit(5);
}

static void *shared_alloc(extent_hooks_t *h, void *new_addr, size_t size, size_t alignment,
			  bool *zero, bool *commit, unsigned index)
{
	char *p;

	(void)h;
	(void)index;
	if (new_addr)
		return NULL;
	p = mmap(NULL, size + alignment, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	*zero = true;
	*commit = true;
	return p + (-(uintptr_t)p & (alignment - 1));
}

static bool shared_purge(extent_hooks_t *h, void *addr, size_t size, size_t offset, size_t length,
			 unsigned index)
{
	(void)h;
	(void)size;
	(void)index;
	purges++;
	return madvise((char *)addr + offset, length, MADV_REMOVE) != 0;
}

static bool keep_together(extent_hooks_t *h, void *addr, size_t size, size_t a, size_t b,
			  bool committed, unsigned index)
{
	(void)h;
	(void)addr;
	(void)size;
	(void)a;
	(void)b;
	(void)committed;
	(void)index;
	return false;
}

static extent_hooks_t own = {
	.alloc = shared_alloc, .purge_forced = shared_purge, .split = keep_together};

static int arena_ctl(const char *what, void *oldp, void *newp, size_t size)
{
	size_t len = size;
	char name[64];

	(void)snprintf(name, sizeof(name), "arena.%u.%s", arena, what);
	return mallctl(name, oldp, oldp ? &len : NULL, newp, newp ? size : 0);
}

static void switch_on(void)
{
	int (*ctl)(const char *, void *, size_t *, void *, size_t);
	const char *mode = "on";

	*(void **)&ctl = dlsym(RTLD_DEFAULT, "ptreclaim_ctl");
	check(ctl != NULL, "ptreclaim_ctl");
	check(!ctl("ptreclaim.mode", NULL, NULL, &mode, sizeof(mode)), "the mode is set");
}

static void calloc_once(unsigned round)
{
	size_t n = ((size_t)64 << 10) << round % 5;
	char *p = mallocx(n, MALLOCX_ARENA(arena) | MALLOCX_TCACHE_NONE | MALLOCX_ZERO);

	check(p != NULL, "mallocx");
	for (size_t k = 0; k < n; k++) {
		if (!p[k])
			continue;
		(void)printf("round %u: byte %zu of %zu is not zero\n", round, k, n);
		exit(3);
	}
	memset(p, 0xa5, n);
	dallocx(p, MALLOCX_TCACHE_NONE);
}

static _Atomic bool stop;
static _Atomic unsigned rounds;

static void *calloc_all_the_while(void *arg)
{
	(void)arg;
	while (!stop)
		calloc_once(rounds++);
	return NULL;
}

/* Once the other thread is well at it. What it gives up stays with the arena, dirty: jemalloc clears it. */
static void race(void)
{
	const struct timespec tick = {.tv_nsec = 1000000};
	ssize_t never = -1;
	pthread_t thread;
	unsigned seen;

	check(!arena_ctl("dirty_decay_ms", NULL, &never, sizeof(never)), "decay");
	check(!pthread_create(&thread, NULL, calloc_all_the_while, NULL), "pthread_create");
	while (rounds < 20)
		(void)nanosleep(&tick, NULL);
	switch_on();
	seen = rounds;
	while (rounds < seen + 20)
		(void)nanosleep(&tick, NULL);
	stop = true;
	check(!pthread_join(thread, NULL), "pthread_join");
}

int main(int argc, char **argv)
{
	extent_hooks_t *h = &own;
	ssize_t now = 0;

	check(argc > 1, "usage: latehooks ARENA [-r]");
	arena = (unsigned)strtoul(argv[1], NULL, 10);
	check(!arena_ctl("extent_hooks", NULL, &h, sizeof(h)), "setting hooks");
	if (argc > 2 && !strcmp(argv[2], "-r")) {
		race();
		return 0;
	}
	switch_on();
	h = NULL;
	check(!arena_ctl("extent_hooks", &h, NULL, sizeof(h)) && h == &own, "reading hooks");
	check(!arena_ctl("dirty_decay_ms", NULL, &now, sizeof(now)), "decay");
	check(!arena_ctl("muzzy_decay_ms", NULL, &now, sizeof(now)), "decay");
	for (unsigned i = 0; i < ROUNDS; i++)
		calloc_once(i);
	/* Giving memory up is the program's own business there. */
	check(purges >= ROUNDS, "its own purge is called");
	return 0;
}
