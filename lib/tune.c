// SPDX-License-Identifier: BSD-2-Clause
/* tune - see tune.h. What is written here is written by the one thread that polls, but for the mode. */
#include "tune.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "os.h"
#include "tune_count.h"
#include "tune_rule.h"

/* Less is not an interval: what was counted in it goes into the next. */
#define INTERVAL_NS UINT64_C(500000000)
/* Polls between two looks at what is dirty: jemalloc has to add its statistics up for it. */
#define DIRTY_POLLS 10

/* A setting that may be ours: what was found there, and what we wrote. */
struct hand {
	int64_t found, wrote;
	bool holds;
	bool left; /* somebody else has written since: it is his for good */
};

struct arena {
	struct tune_rule rule;
	struct tune_left idle;
	struct hand dirty, muzzy;
	uint64_t at, purged, taken_back; /* at the end of the last interval */
	/* What others are told. */
	_Atomic int64_t dirty_ms, muzzy_ms, advised_dirty_ms, advised_muzzy_ms;
	_Atomic unsigned why;
	_Atomic bool looked;
};

static struct arena arenas[TUNE_ARENAS];

static struct {
	struct hand hand;
	bool needed;
	_Atomic bool on, advised;
	_Atomic unsigned why;
} threads;

/* Of this poll, and what it has to know of the last. */
static struct {
	uint64_t ns;
	enum conf_tune mode;
	bool on;
	bool lower;    /* too much memory: every raised arena goes a step back */
	bool decays;   /* some arena does */
	bool raised;   /* some arena is, by us */
	unsigned held; /* settings that are to be written back */
	unsigned polls;
	struct tune_memory memory;
} turn;

static _Atomic enum conf_tune mode;
static _Atomic unsigned held;
static void (*_Atomic on_change)(void);

enum conf_tune tune_mode(void)
{
	return atomic_load(&mode);
}

void tune_set_mode(enum conf_tune m)
{
	void (*changed)(void) = atomic_load(&on_change);

	atomic_store(&mode, m);
	if (changed)
		changed();
}

void tune_on_change(void (*changed)(void))
{
	atomic_store(&on_change, changed);
}

bool tune_holds(void)
{
	return atomic_load(&held) != 0;
}

/* Did somebody write over what we wrote? */
static void hand_look(struct hand *h, int64_t in_force)
{
	if (!h->holds || in_force == h->wrote)
		return;
	h->holds = false;
	h->left = true;
}

static int64_t hand_found(const struct hand *h, int64_t in_force)
{
	return h->holds ? h->found : in_force;
}

/* What is to be in force: as advised, where that may be written, else as it was found. */
static int64_t hand_take(struct hand *h, int64_t in_force, int64_t advised)
{
	int64_t found = hand_found(h, in_force);

	if (h->left)
		return in_force;
	if (!turn.on || turn.mode != CONF_TUNE_APPLY || advised == found) {
		h->holds = false;
		return found;
	}
	*h = (struct hand){.found = found, .wrote = advised, .holds = true};
	return advised;
}

/* Bytes that are resident; 0: cannot be told. */
static uint64_t resident(void)
{
	char buf[128], *end;

	/* "size resident shared ...", in pages */
	if (os.read_file("/proc/self/statm", buf, sizeof(buf)) <= 0)
		return 0;
	(void)strtoull(buf, &end, 10);
	return strtoull(end, NULL, 10) << os_page_shift;
}

void tune_begin(uint64_t now_ns, bool on)
{
	turn.ns = now_ns;
	turn.mode = tune_mode();
	turn.on = on && turn.mode != CONF_TUNE_OFF;
	turn.lower = turn.on && turn.mode == CONF_TUNE_APPLY &&
		     tune_rule_memory(&turn.memory, resident(), turn.raised);
	turn.raised = turn.decays = false;
	turn.held = 0;
	turn.polls++;
}

