// SPDX-License-Identifier: BSD-2-Clause
/* backend - see backend.h. */
#include "backend.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "os.h"
#include "probes.h"
#include "stats.h"

static enum conf_backend kind = CONF_BACKEND_NONE;
static bool whole_frees;

/* Vectors work until an error that a plain call over the same range does not give. */
static _Atomic bool vectors = true;
static _Atomic bool ask_vectors = true;

enum conf_backend backend_kind(void)
{
	return kind;
}

bool backend_whole_frees(void)
{
	return whole_frees;
}

bool backend_asks(void)
{
	return kind == CONF_BACKEND_PT_RECLAIM;
}

void backend_after_fork(void)
{
	atomic_store(&vectors, true);
	atomic_store(&ask_vectors, true);
}

static int plain(const struct iovec *v, int advice, enum backend_for whom)
{
	enum stat calls = whom == BACKEND_FOR_REUSE ? STAT_SYS_MADVISE_REUSE : STAT_SYS_MADVISE;
	int r;

	stats_add(calls, 1);
	r = os.madvise(v->iov_base, v->iov_len, advice);
	if (r == -EAGAIN) {
		stats_add(calls, 1);
		r = os.madvise(v->iov_base, v->iov_len, advice);
	}
	return r;
}

/* The ranges at the front of vec that `done` bytes cover wholly. */
static unsigned ranges_in(const struct iovec *vec, unsigned n, size_t done)
{
	unsigned i = 0;

	while (i < n && vec[i].iov_len <= done)
		done -= vec[i++].iov_len;
	return i;
}

/* A vectored call that stops having done fewer ranges than this has won nothing over single ones, and
 * after so many of them the rest goes out by single ones. */
#define VECTOR_WINS 4
#define VECTOR_LOSS 4

/* Does the error mean that the call itself is not to be had here? */
static bool no_such_call(ssize_t r)
{
	return r == -ENOSYS || r == -EPERM || r == -EBADF || r == -ESRCH;
}

static ssize_t vectored(const struct iovec *vec, unsigned n, int advice, enum backend_for whom)
{
	stats_add(whom == BACKEND_FOR_REUSE ? STAT_SYS_PROCESS_MADVISE_REUSE
					    : STAT_SYS_PROCESS_MADVISE,
		  1);
	return os.process_madvise(vec, n, advice);
}

/*
 * One advice over n ranges, by vector. The kernel stops a vector at a range that cannot be advised: that
 * one is done singly, to learn whether it fails by itself, and what is behind it is a vector again.
 * Returns the number of ranges that failed.
 */
static unsigned advise(const struct iovec *vec, uint8_t *flag, unsigned n, int advice,
		       enum backend_for whom)
{
	_Atomic bool *usable = advice == MADV_DONTNEED ? &vectors : &ask_vectors;
	unsigned failed = 0, losses = 0;
	bool worked = false;

	for (unsigned i = 0; i < n; i++) {
		bool stopped = false;
		int r;

		if (n - i > 1 && losses < VECTOR_LOSS &&
		    atomic_load_explicit(usable, memory_order_relaxed)) {
			ssize_t bytes = vectored(vec + i, n - i, advice, whom);
			unsigned done = bytes > 0 ? ranges_in(vec + i, n - i, (size_t)bytes) : 0;

			i += done;
			if (i == n)
				break;
			stopped = true;
			worked |= done > 0;
			losses += done < VECTOR_WINS;
			stats_add(STAT_FALLBACKS, 1);
			PROBE_FALLBACK(bytes < 0 ? (int)-bytes : 0);
			if (no_such_call(bytes))
				atomic_store(usable, false);
		}
		r = plain(&vec[i], advice, whom);
		if (r && flag) {
			flag[i] |= BACKEND_FAILED;
			failed++;
		}
		/* The range at which it stopped is fine by itself: it was the vector. */
		if (stopped && !r && !worked)
			atomic_store(usable, false);
	}
	return failed;
}

static unsigned remap(const struct iovec *vec, uint8_t *flag, unsigned n, enum backend_for whom)
{
	unsigned failed = 0;

	for (unsigned i = 0; i < n; i++) {
		if (!(flag[i] & BACKEND_REMAP))
			continue;
		stats_add(STAT_SYS_REMAP, 1);
		/* Out of mappings or memory: the pages can still go, if not the table. */
		if (os.remap(vec[i].iov_base, vec[i].iov_len) &&
		    plain(&vec[i], MADV_DONTNEED, whom)) {
			flag[i] |= BACKEND_FAILED;
			failed++;
		}
	}
	return failed;
}

unsigned backend_zap(const struct iovec *vec, uint8_t *flag, unsigned n, enum backend_for whom)
{
	unsigned failed = 0;

	if (kind != CONF_BACKEND_REMAP)
		return advise(vec, flag, n, MADV_DONTNEED, whom);
	failed = remap(vec, flag, n, whom);
	for (unsigned i = 0, j; i < n; i = j) {
		for (j = i; j < n && !(flag[j] & BACKEND_REMAP); j++)
			;
		failed += advise(vec + i, flag + i, j - i, MADV_DONTNEED, whom);
		for (; j < n && flag[j] & BACKEND_REMAP; j++)
			;
	}
	return failed;
}

