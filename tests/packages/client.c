// SPDX-License-Identifier: BSD-2-Clause
/*
 * client - a program that links the installed library and has it serve one arena. Built by linked.sh
 * outside the tree, with nothing but what pkg-config says.
 *
 *	client serve [BATCH_BYTES]	churns in an arena of its own that is hooked; prints VmPTE when full and
 *					when flushed, and whether the library's thread is
 *					there; looks that batch_bytes is this
 *	client shared [BATCH_BYTES]	the same where the library serves all arenas
 *	client result			prints what hooking arena 0 gives: 0 or the error's name
 *
 * Exit status 3: a byte was lost. 5: anything else.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <jemalloc/jemalloc.h>
#include <pthread.h>
#include <ptreclaim.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCKS	2048
#define BLOCK	((size_t)64 << 10)
#define ROUNDS	4
#define THREADS 8
#define HOOKS	1100 /* more than the library has room for */

typedef int ctl_fn(const char *name, void *oldp, size_t *oldlenp, void *newp, size_t newlen);

static unsigned arena;
static unsigned char *block[BLOCKS];

static void check(bool good, const char *what)
{
	if (good)
		return;
	(void)fprintf(stderr, "client: failed: %s\n", what);
	exit(5);
}

static long vmpte_kb(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[128];
	long kb = -1;

	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, "VmPTE:", 6))
			kb = strtol(line + 6, NULL, 10);
	(void)fclose(f);
	return kb;
}

/* Is the library's thread in this process? */
static bool worker_runs(void)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *task;
	bool found = false;

	while (tasks && !found && (task = readdir(tasks))) {
		char path[300], name[32] = "";
		FILE *f;

		(void)snprintf(path, sizeof(path), "/proc/self/task/%s/comm", task->d_name);
		f = fopen(path, "r");
		if (!f)
			continue;
		found = fgets(name, sizeof(name), f) && !strcmp(name, "ptreclaim\n");
		(void)fclose(f);
	}
	if (tasks)
		(void)closedir(tasks);
	return found;
}

static extent_hooks_t *hooks_of(unsigned i)
{
	extent_hooks_t *hooks = NULL;
	size_t len = sizeof(hooks);
	char name[64];

	(void)snprintf(name, sizeof(name), "arena.%u.extent_hooks", i);
	check(!mallctl(name, &hooks, &len, NULL, 0), "reading the hooks");
	return hooks;
}

static void set_hooks(unsigned i, extent_hooks_t *hooks)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "arena.%u.extent_hooks", i);
	check(!mallctl(name, NULL, NULL, &hooks, sizeof(hooks)), "setting hooks");
}

static unsigned new_arena(void)
{
	size_t len = sizeof(unsigned);
	ssize_t now = 0;
	char name[64];
	unsigned i;

	check(!mallctl("arenas.create", &i, &len, NULL, 0), "arenas.create");
	/* Each block is given up by itself: no piece covers what a table maps. */
	(void)snprintf(name, sizeof(name), "arena.%u.dirty_decay_ms", i);
	check(!mallctl(name, NULL, NULL, &now, sizeof(now)), "dirty_decay_ms");
	return i;
}

static void lost(void)
{
	(void)fputs("client: a byte was lost\n", stderr);
	_exit(3);
}

static unsigned char mark(unsigned i, unsigned round)
{
	return (unsigned char)(1 + (i + round * 31) % 251);
}

static void allocate(unsigned i, unsigned round)
{
	bool zeroed = i % 2 == 0;
	int flags = MALLOCX_ARENA(arena) | MALLOCX_TCACHE_NONE | (zeroed ? MALLOCX_ZERO : 0);
	unsigned char *p = mallocx(BLOCK, flags);

	check(p != NULL, "mallocx");
	for (size_t at = 0; zeroed && at < BLOCK; at += 64)
		if (p[at])
			lost();
	memset(p, mark(i, round), BLOCK);
	block[i] = p;
}

static void release(unsigned i, unsigned round)
{
	for (size_t at = 0; at < BLOCK; at += 64)
		if (block[i][at] != mark(i, round))
			lost();
	dallocx(block[i], MALLOCX_ARENA(arena) | MALLOCX_TCACHE_NONE);
}

/* A permutation: neighbours are not given up together. */
static unsigned scattered(unsigned i)
{
	return i * 769 % BLOCKS;
}

static void churn(void)
{
	for (unsigned i = 0; i < BLOCKS; i++)
		allocate(i, 0);
	for (unsigned round = 1; round < ROUNDS; round++)
		for (unsigned i = 0; i < BLOCKS; i++) {
			release(scattered(i), round - 1);
			allocate(scattered(i), round);
		}
	check(vmpte_kb() > 0, "VmPTE");
	(void)printf("full %ld kB\n", vmpte_kb());
	for (unsigned i = 0; i < BLOCKS; i++)
		release(scattered(i), ROUNDS - 1);
	ptreclaim_flush();
	(void)printf("flushed %ld kB\n", vmpte_kb());
	(void)printf("worker %d\n", worker_runs());
	/* What was zapped is there again, and zero. */
	for (unsigned i = 0; i < BLOCKS; i++)
		allocate(i, 0);
	for (unsigned i = 0; i < BLOCKS; i++)
		release(i, 0);
}