/* The interval that ends now, if one does. */
static bool interval(struct arena *a, unsigned i, struct tune_traffic *t)
{
	struct tune_count *c = &tune_counts[i];
	uint64_t purged = atomic_load(&c->purged), back = tune_count_taken_back(c);
	bool first = !a->at;

	if (!first && turn.ns - a->at < INTERVAL_NS)
		return false;
	*t = (struct tune_traffic){turn.ns - a->at, purged - a->purged, back - a->taken_back};
	a->at = turn.ns;
	a->purged = purged;
	a->taken_back = back;
	return !first;
}

static int64_t decide_dirty(struct arena *a, unsigned i, int64_t in_force, enum tune_why *why)
{
	int64_t configured = hand_found(&a->dirty, in_force);
	struct tune_traffic t;

	if (!turn.on) {
		*why = turn.mode == CONF_TUNE_OFF ? TUNE_NOT_LOOKED : TUNE_UNSEEN;
		tune_rule_restart(&a->rule);
		a->rule.why = TUNE_CALM;
		a->at = 0;
		return configured;
	}
	if (a->dirty.left) {
		*why = TUNE_LEFT_ALONE;
		return in_force;
	}
	if (i == TUNE_ARENAS - 1) {
		*why = TUNE_SHARED;
		return in_force;
	}
	if (turn.lower && in_force > configured)
		(void)tune_rule_lower(&a->rule, in_force, configured);
	else if (interval(a, i, &t))
		(void)tune_rule_dirty(&a->rule, &t, in_force, configured);
	/* Nothing new: what is not ours may have changed meanwhile. */
	else if (!a->dirty.holds)
		a->rule.advised = in_force;
	*why = a->rule.why ? a->rule.why : TUNE_CALM;
	/* To go below what was configured may be good advice, but it is not ours to do. */
	if (turn.mode == CONF_TUNE_APPLY && a->rule.advised < configured)
		return configured;
	return a->rule.advised;
}

bool tune_decide(unsigned i, struct tune_settings *s)
{
	struct arena *a = &arenas[i < TUNE_ARENAS ? i : TUNE_ARENAS - 1];
	struct tune_settings was = *s;
	int64_t dirty, muzzy;
	enum tune_why why;

	hand_look(&a->dirty, s->dirty_ms);
	hand_look(&a->muzzy, s->muzzy_ms);
	dirty = decide_dirty(a, i, s->dirty_ms, &why);
	muzzy = hand_found(&a->muzzy, s->muzzy_ms);
	if (turn.on && !a->muzzy.left) {
		enum tune_why of_muzzy = why;

		muzzy = tune_rule_muzzy(s->muzzy_ms, &of_muzzy);
		/* Done already: what is left to tell is of the other. */
		if (!a->muzzy.holds)
			why = of_muzzy;
	}
	s->dirty_ms = hand_take(&a->dirty, s->dirty_ms, dirty);
	s->muzzy_ms = hand_take(&a->muzzy, s->muzzy_ms, muzzy);

	turn.held += a->dirty.holds;
	turn.held += a->muzzy.holds;
	turn.raised |= a->dirty.holds && a->dirty.wrote > a->dirty.found;
	turn.decays |= s->dirty_ms > 0 || s->muzzy_ms > 0;
	atomic_store(&a->dirty_ms, s->dirty_ms);
	atomic_store(&a->muzzy_ms, s->muzzy_ms);
	atomic_store(&a->advised_dirty_ms, a->dirty.left ? s->dirty_ms : dirty);
	atomic_store(&a->advised_muzzy_ms, a->muzzy.left ? s->muzzy_ms : muzzy);
	atomic_store(&a->why, why);
	atomic_store(&a->looked, true);
	return s->dirty_ms != was.dirty_ms || s->muzzy_ms != was.muzzy_ms;
}

void tune_leave(unsigned i)
{
	if (i < TUNE_ARENAS - 1)
		atomic_store(&arenas[i].why, turn.on ? TUNE_PROGRAMS : TUNE_NOT_LOOKED);
}

void tune_lost(unsigned i)
{
	struct arena *a = &arenas[i < TUNE_ARENAS ? i : TUNE_ARENAS - 1];

	a->dirty.holds = a->muzzy.holds = false;
	a->dirty.left = a->muzzy.left = true;
}

