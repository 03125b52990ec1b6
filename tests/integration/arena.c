// SPDX-License-Identifier: BSD-2-Clause
/*
 * arena - a program that manages memory by itself and gives pages back piece by piece.
 *
 *	arena zap WAY [THEN]	pages of some regions by WAY (below), then the regions by THEN
 *	arena syscall		syscall(2) with everything but zaps
 *	arena threads		prints how many there are
 *
 * zap prints how many bytes it has zapped, and how many of its page tables are empty at its end, which it
 * finds out by freeing them: by instructions of its own, that no library sees.
 *
 * Exit status 3: a byte was lost. 4: errno was changed. 5: anything else. 77: not on this machine.
 */
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif

#define REGIONS 12
#define PIECE	16 /* pages */

static size_t page, region;
static char *arena, *moved; /* both aligned to a region; moved: where something went, if anywhere */
static size_t moved_regions;

static void check(bool ok, const char *what)
{
	if (ok)
		return;
	(void)fprintf(stderr, "arena: failed: %s (%s)\n", what, strerror(errno));
	_exit(5);
}

/* Not by libc. */
static long raw(long nr, long a, long b, long c)
{
#if defined(__x86_64__)
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(nr), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return r;
#else
	return -ENOSYS;
#endif
}

static int pidfd(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	if (fd < 0)
		_exit(77);
	return fd;
}

static bool by_process(char *p, size_t len)
{
	/* Two ranges, as a vector. */
	struct iovec v[2] = {{p, page}, {p + page, len - page}};
	ssize_t r = process_madvise(pidfd(), v, 2, MADV_DONTNEED, 0);

	if (r < 0 && (errno == EINVAL || errno == ENOSYS || errno == EPERM))
		_exit(77); /* older than 6.13 */
	return r == (ssize_t)len;
}

static bool by_process_syscall(char *p, size_t len)
{
	struct iovec v[2] = {{p, page}, {p + page, len - page}};
	long r = syscall(SYS_process_madvise, pidfd(), v, 2L, MADV_DONTNEED, 0L);

	if (r < 0 && (errno == EINVAL || errno == ENOSYS || errno == EPERM))
		_exit(77);
	return r == (long)len;
}

static bool by_locked(char *p, size_t len)
{
	if (madvise(p, len, MADV_DONTNEED_LOCKED) == 0)
		return true;
	_exit(77);
}

static bool by_madvise(char *p, size_t len)
{
	return madvise(p, len, MADV_DONTNEED) == 0;
}

static bool by_free(char *p, size_t len)
{
	return madvise(p, len, MADV_FREE) == 0;
}

static bool by_syscall(char *p, size_t len)
{
	return syscall(SYS_madvise, p, len, MADV_DONTNEED) == 0;
}

/* The length is rounded up by the kernel. */
static bool by_odd_length(char *p, size_t len)
{
	return madvise(p, len - 100, MADV_DONTNEED) == 0;
}

static const struct {
	const char *name;
	bool (*zap)(char *, size_t);
	bool lazily;
} ways[] = {
	{"madvise", by_madvise, false},
	{"locked", by_locked, false},
	{"free", by_free, true},
	{"process", by_process, false},
	{"syscall", by_syscall, false},
	{"process-syscall", by_process_syscall, false},
	{"odd-length", by_odd_length, false},
};

static char *map_aligned(size_t regions)
{
	char *p = mmap(NULL, (regions + 1) * region, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0),
	     *aligned;

	check(p != MAP_FAILED, "mmap");
	aligned = (char *)(((uintptr_t)p + region - 1) & ~(region - 1));
	check(aligned == p || !munmap(p, (size_t)(aligned - p)), "munmap in front");
	check(!munmap(aligned + regions * region, region - (size_t)(aligned - p)), "munmap behind");
	check(!madvise(aligned, regions * region, MADV_NOHUGEPAGE), "nohugepage");
	return aligned;
}

static unsigned char mark(size_t at)
{
	return (unsigned char)(1 + at / page % 251);
}

static void fill(void)
{
	for (size_t at = 0; at < REGIONS * region; at += page)
		arena[at] = (char)mark(at);
}

/* One page of every third region stays: those tables are not empty. */
static bool stays(size_t at)
{
	return at / region % 3 == 0 && at % region / page == 100;
}