void backend_ask(const struct iovec *vec, unsigned n)
{
	if (backend_asks())
		(void)advise(vec, NULL, n, OS_MADV_PT_RECLAIM, BACKEND_FOR_FLUSH);
}

long backend_vmpte_kb(void)
{
	char buf[4096], *p;

	if (os.read_file("/proc/self/status", buf, sizeof(buf)) <= 0)
		return -1;
	p = strstr(buf, "VmPTE:");
	return p ? strtol(p + strlen("VmPTE:"), NULL, 10) : -1;
}

/*
 * The probe. Scratch regions are touched so that each has a table; the job is done to all of them;
 * VmPTE must fall by most of the tables. Pages that must survive are checked.
 */
#define PROBE_REGIONS 8
/* Probes of a backend, where other threads of a program that runs already take tables meanwhile. */
#define PROBE_TRIES 64

/* Zap half of each region, then ask; the first page of the first region holds data. */
static bool job_pt_reclaim(char *base)
{
	struct iovec v[PROBE_REGIONS];

	for (size_t i = 0; i < PROBE_REGIONS; i++) {
		char *page = base + i * os_region_size + os_region_size / 2;

		v[i] = (struct iovec){.iov_base = page, .iov_len = os_page_size};
		if (os.madvise(page, os_page_size, MADV_DONTNEED))
			return false;
	}
	for (size_t i = 0; i < PROBE_REGIONS; i++)
		if (os.madvise(v[i].iov_base, v[i].iov_len, OS_MADV_PT_RECLAIM))
			return false;
	return true;
}

static bool job_dontneed(char *base)
{
	for (size_t i = 0; i < PROBE_REGIONS; i++)
		if (os.madvise(base + i * os_region_size, os_region_size, MADV_DONTNEED))
			return false;
	return true;
}

static bool job_remap(char *base)
{
	for (size_t i = 0; i < PROBE_REGIONS; i++)
		if (os.remap(base + i * os_region_size, os_region_size))
			return false;
	return true;
}

/* Does it work? *noise: only VmPTE spoke against it, and that other threads were changing. */
static bool probe_once(enum conf_backend which, bool *noise)
{
	size_t len = (PROBE_REGIONS + 2) * os_region_size;
	bool ok = false;
	char *map;

	*noise = false;
	map = os.map(len);
	if (!map)
		return false;
	/* Aligned, with a page of data behind the last region and, to be kept, in the first. */
	char *base = (char *)(((uintptr_t)map + os_region_size - 1) & ~(os_region_size - 1));
	char *beside = base + PROBE_REGIONS * os_region_size;
	bool keeps = which == CONF_BACKEND_PT_RECLAIM;

	(void)os.madvise(map, len, MADV_NOHUGEPAGE);
	*beside = 1;
	for (size_t i = 0; i < PROBE_REGIONS; i++)
		base[i * os_region_size + os_region_size / 2] = 1;
	if (keeps)
		base[0] = 1;
	long table_kb = (long)(os_page_size >> 10), before = backend_vmpte_kb();

	ok = keeps			      ? job_pt_reclaim(base)
	     : which == CONF_BACKEND_DONTNEED ? job_dontneed(base)
					      : job_remap(base);
	long after = backend_vmpte_kb();

	/* Where VmPTE cannot be read, what the call said has to do. Other threads may have taken
	 * tables meanwhile: most must be gone, not all. */
	if (ok && before >= 0 && after >= 0) {
		ok = before - after >= (PROBE_REGIONS - 2) * table_kb;
		*noise = !ok && after != before;
	} else if (which != CONF_BACKEND_DONTNEED) {
		ok = false;
	}
	if (*beside != 1 || base[0] != (keeps ? 1 : 0) || base[os_region_size / 2] != 0)
		ok = *noise = false;
	(void)os.unmap(map, len);
	return ok;
}

bool backend_probe(enum conf_backend which)
{
	bool ok = which == CONF_BACKEND_NONE || which == CONF_BACKEND_AUTO, noise = true;

	for (unsigned i = 0; i < PROBE_TRIES && noise && !ok; i++)
		ok = probe_once(which, &noise);
	return ok;
}

static enum conf_backend first_that_works(void)
{
	static const enum conf_backend order[] = {
		CONF_BACKEND_PT_RECLAIM,
		CONF_BACKEND_DONTNEED,
		CONF_BACKEND_REMAP,
	};

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (backend_probe(order[i]))
			return order[i];
	return CONF_BACKEND_NONE;
}

enum conf_backend backend_choose(enum conf_backend want)
{
	if (want == CONF_BACKEND_AUTO)
		kind = first_that_works();
	else
		kind = backend_probe(want) ? want : CONF_BACKEND_NONE;
	whole_frees = kind == CONF_BACKEND_DONTNEED || backend_probe(CONF_BACKEND_DONTNEED);
	return kind;
}
