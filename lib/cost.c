// SPDX-License-Identifier: BSD-2-Clause
/* cost - see cost.h. */
#include "cost.h"

#include <stdint.h>
#include <sys/mman.h>

#include "os.h"
#include "stats.h"

#define PAGES  32
#define ROUNDS 4

static uint64_t since(uint64_t start)
{
	return os.clock_ns() - start;
}

static void keep_least(uint64_t *least, uint64_t ns)
{
	if (ns < *least)
		*least = ns;
}

static void touch(char *at)
{
	for (unsigned i = 0; i < PAGES; i++)
		*(volatile char *)(at + i * os_page_size) = 1;
}

static uint64_t advise(void *at, size_t len, int advice, int *error)
{
	uint64_t start = os.clock_ns();

	*error = os.madvise(at, len, advice);
	stats_add(STAT_SYS_OTHER, 1);
	return since(start);
}

static uint32_t of_page(uint64_t all, uint64_t call)
{
	return (uint32_t)((all > call ? all - call : 0) / PAGES);
}

bool cost_measure(struct policy_costs *out)
{
	size_t len = PAGES * os_page_size;
	uint64_t fault = UINT64_MAX, zero = UINT64_MAX, zap = UINT64_MAX, populate = UINT64_MAX;
	uint64_t call = UINT64_MAX, start;
	char *at = os.map(len);
	int error = 0, refused = 0;

	if (!at)
		return false;
	for (unsigned i = 0; i < ROUNDS && !error; i++) {
		start = os.clock_ns();
		touch(at);
		keep_least(&fault, since(start));
		start = os.clock_ns();
		os.zero(at, len);
		keep_least(&zero, since(start));
		keep_least(&zap, advise(at, len, MADV_DONTNEED, &error));
		keep_least(&call, advise(at, os_page_size, MADV_DONTNEED, &error));
		if (refused)
			continue;
		keep_least(&populate, advise(at, len, OS_MADV_POPULATE_WRITE, &refused));
		(void)advise(at, len, MADV_DONTNEED, &error);
	}
	(void)os.unmap(at, len);
	if (error || !fault)
		return false;
	*out = (struct policy_costs){
		.fault = of_page(fault, 0),
		.zero = of_page(zero, 0),
		.zap = of_page(zap, call),
		.call = (uint32_t)(call < UINT32_MAX ? call : UINT32_MAX),
		.populate = refused ? 0 : of_page(populate, call),
	};
	return out->fault != 0;
}