static uint64_t zap_pieces(bool (*zap)(char *, size_t))
{
	uint64_t zapped = 0;

	for (size_t at = 0; at < REGIONS * region; at += PIECE * page)
		for (size_t from = at, to; from < at + PIECE * page; from = to) {
			if (stays(from)) {
				to = from + page;
				continue;
			}
			for (to = from; to < at + PIECE * page && !stays(to); to += page)
				;
			if (to - from < 2 * page) {
				/* Too little for the two ranges of a vector. */
				check(by_madvise(arena + from, to - from), "a small zap");
			} else {
				errno = 4711;
				check(zap(arena + from, to - from), "a zap");
				if (errno != 4711)
					_exit(4);
			}
			zapped += to - from;
		}
	return zapped;
}

static void look(bool lazily)
{
	for (size_t at = 0; at < REGIONS * region; at += page) {
		unsigned char want = stays(at) ? mark(at) : 0;
		unsigned char vec;

		if (mincore(arena + at, page, &vec))
			continue; /* unmapped */
		if (!stays(at)) {
			/* Reading would make it present. */
			if (!lazily && vec & 1) {
				(void)fprintf(stderr, "a page came back at %zu\n", at / page);
				_exit(3);
			}
			continue;
		}
		if ((unsigned char)arena[at] != want)
			_exit(3);
	}
}

static long vmpte_kb(void)
{
	char buf[4096], *p;
	FILE *f = fopen("/proc/self/status", "r");
	size_t n = f ? fread(buf, 1, sizeof(buf) - 1, f) : 0;

	check(n > 0, "status");
	(void)fclose(f);
	buf[n] = 0;
	p = strstr(buf, "VmPTE:");
	return p ? strtol(p + 6, NULL, 10) : -1;
}

/* Free those tables of a range that are empty: how many were there? */
static unsigned free_tables(char *base, size_t regions)
{
	unsigned char *vec = malloc(region / page);
	long before = vmpte_kb();

	check(vec != NULL, "malloc");
	for (size_t i = 0; i < regions; i++) {
		char *p = base + i * region;
		bool any = false;

		if (mincore(p, region, vec))
			continue;
		for (size_t k = 0; k < region / page; k++)
			any |= vec[k] & 1;
		if (!any)
			check(!raw(SYS_madvise, (long)p, (long)region, MADV_DONTNEED),
			      "raw madvise");
	}
	free(vec);
	return (unsigned)((before - vmpte_kb()) * 1024 / (long)page);
}

