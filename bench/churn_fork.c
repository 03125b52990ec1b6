// SPDX-License-Identifier: BSD-2-Clause
/*
 * churn_fork - a fork storm: threads churn, and each forks now and then.
 *
 * What is timed is the parent's fork(), which copies the page tables. The child has the parent's blocks
 * as they were: it verifies some, frees and allocates others, and exits. What the parent writes
 * meanwhile is copied for it page by page.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "churn.h"

#define CHILDREN     8 /* of one thread, at a time */
#define CHILD_BLOCKS 64
#define CHILD_BYTES  (4u << 20)
#define CHILD_STEPS  16
/* A child that hangs in the allocator's locks must not hang the bench. */
#define CHILD_LIMIT_S 120
#define LOOK_STEPS    8

struct forker {
	uint64_t next_ns, forks;
	pid_t child[CHILDREN];
	unsigned n;
};

static struct forker forkers[CHURN_MAX_THREADS];

static _Noreturn void child_main(struct worker *w)
{
	struct table *t = w->table;
	size_t bytes = 0;

	alarm(CHILD_LIMIT_S);
	for (unsigned i = 0; i < CHILD_BLOCKS && bytes < CHILD_BYTES; i++) {
		const struct slot *s = &t->slots[rng_below(&w->rng, t->n)];

		check_pattern(s, s->touched, "in a child of fork");
		bytes += s->touched;
	}
	/* The allocator has to work here as well, and what it zapped has to read zero. */
	for (unsigned i = 0; i < CHILD_STEPS; i++)
		worker_step(w);
	_exit(CHURN_OK);
}

/* Wait for the children that have ended, or for one at least. */
static void reap(struct forker *f, bool block)
{
	for (unsigned i = 0; i < f->n;) {
		int status;
		pid_t pid = waitpid(f->child[i], &status, block ? 0 : WNOHANG);

		if (!pid || (pid < 0 && errno == EINTR)) {
			i++;
			continue;
		}
		if (pid < 0 || !WIFEXITED(status) || WEXITSTATUS(status)) {
			dprintf(STDERR_FILENO, "churn: a child of fork() ended with %s %d\n",
				WIFEXITED(status) ? "status" : "signal",
				WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
			_exit(WIFEXITED(status) ? WEXITSTATUS(status) : CHURN_FAILED);
		}
		f->child[i] = f->child[--f->n];
		block = false;
	}
}

static void fork_once(struct worker *w, struct forker *f)
{
	reap(f, f->n == CHILDREN);
	uint64_t begun = now_ns();
	pid_t pid = fork();

	if (!pid)
		child_main(w);
	uint64_t took = now_ns() - begun;

	if (pid < 0) {
		dprintf(STDERR_FILENO, "churn: fork: %s\n", strerror(errno));
		_exit(CHURN_FAILED);
	}
	histogram_add(&w->latency->fork, took);
	f->child[f->n++] = pid;
	f->forks++;
}

static void storm(struct worker *w)
{
	struct forker *f = &forkers[w->id];
	uint64_t period = (uint64_t)1000000000 * w->opts->threads / w->opts->forks;

	/* One after the other, not all at once. */
	f->next_ns = now_ns() + period * (w->id + 1) / w->opts->threads;
	for (uint64_t step = 0; w->table->n; step++) {
		if (atomic_load_explicit(&gate_stop, memory_order_relaxed))
			break;
		worker_step(w);
		if (step % LOOK_STEPS || now_ns() < f->next_ns)
			continue;
		fork_once(w, f);
		/* A fork that comes late is not made up for: the next would come at once. */
		f->next_ns += period;
		if (f->next_ns < now_ns())
			f->next_ns = now_ns();
	}
	while (f->n)
		reap(f, true);
}

static void fork_phase(struct worker *w, enum phase phase)
{
	if (phase == PHASE_CHURN)
		storm(w);
	else
		worker_phase(w, phase);
}

static double permil_ms(const struct histogram *h, unsigned permil)
{
	return (double)histogram_permil(h, permil) / 1e6;
}

static void fork_figures(const struct churn_opts *o, struct churn_result *r)
{
	const struct histogram *h = &r->latency->fork;
	double s = r->phase_s[PHASE_CHURN];

	(void)o;
	figure_add(r, "forks", (double)h->total);
	figure_add(r, "forks_per_s", s > 0 ? (double)h->total / s : 0);
	figure_add(r, "fork_p50_ms", permil_ms(h, 500));
	figure_add(r, "fork_p99_ms", permil_ms(h, 990));
	figure_add(r, "fork_max_ms", (double)h->max / 1e6);
}

const struct workload fork_workload = {
	.name = "fork",
	.profile = "mixed",
	.live = (uint64_t)512 << 20,
	.churn_ms = 10000,
	.cycles = 1,
	.phase = fork_phase,
	.figures = fork_figures,
};
