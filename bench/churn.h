/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * churn - a program that works its allocator hard and watches what is left in the page tables.
 *
 * Each cycle grows the heap, churns it at a steady size, gives nearly all of it back and then looks
 * on for a second (the trough). What churning means is up to the workload; all else is common to them.
 * Every block carries a pattern that is verified when it is freed, so a run is a proof of integrity as
 * much as a measurement.
 *
 * The allocator is whatever malloc is in the process: churn links none, churn-jemalloc links one.
 * The books are kept in mappings of churn's own, so that they do not disturb what is measured.
 */
#ifndef PTR_CHURN_H
#define PTR_CHURN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "floor.h"
#include "histogram.h"

/* Blocks of at least this many bytes are touched wholly or not, as --touch says. */
#define CHURN_SPARSE_MIN   16384
#define CHURN_SPARSE_TOUCH 8192
#define CHURN_MAX_CYCLES   64
#define CHURN_MAX_THREADS  256
#define CHURN_FORKS	   5
#define CHURN_FIGURES	   8
/* Where blocks are smaller than this on average, or sparse, each 16th call is timed (see README). */
#define CHURN_TIMED_MEAN  16384
#define CHURN_TIMED_EVERY 16

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

struct churn_result;
struct churn_opts;
struct worker;
enum phase { PHASE_GROW, PHASE_CHURN, PHASE_SHRINK, PHASE_FINISH, PHASE_QUIT, PHASES };

/* What goes on between growth and shrinking. All but name may be left out. */
struct workload {
	const char *name;
	const char *profile; /* sizes, unless --profile says otherwise */
	uint64_t live;	     /* default bytes live; 0: the profile's */
	unsigned churn_ms;   /* how long a cycle churns; 0: for --ops steps */
	unsigned cycles;     /* default; 0: two */
	bool own_series;     /* the workload notes what is to be seen */
	/* Before the first cycle, in the main thread. */
	void (*prepare)(const struct churn_opts *o);
	/* What a thread does in a phase; NULL: worker_phase(). */
	void (*phase)(struct worker *w, enum phase phase);
	/* The churn of one cycle, as phases that the main thread orders; NULL: one of churn_ms. */
	void (*steady)(struct churn_opts *o, struct churn_result *r);
	/* Figures of its own, once all cycles are over. */
	void (*figures)(const struct churn_opts *o, struct churn_result *r);
	/* More members of the JSON, each a line that ends in a comma. */
	void (*json)(void);
};

struct churn_opts {
	const struct workload *workload;
	const struct profile *profile;
	bool sparse;	 /* the workload shift changes it between phases */
	bool pages;	 /* one word a page is written and verified, not every byte */
	bool latency;	 /* time every call */
	bool series;	 /* measure the floor while churning, too */
	bool verify_all; /* read every byte of every calloc, untouched pages too */
	bool no_aligned; /* malloc instead of aligned_alloc */
	bool plain;	 /* malloc and free, and nothing else */
	bool json;
	unsigned threads;
	unsigned cycles;
	unsigned trough_ms;
	unsigned churn_ms;    /* how long a cycle churns; 0: for ops steps */
	unsigned shift_ms;    /* workload shift: of each half */
	unsigned forks;	      /* workload fork: a second, over all threads */
	unsigned timed_every; /* of so many calls one is timed */
	uint64_t ops; /* churn steps per thread and cycle; UINT64_MAX: until the time is up */
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
	unsigned id;
};

/* What calls took, in nanoseconds. */
struct latency {
	struct histogram
		malloc; /* calloc and aligned_alloc are counted as malloc; realloc is not */
	struct histogram free;
	struct histogram fork; /* workload fork only */
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
	struct latency *latency;
	unsigned until_malloc, until_free; /* calls up to the next that is timed */
} __attribute__((aligned(256)));

/* A stretch of work: allocator calls of all threads, and how long they were at it. */
struct span {
	uint64_t ops;
	double s;
};

/* One point of the series. */
struct sample {
	uint64_t t_ms; /* since the first growth began */
	uint64_t rss_kb, vmpte_kb;
	int64_t floor_kb; /* -1: not measured */
};

