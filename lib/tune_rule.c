// SPDX-License-Identifier: BSD-2-Clause
/* tune_rule - see tune_rule.h. */
#include "tune_rule.h"

#include <stddef.h>

#define SECOND UINT64_C(1000000000)
#define MS     UINT64_C(1000000)

static const char *const whys[TUNE_WHYS] = {
	[TUNE_NOT_LOOKED] = "not looked at: tune is off, or no worker runs",
	[TUNE_UNSEEN] = "what is taken back is seen while mode is on, and only then",
	[TUNE_NEVER] = "dirty_decay_ms is -1: nothing is purged, which is left so",
	[TUNE_CALM] = "less than 16 MiB a second, or than half of what is purged, is taken back: "
		      "purging costs little",
	[TUNE_WATCHING] = "16 MiB a second or more, and half of what is purged, is taken back: "
			  "watched for some seconds",
	[TUNE_EAGER] =
		"16 MiB a second or more, and half of what is purged, is taken back: a longer "
		"decay spares zaps and faults",
	[TUNE_RAISED] = "raised, since much of what is purged is taken back: what that spares is "
			"being watched",
	[TUNE_HELPS] = "raised, and much less is taken back since",
	[TUNE_SPARED_LITTLE] = "a longer decay spared less than a quarter of what is taken back: "
			       "tried again later",
	[TUNE_CEILING] = "much of what is purged is taken back, but 10 s is the longest advised",
	[TUNE_LOWERED] = "little is taken back by now: lowered towards what was configured",
	[TUNE_MEMORY_GREW] = "with a longer decay memory grew by more than 32 MiB and an eighth: "
			     "tried again later",
	[TUNE_MUZZY] = "muzzy_decay_ms is over 0: that is MADV_FREE, which leaves page tables and "
		       "keeps pages from the library until they decay; 0 frees both at once",
	[TUNE_MUZZY_NEVER] =
		"muzzy_decay_ms is -1: what is freed by MADV_FREE leaves page tables for "
		"good; left so, as it was asked for",
	[TUNE_LEFT_ALONE] = "somebody else has set it since: left alone",
	[TUNE_SHARED] = "arenas of such high numbers are counted together: nothing is advised",
	[TUNE_PROGRAMS] = "made by the program, and its to set: nothing is advised",
	[TUNE_THREADS_NOT_LOOKED] = "not looked at: tune is off, or no worker runs",
	[TUNE_THREADS_ON] = "background threads purge what idle arenas have left",
	[TUNE_THREADS_REFUSED] = "background_thread was turned off by name: left so",
	[TUNE_THREADS_NO_DECAY] = "no arena decays: what is freed is purged at once, or never",
	[TUNE_THREADS_NO_NEED] = "no idle arena was seen to keep dirty pages past their decay",
	[TUNE_THREADS_NEEDED] = "an idle arena keeps dirty pages past their decay: without "
				"background threads nobody purges them",
};

const char *tune_why(enum tune_why why)
{
	return (unsigned)why < TUNE_WHYS ? whys[why] : "?";
}

void tune_rule_restart(struct tune_rule *r)
{
	r->hot = r->calm = 0;
	r->sum = r->summed = 0;
	r->before = 0;
	r->trial = false;
}

static int64_t step_up(int64_t ms)
{
	if (ms < TUNE_FIRST_MS)
		return TUNE_FIRST_MS;
	return ms > TUNE_CEILING_MS / 2 ? TUNE_CEILING_MS : ms * 2;
}

static int64_t step_down(int64_t ms, int64_t configured)
{
	ms /= 2;
	return ms < TUNE_FIRST_MS || ms < configured ? configured : ms;
}

static int64_t advise(struct tune_rule *r, int64_t ms, enum tune_why why)
{
	r->advised = ms;
	r->why = why;
	return ms;
}

static unsigned hold_of(const struct tune_rule *r)
{
	return r->next_hold ? r->next_hold : TUNE_HOLD;
}

static void failed(struct tune_rule *r, enum tune_why why)
{
	r->held_for = why;
	r->hold = hold_of(r);
	r->next_hold = r->hold < TUNE_HOLD_MAX / 2 ? r->hold * 2 : TUNE_HOLD_MAX;
}

static void count(struct tune_rule *r, uint64_t rate, bool hot)
{
	if (r->hold)
		r->hold--;
	r->calm = hot ? 0 : r->calm + 1;
	/* A pause between two bursts takes one back, it does not begin anew. */
	if (hot)
		r->hot++;
	else if (r->hot)
		r->hot--;
	if (r->hot > TUNE_CONFIRM)
		r->hot = TUNE_CONFIRM;
	if (!r->hot) {
		r->sum = r->summed = 0;
		return;
	}
	r->sum += rate;
	r->summed++;
}

