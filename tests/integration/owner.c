// SPDX-License-Identifier: BSD-2-Clause
/*
 * owner - a program with habits:
 *
 *	pool     gives an arena memory of its own by extent hooks without destroy, destroys the arena
 *	         and uses the memory at once: exit 3 if a byte of it is lost later
 *	sparse   callocs large blocks over and over and touches little of them; prints VmHWM in kB
 */
#include <jemalloc/jemalloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)

static char *pool;
static size_t pool_used;

static void *pool_alloc(extent_hooks_t *h, void *want, size_t size, size_t align, bool *zero,
			bool *commit, unsigned arena)
{
	size_t at = (pool_used + align - 1) & ~(align - 1);

	(void)h;
	(void)arena;
	if (want || at + size > 256 * MIB)
		return NULL;
	pool_used = at + size;
	*zero = *commit = true;
	return pool + at;
}

static bool pool_dalloc(extent_hooks_t *h, void *addr, size_t size, bool committed, unsigned arena)
{
	(void)h;
	(void)addr;
	(void)size;
	(void)committed;
	(void)arena;
	return true;
}

static int use_pool(void)
{
	static extent_hooks_t mine;
	extent_hooks_t *stock, *ours = &mine;
	size_t len = sizeof(stock), lost = 0;
	unsigned arena;
	char name[64];
	void *p;

	pool = mmap(NULL, 256 * MIB, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (pool == MAP_FAILED || mallctl("arena.0.extent_hooks", &stock, &len, NULL, 0))
		return 1;
	mine = *stock;
	mine.alloc = pool_alloc;
	mine.dalloc = pool_dalloc;
	mine.destroy = NULL;
	len = sizeof(arena);
	if (mallctl("arenas.create", &arena, &len, &ours, sizeof(ours)))
		return 1;
	p = mallocx(8 * MIB, MALLOCX_ARENA(arena) | MALLOCX_TCACHE_NONE);
	if (!p)
		return 1;
	memset(p, 1, 8 * MIB);
	dallocx(p, MALLOCX_TCACHE_NONE);
	(void)snprintf(name, sizeof(name), "arena.%u.destroy", arena);
	if (mallctl(name, NULL, NULL, NULL, 0))
		return 1;
	/* The pool is the program's own again. */
	memset(pool, 0xaa, 64 * MIB);
	(void)usleep(400000);
	for (size_t i = 0; i < 64 * MIB; i += 4096)
		lost += (unsigned char)pool[i] != 0xaa;
	(void)printf("%zu pages lost\n", lost);
	return lost ? 3 : 0;
}

static int touch_little(void)
{
	static char *block[64];
	char line[256];
	unsigned seed = 1;
	FILE *f;

	for (unsigned i = 0; i < 20000; i++) {
		unsigned k = i % 64;
		size_t size;

		seed = seed * 1103515245 + 12345;
		size = (256 + (seed >> 16) % 1024) << 10;
		free(block[k]);
		block[k] = calloc(1, size);
		if (!block[k])
			return 1;
		if (block[k][0] || block[k][size / 2] || block[k][size - 1])
			return 3;
		memset(block[k], 1, 8192);
		block[k][size - 1] = 1;
	}
	f = fopen("/proc/self/status", "re");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "VmHWM:", 6))
			(void)printf("%ld\n", strtol(line + 6, NULL, 10));
	return f ? fclose(f) : 1;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "pool"))
		return use_pool();
	if (argc == 2 && !strcmp(argv[1], "sparse"))
		return touch_little();
	return 2;
}