/* A figure of one workload only. NAN: it could not be had. */
struct figure {
	const char *name;
	double value;
};

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
	uint64_t churn_ops; /* of the churn phases */
	double cpu_s; /* of all threads but the main one, which only measures; troughs included */
	struct latency *latency; /* of all threads */
	double clock_ns;	 /* what reading the clock takes, which is part of each latency */
	uint64_t rss_mean_kb;	 /* over time, troughs left out */
	int64_t tlb_shootdowns;	 /* of the whole machine, troughs left out; -1: not to be had */
	unsigned figures;
	struct figure figure[CHURN_FIGURES];
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

/* churn_options.c: an error ends the process with CHURN_USAGE. */
void options_parse(struct churn_opts *o, int argc, char **argv);

/* churn_check.c: any mismatch is reported on stderr and ends the process with CHURN_CORRUPT. */
/* pages: only the first word of each page is written and read, in all that follows. */
void check_init(bool pages);
uint64_t check_key(const void *p, size_t size, uint64_t serial);
/* Write the pattern to bytes [from, to). */
void check_fill(const struct slot *s, size_t from, size_t to);
/* Bytes [0, to) must carry the pattern. */
void check_pattern(const struct slot *s, size_t to, const char *when);
/* The same for a block whose pattern was written when it lay at old; it has moved since. */
void check_moved(const struct slot *s, uintptr_t old, size_t to, const char *when);
/* Bytes [0, to) must be zero; every: whatever check_init said. */
void check_zero(const struct slot *s, size_t to, bool every, const char *when);
void check_aligned(const struct slot *s, size_t align, const char *when);

/* churn_block.c: one block, verified and timed. */
void block_alloc(struct worker *w, struct slot *s);
void block_free(struct worker *w, struct slot *s);
void block_realloc(struct worker *w, struct slot *s);
/* Read a block as its owner does. */
void block_read(struct worker *w, const struct slot *s);
/* Free a block drawn at random; the last one takes its place in the table. */
void block_drop_any(struct worker *w);

/* churn_worker.c */
void worker_phase(struct worker *w, enum phase phase);
/* One step of the churn: a block is replaced or reallocated. The table must not be empty. */
void worker_step(struct worker *w);
/* What a thread is to keep live. */
uint64_t worker_share(const struct worker *w);
/* Allocate until bytes are live. */
void worker_grow(struct worker *w, uint64_t bytes);

/* churn_gate.c: the threads, and what they do together. */
/* The phase that runs has had its time; workers look at it after each step. */
extern atomic_bool gate_stop;
void gate_start(const struct churn_opts *o, struct churn_result *r);
/* Zeroed memory for churn's own books, which are not the allocator's business. */
void *gate_map(size_t bytes);
/* Let every worker do one phase, and sample while they are at it. ms: when to stop it; 0: when all are through. */
struct span gate_run(enum phase phase, unsigned ms);
/* Hand each table to the next thread, the nth time. */
void gate_rotate(unsigned n);
/* What the threads have counted goes into the result: before they verify what is left, and after. */
void gate_collect(void);
void gate_end(void);

/* churn_sample.c: what is looked at while the others work. All from the main thread. */
/* noted_only: no point without a floor in the series. */
void sample_start(bool floors, bool noted_only);
/* The time up to the next sample belongs to no phase. */
void sample_skip(void);
void sample_take(struct churn_result *r);
/* Put into the series what was measured anyway. */
void sample_note(const struct floor_report *report);
uint64_t sample_rss_mean_kb(void);
const struct sample *sample_series(size_t *n);
/* TLB shootdowns of all processors since the machine was started; -1: this machine does not say. */
int64_t sample_tlb_shootdowns(void);

/* churn_trough.c */
uint64_t now_ns(void);
/* Any clock, in nanoseconds. */
uint64_t clock_ns(clockid_t clock);
void sleep_until(uint64_t ns);
/* The floor, which has to be had: without, the process ends. */
void floor_look(struct floor_report *r);
void trough_watch(const struct churn_opts *o, unsigned arenas, struct trough *t);
/* Arenas that threads use, and all that exist: none on tcmalloc, and as many as threads where the
 * allocator does not say. */
unsigned arenas_count(unsigned threads, unsigned *created);
uint64_t peak_rss_kb(void);

/* The first is in churn_worker.c; of the others each has a file: churn_fork.c and so on. */
extern const struct workload churn_workload, fork_workload, arena_workload, cache_workload,
	shift_workload, soak_workload;

/* churn_report.c */
void figure_add(struct churn_result *r, const char *name, double value);
void report_text(const struct churn_opts *o, const struct churn_result *r);
void report_json(const struct churn_opts *o, const struct churn_result *r);

#endif
