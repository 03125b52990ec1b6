// SPDX-License-Identifier: BSD-2-Clause
/*
 * ops_uring - registered buffers: pages held for long, into which the kernel reads.
 */
#include <errno.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "stress.h"

#define MOST 16 /* pages */

static void *map_ring(int fd, size_t len, off_t offset)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, offset);

	need(p != MAP_FAILED, "mmap of a ring");
	/* A child has no business there. */
	madvise(p, len, MADV_DONTFORK);
	return p;
}

void uring_init(struct uring *u)
{
	struct io_uring_params p = {0};

	u->fd = (int)syscall(SYS_io_uring_setup, 4, &p);
	u->error = u->fd < 0 ? -errno : 0;
	if (u->fd < 0)
		return;
	u->sq_len = p.sq_off.array + p.sq_entries * sizeof(uint32_t);
	u->cq_len = p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe);
	u->sqes_len = p.sq_entries * sizeof(struct io_uring_sqe);
	u->sq = map_ring(u->fd, u->sq_len, IORING_OFF_SQ_RING);
	u->cq = map_ring(u->fd, u->cq_len, IORING_OFF_CQ_RING);
	u->sqes = map_ring(u->fd, u->sqes_len, IORING_OFF_SQES);
	u->sq_tail = p.sq_off.tail;
	u->sq_array = p.sq_off.array;
	u->cq_head = p.cq_off.head;
	u->cq_tail = p.cq_off.tail;
	u->cq_cqes = p.cq_off.cqes;
	memcpy(&u->sq_mask, (char *)u->sq + p.sq_off.ring_mask, sizeof(u->sq_mask));
	memcpy(&u->cq_mask, (char *)u->cq + p.cq_off.ring_mask, sizeof(u->cq_mask));
}

static _Atomic(uint32_t) *word(void *ring, size_t offset)
{
	return (_Atomic(uint32_t) *)(void *)((char *)ring + offset);
}

/* Read from a file into the registered buffer. */
static int read_fixed(struct uring *u, int file, void *to, size_t len)
{
	uint32_t tail = *word(u->sq, u->sq_tail), slot = tail & u->sq_mask, head;
	struct io_uring_sqe *sqe = (struct io_uring_sqe *)u->sqes + slot;
	struct io_uring_cqe cqe;

	*sqe = (struct io_uring_sqe){.opcode = IORING_OP_READ_FIXED, .fd = file};
	sqe->addr = (uintptr_t)to;
	sqe->len = (uint32_t)len;
	*word(u->sq, u->sq_array + slot * sizeof(uint32_t)) = slot;
	*word(u->sq, u->sq_tail) = tail + 1;
	if (syscall(SYS_io_uring_enter, u->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		return -errno;
	head = *word(u->cq, u->cq_head);
	if (head == *word(u->cq, u->cq_tail))
		return -EIO;
	memcpy(&cqe, (char *)u->cq + u->cq_cqes + (head & u->cq_mask) * sizeof(cqe), sizeof(cqe));
	*word(u->cq, u->cq_head) = head + 1;
	return cqe.res;
}

void op_io_uring(struct worker *w, struct slot *s)
{
	struct piece p = pick_piece(w, s, MOST);
	size_t len = p.n * page_size;
	struct iovec vec = {addr(p.first), len};
	uint64_t keys[MOST];
	long result;

	if (w->uring.fd < 0) {
		count(w->op, w->uring.error);
		return;
	}
	/*
	 * Dirty first: io_uring marks nothing dirty, and a clean page that was only written through a
	 * registered buffer is dropped by reclaim, as it is on every kernel.
	 */
	for (size_t i = 0; i < p.n; i++)
		page_write(w, s, p.first + i);
	for (size_t i = 0; i < p.n; i++) {
		keys[i] = new_key(w, p.first + i);
		fill_at(w->buf + i * page_size, keys[i]);
	}
	need(pwrite(w->scratch, w->buf, len, 0) == (ssize_t)len, "scratch file");
	result = syscall(SYS_io_uring_register, w->uring.fd, IORING_REGISTER_BUFFERS, &vec, 1);
	result = result < 0 ? -errno : 0;
	log_event(w, 0, p.first, p.n, result);
	if (!count(w->op, result)) {
		check_some(w, p.first, p.n);
		return;
	}
	nap(w);
	result = read_fixed(&w->uring, w->scratch, addr(p.first), len);
	log_event(w, 1, p.first, p.n, result);
	if (result != (long)len)
		fail_page(p.first, "io_uring: %ld instead of %zu bytes", result, len);
	for (size_t i = 0; i < p.n; i++) {
		pages[p.first + i].key = keys[i];
		pages[p.first + i].state = P_FULL;
	}
	check_pages(p.first, p.n);
	syscall(SYS_io_uring_register, w->uring.fd, IORING_UNREGISTER_BUFFERS, NULL, 0);
	check_pages(p.first, p.n);
}
