// SPDX-License-Identifier: BSD-2-Clause
/*
 * ops_anon - what a program does to its own memory: touch it, give it up, map it anew, move it.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "stress.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE  103
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

static int advise(struct worker *w, unsigned step, size_t first, size_t n, int advice)
{
	int result = madvise(addr(first), n * page_size, advice) ? -errno : 0;

	log_event(w, step, first, n, result);
	return result;
}

/* What a zap leaves behind. */
void zapped(const struct slot *s, size_t first, size_t n)
{
	for (size_t i = first; i < first + n; i++) {
		struct page *e = &pages[i];

		if (s->kind & (K_SHM | K_FILE))
			continue;
		e->state = s->kind & (K_PSHM | K_EXE) ? P_BASE : P_ZERO;
		e->flags = s->kind == K_UFFD ? PF_MISSING : 0;
	}
}

void op_write(struct worker *w, struct slot *s)
{
	struct piece p = pick_piece(w, s, 32);

	check_some(w, p.first, p.n);
	for (size_t i = 0; i < p.n; i++)
		page_write(w, s, p.first + i);
	log_event(w, 0, p.first, p.n, 0);
	nap(w);
	check_pages(p.first, p.n);
	count(w->op, 0);
}

void op_read(struct worker *w, struct slot *s)
{
	struct piece p = pick_piece(w, s, 64);

	log_event(w, 0, p.first, p.n, 0);
	check_pages(p.first, p.n);
	count(w->op, 0);
}

void op_populate(struct worker *w, struct slot *s)
{
	struct piece p = pick_piece(w, s, 32);
	int advice = pick(w, 2) ? MADV_POPULATE_WRITE : MADV_POPULATE_READ;

	count(w->op, advise(w, 0, p.first, p.n, advice));
	check_pages(p.first, p.n);
}

static void zap(struct worker *w, struct slot *s, size_t first, size_t n)
{
	int result;

	check_written(first, n);
	result = advise(w, 0, first, n, MADV_DONTNEED);
	if (!count(w->op, result))
		fail_page(first, "MADV_DONTNEED of %zu pages: %s", n, strerror(-result));
	zapped(s, first, n);
	if (!pick(w, 3)) {
		nap(w);
		check_some(w, first, n);
	}
}

void op_zap(struct worker *w, struct slot *s)
{
	struct piece p = pick_piece(w, s, s->n);

	zap(w, s, p.first, p.n);
}

void op_zap_slot(struct worker *w, struct slot *s)
{
	zap(w, s, s->first, s->n);
}

/* Pieces of the slot, and the rest of it stays. */
void op_zap_vector(struct worker *w, struct slot *s)
{
	static _Thread_local int pidfd = -1;
	struct iovec vec[16];
	struct piece piece[16];
	size_t n = 0, bytes = 0, at = s->first;
	long done;

	if (pidfd < 0)
		pidfd = sys_pidfd_open(getpid());
	check_written(s->first, s->n);
	for (; n < 16 && at < s->first + s->n; n++) {
		size_t len = 1 + pick(w, 4), left = s->first + s->n - at;

		piece[n] = (struct piece){at, len < left ? len : left};
		vec[n] = (struct iovec){addr(at), piece[n].n * page_size};
		bytes += vec[n].iov_len;
		at += piece[n].n + pick(w, 4);
	}
	done = sys_process_madvise(pidfd, vec, n, MADV_DONTNEED);
	log_event(w, 0, s->first, s->n, done < 0 ? -errno : done);
	if (!count(w->op, done < 0 ? -errno : done))
		return; /* before Linux 6.13 */
	if ((size_t)done != bytes)
		fail_page(s->first, "a vector of zaps: %ld of %zu bytes", done, bytes);
	for (size_t i = 0; i < n; i++)
		zapped(s, piece[i].first, piece[i].n);
	if (!pick(w, 3))
		check_some(w, s->first, s->n);
}

void op_zap_locked(struct worker *w, struct slot *s)
{
	struct piece p = pick_piece(w, s, 64);
	bool lock = pick(w, 2) && !mlock(addr(p.first), p.n * page_size);

	nap(w);
	if (count(w->op, advise(w, 0, p.first, p.n, MADV_DONTNEED_LOCKED)))
		zapped(s, p.first, p.n);
	if (lock)
		munlock(addr(p.first), p.n * page_size);
	if (!pick(w, 3))
		check_some(w, p.first, p.n);
}

void op_madv_free(struct worker *w, struct slot *s)
{
	struct piece p = pick_piece(w, s, s->n);

	check_written(p.first, p.n);
	if (count(w->op, advise(w, 0, p.first, p.n, MADV_FREE))) {
		for (size_t i = p.first; i < p.first + p.n; i++) {
			if (pages[i].state == P_FULL)
				pages[i].state = P_MAYBE;
		}
	}
	nap(w);
	if (pick(w, 2))
		advise(w, 1, p.first, p.n, MADV_PAGEOUT);
	if (pick(w, 2))
		check_some(w, p.first, p.n);
}

static int protect(struct worker *w, unsigned step, struct piece p, int prot)
{
	int result = mprotect(addr(p.first), p.n * page_size, prot) ? -errno : 0;

	log_event(w, step, p.first, p.n, result);
	return result;
}

