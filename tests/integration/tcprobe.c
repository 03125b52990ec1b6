// SPDX-License-Identifier: BSD-2-Clause
/*
 * tcprobe - what a program sees of tcmalloc: tcprobe WAY [ARGUMENT]...
 *
 *	limit MB [THREADS]  allocate up to the heap limit, free, go on; the limit is set by property, if
 *	                    TCMALLOC_HEAP_LIMIT_MB is not. Prints how much was resident at most
 *	release             MallocExtension_ReleaseFreeMemory: what was resident before and after
 *	ours BATCH          properties of ptreclaim's: batch_bytes is configured to be BATCH
 *	theirs              tcmalloc's own properties after some work
 *	threads             how many threads there are
 *
 * Exit status 3: a byte was lost. 5: anything else went wrong.
 */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pattern.h"
#include "tcext.h"

#define BLOCKS	    4096
#define MAX_THREADS 16

static void check(bool good, const char *what)
{
	if (good)
		return;
	(void)fprintf(stderr, "tcprobe: failed: %s\n", what);
	_exit(5);
}

static void drop(struct block *b)
{
	if (b->p)
		block_check(b, b->size, "at free");
	free(b->p);
	b->p = NULL;
}

/* --- limit */

static struct greedy {
	pthread_t thread;
	uint64_t state;
	unsigned nulls;
	struct block *blocks; /* BLOCKS of them */
} greedy[MAX_THREADS];

static _Atomic size_t most_kb, live, most_live;
static size_t base_kb;

static void note_rss(void)
{
	size_t now = rss_kb(), most = atomic_load(&most_kb);

	now = now > base_kb ? now - base_kb : 0;
	while (now > most && !atomic_compare_exchange_weak(&most_kb, &most, now))
		;
}

static void note_live(size_t bytes)
{
	size_t now = atomic_fetch_add(&live, bytes) + bytes, most = atomic_load(&most_live);

	while (now > most && !atomic_compare_exchange_weak(&most_live, &most, now))
		;
}

/* As much as there is: each block is filled wholly, and what is resident then is noted. */
static void grab(struct greedy *g)
{
	unsigned i;

	for (i = 0; i < BLOCKS; i++) {
		struct block *b = &g->blocks[i];

		if (b->p)
			continue;
		b->size = 4096 + random_size(&g->state, (size_t)1 << 20);
		b->seed = next_random(&g->state) >> 3 & ~(uint64_t)3;
		errno = 0;
		b->p = malloc(b->size);
		if (!b->p)
			break;
		note_live(b->size);
		block_fill(b);
		note_rss();
	}
	check(i < BLOCKS, "a limit to what can be allocated");
	check(errno == ENOMEM, "ENOMEM");
	g->nulls++;
}

static void yield_some(struct greedy *g, unsigned of_four)
{
	for (unsigned i = 0; i < BLOCKS; i++) {
		struct block *b = &g->blocks[i];

		if (!b->p || (next_random(&g->state) >> 20 & 3) >= of_four)
			continue;
		atomic_fetch_sub(&live, b->size);
		drop(b);
	}
	note_rss();
}

static void *greed(void *arg)
{
	struct greedy *g = arg;

	for (unsigned round = 0; round < 8; round++) {
		grab(g);
		yield_some(g, 1 + round % 4);
	}
	yield_some(g, 4);
	return NULL;
}

static int way_limit(size_t mb, size_t threads)
{
	unsigned nulls = 0;
	size_t limit = 0;
	void *p;

	check(mb && threads && threads <= MAX_THREADS, "a limit and a number of threads");
	for (size_t i = 0; i < threads; i++) {
		greedy[i].state = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
		greedy[i].blocks = calloc(BLOCKS, sizeof(struct block));
		check(greedy[i].blocks, "memory at the start");
	}
	base_kb = rss_kb();
	if (!getenv("TCMALLOC_HEAP_LIMIT_MB"))
		check(tcext_set("tcmalloc.heap_limit_mb", mb), "heap_limit_mb is set");
	check(tcext_get("tcmalloc.heap_limit_mb", &limit) && limit == mb, "heap_limit_mb");
	for (size_t i = 0; i < threads; i++)
		check(!pthread_create(&greedy[i].thread, NULL, greed, &greedy[i]), "a thread");
	for (size_t i = 0; i < threads; i++) {
		check(!pthread_join(greedy[i].thread, NULL), "pthread_join");
		nulls += greedy[i].nulls;
	}
	/* Nothing is left of it, so half of the limit is there in one piece or two. */
	for (unsigned i = 0; i < 50; i++) {
		p = malloc(mb << 18);
		check(p, "memory after all was freed");
		memset(p, 0x5a, mb << 18);
		note_rss();
		free(p);
	}
	(void)printf("most_kb %zu live_kb %zu nulls %u\n", atomic_load(&most_kb),
		     atomic_load(&most_live) >> 10, nulls);
	return 0;
}

