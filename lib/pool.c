// SPDX-License-Identifier: BSD-2-Clause
/* pool - see pool.h. */
#include "pool.h"

#include <stdatomic.h>

#include "os.h"
#include "stats.h"

#define POOL_ALIGN 64
/* Chunks start small, so that a small process pays little, and double up to the largest. */
#define POOL_CHUNK_MIN ((size_t)256 << 10)
#define POOL_CHUNK_MAX ((size_t)4 << 20)

struct chunk {
	struct chunk *older;
	size_t size;
	_Atomic size_t used;
};

static _Atomic(struct chunk *) newest;
static _Atomic uint64_t total;

static size_t round_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

/* Put a new chunk in front of `seen`; another thread may have been faster, which is as good. */
static int pool_grow(struct chunk *seen, size_t need)
{
	size_t size = seen ? seen->size * 2 : POOL_CHUNK_MIN;

	if (size > POOL_CHUNK_MAX)
		size = POOL_CHUNK_MAX;
	if (size < need + sizeof(struct chunk) + POOL_ALIGN)
		size = round_up(need + sizeof(struct chunk) + POOL_ALIGN, os_page_size);
	struct chunk *c = os.map(size);

	stats_add(STAT_SYS_MAP, 1);
	if (!c)
		return -1;
	c->older = seen;
	c->size = size;
	atomic_init(&c->used, round_up(sizeof(*c), POOL_ALIGN));
	if (atomic_compare_exchange_strong(&newest, &seen, c)) {
		atomic_fetch_add(&total, size);
	} else {
		stats_add(STAT_SYS_MAP, 1);
		(void)os.unmap(c, size);
	}
	return 0;
}

void *pool_alloc(size_t size)
{
	size = round_up(size, POOL_ALIGN);
	for (;;) {
		struct chunk *c = atomic_load(&newest);

		if (c) {
			size_t used = atomic_load(&c->used);

			while (used + size <= c->size)
				if (atomic_compare_exchange_weak(&c->used, &used, used + size))
					return (char *)c + used;
		}
		if (pool_grow(c, size))
			return NULL;
	}
}

uint64_t pool_bytes(void)
{
	return atomic_load(&total);
}

void pool_reset(void)
{
	struct chunk *c = atomic_exchange(&newest, NULL);

	while (c) {
		struct chunk *older = c->older;

		(void)os.unmap(c, c->size);
		c = older;
	}
	atomic_store(&total, 0);
}
