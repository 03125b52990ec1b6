// SPDX-License-Identifier: BSD-2-Clause
/*
 * util - random numbers, counters and the system calls that the C library has no name for.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "stress.h"

#ifndef SYS_process_madvise
#define SYS_process_madvise 440
#endif

const char *const op_names[OP_COUNT] = {
#define X(name, ...) [OP_##name] = #name,
	OPS(X) SIDE_OPS(X)
#undef X
};

uint64_t rng_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

size_t pick(struct worker *w, size_t n)
{
	return (size_t)((rng_next(&w->rng) >> 8) % n);
}

/* Mostly small ones, at times all of it. */
struct piece pick_piece(struct worker *w, const struct slot *s, size_t most)
{
	struct piece p;

	if (most > s->n)
		most = s->n;
	p.n = pick(w, 4) ? 1 + pick(w, most < 8 ? most : 8) : 1 + pick(w, most);
	p.first = s->first + pick(w, s->n - p.n + 1);
	return p;
}

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* In the middle of things: let the others at it. */
void nap(struct worker *w)
{
	struct timespec ts = {0, 0};

	switch (pick(w, 16)) {
	case 0:
		ts.tv_nsec = 1 + (long)pick(w, 3000000);
		nanosleep(&ts, NULL);
		break;
	case 1:
	case 2:
	case 3:
	case 4:
		sched_yield();
		break;
	default:
		break;
	}
}

/*
 * Those beside the workers go no faster than so many operations of theirs, or milliseconds: on a slow
 * machine there would be nothing else.
 */
void pace(uint64_t *last, unsigned process, uint64_t ops, unsigned ms)
{
	for (unsigned i = 0; i < ms && atomic_load(&shared->ticks[process]) < *last + ops; i++)
		usleep(1000);
	*last = atomic_load(&shared->ticks[process]);
}

bool count(enum op op, long result)
{
	struct op_count *c = &shared->ops[op];

	if (result >= 0) {
		atomic_fetch_add_explicit(&c->ok, 1, memory_order_relaxed);
		return true;
	}
	atomic_fetch_add_explicit(&c->err, 1, memory_order_relaxed);
	atomic_store_explicit(&c->last_errno, (int)-result, memory_order_relaxed);
	return false;
}

void need(bool ok, const char *what)
{
	if (!ok)
		fail("%s: %s", what, strerror(errno));
}

int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	size_t len = strlen(text);
	int error = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, len) != (ssize_t)len)
		error = -errno;
	close(fd);
	return error;
}

/* Memory nodes 0 to N-1 are what a test machine has. */
int online_nodes(void)
{
	static _Atomic(int) known;
	int nodes = known;
	char path[64];

	if (nodes)
		return nodes;
	for (; nodes < 8; nodes++) {
		(void)snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/meminfo",
			       nodes);
		if (access(path, R_OK))
			break;
	}
	known = nodes ? nodes : 1;
	return known;
}

long sys_process_madvise(int pidfd, const void *vec, size_t n, int advice)
{
	return syscall(SYS_process_madvise, pidfd, vec, n, advice, 0ul);
}

int sys_pidfd_open(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

int open_memfd(const char *name, size_t bytes)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	if (fd >= 0 && ftruncate(fd, (off_t)bytes)) {
		close(fd);
		return -1;
	}
	return fd;
}
