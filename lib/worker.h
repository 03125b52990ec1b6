/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker - the background flusher.
 *
 * One thread with all signals blocked. It sleeps without a timeout while nothing is pending, and
 * ticks while something is: flushing by age and by size, looking for memory pressure and for the
 * kill file. Of several NUMA nodes it moves to the one whose queue it flushes (node).
 */
#ifndef PTR_WORKER_H
#define PTR_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "conf.h"

/* Where to note that it runs: a word that reads 0 in a child after fork, where no worker is. */
void worker_init(_Atomic uint32_t *running);

/*
 * Start it. Creates a thread: never call from a hook. 0 or an errno value. In the child after fork
 * call it again; the parent's thread is not there.
 */
int worker_start(const struct conf *c);
bool worker_running(void);
/* In a child of a kernel without such a word. */
void worker_forget(void);

/* Periods as configured, and changed while running; false: out of the range that conf allows. */
uint64_t worker_batch_ms(void);
bool worker_set_batch_ms(uint64_t ms);
uint64_t worker_sweep_ms(void);
bool worker_set_sweep_ms(uint64_t ms);

/* Policy has something to decide: measure what it goes by, if that was not done. For hooks. */
void worker_measure(void);

/* Something is pending: wake it if it sleeps. For hooks. */
void worker_kick(void);

/* Something has changed that moves what is due: have it look again, whatever it waits for. Not for hooks. */
void worker_nudge(void);

/* Something to do about once a second in the worker, until it returns false (and then again from
 * the next worker_set_chore). May allocate. One at a time. Setting it is for hooks, too. */
void worker_set_chore(bool (*chore)(void));
/* Something to do every stats_interval_ms (stats_file). May allocate. Looked at when it next wakes. */
void worker_set_report(void (*report)(void));
/* Something to do soon after anything happened, at most a few times a second (the statistics page). */
void worker_set_page(void (*show)(void));
/* Something has happened that the page would show: for hooks, now and then. */
void worker_stir(void);

#endif