/* --- release */

#define PIECES	   256
#define PIECE_SIZE ((size_t)256 << 10)

static void use_and_free(size_t n)
{
	static struct block b[PIECES];

	check(n <= PIECES, "pieces");
	for (size_t i = 0; i < n; i++) {
		b[i] = (struct block){malloc(PIECE_SIZE), PIECE_SIZE, 4 * i};
		check(b[i].p, "memory");
		block_fill(&b[i]);
	}
	for (size_t i = 0; i < n; i++)
		drop(&b[i]);
}

static int way_release(void)
{
	size_t base = rss_kb(), before, after;

	for (unsigned i = 0; i < 2; i++) {
		use_and_free(PIECES);
		before = rss_kb();
		tcext_release_free_memory();
		after = rss_kb();
		(void)printf("used_kb %zu before_kb %zu after_kb %zu\n", PIECES * PIECE_SIZE >> 10,
			     before - base, after > base ? after - base : 0);
	}
	return 0;
}

/* --- properties */

static void gives(const char *name, size_t expected)
{
	size_t n = ~expected;

	check(tcext_get(name, &n), name);
	if (n != expected)
		(void)fprintf(stderr, "tcprobe: %s is %zu, not %zu\n", name, n, expected);
	check(n == expected, name);
}

static void refuses(const char *name)
{
	size_t n = 4711;

	check(!tcext_get(name, &n), name);
	check(n == 4711, "the value of a property that there is not");
}

static int way_ours(size_t batch)
{
	static const char *const read_only[] = {
		"ptreclaim.mode_in_force",  "ptreclaim.backend",	"ptreclaim.stats.released",
		"ptreclaim.killed",	    "ptreclaim.rollout.bucket", "ptreclaim.stats.pending",
		"ptreclaim.stats.kept_now", "ptreclaim.stats.own",
	};
	static const char *const unknown[] = {
		"ptreclaim.",
		"ptreclaim.nonesuch",
		"ptreclaim.stats.",
		"ptreclaim.stats",
		"ptreclaim.batch_bytes.",
		"ptreclaim.batch",
		"ptreclaim",
		"Ptreclaim.mode",
		"",
		/* These are strings. */
		"ptreclaim.version",
		"ptreclaim.allocator",
		"ptreclaim.rollout.reason",
	};
	size_t n = 0, before = 0;

	gives("ptreclaim.batch_bytes", batch);
	gives("ptreclaim.mode", 2);
	for (size_t mode = 0; mode <= 2; mode++) {
		check(tcext_set("ptreclaim.mode", mode), "mode is set");
		gives("ptreclaim.mode", mode);
	}
	check(!tcext_set("ptreclaim.mode", 3), "mode 3 is refused");
	check(!tcext_set("ptreclaim.mode", 3), "there are three modes");
	gives("ptreclaim.mode_in_force", 2);
	gives("ptreclaim.killed", 0);
	gives("ptreclaim.tune.mode", 0);
	check(tcext_set("ptreclaim.epoch", 1), "a snapshot is taken");
	check(tcext_set("ptreclaim.batch_bytes", batch / 2), "batch_bytes is set");
	gives("ptreclaim.batch_bytes", batch / 2);
	check(tcext_set("ptreclaim.batch_bytes", batch), "batch_bytes is set");
	check(tcext_set("ptreclaim.batch_ms", 10000), "batch_ms is set");
	gives("ptreclaim.batch_ms", 10000);
	check(!tcext_set("ptreclaim.batch_ms", 0), "batch_ms of 0 is refused");
	check(!tcext_set("ptreclaim.batch_ms", (size_t)1 << 40), "batch_ms too large is refused");
	gives("ptreclaim.batch_ms", 10000);
	for (size_t i = 0; i < sizeof(read_only) / sizeof(read_only[0]); i++) {
		check(tcext_get(read_only[i], &n), read_only[i]);
		check(!tcext_set(read_only[i], n), read_only[i]);
	}
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		refuses(unknown[i]);
		check(!tcext_set(unknown[i], 1), unknown[i]);
	}
	/* It can only be written. */
	refuses("ptreclaim.flush");
	check(tcext_set("ptreclaim.flush", 1), "flush");
	gives("ptreclaim.stats.pending", 0);
	check(tcext_get("ptreclaim.stats.released", &before), "released");
	check(tcext_set("tcmalloc.aggressive_memory_decommit", 1), "aggressive decommit");
	use_and_free(PIECES);
	check(tcext_get("ptreclaim.stats.released", &n), "released");
	/* The debug builds hold some of it back. */
	check(n >= before + PIECES / 2 * PIECE_SIZE, "what was freed counts as released");
	check(tcext_get("ptreclaim.stats.pending", &n), "pending");
	check(n >= (size_t)4 << 20, "what was freed is pending");
	check(tcext_set("ptreclaim.flush", 1), "flush");
	gives("ptreclaim.stats.pending", 0);
	(void)puts("right");
	return 0;
}

