// SPDX-License-Identifier: BSD-2-Clause
/*
 * ops_kernel - what makes the kernel move, merge, collapse, copy and write out pages.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stress.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_COLD
#define MADV_COLD    20
#define MADV_PAGEOUT 21
#endif
/* From numaif.h, which is not everywhere. */
#define POLICY_DEFAULT	 0
#define POLICY_PREFERRED 1
#define POLICY_MOVE	 2 /* MPOL_MF_MOVE */

static int advise(struct worker *w, struct piece p, int advice)
{
	int result = madvise(addr(p.first), p.n * page_size, advice) ? -errno : 0;

	log_event(w, 0, p.first, p.n, result);
	return result;
}

/* The whole region that the slot begins in, others' pages included: no contents change. */
static struct piece region_of(const struct slot *s)
{
	struct piece p = {s->first / region_pages * region_pages, region_pages};

	if (p.first + p.n > total_pages)
		p.n = total_pages - p.first;
	return p;
}

void op_collapse(struct worker *w, struct slot *s)
{
	check_some(w, s->first, s->n);
	/* It mostly finds a reason why not; those are counted, too. */
	count(w->op, advise(w, region_of(s), MADV_COLLAPSE));
	check_some(w, s->first, s->n);
}

void op_thp_advice(struct worker *w, struct slot *s)
{
	const struct arena *a = s->kind == K_FILE ? &arena_file : &arena_anon;
	int result = madvise(addr(a->first), a->n * page_size,
			     pick(w, 3) ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);

	/* For the whole arena, whatever has no mapping just now. */
	result = result && errno != ENOMEM ? -errno : 0;
	log_event(w, 0, s->first, 1, result);
	count(w->op, result);
}

void op_pageout(struct worker *w, struct slot *s)
{
	struct piece p = pick_piece(w, s, s->n);

	count(w->op, advise(w, p, MADV_PAGEOUT));
	nap(w);
	if (pick(w, 2))
		check_some(w, p.first, p.n);
}

void op_cold(struct worker *w, struct slot *s)
{
	struct piece p = pick_piece(w, s, s->n);

	count(w->op, advise(w, p, MADV_COLD));
}

void op_unmerge(struct worker *w, struct slot *s)
{
	struct piece p = pick_piece(w, s, s->n);

	if (count(w->op, advise(w, p, MADV_UNMERGEABLE)))
		advise(w, p, MADV_MERGEABLE);
	check_some(w, p.first, p.n);
}

void op_mbind(struct worker *w, struct slot *s)
{
	struct piece p = pick_piece(w, s, 64);
	unsigned long mask = 1ul << pick(w, (size_t)online_nodes());
	size_t len = p.n * page_size;
	long result = syscall(SYS_mbind, addr(p.first), len, POLICY_PREFERRED, &mask,
			      sizeof(mask) * 8, POLICY_MOVE);

	result = result ? -errno : 0;
	log_event(w, 0, p.first, p.n, result);
	count(w->op, result);
	nap(w);
	check_some(w, p.first, p.n);
	syscall(SYS_mbind, addr(p.first), len, POLICY_DEFAULT, NULL, 0, 0);
}

void op_move_pages(struct worker *w, struct slot *s)
{
	struct piece p = pick_piece(w, s, 32);
	void *where[32];
	int nodes[32], status[32];
	long result;

	for (size_t i = 0; i < p.n; i++) {
		where[i] = addr(p.first + i);
		nodes[i] = (int)pick(w, (size_t)online_nodes());
	}
	result = syscall(SYS_move_pages, 0, p.n, where, nodes, status, POLICY_MOVE);
	/* The pages that could not be moved. */
	result = result < 0 ? -errno : 0;
	log_event(w, 0, p.first, p.n, result);
	count(w->op, result);
	check_some(w, p.first, p.n);
}

void op_migrate_pages(struct worker *w, struct slot *s)
{
	unsigned long from = 1, to = 2;
	long result = -ENODEV;

	if (online_nodes() > 1) {
		if (pick(w, 2)) {
			from = 2;
			to = 1;
		}
		result = syscall(SYS_migrate_pages, 0, sizeof(from) * 8, &from, &to);
		result = result < 0 ? -errno : 0;
	}
	log_event(w, 0, s->first, s->n, result);
	count(w->op, result);
	check_some(w, s->first, s->n);
}

void op_hop(struct worker *w, struct slot *s)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(pick(w, (size_t)(cpus > 0 ? cpus : 1)), &set);
	count(w->op, sched_setaffinity(0, sizeof(set), &set) ? -errno : 0);
	/* What this processor still believes about the slot. */
	check_some(w, s->first, s->n);
}

static void reclaim_mine(void)
{
	if (supported)
		madvise(base, total_pages * page_size, opts.advice);
}

/* A child's: private pages may be changed, shared ones only looked at. */
static void child_slot(struct worker *w, struct slot *s)
{
	check_some(w, s->first, s->n);
	if (!(s->kind & K_ANYANON) || pick(w, 2))
		return;
	if (pick(w, 2)) {
		for (size_t i = 0; i < s->n && i < 8; i++)
			page_write(w, s, s->first + i);
	} else if (!madvise(addr(s->first), s->n * page_size, MADV_DONTNEED)) {
		zapped(s, s->first, s->n);
	}
	reclaim_mine();
	check_some(w, s->first, s->n);
}

/* Only the worker that forked is here, so only its pages stand still. */
void child_life(struct worker *w)
{
	size_t start = pick(w, slot_count);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	w->rng += 77;
	reclaim_mine();
	for (size_t i = 0, done = 0; i < slot_count && done < 24; i++) {
		struct slot *s = &slots[(start + i) % slot_count];

		if (s->owner != w->id || s->kind == K_PARK || s->kind == K_UFFD)
			continue;
		done++;
		child_slot(w, s);
	}
	_exit(0);
}

void op_fork(struct worker *w, struct slot *s)
{
	int status = 0;
	pid_t pid = fork();

	if (!pid)
		child_life(w);
	log_event(w, 0, s->first, s->n, pid < 0 ? -errno : 0);
	if (!count(w->op, pid < 0 ? -errno : 0))
		return;
	/* Beside the child nothing may be written to shared memory, which it looks at. */
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		count(w->op, -ENOMEM); /* the machine is short of memory */
	else if (!WIFEXITED(status) || WEXITSTATUS(status))
		fail("a forked child ended with status 0x%x", (unsigned)status);
	check_some(w, s->first, s->n);
}