/* The next that is mapped there has no tables yet. */
static void map_in_place(size_t regions)
{
	check(mmap(arena + region, regions * region, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == arena + region,
	      "mmap in place of another");
}

static void then_munmap(void)
{
	check(!munmap(arena + region, 2 * region), "munmap");
	map_in_place(2);
}

static void then_munmap_syscall(void)
{
	check(!syscall(SYS_munmap, arena + region, 2 * region), "munmap");
	map_in_place(2);
}

static void then_munmap_part(void)
{
	check(!munmap(arena + region + 5 * page, page), "munmap");
}

static void then_shrink(void)
{
	check(mremap(arena, REGIONS * region, 8 * region, 0) == arena, "mremap");
}

/* Something else is moved over a part, tables and all. */
static void then_move_over(void)
{
	char *p = map_aligned(2);

	p[0] = p[region] = 7;
	check(mremap(p, 2 * region, 2 * region, MREMAP_MAYMOVE | MREMAP_FIXED, arena + region) ==
		      arena + region,
	      "mremap");
	if (arena[region] != 7 || arena[2 * region] != 7)
		_exit(3);
	check(by_madvise(arena + region, page) && by_madvise(arena + 2 * region, page), "a zap");
}

/* A part is moved elsewhere, and something fresh is mapped in its place. */
static void then_move_away(void)
{
	char *to = map_aligned(4);

	check(mremap(arena + region, 4 * region, 4 * region, MREMAP_MAYMOVE | MREMAP_FIXED, to) ==
		      to,
	      "mremap");
	if ((unsigned char)to[2 * region + 100 * page] != mark(3 * region + 100 * page))
		_exit(3);
	moved = to;
	moved_regions = 4;
	map_in_place(4);
	/* The page that stays is not there any more. */
	arena[3 * region + 100 * page] = (char)mark(3 * region + 100 * page);
}

/* And then it goes. */
static void then_move_off(void)
{
	then_move_away();
	check(!munmap(moved, moved_regions * region), "munmap of what was moved");
	moved = NULL;
}

static void then_map_over(void)
{
	check(mmap(arena + region, 2 * region, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == arena + region,
	      "mmap");
}

static void then_touch(void)
{
	arena[region] = arena[5 * region] = 1;
}

static void then_whole(void)
{
	check(by_madvise(arena + region, 2 * region), "a zap of two regions");
}

static void then_nothing(void)
{
}

static const struct {
	const char *name;
	void (*act)(void);
	bool leaves; /* no page is there that was not before, and those that stay do */
} thens[] = {
	{"nothing", then_nothing, true},
	{"munmap", then_munmap, true},
	{"munmap-syscall", then_munmap_syscall, true},
	{"munmap-part", then_munmap_part, true},
	{"shrink", then_shrink, true},
	{"move-over", then_move_over, true},
	{"move-away", then_move_away, true},
	{"move-off", then_move_off, true},
	{"map-over", then_map_over, true},
	{"touch", then_touch, false},
	{"whole", then_whole, true},
};

static int zap(const char *way, const char *then)
{
	size_t w = 0, t = 0, n = sizeof(ways) / sizeof(ways[0]),
	       m = sizeof(thens) / sizeof(thens[0]);
	uint64_t zapped;

	while (w < n && strcmp(ways[w].name, way) != 0)
		w++;
	while (t < m && strcmp(thens[t].name, then) != 0)
		t++;
	check(w < n && t < m, "arguments");
	arena = map_aligned(REGIONS);
	fill();
	(void)raw(SYS_write, 2, (long)"begin\n", 6);
	zapped = zap_pieces(ways[w].zap);
	look(ways[w].lazily);
	thens[t].act();
	(void)raw(SYS_write, 2, (long)"end\n", 4);
	if (thens[t].leaves)
		look(ways[w].lazily);
	(void)printf("zapped %llu\n", (unsigned long long)zapped);
	(void)printf("tables %u\n",
		     free_tables(arena, REGIONS) + (moved ? free_tables(moved, moved_regions) : 0));
	return 0;
}

static int pass_on(void)
{
	char path[] = "/tmp/arena-XXXXXX", byte = 0;
	int fd = mkstemp(path), status;
	long r;
	char *p;

	check(fd >= 0 && !unlink(path) && pwrite(fd, "x", 1, (off_t)(3 * page)) == 1, "a file");
	errno = 4711;
	check(syscall(SYS_gettid) == gettid() && syscall(SYS_getpid) == getpid(), "no argument");
	check(errno == 4711, "errno after success");
	check(syscall(SYS_close, -1) == -1 && errno == EBADF, "an error");
	check(syscall(100000) == -1 && errno == ENOSYS, "no such call");
	check(syscall(SYS_madvise, &byte, page, MADV_DONTNEED) == -1 && errno == EINVAL,
	      "a zap that is refused");
	check(syscall(SYS_process_madvise, -1, &byte, 0, MADV_DONTNEED, 0) == -1 && errno == EBADF,
	      "a bad descriptor");
	check(syscall(SYS_munmap, &byte, page) == -1 && errno == EINVAL,
	      "a munmap that is refused");
	p = (char *)syscall(SYS_mmap, NULL, page, PROT_READ, MAP_PRIVATE, fd, 3 * page);
	check(p != MAP_FAILED && *p == 'x', "six arguments");
	check(!syscall(SYS_munmap, p, page), "munmap");
	r = syscall(SYS_clone, (long)(CLONE_VFORK | SIGCHLD), 0L, 0L, 0L, 0L);
	if (!r)
		_exit(7);
	check(r > 0 && waitpid((pid_t)r, &status, 0) == r && WIFEXITED(status) &&
		      WEXITSTATUS(status) == 7,
	      "clone");
	check(madvise(&byte, page, MADV_DONTNEED) == -1 && errno == EINVAL,
	      "madvise that is refused");
	errno = 0;
	check(mremap(NULL, 0, page, 0) == MAP_FAILED && errno != 0, "mremap that is refused");
	check(mmap(NULL, 0, PROT_READ, MAP_PRIVATE, -1, 0) == MAP_FAILED, "mmap that is refused");
	return 0;
}

static int threads(void)
{
	DIR *d = opendir("/proc/self/task");
	unsigned n = 0;

	check(d != NULL, "the list of threads");
	arena = map_aligned(REGIONS);
	fill();
	(void)zap_pieces(by_madvise);
	rewinddir(d);
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	(void)closedir(d);
	(void)printf("threads %u\n", n);
	return 0;
}

int main(int argc, char **argv)
{
	page = (size_t)sysconf(_SC_PAGESIZE);
	region = page * page / 8;
	if (argc > 2 && !strcmp(argv[1], "zap"))
		return zap(argv[2], argc > 3 ? argv[3] : "nothing");
	if (argc == 2 && !strcmp(argv[1], "syscall"))
		return pass_on();
	if (argc == 2 && !strcmp(argv[1], "threads"))
		return threads();
	return 2;
}
