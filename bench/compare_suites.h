/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compare_suites - many peers at once, over rows of work that come in suites. A row's peers run in
 * rounds; what each run printed is kept, since it goes into the results file as it is.
 */
#ifndef PTR_COMPARE_SUITES_H
#define PTR_COMPARE_SUITES_H

#include "compare.h"

#define MAX_PEERS 48

enum {
	GROUP_GLIBC = 1 << 0,
	GROUP_JE_0 = 1 << 1,	 /* jemalloc that gives back at once */
	GROUP_JE = 1 << 2,	 /* as it is set by itself */
	GROUP_JE_OTHER = 1 << 3, /* with huge pages */
	GROUP_TC_0 = 1 << 4,
	GROUP_TC = 1 << 5,
	GROUP_MI = 1 << 6,
	GROUP_LOCAL = 1 << 7,
	GROUP_ALL = (1 << 8) - 1,
	GROUP_POLICY = 1 << 9, /* ptreclaim that always keeps, or always zaps */
	GROUP_NONE = 1 << 8,   /* a program that nothing is preloaded into */
};

/* compare_peers.c */
extern struct peer peers[MAX_PEERS];
extern unsigned peer_count;
/* Of the known ones those that are named, all where none is; and the local ones. */
void peers_choose(const struct list *names, char *const *local, unsigned locals);
const struct peer *peer_find(const char *name);
/* The same without ptreclaim; NULL if it takes no part. */
const struct peer *peer_stock(const struct peer *p);

/* compare_suites.c */
struct row {
	unsigned suites; /* bits by place in the list of suites */
	unsigned groups;
	struct work work;
	unsigned flags;
};

struct run {
	const struct row *row;
	const struct peer *peer; /* NULL: nothing was preloaded */
	unsigned repeat;
	bool timed; /* else it only watched: the series, or the system calls */
	struct values v;
	char *text; /* what it printed, JSON */
};

extern struct run *runs;
extern size_t run_count;

/* A word for every suite; a bad one ends the process. */
void suites_choose(const struct list *names);
bool suites_wanted(void);
/* All of it: the runs, the judgement, what was asked for as output. The process's exit status. */
int suites_compare(double start);
const char *row_part(const struct row *row);
void row_name(const struct row *row, char *buf, size_t cap);
/* The values of one peer in the timed rounds of a row, by round; NAN where it has none. */
size_t row_values(const struct row *row, const struct peer *peer, enum metric m, double *v);
/* Whether any run of the row was timed. */
bool row_ran(const struct row *row);
const struct row *rows_first(void);
const struct row *rows_end(void);

/* compare_goals.c */
#define MAX_GOALS 64
extern struct target goals[MAX_GOALS];
extern unsigned goal_count;
/* Whether the goals' own suite has run: then what was not measured is said, too. */
void goals_judge(bool all);
/* A value that was not measured has NAN, and why in its note. */
void goals_print(void);

/* compare_tables.c */
void table_print(const struct row *row);

/* compare_results.c */
void results_write(FILE *f);
/* Into a folder, under the date's and the processor's name; then the report, if that is wanted. */
bool results_save(const char *dir, bool report);

#endif
