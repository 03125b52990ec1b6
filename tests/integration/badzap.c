// SPDX-License-Identifier: BSD-2-Clause
/*
 * badzap - the two mistakes that a zapping library can make, made on purpose.
 *
 * Preloaded, it stands between the allocator and madvise() and spoils one zap of eight.
 * BADZAP=wide: it takes one page too many, which another block may own. BADZAP=none: it is claimed
 * and not done, so that memory which the allocator believes to be zero is not. BADZAP=child: the same,
 * in children of fork() only. churn must notice all of them. The first zap is left alone: jemalloc tries MADV_DONTNEED out before it trusts it.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static pid_t parent;

__attribute__((constructor)) static void badzap_start(void)
{
	parent = getpid();
}

__attribute__((visibility("default"))) int madvise(void *addr, size_t len, int advice)
{
	static atomic_uint zaps;
	const char *how = getenv("BADZAP");

	if (how && advice == MADV_DONTNEED && atomic_fetch_add(&zaps, 1) % 8 == 7) {
		bool child = !strcmp(how, "child");

		if (!strcmp(how, "none") || (child && getpid() != parent))
			return 0;
		if (!child)
			len += (size_t)sysconf(_SC_PAGESIZE);
	}
	return (int)syscall(SYS_madvise, addr, len, advice);
}
