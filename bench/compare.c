// SPDX-License-Identifier: BSD-2-Clause
/* compare - see compare.h. The turns of pairs. */
#include <math.h>
#include <time.h>

#include "compare.h"
#include "compare_suites.h"

static struct outcome outcomes[MAX_CONFIGS];

/* The two sides of a pair, and what they run. */
struct pair {
	struct peer side[SIDES];
	struct work work;
};

static void pair_of(const struct config *c, struct pair *p)
{
	for (unsigned side = 0; side < SIDES; side++)
		peer_of_config(c, side, &p->side[side]);
	p->work = (struct work){
		.program = c->pair ? RUN_PAIR : RUN_CHURN,
		.profile = c->profile,
		.touch = c->touch,
		.threads = c->threads,
	};
}

/*
 * Before the first pair, a run that is not timed: it brings the machine's memory into use, which a
 * virtual machine pays for at first touch, and it is where strace counts stock's system calls.
 */
static bool warm_up(const struct pair *p, struct values *stock)
{
	if (settings.syscalls && p->work.program == RUN_CHURN) {
		if (run_strace(&p->side[STOCK], &p->work, stock))
			return true;
		fputs("compare: going on without counting system calls\n", stderr);
		settings.syscalls = false;
	}
	return run_once(&p->side[STOCK], &p->work, stock, NULL);
}

/* Ours come from the library's own counters, and where it counted none, from strace too. */
static bool count_calls(struct outcome *o, const struct pair *p, const struct values *stock)
{
	struct values ours;

	o->median[STOCK].v[M_ZAPS] = stock->v[M_ZAPS];
	o->calls_from = "its own counters";
	if (isnan(o->median[OURS].v[M_ZAPS])) {
		if (!run_strace(&p->side[OURS], &p->work, &ours))
			return false;
		o->calls_from = "strace (what is over stock's other calls)";
		o->median[OURS].v[M_ZAPS] = ours.v[M_ZAPS];
		/* Under strace those are among the others. */
		o->median[OURS].v[M_COMMIT_ZAPS] = NAN;
		o->median[OURS].v[M_CALLS] = fmax(
			ours.v[M_ZAPS], ours.v[M_CALLS] - (stock->v[M_CALLS] - stock->v[M_ZAPS]));
	}
	o->ratio.v[M_ZAPS] =
		stock->v[M_ZAPS] > 0 ? o->median[OURS].v[M_ZAPS] / stock->v[M_ZAPS] : NAN;
	o->ratio_min.v[M_ZAPS] = o->ratio_max.v[M_ZAPS] = o->ratio.v[M_ZAPS];
	return true;
}

double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* At least one pair, and no new one after until, which is 0 for no limit. */
static bool compare(struct outcome *o, double until)
{
	static struct pair p;
	struct values stock;

	pair_of(&o->config, &p);
	if (!warm_up(&p, &stock))
		return false;
	/* The pair takes a second, and a few nanoseconds want many looks. */
	o->repeats = o->config.pair ? settings.repeats * 5 : settings.repeats;
	if (o->repeats > MAX_REPEATS)
		o->repeats = MAX_REPEATS;
	for (unsigned r = 0; r < o->repeats; r++) {
		if (r && until > 0 && now_s() > until) {
			o->repeats = r;
			break;
		}
		for (unsigned turn = 0; turn < SIDES; turn++) {
			enum side side = (r + turn) % 2 ? OURS : STOCK;

			if (!run_once(&p.side[side], &p.work, &o->run[side][r], NULL))
				return false;
		}
	}
	judge_medians(o);
	if (settings.syscalls && !o->config.pair && !count_calls(o, &p, &stock))
		return false;
	judge_targets(o);
	return true;
}

static int compare_pairs(double start)
{
	size_t done = 0;

	for (size_t i = 0; i < config_count; i++) {
		struct outcome *o = &outcomes[done];
		char name[128];

		o->config = configs[i];
		config_name(&o->config, name, sizeof(name));
		fprintf(stderr, "[%zu/%zu] %s\n", i + 1, config_count, name);
		/* One that failed was reported; the others are still worth having. */
		double share = settings.seconds * (double)(i + 1) / (double)config_count;

		if (!compare(o, settings.seconds ? start + share : 0))
			continue;
		done++;
		if (!settings.json)
			report_text(o);
	}
	if (settings.json)
		report_json(&settings, outcomes, done);
	else
		report_verdict(outcomes, done);
	return done == config_count ? 0 : 1;
}

int main(int argc, char **argv)
{
	double start = now_s();

	options_parse(argc, argv);
	return suites_wanted() ? suites_compare(start) : compare_pairs(start);
}
