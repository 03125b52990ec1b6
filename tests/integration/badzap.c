// SPDX-License-Identifier: BSD-2-Clause
/*
 * badzap - the two mistakes that a zapping library can make, made on purpose.
 *
 * Preloaded, it stands between the allocator and madvise() and spoils one zap of eight.
 * BADZAP=wide: it takes one page too many, which another block may own. BADZAP=none: it is claimed
 * and not done, so that memory which the allocator believes to be zero is not. churn must notice
 * both. The first zap is left alone: jemalloc tries MADV_DONTNEED out before it trusts it.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

__attribute__((visibility("default"))) int madvise(void *addr, size_t len, int advice)
{
	static atomic_uint zaps;
	const char *how = getenv("BADZAP");

	if (how && advice == MADV_DONTNEED && atomic_fetch_add(&zaps, 1) % 8 == 7) {
		if (!strcmp(how, "none"))
			return 0;
		len += (size_t)sysconf(_SC_PAGESIZE);
	}
	return (int)syscall(SYS_madvise, addr, len, advice);
}
