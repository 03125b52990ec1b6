// SPDX-License-Identifier: BSD-2-Clause
/* worker - see worker.h. */
#include "worker.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#include "batch.h"
#include "cost.h"
#include "engine.h"
#include "node.h"
#include "os.h"
#include "predict.h"
#include "pressure.h"
#include "sweep.h"

#define MS	    UINT64_C(1000000)
#define STACK_BYTES ((size_t)128 << 10)
#define CHORE_MS    1000
#define COST_TRIES  3	 /* what cannot be measured so often is not */
#define KILL_MS	    500	 /* how often the kill file is looked for */
#define PRESSURE_MS 50	 /* and the pressure trigger, while something is pending */
#define PRESSED_MS  2000 /* how long a trigger holds */
#define REFUSED_MS  1000 /* how often what the kernel refused is tried again */
#define PAGE_MS	    200	 /* how often the statistics page is written, while something happens */

enum { ASLEEP, TICKING, NUDGED };

/* What the worker is told, and sleeps on. */
static _Atomic uint32_t word;
static _Atomic uint32_t running_here;
static _Atomic uint32_t *running = &running_here;

static struct conf conf;
/* Those of its periods that may change while it runs. */
static _Atomic uint64_t batch_ms, sweep_ms;
static bool (*_Atomic chore)(void);
static _Atomic unsigned chores_set; /* how often: one set while it ran is not to be dropped */
static void (*_Atomic report)(void);
static void (*_Atomic page)(void);
static _Atomic bool costs_wanted;
static _Atomic bool stirred; /* something has happened since the page was written */

static struct iovec vec[BACKEND_VEC_MAX], ask[BACKEND_VEC_MAX];
static uint8_t flag[BACKEND_VEC_MAX];

bool worker_running(void)
{
	return atomic_load_explicit(running, memory_order_relaxed);
}

void worker_init(_Atomic uint32_t *word_for_running)
{
	running = word_for_running;
}

void worker_forget(void)
{
	atomic_store(running, 0);
}

void worker_set_report(void (*fn)(void))
{
	atomic_store(&report, fn);
}

void worker_set_page(void (*fn)(void))
{
	atomic_store(&page, fn);
	atomic_store(&stirred, true);
	worker_nudge();
}

void worker_set_chore(bool (*fn)(void))
{
	atomic_fetch_add(&chores_set, 1);
	atomic_store(&chore, fn);
	worker_kick();
}

uint64_t worker_batch_ms(void)
{
	return atomic_load(&batch_ms);
}

uint64_t worker_sweep_ms(void)
{
	return atomic_load(&sweep_ms);
}

static bool set_period(_Atomic uint64_t *period, uint64_t ms)
{
	if (!ms || ms > CONF_MS_MAX)
		return false;
	atomic_store(period, ms);
	worker_nudge();
	return true;
}

bool worker_set_batch_ms(uint64_t ms)
{
	return set_period(&batch_ms, ms);
}

bool worker_set_sweep_ms(uint64_t ms)
{
	return set_period(&sweep_ms, ms);
}

void worker_kick(void)
{
	uint32_t asleep = ASLEEP;

	if (!atomic_compare_exchange_strong(&word, &asleep, TICKING))
		return;
	stats_add(STAT_SYS_FUTEX, 1);
	os.futex_wake(&word, 1);
}

void worker_measure(void)
{
	if (atomic_load_explicit(&costs_wanted, memory_order_relaxed))
		return;
	atomic_store(&costs_wanted, true);
	worker_nudge();
}

void worker_nudge(void)
{
	atomic_store(&word, NUDGED);
	stats_add(STAT_SYS_FUTEX, 1);
	os.futex_wake(&word, 1);
}

void worker_stir(void)
{
	if (atomic_load_explicit(&stirred, memory_order_relaxed))
		return;
	atomic_store(&stirred, true);
	worker_kick();
}