void op_mprotect(struct worker *w, struct slot *s)
{
	struct piece p = pick_piece(w, s, s->n);
	bool none = pick(w, 2);
	int result = protect(w, 0, p, none ? PROT_NONE : PROT_READ);
	size_t some = p.first + pick(w, p.n);

	if (!count(w->op, result))
		return;
	nap(w);
	if (access_signal(addr(some), !none) != SIGSEGV)
		fail_page(some, "an access that was forbidden gives no SIGSEGV");
	if (!none)
		check_some(w, p.first, p.n);
	result = protect(w, 1, p, PROT_READ | PROT_WRITE);
	if (result)
		fail_page(p.first, "mprotect back: %s", strerror(-result));
	check_some(w, p.first, p.n);
	if (pick(w, 2))
		page_write(w, s, some);
}

void op_unmap_map(struct worker *w, struct slot *s)
{
	struct piece p = pick_piece(w, s, s->n);
	int result;

	check_written(p.first, p.n);
	result = munmap(addr(p.first), p.n * page_size) ? -errno : 0;
	log_event(w, 0, p.first, p.n, result);
	count(w->op, result);
	nap(w);
	if (!pick(w, 4) && access_signal(addr(p.first), false) != SIGSEGV)
		fail_page(p.first, "an access to what is unmapped gives no SIGSEGV");
	slot_map(s, p.first, p.n);
	log_event(w, 1, p.first, p.n, 0);
	check_some(w, p.first, p.n);
}

static struct slot *parking(struct worker *w, size_t n)
{
	struct slot *chosen = NULL;
	size_t seen = 0;

	for (size_t i = 0; i < slot_count; i++) {
		struct slot *s = &slots[i];

		if (s->kind == K_PARK && s->owner == w->id && s->n >= n && pick(w, ++seen) == 0)
			chosen = s;
	}
	return chosen;
}

/* Into the parking slot, whose tables others use, a look and a write there, and back. */
static void move_there_and_back(struct worker *w, struct slot *s, int flags)
{
	struct piece p = pick_piece(w, s, 64);
	struct slot *park = parking(w, p.n);
	size_t len, at, some = pick(w, p.n);
	void *q;

	if (!park)
		park = parking(w, p.n = 1);
	if (!park)
		return;
	len = p.n * page_size;
	some = p.n == 1 ? 0 : some;
	at = park->first + pick(w, park->n - p.n + 1);
	q = mremap(addr(p.first), len, len, MREMAP_MAYMOVE | MREMAP_FIXED | flags, addr(at));
	log_event(w, 0, p.first, p.n, q == MAP_FAILED ? -errno : (int)(at - p.first));
	if (!count(w->op, q == MAP_FAILED ? -errno : 0))
		return;
	nap(w);
	check_at(addr(at + some), p.first + some, "where mremap put it");
	if (pick(w, 2)) {
		uint64_t key = s->kind == K_KSM ? pages[p.first + some].key : new_key(w, at);

		fill_at(addr(at + some), key);
		pages[p.first + some].key = key;
		pages[p.first + some].state = P_FULL;
	}
	/* Pages of what is still mapped there are missing, and have to be zero. */
	for (size_t i = 0; flags & MREMAP_DONTUNMAP && i < p.n; i++) {
		if (*(volatile uint64_t *)(void *)addr(p.first + i))
			fail_page(p.first + i, "not zero after MREMAP_DONTUNMAP");
	}
	q = mremap(addr(at), len, len, MREMAP_MAYMOVE | MREMAP_FIXED, addr(p.first));
	log_event(w, 1, p.first, p.n, q == MAP_FAILED ? -errno : 0);
	if (q == MAP_FAILED)
		fail_page(p.first, "mremap back: %s", strerror(errno));
	check_some(w, p.first, p.n);
	check_page(p.first + some);
}

void op_mremap(struct worker *w, struct slot *s)
{
	move_there_and_back(w, s, 0);
}

void op_mremap_dontunmap(struct worker *w, struct slot *s)
{
	move_there_and_back(w, s, MREMAP_DONTUNMAP);
}

void op_mlock(struct worker *w, struct slot *s)
{
	struct piece p = pick_piece(w, s, 32);
	int result = mlock(addr(p.first), p.n * page_size) ? -errno : 0;

	log_event(w, 0, p.first, p.n, result);
	count(w->op, result);
	nap(w);
	check_some(w, p.first, p.n);
	munlock(addr(p.first), p.n * page_size);
	log_event(w, 1, p.first, p.n, 0);
}

void op_guard(struct worker *w, struct slot *s)
{
	struct piece p = pick_piece(w, s, 32);
	size_t some = p.first + pick(w, p.n);

	check_written(p.first, p.n);
	if (!count(w->op, advise(w, 0, p.first, p.n, MADV_GUARD_INSTALL)))
		return;
	zapped(s, p.first, p.n);
	nap(w);
	if (access_signal(addr(some), pick(w, 2)) != SIGSEGV)
		fail_page(some, "a guard page was lost");
	if (advise(w, 1, p.first, p.n, MADV_GUARD_REMOVE))
		fail_page(p.first, "MADV_GUARD_REMOVE: %s", strerror(errno));
	if (!pick(w, 3))
		check_some(w, p.first, p.n);
}

/* The slot becomes something else: munmap and mmap beside the neighbours. */
void op_rekind(struct worker *w, struct slot *s)
{
	static const unsigned kinds[] = {K_ANON, K_SHM, K_PSHM, K_KSM, K_ANON, K_EXE};

	if (!s->changing)
		return;
	check_written(s->first, s->n);
	slot_kind(s, kinds[pick(w, 6)]);
	log_event(w, s->kind, s->first, s->n, 0);
	nap(w);
	check_some(w, s->first, s->n);
	count(w->op, 0);
}