static void *hook_it(void *arg)
{
	*(int *)arg = ptreclaim_hook_arena(arena);
	return NULL;
}

static void hook_from_threads(void)
{
	pthread_t thread[THREADS];
	int result[THREADS];

	for (unsigned i = 0; i < THREADS; i++)
		check(!pthread_create(&thread[i], NULL, hook_it, &result[i]), "a thread");
	for (unsigned i = 0; i < THREADS; i++) {
		check(!pthread_join(thread[i], NULL), "its end");
		check(!result[i], "hooking the arena");
	}
}

static extent_hooks_t foreign;

static void *map_foreign(extent_hooks_t *h, void *new_addr, size_t size, size_t alignment,
			 bool *zero, bool *commit, unsigned i)
{
	char *p;

	(void)h;
	(void)i;
	if (new_addr)
		return NULL;
	p = mmap(NULL, size + alignment, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	*zero = true;
	*commit = true;
	return p + (-(uintptr_t)p & (alignment - 1));
}

/*
 * Memory that a zap does not clear, in an arena that the library was not told of: jemalloc clears what it
 * gives out a second time by memset, which has to be just that. Blocks that nobody touches are those
 * that the library would rather zap.
 */
static void other_arena(void)
{
	unsigned saved = arena;
	int flags;

	foreign = (extent_hooks_t){.alloc = map_foreign};
	arena = new_arena();
	set_hooks(arena, &foreign);
	flags = MALLOCX_ARENA(arena) | MALLOCX_TCACHE_NONE;
	for (unsigned i = 0; i < 200; i++) {
		unsigned char *p = mallocx((size_t)1 << 20, flags | (i % 5 ? MALLOCX_ZERO : 0));

		check(p != NULL, "memory from the program's own hooks");
		if (i % 5 == 0)
			memset(p, 1, (size_t)1 << 20);
		for (size_t at = 0; i % 5 == 1 && at < (size_t)1 << 20; at += 4096)
			if (p[at])
				lost();
		dallocx(p, flags);
	}
	arena = saved;
}

/* Hooks as different as hooks can be: each has an address of its own. */
static void exhaust(void)
{
	static extent_hooks_t own[HOOKS];
	unsigned i = new_arena(), n;
	int r = 0;

	for (n = 0; n < HOOKS && !r; n++) {
		own[n] = *hooks_of(0);
		set_hooks(i, &own[n]);
		r = ptreclaim_hook_arena(i);
	}
	check(r == EAGAIN && n > 2, "EAGAIN where there are too many hooks");
	check(hooks_of(i) == &own[n - 1], "what the program has set stays then");
}

/* The property as configured, where the library has properties. */
static void read_property(const char *expected)
{
	uint64_t value = 0;
	size_t len = sizeof(value);
	ctl_fn *ctl;

	*(void **)&ctl = dlsym(RTLD_DEFAULT, "ptreclaim_ctl");
	if (!ctl) {
		(void)puts("no properties");
		return;
	}
	check(!ctl("ptreclaim.batch_bytes", &value, &len, NULL, 0), "ptreclaim.batch_bytes");
	check(!expected || value == strtoull(expected, NULL, 10), "its value");
}

static int in_child(void)
{
	pid_t pid = fork();
	int status = 0;

	if (!pid) {
		check(!ptreclaim_hook_arena(arena) && !ptreclaim_hook_arena(new_arena()),
		      "hooking in a child");
		churn();
		exit(0);
	}
	check(pid > 0 && waitpid(pid, &status, 0) == pid, "fork");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 5;
}

static int serve(bool alone, const char *batch_bytes)
{
	extent_hooks_t *before = hooks_of(0), *own;

	arena = new_arena();
	own = hooks_of(arena);
	hook_from_threads();
	check(ptreclaim_hook_arena(arena + 1) == EINVAL, "an arena that is not there");
	check(ptreclaim_hook_arena(MALLCTL_ARENAS_ALL) == EINVAL, "all arenas are not one");
	check(hooks_of(0) == before, "another arena's hooks");
	/* Where ours is the mallctl that the program calls it goes on to see its own. */
	check((hooks_of(arena) != own) == alone, "the arena's hooks");
	churn();
	other_arena();
	read_property(batch_bytes);
	(void)fflush(stdout);
	if (in_child())
		return 5;
	churn();
	if (alone)
		exhaust();
	return 0;
}

int main(int argc, char **argv)
{
	int r;

	if (argc > 1 && (!strcmp(argv[1], "serve") || !strcmp(argv[1], "shared")))
		return serve(argv[1][1] == 'e', argv[2]);
	check(argc == 2 && !strcmp(argv[1], "result"), "usage");
	r = ptreclaim_hook_arena(0);
	(void)printf("%s\n", r ? strerrorname_np(r) : "0");
	return 0;
}