/* When each of the worker's duties is due. */
struct duties {
	uint64_t tick, sweep, kill, pressure, relief, retry, chore, report, page;
	uint32_t pauses; /* of the engine, that were caught up with */
};

static bool page_wanted(void)
{
	return atomic_load(&page) && atomic_load(&stirred);
}

static bool due(uint64_t *at, uint64_t now, uint64_t every)
{
	/* The period may have become shorter since. */
	if (*at > now + every)
		*at = now + every;
	if (now < *at)
		return false;
	*at = now + every;
	return true;
}

static void look_for_kill_file(struct flight *f)
{
	bool kill;

	if (!conf.kill_file[0])
		return;
	stats_add(STAT_SYS_OTHER, 1);
	kill = os.file_exists(conf.kill_file);
	if (kill == engine_paused())
		return;
	engine_pause(kill);
	atomic_store(&stirred, true);
	if (kill)
		batch_flush_all(STAT_FLUSH_REQUEST, f);
}

/* The engine was switched, off or on. */
static void follow_mode(struct duties *d, struct flight *f)
{
	uint32_t pauses;
	bool acting = engine_acting(&pauses);

	if (!acting && !batch_idle())
		batch_flush_all(STAT_FLUSH_REQUEST, f);
	if (!acting)
		sweep_put_off();
	if (acting && pauses != d->pauses) {
		d->pauses = pauses;
		engine_catch_up();
	}
}

static void look_for_pressure(struct duties *d, uint64_t now, struct flight *f)
{
	if (!pressure_armed())
		return;
	stats_add(STAT_SYS_OTHER, 1);
	if (!pressure_high())
		return;
	engine_pressure(true);
	d->relief = now + PRESSED_MS * MS;
	batch_flush_all(STAT_FLUSH_PRESSURE, f);
}

static void tick(struct flight *f)
{
	predict_tick();
	batch_tick(f);
}

static void do_chore(struct duties *d, uint64_t now)
{
	unsigned set = atomic_load(&chores_set);
	bool (*todo)(void) = atomic_load(&chore);

	if (!todo || !due(&d->chore, now, CHORE_MS * MS) || todo())
		return;
	if (atomic_compare_exchange_strong(&chore, &todo, NULL) && atomic_load(&chores_set) != set)
		atomic_store(&chore, todo);
}

/* Once there is something to go by, and unless somebody said what things cost. A child's machine is its
 * parent's. */
static void measure_costs(void)
{
	static unsigned tries = COST_TRIES;
	struct policy_costs c;

	if (!tries || policy_has_costs() || (batch_idle() && !atomic_load(&costs_wanted)))
		return;
	if (!cost_measure(&c)) {
		tries--;
		return;
	}
	tries = 0;
	/* Somebody may have said so meanwhile. */
	if (!policy_has_costs())
		policy_set_costs(&c);
}

