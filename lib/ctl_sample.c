// SPDX-License-Identifier: BSD-2-Clause
/* ctl_sample - the snapshot of the statistics that ptreclaim.epoch counts: see ctl_internal.h. */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "ctl_internal.h"
#include "os.h"

/* How long somebody waits for another thread, which is busy for microseconds. */
#define SPINS	100
#define WAITS	1000
#define WAIT_NS 1000000

#define NOT_ASKED UINT64_MAX

/*
 * The process whose thread is at it. Not a flag, since fork() may leave it taken in the child, where that
 * thread is not: another process's number is nobody's.
 */
static _Atomic uint32_t holder;
/* This thread is at it, or about to be: a signal handler that comes in between waits for itself. */
static __thread volatile bool at_it __attribute__((tls_model("initial-exec")));
static uint32_t taken_by; /* whose figures they are: a child has its own; 0: nobody's */
static struct ctl_sample sample;
static uint64_t reclaimable;

void ctl_fork_child(void)
{
	taken_by = 0;
	at_it = false;
	atomic_store(&holder, 0);
}

static int hold(uint32_t me)
{
	if (at_it)
		return EAGAIN;
	at_it = true;
	for (unsigned i = 0; i < SPINS + WAITS; i++) {
		uint32_t seen = atomic_load(&holder);

		if (seen != me && atomic_compare_exchange_strong(&holder, &seen, me))
			return 0;
		if (i >= SPINS)
			os.futex_wait(&holder, me, WAIT_NS);
	}
	at_it = false;
	return EAGAIN;
}

static void let_go(void)
{
	atomic_store(&holder, 0);
	at_it = false;
}

void ctl_sample_take(struct ctl_sample *s)
{
	engine_state(&s->state);
	stats_snapshot(&s->stats);
}

void ctl_sample_take_nodes(struct ctl_sample *s)
{
	s->nodes = engine_nodes(s->node);
}

/* Held. */
static void take(uint32_t me)
{
	taken_by = 0;
	sample.epoch++;
	ctl_sample_take(&sample);
	ctl_sample_take_nodes(&sample);
	reclaimable = NOT_ASKED;
	taken_by = me;
}

/* Hold it, and have it be there. */
static int hold_taken(uint32_t me)
{
	int r = hold(me);

	if (!r && taken_by != me)
		take(me);
	return r;
}

int ctl_sample_read(size_t at, uint64_t *value)
{
	int r = hold_taken((uint32_t)os.getpid());

	if (r)
		return r;
	memcpy(value, (const char *)&sample + at, sizeof(*value));
	let_go();
	return 0;
}

int ctl_sample_reclaimable(uint64_t *value)
{
	uint32_t me = (uint32_t)os.getpid();
	int r = hold_taken(me);
	uint64_t epoch;

	if (r)
		return r;
	*value = reclaimable;
	epoch = sample.epoch;
	let_go();
	if (*value != NOT_ASKED)
		return 0;
	/* Too long to hold anything meanwhile. */
	*value = engine_reclaimable();
	r = hold_taken(me);
	if (r)
		return r;
	if (sample.epoch == epoch && reclaimable == NOT_ASKED)
		reclaimable = *value;
	else if (sample.epoch == epoch)
		*value = reclaimable;
	let_go();
	return 0;
}

int ctl_sample_refresh(void)
{
	uint32_t me = (uint32_t)os.getpid();
	int r = hold(me);

	if (r)
		return r;
	take(me);
	let_go();
	return 0;
}
