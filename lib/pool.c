// SPDX-License-Identifier: BSD-2-Clause
/* pool - see pool.h. */
#include "pool.h"

#include <stdatomic.h>

#include "node.h"
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

/* A pool for each node: the kernel gives a page on the node of the thread that touches it first. */
static struct pool {
	_Atomic(struct chunk *) newest;
	_Atomic uint64_t bytes;
} __attribute__((aligned(128))) pools[NODE_MAX];

static size_t round_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

/* Put a new chunk in front of `seen`; another thread may have been faster, which is as good. */
static int pool_grow(struct pool *p, struct chunk *seen, size_t need)
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
	if (atomic_compare_exchange_strong(&p->newest, &seen, c)) {
		atomic_fetch_add(&p->bytes, size);
	} else {
		stats_add(STAT_SYS_MAP, 1);
		(void)os.unmap(c, size);
	}
	return 0;
}

void *pool_alloc(size_t size)
{
	struct pool *p = &pools[node_here()];

	size = round_up(size, POOL_ALIGN);
	for (;;) {
		struct chunk *c = atomic_load(&p->newest);

		if (c) {
			size_t used = atomic_load(&c->used);

			while (used + size <= c->size)
				if (atomic_compare_exchange_weak(&c->used, &used, used + size))
					return (char *)c + used;
		}
		if (pool_grow(p, c, size))
			return NULL;
	}
}

uint64_t pool_node_bytes(unsigned node)
{
	return atomic_load(&pools[node].bytes);
}

uint64_t pool_bytes(void)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < node_count(); i++)
		n += pool_node_bytes(i);
	return n;
}

void pool_reset(void)
{
	for (struct pool *p = pools; p < pools + NODE_MAX; p++) {
		struct chunk *c = atomic_exchange(&p->newest, NULL);

		while (c) {
			struct chunk *older = c->older;

			(void)os.unmap(c, c->size);
			c = older;
		}
		atomic_store(&p->bytes, 0);
	}
}
