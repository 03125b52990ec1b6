/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stats - counters, sharded by thread.
 *
 * A thread adds to the shard it was given at its first count. As long as there are enough, that is its own
 * until it ends, and adding is an ordinary addition; later threads share some, and add atomically. A
 * snapshot adds the shards up; it is exact once the counting threads are quiet and may lag by the counts in
 * progress otherwise. What is counted later in a course of events stands further down in the list, and is
 * read first: so a snapshot never shows more of an effect than of its cause (zapped <= released). Not
 * counted but added up is what is released: it is deferred, undeferred, declined or passed.
 */
#ifndef PTR_STATS_H
#define PTR_STATS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(identifier, name, kind, help): kind is "bytes" or "calls"; every one only grows. */
#define STATS_COUNTERS(X)                                                                          \
	X(STAT_MAPPED, "mapped", "bytes", "fresh address space seen")                              \
	X(STAT_UNMAPPED, "unmapped", "bytes", "address space returned to the kernel")              \
	X(STAT_RELEASED, "released", "bytes", "pages given up by the allocator")                   \
	X(STAT_DEFERRED, "deferred", "bytes", "released pages whose zap was put off")              \
	X(STAT_UNDEFERRED, "undeferred", "bytes", "released pages flushed at once")                \
	X(STAT_DECLINED, "declined", "bytes", "released pages left to the allocator")              \
	X(STAT_PASSED, "passed", "bytes", "released pages zapped at once while off")               \
	X(STAT_REUSED, "reused", "bytes", "pages taken back by the allocator")                     \
	X(STAT_CANCELLED, "cancelled", "bytes", "pending pages taken back before their zap")       \
	X(STAT_KEPT, "kept", "bytes", "cancelled pages that stayed resident")                      \
	X(STAT_REUSE_ZAPPED, "reuse_zapped", "bytes", "cancelled pages zapped on reuse")           \
	X(STAT_POPULATED, "populated", "bytes", "pages populated for the owner to come")           \
	X(STAT_ZAPPED, "zapped", "bytes", "pages zapped by a flush")                               \
	X(STAT_ZAPPED_BY_OTHERS, "zapped_by_others", "bytes",                                      \
	  "zaps that only the madvise adapter saw")                                                \
	X(STAT_FAILED, "failed", "bytes", "pages whose zap the kernel refused")                    \
	X(STAT_REGIONS_FREED, "regions_freed", "regions", "regions flushed whole")                 \
	X(STAT_REGIONS_PARTIAL, "regions_partial", "regions", "regions flushed in pieces")         \
	X(STAT_REGIONS_ASKED, "regions_asked", "regions", "regions passed to MADV_PT_RECLAIM")     \
	X(STAT_REGIONS_SWEPT, "regions_swept", "regions", "zapped regions swept")                  \
	X(STAT_FLUSH_AGE, "flush_age", "flushes", "flushes because of age")                        \
	X(STAT_FLUSH_BYTES, "flush_bytes", "flushes", "flushes because of size")                   \
	X(STAT_FLUSH_AHEAD, "flush_ahead", "flushes",                                              \
	  "flushes ahead of a reuse that will not touch")                                          \
	X(STAT_FLUSH_INLINE, "flush_inline", "flushes", "flushes by a releasing thread")           \
	X(STAT_FLUSH_REQUEST, "flush_request", "flushes", "flushes on request")                    \
	X(STAT_FLUSH_PRESSURE, "flush_pressure", "flushes", "flushes under memory pressure")       \
	X(STAT_FALLBACKS, "fallbacks", "events", "vectored calls that fell back to single ones")   \
	X(STAT_REUSE_WAITS, "reuse_waits", "events", "reuses that met a zap in flight")            \
	X(STAT_REUSE_TIMEOUTS, "reuse_timeouts", "events", "reuses refused after waiting")         \
	X(STAT_POLICY_SAMPLES, "policy_samples", "events", "ranges looked at for touched pages")   \
	X(STAT_PREDICTED_SPARED, "predicted_spared_calls", "events",                               \
	  "observing: zaps that 'on' would spare")                                                 \
	X(STAT_SYS_MADVISE, "sys_madvise", "calls", "madvise calls by flushes")                    \
	X(STAT_SYS_MADVISE_REUSE, "sys_madvise_reuse", "calls", "madvise calls on reuse")          \
	X(STAT_SYS_PROCESS_MADVISE, "sys_process_madvise", "calls",                                \
	  "process_madvise calls by flushes")                                                      \
	X(STAT_SYS_PROCESS_MADVISE_REUSE, "sys_process_madvise_reuse", "calls",                    \
	  "process_madvise calls on reuse")                                                        \
	X(STAT_SYS_POPULATE, "sys_populate", "calls", "madvise calls that populate")               \
	X(STAT_SYS_MINCORE, "sys_mincore", "calls", "mincore calls")                               \
	X(STAT_SYS_REMAP, "sys_remap", "calls", "mmap calls that replaced a region")               \
	X(STAT_SYS_MAP, "sys_map", "calls", "mmap and munmap calls for own memory")                \
	X(STAT_SYS_FUTEX, "sys_futex", "calls", "futex waits and wakes")                           \
	X(STAT_SYS_OTHER, "sys_other", "calls", "polls, file operations and moves of the worker")

