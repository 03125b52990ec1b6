// SPDX-License-Identifier: BSD-2-Clause
/*
 * reclaim - MADV_PT_RECLAIM all the time: by two threads of the process, and by another process.
 *
 * The advice may be refused for a hole (ENOMEM: somebody is between munmap and mmap), for nothing else.
 */
#include <errno.h>
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "stress.h"

#define MOST_RANGES 1024
#define CALLS	    4 /* for each operation of the workers, at most, by each thread */

/* That the kernel knows the advice, and that it does not take a page. */
bool advice_works(void)
{
	unsigned char *p =
		mmap(NULL, page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool works;

	need(p != MAP_FAILED, "mmap");
	*p = 1;
	works = !madvise(p, page_size, opts.advice);
	if (works && *p != 1)
		fail("advice %d takes pages", opts.advice);
	munmap(p, page_size);
	return works;
}

/* Proof that the checks work: what they must find. */
static void inject(struct worker *w)
{
	size_t page = arena_anon.first + pick(w, arena_anon.n);

	if (pick(w, 8))
		return;
	if (opts.inject == INJECT_LOSE) {
		madvise(addr(page), page_size, MADV_DONTNEED);
	} else if (opts.inject == INJECT_STRAY) {
		/* What a stale translation would do. */
		page = arena_file.first + pick(w, arena_file.n);
		*(volatile unsigned char *)addr(page) ^= 1;
	} else if (opts.inject == INJECT_FILL && uffd >= 0) {
		uffd_zero(arena_uffd.first + pick(w, arena_uffd.n));
	}
}

static void reclaim(enum op op, size_t first, size_t n)
{
	int result = madvise(addr(first), n * page_size, opts.advice) ? -errno : 0;

	count(op, result == -ENOMEM ? 0 : result);
	if (result && result != -ENOMEM)
		fail_page(first, "the advice for %zu pages: %s", n, strerror(-result));
}

/* Ranges of all sizes, anywhere, overlapping or not. */
static size_t ranges(struct worker *w, struct iovec *vec, unsigned char *from)
{
	size_t n = pick(w, 4) ? 1 + pick(w, 64) : 1 + pick(w, MOST_RANGES), at, len;
	size_t next = pick(w, total_pages);
	bool in_turn = pick(w, 2);

	for (size_t i = 0; i < n; i++) {
		at = in_turn ? next % total_pages : pick(w, total_pages);
		len = pick(w, 8) ? 1 + pick(w, 32) : 1 + pick(w, 2 * region_pages);
		if (len > total_pages - at)
			len = total_pages - at;
		vec[i] = (struct iovec){from + at * page_size, len * page_size};
		next = at + len + pick(w, region_pages / 4);
	}
	return n;
}

static void reclaim_once(struct worker *w, int pidfd, struct iovec *vec)
{
	size_t page = pick(w, total_pages), n;
	bool drain;
	long done;

	/* Half of the time where the workers are. */
	if (pick(w, 2)) {
		page = tide_region(w, shared->ticks[proc], &drain) * region_pages;
		page += pick(w, region_pages);
		if (page >= total_pages)
			page = total_pages - 1;
	}

	switch (pick(w, 8)) {
	case 0:
		reclaim(OP_reclaim_all, 0, total_pages);
		break;
	case 1:
	case 2:
		reclaim(OP_reclaim_page, page, 1);
		break;
	case 3:
	case 4:
		page = page / region_pages * region_pages;
		n = total_pages - page;
		reclaim(OP_reclaim_region, page, n < region_pages ? n : region_pages);
		break;
	case 5:
	case 6:
		n = 1 + pick(w, total_pages - page);
		reclaim(OP_reclaim_range, page, n);
		break;
	default:
		n = ranges(w, vec, base);
		done = sys_process_madvise(pidfd, vec, n, opts.advice);
		done = done < 0 ? -errno : done;
		count(OP_reclaim_vector, done == -ENOMEM ? 0 : done);
		if (done < 0 && done != -ENOMEM)
			fail("the advice by a vector of %zu: %s", n, strerror((int)-done));
		break;
	}
}

void *reclaim_thread(void *arg)
{
	struct worker *w = arg;
	struct iovec *vec = calloc(MOST_RANGES, sizeof(*vec));
	int pidfd = sys_pidfd_open(getpid());
	uint64_t last = 0;

	need(vec && pidfd >= 0, "pidfd_open");
	for (;;) {
		if (opts.inject)
			inject(w);
		for (unsigned i = 0; supported && i < CALLS; i++)
			reclaim_once(w, pidfd, vec);
		pace(&last, proc, 1, 10);
	}
	return NULL;
}

/* It has another mm, so everything it does is remote. It ends with its parent. */
void remote_process(const pid_t *pids)
{
	struct worker w = {.rng = opts.seed + 999};
	struct iovec *vec = calloc(MOST_RANGES, sizeof(*vec));
	uint64_t last[MAX_PROCS] = {0};
	int pidfd[MAX_PROCS];

	total_pages = layout_pages();
	for (unsigned i = 0; i < opts.procs; i++)
		pidfd[i] = sys_pidfd_open(pids[i]);
	while (!shared->stop && vec) {
		size_t i = pick(&w, opts.procs), n = ranges(&w, vec, range_base((unsigned)i));
		long done = sys_process_madvise(pidfd[i], vec, n, opts.advice);

		done = done < 0 ? -errno : done;
		if (done == -ESRCH)
			break;
		/* ENOMEM: it is not there yet, or has holes. EPERM, EINVAL: not this kernel, or us. */
		count(OP_reclaim_remote, done == -ENOMEM ? 0 : done);
		if (done == -EPERM || done == -EINVAL)
			break;
		if (done < 0 && done != -ENOMEM)
			fail("the advice from outside: %s", strerror((int)-done));
		pace(&last[i], (unsigned)i, 1, 5);
	}
	while (!shared->stop)
		usleep(100000);
	_exit(0);
}
