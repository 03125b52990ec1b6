// SPDX-License-Identifier: BSD-2-Clause
/* compare_suites - the suites' rows, and the rounds in which their peers take turns. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "compare_suites.h"

enum {
	DENSE,
	SPARSE,
	SMALL,
	BURST,
	FORK,
	ARENA,
	CACHE,
	SHIFT,
	LATENCY,
	SOAK,
	POLICY,
	REAL_PROGRAMS,
	MICRO_BENCHES,
	GOALS,
	SUITES
};

static const char *const suite_name[SUITES] = {
	"dense", "sparse",  "small", "burst",  "fork", "arena", "cache",
	"shift", "latency", "soak",  "policy", "real", "micro", "goals",
};

#define IN(suite) (1U << (suite))
#define CHURN_OF(count, ...)                                                                       \
	{                                                                                          \
		.program = RUN_CHURN, .threads = count, __VA_ARGS__                                \
	}
#define SIZES(p, t, f) CHURN_OF(1, .profile = p, .touch = t, .fill = f)
#define PLAIN(p)       CHURN_OF(1, .profile = p, .touch = "sparse", .fill = "pages", .calls = "plain")
#define AT_ONCE	       (GROUP_JE_0 | GROUP_TC_0)
#define REAL_OF(what)                                                                              \
	{                                                                                          \
		.program = RUN_REAL, .workload = what                                              \
	}
#define NO_HUGE_PAGES (GROUP_ALL & ~(unsigned)GROUP_JE_OTHER)
#define POLICIES      (GROUP_JE_0 | GROUP_POLICY)
#define BY_DEFAULT    (GROUP_JE | GROUP_TC)

/* Of rows. */
#define COUNTED 1U /* stock's system calls are counted, in a run of their own */
#define WATCHED 2U /* tables are watched over time, in a run of their own */
#define ONCE	4U /* long, or exact: one round does */

/*
 * The goals' rows have only the peers that a goal or the README's tables name: the others are for those
 * who look closer. `pages` leaves the program's own share of the work out, `bytes` is what a program sees.
 */
