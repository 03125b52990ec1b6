/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compare - a stock allocator beside the same with ptreclaim, in turns, on one machine.
 *
 * The two sides alternate (A B, B A, A B, ...) and every ratio is taken within its own pair, so that
 * a machine that slows down or is shared shows up as spread instead of as a difference.
 */
#ifndef PTR_COMPARE_H
#define PTR_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define MAX_REPEATS 32
#define MAX_CONFIGS 256
#define MAX_TARGETS 10

/* X(identifier, member of churn's JSON, unit, what a reader is told; NULL: not shown) */
#define METRICS(X)                                                                                 \
	X(M_OPS, "ops_per_s", UNIT_NUMBER, "operations per second")                                \
	X(M_OPS_CPU, "ops_per_cpu_s", UNIT_NUMBER, "operations per CPU second")                    \
	X(M_PEAK_RSS, "peak_rss_kb", UNIT_MB, "memory at the peak (RSS), MB")                      \
	X(M_TROUGH_RSS, "trough_rss_kb", UNIT_MB, "memory once freed (RSS), MB")                   \
	X(M_VMPTE, "vmpte_kb", UNIT_NUMBER, "page tables once freed (VmPTE), kB")                  \
	X(M_FLOOR, "floor_kb", UNIT_NUMBER, "  of these needed (floor), kB")                       \
	X(M_WASTE, "waste_kb", UNIT_NUMBER, "  of these wasted, kB")                               \
	X(M_FORK, "fork_ms", UNIT_MS, "fork() once freed, ms")                                     \
	X(M_FORK_CPU, "fork_cpu_ms", UNIT_MS, "  of these on the CPU, ms")                         \
	X(M_VMAS, "vmas", UNIT_NUMBER, "mappings once freed (VMAs)")                               \
	X(M_FAULTS, "minor_faults", UNIT_NUMBER, "page faults")                                    \
	X(M_USER, "user_s", UNIT_S, "CPU in the program, s")                                       \
	X(M_SYSTEM, "system_s", UNIT_S, "CPU in the kernel, s")                                    \
	X(M_VMAS_START, "vmas_start", UNIT_NUMBER, NULL)                                           \
	X(M_TARGET, "target_kb", UNIT_NUMBER, NULL)                                                \
	X(M_WITHIN, "troughs_within_target", UNIT_NUMBER, NULL)                                    \
	X(M_CYCLES, "cycles", UNIT_NUMBER, NULL)                                                   \
	X(M_PAIR_64K, "pair_64k_ns", UNIT_NUMBER, "free() + malloc() of 64 KiB, ns")               \
	X(M_PAIR_256K, "pair_256k_ns", UNIT_NUMBER, "free() + malloc() of 256 KiB, ns")            \
	X(M_PAIR_1024K, "pair_1024k_ns", UNIT_NUMBER, "free() + malloc() of 1 MiB, ns")            \
	X(M_ZAPS, NULL, UNIT_NUMBER, "system calls that zap")                                      \
	X(M_COMMIT_ZAPS, NULL, UNIT_NUMBER, "  beside those, on reuse")                            \
	X(M_CALLS, NULL, UNIT_NUMBER, "system calls by the library")

enum unit { UNIT_NUMBER, UNIT_MB, UNIT_MS, UNIT_S };

enum metric {
#define X(id, member, unit, label) id,
	METRICS(X)
#undef X
		METRIC_COUNT
};

struct metric_info {
	const char *member;
	enum unit unit;
	const char *label;
};

extern const struct metric_info metric_info[METRIC_COUNT];

enum side { STOCK, OURS, SIDES };

enum allocator { JEMALLOC, TCMALLOC, ALLOCATORS };

/* How soon the allocator gives back: jemalloc's dirty_decay_ms, tcmalloc's release rate. */
#define SETTING_DEFAULT	   (-1)
#define SETTING_AGGRESSIVE (-2) /* tcmalloc: whatever is freed, at once */

struct config {
	enum allocator allocator;
	int setting;
	const char *profile, *touch;
	const char *backend; /* NULL: auto */
	unsigned threads;
	bool background; /* jemalloc's background_thread */
	bool pair;	 /* bench/pair instead of the churn */
};

struct settings {
	char bench[4096];		   /* the folder that churn and pair lie in */
	char library[4096];		   /* libptreclaim.so */
	const char *allocator[ALLOCATORS]; /* the allocators' libraries, for LD_PRELOAD */
	const char *conf;		   /* more for PTRECLAIM_CONF */
	const char *live;		   /* passed to churn when given */
	unsigned cycles, repeats, seconds;
	bool syscalls, json;
};

/* What a run or several showed; NAN where it is not known. */
struct values {
	double v[METRIC_COUNT];
};

struct target {
	const char *name;
	double value, limit;
	bool at_least; /* value must not be below the limit, else not above */
	bool met;
	char note[96]; /* empty: none */
};

struct outcome {
	struct config config;
	struct values run[SIDES][MAX_REPEATS];
	struct values median[SIDES];
	struct values ratio, ratio_min, ratio_max; /* of pairs: ours / stock */
	const char *calls_from; /* where our counts of system calls come from; NULL: not counted */
	struct target target[MAX_TARGETS];
	unsigned repeats, targets;
};

/* Words of a comma-separated list. */
#define MAX_WORDS 8

struct list {
	const char *word[MAX_WORDS];
	unsigned n;
};

/* What configurations are made of, in the order in which they take turns: the last changes first. */
enum { ALLOCATOR, PROFILE, TOUCH, THREADS, DECAY, BACKGROUND, RELEASE, BACKEND, LISTS };

/* compare_options.c */
extern struct settings settings;
/* Fill settings and configs; ends the process on bad usage and for --help. */
void options_parse(int argc, char **argv);
void options_find_build_tree(void);
_Noreturn void options_bad(const char *what, const char *value);
/* A decimal number of at most max, or the end of the process. */
unsigned options_number(const char *what, const char *value, unsigned max);

/* compare_configs.c: each adds to configs; a bad word ends the process. */
extern struct config configs[MAX_CONFIGS];
extern size_t config_count;
/* All combinations that differ in something; an empty list has its default. */
void configs_product(const struct list list[LISTS]);
/* With no allocator named, both: tcmalloc is left out, with a word on stderr, where there is none. */
void configs_quick(const struct list *allocators);
void configs_full(const struct list *allocators);

/* compare_run.c */
/* Whether ld.so can preload it. */
bool run_preloadable(const char *library);
/* False, after a word on stderr, when the program did not end well. */
bool run_once(const struct settings *s, const struct config *c, enum side side, struct values *out);
/* The same under strace, for M_ZAPS, M_COMMIT_ZAPS and M_CALLS only. */
bool run_strace(const struct settings *s, const struct config *c, enum side side,
		struct values *out);

/* compare_judge.c */
double median(const double *v, size_t n);
void judge_medians(struct outcome *o);
void judge_targets(struct outcome *o);

/* compare_report.c */
extern const char *const allocator_name[ALLOCATORS];
void config_name(const struct config *c, char *buf, size_t cap);
void report_text(const struct outcome *o);
void report_verdict(const struct outcome *o, size_t n);
void report_json(const struct settings *s, const struct outcome *o, size_t n);

#endif
