// SPDX-License-Identifier: BSD-2-Clause
/*
 * ops_gup - the kernel looks pages up and holds them, and what it says about page tables.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "stress.h"

#define PM_PRESENT (1ull << 63)
#define PM_SWAP	   (1ull << 62)

/* Not through this processor's translations, but through the tables. */
void op_gup_read(struct worker *w, struct slot *s)
{
	struct piece p = pick_piece(w, s, 16);
	size_t len = p.n * page_size;
	struct iovec here = {w->buf, len}, there = {addr(p.first), len};
	ssize_t n = process_vm_readv(getpid(), &here, 1, &there, 1, 0);

	log_event(w, 0, p.first, p.n, n < 0 ? -errno : 0);
	if (!count(w->op, n < 0 ? -errno : 0))
		return;
	if ((size_t)n != len)
		fail_page(p.first, "process_vm_readv: %zd of %zu bytes", n, len);
	for (size_t i = 0; i < p.n; i++)
		check_at(w->buf + i * page_size, p.first + i, "by process_vm_readv");
}

/* New contents in the buffer, remembered as those of the pages only when they are there. */
static void prepare(struct worker *w, const struct slot *s, struct piece p, uint64_t *keys)
{
	for (size_t i = 0; i < p.n; i++) {
		keys[i] = s->kind == K_KSM ? (uint64_t)0xff << 56 : new_key(w, p.first + i);
		fill_at(w->buf + i * page_size, keys[i]);
	}
}

static void arrived(struct piece p, const uint64_t *keys)
{
	for (size_t i = 0; i < p.n; i++) {
		pages[p.first + i].key = keys[i];
		pages[p.first + i].state = P_FULL;
	}
	check_pages(p.first, p.n);
}

void op_gup_write(struct worker *w, struct slot *s)
{
	struct piece p = pick_piece(w, s, 16);
	size_t len = p.n * page_size;
	struct iovec here = {w->buf, len}, there = {addr(p.first), len};
	uint64_t keys[16];
	ssize_t n;

	prepare(w, s, p, keys);
	n = process_vm_writev(getpid(), &here, 1, &there, 1, 0);
	log_event(w, 0, p.first, p.n, n < 0 ? -errno : 0);
	if (!count(w->op, n < 0 ? -errno : 0))
		return;
	if ((size_t)n != len)
		fail_page(p.first, "process_vm_writev: %zd of %zu bytes", n, len);
	arrived(p, keys);
}

/* Pages in a pipe outlive a zap of where they were. */
void op_vmsplice(struct worker *w, struct slot *s)
{
	struct piece p = pick_piece(w, s, 8);
	struct page before[8];
	struct iovec vec = {addr(p.first), p.n * page_size};
	ssize_t n = vmsplice(w->pipe[1], &vec, 1, SPLICE_F_NONBLOCK);
	size_t have = 0, whole;

	log_event(w, 0, p.first, p.n, n < 0 ? -errno : (long)n);
	if (!count(w->op, n < 0 ? -errno : 0))
		return;
	whole = (size_t)n / page_size;
	memcpy(before, &pages[p.first], sizeof(*before) * p.n);
	if (pick(w, 2) && !madvise(addr(p.first), p.n * page_size, MADV_DONTNEED)) {
		log_event(w, 1, p.first, p.n, 0);
		zapped(s, p.first, p.n);
	}
	nap(w);
	while (have < (size_t)n) {
		ssize_t r = read(w->pipe[0], w->buf + have, (size_t)n - have);

		need(r > 0, "read from a pipe");
		have += (size_t)r;
	}
	for (size_t i = 0; i < whole; i++) {
		struct page now = {.key = pages[p.first + i].key,
				   .state = pages[p.first + i].state};

		pages[p.first + i].key = before[i].key;
		pages[p.first + i].state = before[i].state;
		check_at(w->buf + i * page_size, p.first + i, "out of the pipe");
		pages[p.first + i].key = now.key;
		pages[p.first + i].state = now.state;
	}
	check_some(w, p.first, p.n);
}

/* Every page that was written is present or in swap; looking that up brings no table back. */
void op_pagemap(struct worker *w, struct slot *s)
{
	struct piece p = pick_piece(w, s, 64);
	uint64_t entries[64];
	static _Thread_local int fd = -1;
	ssize_t n;

	if (fd < 0)
		fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	n = pread(fd, entries, p.n * 8, (off_t)((uintptr_t)addr(p.first) / page_size * 8));
	log_event(w, 0, p.first, p.n, n < 0 ? -errno : 0);
	if (!count(w->op, n < 0 ? -errno : 0))
		return;
	for (size_t i = 0; i < p.n && s->kind & (K_ANYANON | K_UFFD | K_WP); i++) {
		size_t page = p.first + i;
		bool there = entries[i] & (PM_PRESENT | PM_SWAP);

		if (pages[page].flags & PF_MISSING) {
			if (there)
				fail_page(page, "a missing page is there: 0x%llx",
					  (unsigned long long)entries[i]);
		} else if (pages[page].state == P_FULL && !there) {
			fail_page(page, "pagemap has lost it: 0x%llx",
				  (unsigned long long)entries[i]);
		}
	}
}

void op_mincore(struct worker *w, struct slot *s)
{
	unsigned char vec[2048];
	size_t n = s->n < sizeof(vec) ? s->n : sizeof(vec);
	int result = mincore(addr(s->first), n * page_size, vec) ? -errno : 0;

	log_event(w, 0, s->first, n, result);
	count(w->op, result);
}
