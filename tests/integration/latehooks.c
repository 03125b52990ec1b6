// SPDX-License-Identifier: BSD-2-Clause
/*
 * latehooks - a program that has put extent hooks of its own before arena 0, and switches the library on
 * afterwards. Its memory is shared: MADV_DONTNEED does not make that zero. Exit status 3: calloc gave
 * what does not read zero.
 */
#include <dlfcn.h>
#include <jemalloc/jemalloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ROUNDS 200

static unsigned long purges;

static void check(bool good, const char *what)
{
	if (good)
		return;
	(void)fprintf(stderr, "latehooks: failed: %s\n", what);
	exit(5);
}

static void *shared_alloc(extent_hooks_t *h, void *new_addr, size_t size, size_t alignment,
			  bool *zero, bool *commit, unsigned arena)
{
	char *p;

	(void)h;
	(void)arena;
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
			 unsigned arena)
{
	(void)h;
	(void)size;
	(void)arena;
	purges++;
	return madvise((char *)addr + offset, length, MADV_REMOVE) != 0;
}

static bool keep_together(extent_hooks_t *h, void *addr, size_t size, size_t a, size_t b,
			  bool committed, unsigned arena)
{
	(void)h;
	(void)addr;
	(void)size;
	(void)a;
	(void)b;
	(void)committed;
	(void)arena;
	return false;
}

static extent_hooks_t own = {
	.alloc = shared_alloc, .purge_forced = shared_purge, .split = keep_together};

static void switch_on(void)
{
	int (*ctl)(const char *, void *, size_t *, void *, size_t);
	const char *mode = "on";

	*(void **)&ctl = dlsym(RTLD_DEFAULT, "ptreclaim_ctl");
	check(ctl != NULL, "ptreclaim_ctl");
	check(!ctl("ptreclaim.mode", NULL, NULL, &mode, sizeof(mode)), "the mode is set");
}

int main(void)
{
	extent_hooks_t *h = &own;
	size_t len = sizeof(h);
	ssize_t now = 0;

	check(!mallctl("arena.0.extent_hooks", NULL, NULL, &h, sizeof(h)), "setting hooks");
	switch_on();
	h = NULL;
	check(!mallctl("arena.0.extent_hooks", &h, &len, NULL, 0) && h == &own, "reading hooks");
	check(!mallctl("arena.0.dirty_decay_ms", NULL, NULL, &now, sizeof(now)), "decay");
	check(!mallctl("arena.0.muzzy_decay_ms", NULL, NULL, &now, sizeof(now)), "decay");
	for (unsigned i = 0; i < ROUNDS; i++) {
		size_t n = ((size_t)64 << 10) << i % 5;
		char *p = mallocx(n, MALLOCX_ARENA(0) | MALLOCX_TCACHE_NONE | MALLOCX_ZERO);

		check(p != NULL, "mallocx");
		for (size_t k = 0; k < n; k++) {
			if (!p[k])
				continue;
			(void)printf("round %u: byte %zu of %zu is not zero\n", i, k, n);
			return 3;
		}
		memset(p, 0xa5, n);
		dallocx(p, MALLOCX_TCACHE_NONE);
	}
	/* Giving memory up is the program's own business there. */
	check(purges >= ROUNDS, "its own purge is called");
	return 0;
}
