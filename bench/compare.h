/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compare - allocators side by side, in turns, on one machine.
 *
 * Peers take turns, the order rotating (A B C, B C A, ...), and every ratio is taken within one round, so
 * that a machine that slows down or is shared shows up as spread instead of as a difference. There are two
 * modes: pairs of a stock allocator and the same with ptreclaim, one configuration at a time; and suites
 * of many peers (compare_suites.h). They share how a program is run, read and summed up.
 */
#ifndef PTR_COMPARE_H
#define PTR_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define MAX_REPEATS 32
#define MAX_RUNS    256 /* that a median is taken of */
#define MAX_CONFIGS 256
#define MAX_TARGETS 10

/*
 * X(identifier, member of churn's JSON, unit, what a reader of pairs is told; NULL: not shown). Latencies are
 * the suites', which have runs in which every call is timed.
 */
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
	X(M_CALLS, NULL, UNIT_NUMBER, "system calls by the library")                               \
	X(M_CHURN_OPS, "churn_ops_per_s", UNIT_NUMBER, "operations per second, steady phase")      \
	X(M_CPU, "cpu_s", UNIT_S, NULL)                                                            \
	X(M_RSS_MEAN, "rss_mean_kb", UNIT_MB, "memory on average (RSS), MB")                       \
	X(M_TLB, "tlb_shootdowns", UNIT_NUMBER, "TLB shootdowns of the machine")                   \
	X(M_MALLOC_P50, "malloc_p50_ns", UNIT_NUMBER, NULL)                                        \
	X(M_MALLOC_P99, "malloc_p99_ns", UNIT_NUMBER, NULL)                                        \
	X(M_MALLOC_P999, "malloc_p999_ns", UNIT_NUMBER, NULL)                                      \
	X(M_MALLOC_MAX, "malloc_max_ns", UNIT_NUMBER, NULL)                                        \
	X(M_FREE_P50, "free_p50_ns", UNIT_NUMBER, NULL)                                            \
	X(M_FREE_P99, "free_p99_ns", UNIT_NUMBER, NULL)                                            \
	X(M_FREE_P999, "free_p999_ns", UNIT_NUMBER, NULL)                                          \
	X(M_FREE_MAX, "free_max_ns", UNIT_NUMBER, NULL)                                            \
	X(M_SLOPE, "waste_slope_kb_per_min", UNIT_NUMBER, NULL)                                    \
	X(M_SLOPE_ERROR, "waste_slope_error_kb_per_min", UNIT_NUMBER, NULL)                        \
	X(M_OWN, "own_kb", UNIT_NUMBER, NULL)                                                      \
	X(M_HANDLED, "mapped_kb", UNIT_NUMBER, NULL)                                               \
	X(M_WAKEUPS, "wakeups", UNIT_NUMBER, NULL)

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

/* What is run. churn and pair say what they measured; the others are suites' (compare_suites.h). */
enum program { RUN_CHURN, RUN_PAIR, RUN_IDLE, RUN_REAL, RUN_MICRO, RUN_INSTRUCTIONS };

struct work {
	enum program program;
	const char *workload; /* churn's, NULL for plain churn; what real runs; micro's filter */
	const char *profile, *touch;
	const char *fill;  /* NULL: bytes */
	const char *calls; /* NULL: all kinds */
	unsigned threads;
	bool latency, series, no_aligned;
};

/* An allocator, how it is set, and what comes with it. */
#define MAX_VARS 8

struct peer {
	char name[64];
	const char *allocator, *setting;
	char preload[8192];	   /* empty: nothing */
	char vars[MAX_VARS][1024]; /* NAME=VALUE */
	unsigned var_count;
	unsigned group; /* which rows of suites it takes part in */
	bool ours;	/* with ptreclaim */
};

struct settings {
	char bench[4096];		   /* the folder that churn and pair lie in */
	char library[4096];		   /* libptreclaim.so */
	const char *allocator[ALLOCATORS]; /* the allocators' libraries, for LD_PRELOAD */
	const char *conf;		   /* more for PTRECLAIM_CONF */
	const char *live;		   /* passed to churn when given */
	const char *base;		   /* suites: what the others are compared with */
	unsigned cycles, repeats, seconds, minutes;
	const char *save; /* the folder of results; NULL: they are not kept */
	bool syscalls, series, report, json;
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
	bool open;	/* the limit lies within the spread of the rounds */
	char note[256]; /* empty: none */
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
#define MAX_WORDS 32

struct list {
	const char *word[MAX_WORDS];
	unsigned n;
};

/* What configurations are made of, in the order in which they take turns: the last changes first. */
enum { ALLOCATOR, PROFILE, TOUCH, THREADS, DECAY, BACKGROUND, RELEASE, BACKEND, LISTS };

/* compare.c: a clock that only goes forward, in seconds. */
double now_s(void);

/* compare_options.c */
extern struct settings settings;
/* Fill settings, and configs or the suites; ends the process on bad usage and for --help. */
void options_parse(int argc, char **argv);
/* Cut up in place. */
struct list options_list(const char *what, char *text);
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

/* compare_peers.c */
/* One side of a pair. */
void peer_of_config(const struct config *c, enum side side, struct peer *p);
/* A variable of its environment. A word and the end of the process where there are too many. */
void peer_set(struct peer *p, const char *name, const char *value);
/* PTRECLAIM_CONF, for those with ptreclaim. */
void peer_set_conf(struct peer *p, const char *backend);

/* compare_run.c */
/* Whether ld.so can preload it. */
bool run_preloadable(const char *library);
/*
 * False, after a word on stderr, when the program did not end well. What it printed comes back in *text,
 * which is the caller's to free, unless that is NULL. Exit status 77 is a program that cannot be run here:
 * the word is its own last line.
 */
bool run_once(const struct peer *p, const struct work *w, struct values *out, char **text);
/* The same under strace, for M_ZAPS, M_COMMIT_ZAPS and M_CALLS only. */
bool run_strace(const struct peer *p, const struct work *w, struct values *out);

/* Any other program: whether it ended well, and the first line that it printed. */
bool run_line(const char *const *argv, char *line, size_t cap);

/* compare_stats.c: what runs come to. What is not known (NAN) does not count. */
struct spread {
	double median, min, max;
	unsigned n;
};
double median(const double *v, size_t n);
struct spread spread_of(const double *v, size_t n);
/* Of each round's ratio. */
struct spread spread_ratio(const double *ours, const double *base, size_t n);
void values_clear(struct values *v);

/* compare_judge.c */
void judge_medians(struct outcome *o);
void judge_targets(struct outcome *o);

/* compare_report.c */
extern const char *const allocator_name[ALLOCATORS];
void config_name(const struct config *c, char *buf, size_t cap);
void report_text(const struct outcome *o);
void report_verdict(const struct outcome *o, size_t n);
void report_json(const struct settings *s, const struct outcome *o, size_t n);

#endif