static int way_theirs(void)
{
	static const char *const names[] = {
		"generic.current_allocated_bytes",
		"generic.heap_size",
		"generic.total_physical_bytes",
		"tcmalloc.slack_bytes",
		"tcmalloc.pageheap_free_bytes",
		"tcmalloc.pageheap_unmapped_bytes",
		"tcmalloc.pageheap_committed_bytes",
		"tcmalloc.pageheap_commit_count",
		"tcmalloc.pageheap_total_commit_bytes",
		"tcmalloc.pageheap_decommit_count",
		"tcmalloc.pageheap_total_decommit_bytes",
		"tcmalloc.pageheap_reserve_count",
		"tcmalloc.pageheap_total_reserve_bytes",
		"tcmalloc.max_total_thread_cache_bytes",
		"tcmalloc.current_total_thread_cache_bytes",
		"tcmalloc.aggressive_memory_decommit",
		"tcmalloc.heap_limit_mb",
		"tcmalloc.nonesuch",
		"nonesuch",
	};
	size_t value[sizeof(names) / sizeof(names[0])] = {0};
	bool known[sizeof(names) / sizeof(names[0])];
	struct block b = {malloc((size_t)5 << 20), (size_t)5 << 20, 8};

	check(b.p, "memory");
	block_fill(&b);
	use_and_free(100);
	tcext_release((size_t)3 << 20);
	check(tcext_set("tcmalloc.max_total_thread_cache_bytes", (size_t)20 << 20), "set");
	check(!tcext_set("tcmalloc.nonesuch", 1), "a name that there is not is set");
	check(!tcext_set("generic.heap_size", 1), "what is read only is set");
	/* Before anything is printed: that allocates. */
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		known[i] = tcext_get(names[i], &value[i]);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)printf("%s %s %zu\n", names[i], known[i] ? "yes" : "no", value[i]);
	drop(&b);
	return 0;
}

static int way_threads(void)
{
	DIR *d = opendir("/proc/self/task");
	unsigned n = 0;

	for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d))
		n += e->d_name[0] != '.';
	(void)printf("%u\n", n);
	return d ? closedir(d) : 1;
}

int main(int argc, char **argv)
{
	const char *way = argc > 1 ? argv[1] : "";
	size_t first = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;

	check(tcext_find(), "there is no tcmalloc");
	if (!strcmp(way, "limit"))
		return way_limit(first, argc > 3 ? strtoul(argv[3], NULL, 10) : 1);
	if (!strcmp(way, "release"))
		return way_release();
	if (!strcmp(way, "ours"))
		return way_ours(first);
	if (!strcmp(way, "theirs"))
		return way_theirs();
	if (!strcmp(way, "threads"))
		return way_threads();
	return 2;
}