static const struct row rows[] = {
	{IN(DENSE), GROUP_ALL, SIZES("mixed", "dense", "pages"), WATCHED},
	{IN(DENSE), GROUP_ALL, SIZES("mixed", "dense", "bytes"), 0},
	{IN(DENSE), GROUP_ALL, SIZES("large", "dense", "pages"), WATCHED},
	{IN(DENSE), GROUP_ALL, SIZES("large", "dense", "bytes"), 0},
	{IN(SPARSE), GROUP_ALL, PLAIN("mixed"), WATCHED},
	{IN(SPARSE), GROUP_ALL, PLAIN("large"), WATCHED},
	{IN(SPARSE), GROUP_ALL, SIZES("mixed", "sparse", "pages"), WATCHED},
	{IN(SPARSE), GROUP_ALL, SIZES("large", "sparse", "pages"), WATCHED},
	{IN(SMALL), GROUP_ALL, SIZES("small", "dense", "pages"), WATCHED},
	{IN(BURST), GROUP_ALL, SIZES("burst", "dense", "pages"), WATCHED},
	{IN(BURST), GROUP_ALL, SIZES("burst", "sparse", "pages"), WATCHED},
	{IN(FORK), GROUP_ALL, CHURN_OF(1, .workload = "fork"), WATCHED},
	{IN(ARENA), GROUP_ALL, CHURN_OF(4, .workload = "arena"), WATCHED},
	{IN(CACHE), GROUP_ALL, CHURN_OF(1, .workload = "cache"), WATCHED},
	{IN(SHIFT), GROUP_ALL, CHURN_OF(1, .workload = "shift"), WATCHED},
	{IN(LATENCY), GROUP_ALL,
	 CHURN_OF(1, .profile = "mixed", .touch = "dense", .fill = "pages", .latency = true), 0},
	{IN(POLICY), POLICIES, SIZES("mixed", "dense", "pages"), 0},
	{IN(POLICY), POLICIES, SIZES("large", "dense", "pages"), 0},
	{IN(POLICY), POLICIES, PLAIN("mixed"), 0},
	{IN(POLICY), POLICIES, PLAIN("large"), 0},
	{IN(POLICY), POLICIES, CHURN_OF(1, .workload = "shift", .fill = "pages", .calls = "plain"),
	 WATCHED},
	{IN(SOAK), GROUP_JE_0 | GROUP_LOCAL, CHURN_OF(1, .workload = "soak"), ONCE},
	{IN(REAL_PROGRAMS), NO_HUGE_PAGES, REAL_OF("redis"), 0},
	{IN(REAL_PROGRAMS), NO_HUGE_PAGES, REAL_OF("http"), 0},
	{IN(REAL_PROGRAMS), NO_HUGE_PAGES, REAL_OF("prolog"), 0},
	{IN(MICRO_BENCHES), GROUP_NONE, {.program = RUN_MICRO}, ONCE},
	{IN(MICRO_BENCHES), GROUP_NONE, {.program = RUN_INSTRUCTIONS}, ONCE},

	{IN(GOALS), AT_ONCE | GROUP_LOCAL | GROUP_MI, SIZES("mixed", "dense", "pages"), WATCHED},
	{IN(GOALS), AT_ONCE | GROUP_LOCAL, SIZES("mixed", "dense", "bytes"), COUNTED},
	{IN(GOALS), AT_ONCE | GROUP_LOCAL, SIZES("large", "dense", "pages"), 0},
	{IN(GOALS), AT_ONCE | GROUP_LOCAL, SIZES("large", "dense", "bytes"), COUNTED},
	{IN(GOALS), AT_ONCE, PLAIN("mixed"), WATCHED},
	{IN(GOALS), AT_ONCE, SIZES("mixed", "sparse", "pages"), 0},
	{IN(GOALS), AT_ONCE, SIZES("mixed", "sparse", "bytes"), COUNTED},
	{IN(GOALS), AT_ONCE, PLAIN("large"), 0},
	{IN(GOALS), AT_ONCE, SIZES("large", "sparse", "pages"), 0},
	{IN(GOALS), AT_ONCE, SIZES("large", "sparse", "bytes"), COUNTED},
	{IN(GOALS), GROUP_JE_0, SIZES("small", "dense", "pages"), 0},
	{IN(GOALS), GROUP_JE_0, SIZES("burst", "dense", "pages"), 0},
	{IN(GOALS), GROUP_JE_0, CHURN_OF(8, .profile = "mixed", .touch = "sparse", .fill = "pages"),
	 0},
	{IN(GOALS), GROUP_JE_0, CHURN_OF(8, .profile = "mixed", .touch = "sparse", .fill = "bytes"),
	 COUNTED},
	{IN(GOALS), BY_DEFAULT, SIZES("mixed", "dense", "pages"), 0},
	{IN(GOALS), BY_DEFAULT, SIZES("mixed", "dense", "bytes"), COUNTED},
	{IN(GOALS), BY_DEFAULT, SIZES("mixed", "sparse", "pages"), 0},
	{IN(GOALS), BY_DEFAULT,
	 CHURN_OF(1, .profile = "mixed", .touch = "dense", .fill = "pages", .latency = true), 0},
	{IN(GOALS), GROUP_JE_0, {.program = RUN_IDLE}, ONCE},
	{IN(GOALS), GROUP_NONE, {.program = RUN_MICRO, .workload = "^pair/apart/.*:[12]$"}, ONCE},
	{IN(GOALS), GROUP_NONE, {.program = RUN_INSTRUCTIONS}, ONCE},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static unsigned chosen; /* suites, as bits */

struct run *runs;
size_t run_count;

void suites_choose(const struct list *names)
{
	for (unsigned i = 0; i < names->n; i++) {
		unsigned s = 0;

		if (!strcmp(names->word[i], "all")) {
			chosen = IN(SUITES) - 1;
			continue;
		}
		while (s < SUITES && strcmp(names->word[i], suite_name[s]) != 0)
			s++;
		if (s == SUITES)
			options_bad("suite", names->word[i]);
		chosen |= IN(s);
	}
}

bool suites_wanted(void)
{
	return chosen != 0;
}

const struct row *rows_first(void)
{
	return rows;
}

const struct row *rows_end(void)
{
	return rows + ROWS;
}

const char *row_part(const struct row *row)
{
	unsigned s = 0;

	while (!(row->suites & IN(s)))
		s++;
	return suite_name[s];
}

void row_name(const struct row *row, char *buf, size_t cap)
{
	static const char *const programs[] = {"churn", "pair",	 "idle",
					       "real",	"micro", "instructions"};
	const struct work *w = &row->work;
	size_t used = (size_t)snprintf(buf, cap, "%s:", row_part(row));
	const char *const word[] = {
		w->program == RUN_CHURN ? NULL : programs[w->program],
		w->workload,
		w->profile,
		w->touch,
		w->fill ? "filled by" : NULL,
		w->fill,
		w->calls ? "malloc and free alone" : NULL,
		w->latency ? "each call timed" : NULL,
	};

	for (size_t i = 0; i < sizeof(word) / sizeof(word[0]) && used < cap; i++) {
		if (word[i])
			used += (size_t)snprintf(buf + used, cap - used, " %s", word[i]);
	}
	if (w->threads > 1 && used < cap)
		snprintf(buf + used, cap - used, ", %u threads", w->threads);
}

size_t row_values(const struct row *row, const struct peer *peer, enum metric m, double *v)
{
	size_t n = 0;

	for (size_t i = 0; i < MAX_REPEATS; i++)
		v[i] = NAN;
	for (size_t i = 0; i < run_count; i++) {
		const struct run *r = &runs[i];

		if (r->row != row || r->peer != peer || !r->timed)
			continue;
		v[r->repeat] = r->v.v[m];
		if (r->repeat >= n)
			n = r->repeat + 1;
	}
	return n;
}

bool row_ran(const struct row *row)
{
	for (size_t i = 0; i < run_count; i++) {
		if (runs[i].row == row && runs[i].timed)
			return true;
	}
	return false;
}

static void run_keep(struct run r)
{
	if (run_count % 64 == 0) {
		struct run *more = realloc(runs, (run_count + 64) * sizeof(runs[0]));

		if (!more) {
			perror("compare");
			exit(1);
		}
		runs = more;
	}
	runs[run_count++] = r;
}

/* A row's peers, and its work as it is given to all of them. */
struct turn {
	const struct row *row;
	struct work work;
	const struct peer *peer[MAX_PEERS];
	bool out[MAX_PEERS]; /* failed once: its rounds would be held against nobody */
	unsigned n;
};

static void turn_of(const struct row *row, struct turn *t)
{
	*t = (struct turn){.row = row, .work = row->work};
	for (unsigned i = 0; i < peer_count; i++) {
		if (!(peers[i].group & row->groups))
			continue;
		t->peer[t->n++] = &peers[i];
		/* Debian's mimalloc gets aligned_alloc wrong: then nobody calls it. */
		t->work.no_aligned |= peers[i].group == GROUP_MI;
	}
	if (row->groups == GROUP_NONE)
		t->n = 1;
}

/* False where the peer failed. */
static bool watch(const struct turn *t, unsigned i)
{
	struct run r = {.row = t->row, .peer = t->peer[i]};
	struct work w = t->work;

	w.series = settings.series && t->row->flags & WATCHED;
	/* One run warms the machine up. */
	if (i && !w.series)
		return true;
	if (!run_once(r.peer, &w, &r.v, &r.text))
		return false;
	if (w.series)
		run_keep(r);
	else
		free(r.text);
	return true;
}

/* Stock's: it has no counters of its own. */
static bool count_calls(const struct turn *t, unsigned i)
{
	struct run r = {.row = t->row, .peer = t->peer[i]};

	if (!settings.syscalls || !(t->row->flags & COUNTED) || t->peer[i]->ours)
		return true;
	if (!run_strace(r.peer, &t->work, &r.v))
		return false;
	run_keep(r);
	return true;
}

/*
 * Before the first round, runs that are not timed: they bring the machine's memory into use, and they are
 * where tables are watched over time and stock's system calls counted, neither of which is free.
 */
static void warm_up(struct turn *t)
{
	if (t->row->flags & ONCE)
		return;
	for (unsigned i = 0; i < t->n; i++)
		t->out[i] = !(watch(t, i) && count_calls(t, i));
}

static void rounds(struct turn *t, double until)
{
	unsigned repeats = t->row->flags & ONCE ? 1 : settings.repeats;
	double took = 0;

	for (unsigned r = 0; r < repeats; r++) {
		double start = now_s();

		/* Half a round too many is as far from the budget as half a round too few. */
		if (r && until > 0 && start + took / 2 > until)
			break;
		for (unsigned turn = 0; turn < t->n; turn++) {
			unsigned i = (r + turn) % t->n;
			struct run run = {
				.row = t->row, .peer = t->peer[i], .repeat = r, .timed = true};

			if (t->out[i])
				continue;
			t->out[i] = !run_once(run.peer, &t->work, &run.v, &run.text);
			if (!t->out[i])
				run_keep(run);
		}
		took = now_s() - start;
	}
}

static bool turn_whole(const struct turn *t)
{
	/* What stands on programs that may not be there is left out with a word. */
	bool whole = true, may_miss = t->work.program >= RUN_REAL;

	for (unsigned i = 0; i < t->n; i++)
		whole &= !t->out[i] || may_miss;
	return whole;
}

static bool row_chosen(const struct row *row)
{
	return row->suites & chosen;
}

/* How much of the budget's time is a row's. What runs once has no say in how long it takes. */
static unsigned row_weight(const struct row *row)
{
	struct turn t;

	if (!row_chosen(row) || (row->flags & ONCE))
		return 0;
	turn_of(row, &t);
	return t.n;
}

static bool compare_rows(double start)
{
	unsigned all = 0, so_far = 0, number = 0, count = 0;
	bool whole = true;

	for (const struct row *row = rows; row < rows + ROWS; row++) {
		all += row_weight(row);
		count += row_chosen(row);
	}
	for (const struct row *row = rows; row < rows + ROWS; row++) {
		static struct turn t;
		char name[128];

		if (!row_chosen(row))
			continue;
		turn_of(row, &t);
		so_far += row_weight(row);
		row_name(row, name, sizeof(name));
		fprintf(stderr, "[%u/%u] %s, %u peers\n", ++number, count, name, t.n);
		if (!t.n)
			continue;
		warm_up(&t);
		rounds(&t, settings.seconds
				   ? start + (double)settings.seconds * so_far / fmax(all, 1)
				   : 0);
		whole &= turn_whole(&t);
		if (!settings.json)
			table_print(row);
	}
	return whole;
}

int suites_compare(double start)
{
	bool whole = compare_rows(start), saved = true;

	goals_judge(chosen & IN(GOALS));
	if (settings.json)
		results_write(stdout);
	else
		goals_print();
	if (settings.save)
		saved = results_save(settings.save, settings.report);
	return whole && saved ? 0 : 1;
}
