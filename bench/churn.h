/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * churn - a program that works its allocator hard and watches what is left in the page tables.
 *
 * Each cycle grows the heap, churns it at a steady size, gives nearly all of it back and then looks
 * on for a second (the trough). Every block carries a pattern that is verified when it is freed, so
 * a run is a proof of integrity as much as a measurement.
 *
 * The allocator is whatever malloc is in the process: churn links none, churn-jemalloc links one.
 * The books are kept in mappings of churn's own, so that they do not disturb what is measured.
 */
#ifndef PTR_CHURN_H
#define PTR_CHURN_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "floor.h"

/* Blocks of at least this many bytes are touched wholly or not, as --touch says. */
#define CHURN_SPARSE_MIN   16384
#define CHURN_SPARSE_TOUCH 8192
#define CHURN_MAX_CYCLES   64
#define CHURN_MAX_THREADS  256
#define CHURN_FORKS	   5

enum churn_exit { CHURN_OK = 0, CHURN_FAILED = 1, CHURN_USAGE = 2, CHURN_CORRUPT = 3 };

/* Sizes are log-uniform: an octave is drawn, then a size within it. */
struct profile {
	const char *name;
	size_t min;	      /* bytes, the smallest block */
	unsigned octaves;     /* the largest block is just below min << octaves */
	unsigned keep_permil; /* blocks that survive the shrink */
	uint64_t live;	      /* default bytes live in the whole process */
	/* Default churn steps in a cycle, over all threads: a second or three of work either way. */
	uint64_t ops_dense, ops_sparse;
};

struct churn_opts {
	const struct profile *profile;
	bool sparse;
	bool verify_all; /* read every byte of every calloc, untouched pages too */
	bool no_aligned; /* malloc instead of aligned_alloc */
	bool json;
	unsigned threads;
	unsigned cycles;
	unsigned trough_ms;
	uint64_t ops; /* churn steps per thread and cycle */
	uint64_t live;
	uint64_t seed;
	const char *stats_file; /* what the library writes; NULL: not looked at */
};

struct slot {
	unsigned char *p;
	uint64_t key;	/* of the pattern: address, size and serial at allocation */
	size_t size;	/* as asked for */
	size_t touched; /* bytes from the start that carry the pattern */
};

/* The blocks that one thread owns for one cycle; the next cycle hands them to its neighbour. */
struct table {
	struct slot *slots; /* mapped, not malloced */
	size_t n, cap;
	uint64_t bytes;
};

struct worker {
	pthread_t thread;
	unsigned id;
	const struct churn_opts *opts;
	struct table *table;
	uint64_t rng;
	uint64_t serial;
	uint64_t ops;	 /* malloc, calloc, aligned_alloc, realloc and free calls */
	uint64_t checks; /* blocks compared with their pattern or with zero */
} __attribute__((aligned(256)));

enum phase { PHASE_GROW, PHASE_CHURN, PHASE_SHRINK, PHASE_FINISH, PHASE_QUIT, PHASES };

/* What one trough showed. Sizes in kB, times in ms. */
struct trough {
	struct floor_report at_start, at_end;
	uint64_t target_kb;	/* most waste that counts as none, at the end */
	int64_t reached_ms;	/* first time that the waste was within its target; -1: never */
	int64_t reclaimable_kb; /* what the library counts at the end; -1: it was not asked */
	double fork_cpu_ms;	/* median of what fork() cost the parent, waiting for a CPU aside */
	double fork_ms;		/* median */
};

struct churn_result {
	double phase_s[PHASES];
	double phase_cpu_s[PHASES]; /* of all threads, the allocator's own too */
	uint64_t ops, checks;
	uint64_t peak_rss_kb;	 /* VmHWM */
	uint64_t sampled_rss_kb; /* the largest of samples 20 ms apart */
	uint64_t peak_vmpte_kb;	 /* sampled likewise */
	uint64_t metadata_kb;	 /* churn's own books, at their largest: part of every RSS here */
	uint64_t vmas_start;
	unsigned arenas; /* that threads use; what the waste target allows for */
	unsigned arenas_created;
	uint64_t minor_faults;
	double user_s, system_s;
	unsigned troughs;
	struct trough trough[CHURN_MAX_CYCLES];
};

/* churn_profile.c */
const struct profile *profile_find(const char *name);
uint64_t rng_next(uint64_t *state);
/* A number in [0, n). */
uint64_t rng_below(uint64_t *state, uint64_t n);
size_t profile_size(const struct profile *p, uint64_t *rng);
/* The mean of profile_size. */
size_t profile_mean(const struct profile *p);

/* churn_check.c: any mismatch is reported on stderr and ends the process with CHURN_CORRUPT. */
uint64_t check_key(const void *p, size_t size, uint64_t serial);
/* Write the pattern to bytes [from, to). */
void check_fill(const struct slot *s, size_t from, size_t to);
/* Bytes [0, to) must carry the pattern. */
void check_pattern(const struct slot *s, size_t to, const char *when);
/* Bytes [0, to) must be zero. */
void check_zero(const struct slot *s, size_t to, const char *when);
void check_aligned(const struct slot *s, size_t align, const char *when);

/* churn_worker.c */
void worker_phase(struct worker *w, enum phase phase);

/* churn_trough.c */
uint64_t now_ns(void);
/* Any clock, in nanoseconds. */
uint64_t clock_ns(clockid_t clock);
void trough_watch(const struct churn_opts *o, unsigned arenas, struct trough *t);
/* Arenas that threads use, and all that exist: none on tcmalloc, and as many as threads where the
 * allocator does not say. */
unsigned arenas_count(unsigned threads, unsigned *created);
uint64_t peak_rss_kb(void);

/* churn_report.c */
void report_json(const struct churn_opts *o, const struct churn_result *r);
void report_text(const struct churn_opts *o, const struct churn_result *r);

#endif