static void do_duties(struct duties *d, uint64_t now, struct flight *f)
{
	measure_costs();
	if (due(&d->kill, now, KILL_MS * MS))
		look_for_kill_file(f);
	follow_mode(d, f);
	if (due(&d->pressure, now, PRESSURE_MS * MS))
		look_for_pressure(d, now, f);
	if (d->relief && now >= d->relief) {
		d->relief = 0;
		engine_pressure(false);
	}
	if (!batch_refused())
		d->retry = now + REFUSED_MS * MS;
	else if (due(&d->retry, now, REFUSED_MS * MS))
		batch_retry();
	if (due(&d->tick, now, atomic_load(&batch_ms) * MS / 2))
		tick(f);
	if (due(&d->sweep, now, atomic_load(&sweep_ms) * MS))
		sweep_run(f);
	do_chore(d, now);
	void (*tell)(void) = atomic_load(&report);

	if (tell && due(&d->report, now, conf.stats_interval_ms * MS))
		tell();
	void (*show)(void) = atomic_load(&page);

	if (page_wanted() && due(&d->page, now, PAGE_MS * MS)) {
		/* First: what happens from here on may be missing in it. */
		atomic_store(&stirred, false);
		show();
	}
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* When to look again; UINT64_MAX: not before somebody kicks. */
static uint64_t next_due(const struct duties *d)
{
	uint64_t at = UINT64_MAX;

	if (!batch_idle()) {
		at = least(d->tick, d->kill);
		if (pressure_armed())
			at = least(at, d->pressure);
	}
	if (batch_refused())
		at = least(at, d->retry);
	if (!sweep_idle())
		at = least(at, d->sweep);
	/* Until then nobody kicks: what becomes pending meanwhile is not to wait longer than else. */
	if (page_wanted())
		at = least(at, least(d->page, d->tick));
	if (d->relief)
		at = least(at, d->relief);
	if (engine_paused())
		at = least(at, d->kill);
	if (atomic_load(&chore))
		at = least(at, d->chore);
	if (atomic_load(&report))
		at = least(at, d->report);
	return at;
}

/* Nothing is pending: sleep until somebody kicks, or one of the other duties is due. Also with a sweep to
 * come, which is not to keep waiting what becomes pending before it. */
static void rest(struct duties *d)
{
	uint32_t ticking = TICKING;
	uint64_t at, now;

	if (!atomic_compare_exchange_strong(&word, &ticking, ASLEEP))
		return;
	/* Before the word said asleep: nobody was told to kick. For a sweep it gets up in time. */
	if (!batch_idle() || page_wanted())
		return;
	at = next_due(d);
	now = os.clock_ns();
	if (at > now) {
		stats_add(STAT_SYS_FUTEX, 1);
		os.futex_wait(&word, ASLEEP, at == UINT64_MAX ? at : at - now);
	}
	/* The first tick after that belongs to what woke us, half a period on. */
	if (atomic_load(&word) != ASLEEP)
		d->tick = os.clock_ns() + atomic_load(&batch_ms) * MS / 2;
}

static void *worker_main(void *arg)
{
	struct flight f = {.cap = BACKEND_VEC_MAX, .vec = vec, .flag = flag, .ask = ask};
	struct duties d = {0};
	bool child = arg != NULL;

	if (child) {
		/* Most children call exec soon: do nothing that copies memory before that. */
		os.futex_wait(&word, ASLEEP, atomic_load(&batch_ms) * MS);
		engine_after_fork();
		/* Whether memory is short is for this process to find out. */
		engine_pressure(false);
		/* An event of a trigger is seen by one of those who share it. */
		pressure_renew();
	}
	f.enter = node_worker();
	for (;;) {
		uint64_t now = os.clock_ns();
		uint64_t at;

		atomic_store(&word, TICKING);
		if (!batch_idle() || !sweep_idle())
			atomic_store(&stirred, true);
		do_duties(&d, now, &f);
		if (batch_idle() && !page_wanted()) {
			rest(&d);
			continue;
		}
		at = next_due(&d);
		now = os.clock_ns();
		if (at > now) {
			stats_add(STAT_SYS_FUTEX, 1);
			os.futex_wait(&word, TICKING, at - now);
		}
	}
	return NULL;
}

int worker_start(const struct conf *c)
{
	static char child;
	pthread_attr_t attr;
	sigset_t all, old;
	pthread_t thread;
	bool again = atomic_load(&batch_ms) != 0;
	int r;

	conf = *c;
	/* A child goes on with what its parent was told last. */
	if (!again) {
		atomic_store(&batch_ms, c->batch_ms);
		atomic_store(&sweep_ms, c->sweep_ms);
	}
	atomic_store(&word, ASLEEP);
	if (!again)
		pressure_init();
	r = pthread_attr_init(&attr);
	if (r)
		return r;
	(void)pthread_attr_setstacksize(&attr, STACK_BYTES);
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	/* The program's signals are for its own threads. */
	sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&thread, &attr, worker_main, again ? &child : NULL);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	(void)pthread_attr_destroy(&attr);
	if (!r) {
		(void)pthread_setname_np(thread, "ptreclaim");
		atomic_store(running, 1);
	}
	return r;
}