/* The last raise has been in force for some intervals, the first of which says little. */
static int64_t judge(struct tune_rule *r, uint64_t rate, int64_t in_force)
{
	int64_t back = r->back;

	if (r->judged++)
		r->after += rate;
	if (r->judged <= TUNE_CONFIRM)
		return advise(r, in_force, TUNE_RAISED);
	bool helped = r->after / TUNE_CONFIRM <= r->before - r->before / TUNE_SPARED;

	tune_rule_restart(r);
	if (helped)
		return advise(r, in_force, TUNE_HELPS);
	failed(r, TUNE_SPARED_LITTLE);
	return advise(r, back, TUNE_SPARED_LITTLE);
}

static int64_t raise(struct tune_rule *r, int64_t in_force)
{
	/* What was tried lower did not stay calm. */
	if (r->trial)
		r->next_hold = hold_of(r) < TUNE_HOLD_MAX / 2 ? hold_of(r) * 2 : TUNE_HOLD_MAX;
	r->trial = false;
	r->before = r->sum / r->summed;
	r->judged = 0;
	r->after = 0;
	r->back = in_force;
	return advise(r, step_up(in_force), TUNE_EAGER);
}

int64_t tune_rule_dirty(struct tune_rule *r, const struct tune_traffic *t, int64_t in_force,
			int64_t configured)
{
	uint64_t rate = (uint64_t)((double)t->taken_back * (double)SECOND /
				   (double)(t->ns ? t->ns : SECOND));
	bool hot = rate >= TUNE_RATE && t->taken_back >= t->purged / 2;

	/* Changed, and not as advised: what was learned is of another setting. */
	if (in_force != r->seen && in_force != r->advised)
		tune_rule_restart(r);
	r->seen = in_force;
	if (in_force < 0)
		return advise(r, in_force, TUNE_NEVER);
	if (r->before && in_force == r->advised)
		return judge(r, rate, in_force);
	count(r, rate, hot);
	/* Advised, and nobody took it: it stays until there is no more reason for it. */
	if (r->before) {
		if (r->calm < TUNE_WITHDRAW)
			return advise(r, step_up(in_force), TUNE_EAGER);
		r->before = 0;
	}
	if (r->hot >= TUNE_CONFIRM) {
		if (in_force >= TUNE_CEILING_MS)
			return advise(r, in_force, TUNE_CEILING);
		if (r->hold)
			return advise(r, in_force, r->held_for);
		return raise(r, in_force);
	}
	if (in_force > configured && r->calm >= hold_of(r)) {
		r->calm = 0;
		r->trial = true;
		if (step_down(in_force, configured) == configured)
			r->next_hold = 0;
		return advise(r, step_down(in_force, configured), TUNE_LOWERED);
	}
	if (r->hot)
		return advise(r, in_force, TUNE_WATCHING);
	return advise(r, in_force, in_force > configured ? TUNE_HELPS : TUNE_CALM);
}

int64_t tune_rule_lower(struct tune_rule *r, int64_t in_force, int64_t configured)
{
	if (in_force <= configured)
		return in_force;
	tune_rule_restart(r);
	failed(r, TUNE_MEMORY_GREW);
	return advise(r, step_down(in_force, configured), TUNE_MEMORY_GREW);
}

int64_t tune_rule_muzzy(int64_t in_force, enum tune_why *why)
{
	if (in_force > 0)
		*why = TUNE_MUZZY;
	else if (in_force < 0)
		*why = TUNE_MUZZY_NEVER;
	return in_force > 0 ? 0 : in_force;
}

bool tune_rule_memory(struct tune_memory *m, uint64_t resident, bool raised)
{
	uint64_t most = 0;

	if (!raised) {
		m->peak[m->at++ % TUNE_PEAKS] = resident;
		m->settle = 0;
		return false;
	}
	for (unsigned i = 0; i < TUNE_PEAKS; i++)
		most = m->peak[i] > most ? m->peak[i] : most;
	if (m->settle) {
		m->settle--;
		return false;
	}
	most += most / TUNE_MEMORY_PART > TUNE_MEMORY ? most / TUNE_MEMORY_PART : TUNE_MEMORY;
	if (resident <= most)
		return false;
	m->settle = TUNE_CONFIRM;
	return true;
}

bool tune_rule_left(struct tune_left *l, uint64_t now, uint64_t dirty, uint64_t purges,
		    int64_t decay_ms)
{
	if (decay_ms <= 0 || dirty < TUNE_LEFT) {
		l->since = 0;
		return false;
	}
	if (!l->since || purges != l->purges) {
		l->since = now;
		l->purges = purges;
		return false;
	}
	return now - l->since > (uint64_t)decay_ms * MS;
}