bool tune_wants_dirty(void)
{
	return turn.on && turn.decays && !threads.needed && !atomic_load(&threads.on) &&
	       turn.polls % DIRTY_POLLS == 0;
}

void tune_dirty(unsigned i, uint64_t bytes)
{
	struct arena *a = &arenas[i];

	if (i >= TUNE_ARENAS - 1)
		return;
	if (tune_rule_left(&a->idle, turn.ns, bytes, atomic_load(&tune_counts[i].purges),
			   atomic_load(&a->dirty_ms)))
		threads.needed = true;
}

bool tune_decide_threads(bool *in_force, bool refused)
{
	bool was = *in_force, advised;
	enum tune_why why;

	hand_look(&threads.hand, was);
	advised = hand_found(&threads.hand, was) != 0;
	if (!turn.on)
		why = turn.mode == CONF_TUNE_OFF ? TUNE_THREADS_NOT_LOOKED : TUNE_UNSEEN;
	else if (threads.hand.left)
		why = TUNE_LEFT_ALONE;
	else if (advised)
		why = TUNE_THREADS_ON;
	else if (refused)
		why = TUNE_THREADS_REFUSED;
	else if (!turn.decays)
		why = TUNE_THREADS_NO_DECAY;
	else
		why = threads.needed ? TUNE_THREADS_NEEDED : TUNE_THREADS_NO_NEED;
	if (why == TUNE_THREADS_NEEDED)
		advised = true;
	*in_force = hand_take(&threads.hand, was, advised) != 0;

	turn.held += threads.hand.holds;
	atomic_store(&held, turn.held);
	atomic_store(&threads.on, *in_force);
	atomic_store(&threads.advised, threads.hand.left ? *in_force : advised);
	atomic_store(&threads.why, why);
	return *in_force != was;
}

static bool known(unsigned i)
{
	struct tune_count *c = &tune_counts[i];

	return atomic_load(&arenas[i].looked) || atomic_load(&c->purges) ||
	       atomic_load(&c->taken) || atomic_load(&c->grown);
}

unsigned tune_arenas(void)
{
	unsigned n = TUNE_ARENAS;

	while (n && !known(n - 1))
		n--;
	return n;
}

bool tune_arena(unsigned i, struct tune_arena *out)
{
	struct arena *a = &arenas[i];
	struct tune_count *c = &tune_counts[i];

	if (i >= TUNE_ARENAS || !known(i))
		return false;
	*out = (struct tune_arena){
		.purges = atomic_load(&c->purges),
		.purged = atomic_load(&c->purged),
		.purged_whole = atomic_load(&c->purged_whole),
		.taken_back = tune_count_taken_back(c),
		.dirty_decay_ms = TUNE_UNKNOWN,
		.muzzy_decay_ms = TUNE_UNKNOWN,
		.advised_dirty_ms = TUNE_UNKNOWN,
		.advised_muzzy_ms = TUNE_UNKNOWN,
		.reason = tune_why(atomic_load(&a->why)),
	};
	if (!atomic_load(&a->looked))
		return true;
	out->dirty_decay_ms = atomic_load(&a->dirty_ms);
	out->muzzy_decay_ms = atomic_load(&a->muzzy_ms);
	out->advised_dirty_ms = atomic_load(&a->advised_dirty_ms);
	out->advised_muzzy_ms = atomic_load(&a->advised_muzzy_ms);
	return true;
}

void tune_process(struct tune_process *out)
{
	out->background_thread = atomic_load(&threads.on);
	out->advised_background_thread = atomic_load(&threads.advised);
	out->reason = tune_why(atomic_load(&threads.why) ? atomic_load(&threads.why)
							 : TUNE_THREADS_NOT_LOOKED);
}

void tune_reset(void)
{
	memset(arenas, 0, sizeof(arenas));
	memset(tune_counts, 0, sizeof(tune_counts));
	memset(&threads, 0, sizeof(threads));
	memset(&turn, 0, sizeof(turn));
	atomic_store(&mode, CONF_TUNE_OFF);
	atomic_store(&held, 0);
	atomic_store(&on_change, NULL);
}