enum stat {
#define X(id, name, kind, help) id,
	STATS_COUNTERS(X)
#undef X
		STAT_COUNT
};

/* Hooks whose time is sampled, and the histogram's buckets: bucket b holds [2^b, 2^(b+1)) ns. */
enum stat_hook { STAT_HOOK_RELEASE, STAT_HOOK_REUSE, STAT_HOOK_MAP, STAT_HOOK_UNMAP, STAT_HOOKS };
#define STATS_BUCKETS	   32
#define STATS_SAMPLE_EVERY 256

#define STATS_ALONE  64 /* shards that belong to one thread at a time */
#define STATS_SHARED 16 /* shards of all threads beyond these */
#define STATS_SHARDS (STATS_ALONE + STATS_SHARED)

/* Without counters there is something to measure their cost against: bench/hook-cost. */
#ifdef PTR_NO_STATS
#define STATS_COUNTED 0
#else
#define STATS_COUNTED 1
#endif

struct stats_shard {
	_Atomic uint64_t counter[STAT_COUNT];
	_Atomic uint32_t hook_ns[STAT_HOOKS][STATS_BUCKETS];
	_Atomic bool taken; /* by a thread that is alive */
} __attribute__((aligned(256)));

struct stats_snapshot {
	uint64_t counter[STAT_COUNT];
	uint64_t hook_ns[STAT_HOOKS][STATS_BUCKETS]; /* sampled calls by duration */
};

extern struct stats_shard stats_shards[STATS_SHARDS];

/* What a thread has of all this. Initial-exec: reading it must never call into the dynamic linker, which
 * may allocate. */
struct stats_mine {
	_Atomic uint64_t *alone;   /* its counters, if nobody else adds to them */
	struct stats_shard *shard; /* NULL before its first count */
	unsigned index;		   /* of that */
	uint32_t tick;
};
extern __thread struct stats_mine stats_mine __attribute__((tls_model("initial-exec")));

/* Before the first thread counts; not from a hook. Without it all shards are shared. */
void stats_init(void);
/* In the fork handler of a child: the shards of threads that are not there are free again. */
void stats_fork_child(void);
/* Give the calling thread a shard. */
void stats_take(void);

/* The calling thread's shard. */
static inline struct stats_shard *stats_shard(void)
{
	if (__builtin_expect(!stats_mine.shard, 0))
		stats_take();
	return stats_mine.shard;
}

/* The same where a thread shares its shard, or has none yet. */
void stats_add_shared(enum stat s, uint64_t n);

/* Count n of s. Any thread, lock-free, never fails. */
static inline void stats_add(enum stat s, uint64_t n)
{
	_Atomic uint64_t *alone;

	if (!STATS_COUNTED)
		return;
	alone = stats_mine.alone;
	if (__builtin_expect(alone != NULL, 1))
		atomic_store_explicit(&alone[s],
				      atomic_load_explicit(&alone[s], memory_order_relaxed) + n,
				      memory_order_release);
	else
		stats_add_shared(s, n);
}

uint64_t stats_clock(void);
/* Begin timing a hook: 0 for a call that is not sampled, else a start time for stats_hook_end. */
static inline uint64_t stats_hook_begin(void)
{
	if (!STATS_COUNTED || __builtin_expect(stats_mine.tick++ % STATS_SAMPLE_EVERY, 1))
		return 0;
	return stats_clock();
}
void stats_hook_count(enum stat_hook h, uint64_t start);
static inline void stats_hook_end(enum stat_hook h, uint64_t start)
{
	if (__builtin_expect(start != 0, 0))
		stats_hook_count(h, start);
}

void stats_snapshot(struct stats_snapshot *out);
const char *stats_name(enum stat s);
const char *stats_kind(enum stat s);
const char *stats_help(enum stat s);

/* Forget everything counted (a child after fork counts its own; tests). */
void stats_reset(void);

#endif
