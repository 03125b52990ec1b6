// SPDX-License-Identifier: BSD-2-Clause
/*
 * churn_gate - the threads that work, and the main thread that orders one phase after the other.
 *
 * Between two phases all of them wait at the gate, and nobody calls the allocator.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "churn.h"

#define SAMPLE_NS 20000000

atomic_bool gate_stop;

static const struct churn_opts *opts;
static struct churn_result *result;
static struct worker workers[CHURN_MAX_THREADS];
static struct table tables[CHURN_MAX_THREADS];

static struct {
	pthread_mutex_t lock;
	pthread_cond_t begin, end;
	enum phase phase;
	unsigned generation, running;
	uint64_t ended_ns;
} gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .begin = PTHREAD_COND_INITIALIZER};

/* What gate_map() has given out. */
static struct {
	void *p;
	size_t bytes;
} books[2 * CHURN_MAX_THREADS + 64];
static unsigned books_n;

void *gate_map(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED) {
		perror("churn: mmap");
		exit(CHURN_FAILED);
	}
	if (books_n < sizeof(books) / sizeof(books[0])) {
		books[books_n].p = p;
		books[books_n++].bytes = bytes;
	}
	return p;
}

/* What of the books is resident: nothing of them is ever given back, so this is the most there was. */
static uint64_t books_bytes(void)
{
	static unsigned char resident[4096];
	size_t page = (size_t)sysconf(_SC_PAGESIZE), chunk = sizeof(resident) * page;
	uint64_t bytes = 0;

	for (unsigned i = 0; i < books_n; i++) {
		for (size_t at = 0; at < books[i].bytes; at += chunk) {
			size_t left = books[i].bytes - at, len = left < chunk ? left : chunk;

			if (mincore((char *)books[i].p + at, len, resident))
				continue;
			for (size_t j = 0; j * page < len; j++)
				bytes += resident[j] & 1 ? page : 0;
		}
	}
	return bytes;
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	unsigned seen = 0;
	enum phase phase;

	do {
		pthread_mutex_lock(&gate.lock);
		while (gate.generation == seen)
			pthread_cond_wait(&gate.begin, &gate.lock);
		seen = gate.generation;
		phase = gate.phase;
		pthread_mutex_unlock(&gate.lock);

		if (opts->workload->phase)
			opts->workload->phase(w, phase);
		else
			worker_phase(w, phase);

		pthread_mutex_lock(&gate.lock);
		if (!--gate.running) {
			gate.ended_ns = now_ns();
			pthread_cond_signal(&gate.end);
		}
		pthread_mutex_unlock(&gate.lock);
	} while (phase != PHASE_QUIT);
	return NULL;
}

static uint64_t ops_sum(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < opts->threads; i++)
		sum += workers[i].ops;
	return sum;
}

/* Sleep at the gate's end until ns, or until somebody signals it. */
static void gate_wait(uint64_t ns)
{
	struct timespec until = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};

	pthread_cond_timedwait(&gate.end, &gate.lock, &until);
}

struct span gate_run(enum phase phase, unsigned ms)
{
	/* What is left is verified at the end, outside of what is measured. */
	bool measured = phase <= PHASE_SHRINK;
	uint64_t ops = ops_sum();

	sample_skip();
	if (measured)
		sample_take(result);
	atomic_store(&gate_stop, false);
	pthread_mutex_lock(&gate.lock);
	uint64_t start = now_ns(), cpu_start = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	uint64_t stop = ms ? start + ms * (uint64_t)1000000 : UINT64_MAX;
	uint64_t next = start + SAMPLE_NS;

	gate.phase = phase;
	gate.running = opts->threads;
	gate.generation++;
	pthread_cond_broadcast(&gate.begin);
	while (gate.running) {
		gate_wait(next < stop ? next : stop);
		uint64_t now = now_ns();

		if (now >= stop) {
			atomic_store(&gate_stop, true);
			stop = UINT64_MAX;
		}
		if (!gate.running || now < next)
			continue;
		pthread_mutex_unlock(&gate.lock);
		if (measured)
			sample_take(result);
		next = now_ns() + SAMPLE_NS;
		pthread_mutex_lock(&gate.lock);
	}
	struct span span = {ops_sum() - ops, (double)(gate.ended_ns - start) / 1e9};

	result->phase_s[phase] += span.s;
	result->phase_cpu_s[phase] +=
		(double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_start) / 1e9;
	pthread_mutex_unlock(&gate.lock);
	if (measured)
		sample_take(result);
	if (phase == PHASE_CHURN)
		result->churn_ops += span.ops;
	return span;
}

static void table_create(struct table *t, unsigned id)
{
	/* The sum of the sizes ends the growth, not the number: room for four times the mean. */
	t->cap = (size_t)(opts->live / opts->threads) / profile_mean(opts->profile) * 4 + 4096;
	t->slots = gate_map(t->cap * sizeof(*t->slots));
	t->id = id;
}

void gate_start(const struct churn_opts *o, struct churn_result *r)
{
	pthread_condattr_t attr;
	struct floor_report report;

	opts = o;
	result = r;
	result->latency = gate_map(sizeof(*result->latency));
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&gate.end, &attr);
	for (unsigned i = 0; i < opts->threads; i++) {
		struct worker *w = &workers[i];

		table_create(&tables[i], i);
		w->id = i;
		w->opts = opts;
		w->table = &tables[i];
		w->rng = opts->seed * 1000003 + i;
		w->serial = (uint64_t)i << 48;
		w->latency = gate_map(sizeof(*w->latency));
		w->until_malloc = w->until_free = 1;
		int err = pthread_create(&w->thread, NULL, worker_main, w);

		if (err) {
			fprintf(stderr, "churn: pthread_create: %s\n", strerror(err));
			exit(CHURN_FAILED);
		}
	}
	if (!floor_measure(0, &report))
		result->vmas_start = report.vmas;
	sample_start(opts->series, opts->workload->own_series);
}

void gate_rotate(unsigned n)
{
	for (unsigned i = 0; i < opts->threads; i++)
		workers[i].table = &tables[(i + n) % opts->threads];
}

void gate_collect(void)
{
	result->ops = ops_sum();
	for (unsigned i = 0; i < opts->threads; i++) {
		histogram_merge(&result->latency->malloc, &workers[i].latency->malloc);
		histogram_merge(&result->latency->free, &workers[i].latency->free);
		histogram_merge(&result->latency->fork, &workers[i].latency->fork);
	}
	result->metadata_kb = books_bytes() / 1024;
}

void gate_end(void)
{
	gate_run(PHASE_FINISH, 0);
	gate_run(PHASE_QUIT, 0);
	for (unsigned i = 0; i < opts->threads; i++) {
		pthread_join(workers[i].thread, NULL);
		result->checks += workers[i].checks;
	}
}
