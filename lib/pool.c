// SPDX-License-Identifier: BSD-2-Clause
/* pool - see pool.h. */
#include "pool.h"

#include <stdatomic.h>

#include "node.h"
#include "os.h"
#include "stats.h"

/* Two lines of the cache: processors fetch them in pairs, and neighbours are different threads'. */
#define POOL_ALIGN 128
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

/*
 * What is small comes out of a piece that is its thread's: records of regions that are one thread's then do
 * not lie among those of another's. Side by side the processor's prefetching has them go back and forth as if
 * they were shared. For each shard of threads, by node: the address of what is left, up to the next multiple of
 * PIECE; there, nothing is. Rows of nodes that there are not are never touched.
 */
#define PIECE	   ((size_t)4096)
#define PIECE_MOST ((size_t)512)

static struct piece {
	_Atomic uintptr_t left;
} __attribute__((aligned(64))) pieces[NODE_MAX][STATS_SHARDS];

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

/* `align`: chunks are aligned to pages, so more is not to be had. */
static void *chunk_alloc(struct pool *p, size_t size, size_t align)
{
	for (;;) {
		struct chunk *c = atomic_load(&p->newest);

		if (c) {
			size_t used = atomic_load(&c->used), at;

			while ((at = round_up(used, align)) + size <= c->size)
				if (atomic_compare_exchange_weak(&c->used, &used, at + size))
					return (char *)c + at;
		}
		if (pool_grow(p, c, size + align))
			return NULL;
	}
}

/* NULL: there is none, or not enough left. */
static void *piece_alloc(struct piece *piece, size_t size)
{
	uintptr_t left = atomic_load_explicit(&piece->left, memory_order_relaxed);

	while (left % PIECE && left % PIECE + size <= PIECE)
		if (atomic_compare_exchange_weak(&piece->left, &left, left + size))
			return (void *)left;
	return NULL;
}

void *pool_alloc(size_t size)
{
	unsigned node = node_here();
	struct piece *piece = &pieces[node][stats_shard() - stats_shards];
	char *p;

	size = round_up(size, POOL_ALIGN);
	if (size > PIECE_MOST)
		return chunk_alloc(&pools[node], size, POOL_ALIGN);
	p = piece_alloc(piece, size);
	if (p)
		return p;
	p = chunk_alloc(&pools[node], PIECE, PIECE);
	/* Its first bytes are the caller's; another thread of the shard may have put one there as well. */
	if (p)
		atomic_store(&piece->left, (uintptr_t)p + size);
	return p;
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
	for (unsigned n = 0; n < NODE_MAX; n++)
		for (unsigned i = 0; i < STATS_SHARDS; i++)
			atomic_store(&pieces[n][i].left, 0);
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
