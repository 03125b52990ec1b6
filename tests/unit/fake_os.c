// SPDX-License-Identifier: BSD-2-Clause
/* fake_os - see fake_os.h. */
#include "fake_os.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "os.h"

#define LOG_MAX	  4096
#define PAGES_MAX 8192

struct page {
	_Atomic bool live, dirty, resident, hole;
};

static struct page pages[FAKE_REGIONS * PAGES_MAX];
static char log_text[LOG_MAX][256];
static unsigned log_ranges[LOG_MAX];
static _Atomic unsigned logged, violations;
static struct {
	char name[32];
	int err;
	unsigned times;
} failing;
static int short_after;
static bool knows_reclaim;
static bool logs_mincore = true;
static void (*during)(void);
static void (*on_wait)(void);

uint64_t fake_now;
uint32_t fake_wiped[16];

static bool inside(const void *addr)
{
	return (uintptr_t)addr >= FAKE_BASE &&
	       (uintptr_t)addr < FAKE_BASE + FAKE_REGIONS * os_region_size;
}

uintptr_t fake_page(unsigned region, unsigned page)
{
	return FAKE_BASE + region * os_region_size + page * os_page_size;
}

void *fake_addr(unsigned region, unsigned page)
{
	return (void *)fake_page(region, page);
}

size_t fake_pages(unsigned n)
{
	return n * os_page_size;
}

static struct page *first(const void *addr)
{
	return &pages[((uintptr_t)addr - FAKE_BASE) >> os_page_shift];
}

#define FOR_PAGES(p, addr, len)                                                                    \
	for (struct page *p = first(addr), *end_ = p + ((len) >> os_page_shift); p < end_; p++)

void fake_live(void *addr, size_t len, bool live)
{
	FOR_PAGES(p, addr, len)
	atomic_store(&p->live, live);
}

void fake_write(void *addr, size_t len)
{
	FOR_PAGES(p, addr, len)
	{
		if (!atomic_load(&p->live))
			atomic_fetch_add(&violations, 1);
		atomic_store(&p->dirty, true);
		atomic_store(&p->resident, true);
	}
}

bool fake_reads_zero(void *addr, size_t len)
{
	FOR_PAGES(p, addr, len)
	if (atomic_load(&p->dirty))
		return false;
	return true;
}

unsigned fake_resident(void *addr, size_t len)
{
	unsigned n = 0;

	FOR_PAGES(p, addr, len)
	n += atomic_load(&p->resident);
	return n;
}

void fake_mapped(void *addr, size_t len, bool mapped)
{
	FOR_PAGES(p, addr, len)
	{
		atomic_store(&p->hole, !mapped);
		if (!mapped) {
			atomic_store(&p->dirty, false);
			atomic_store(&p->resident, false);
		}
	}
}

static bool has_hole(const struct iovec *v)
{
	/* What lies above the window is not seen. */
	if (!inside((char *)v->iov_base + v->iov_len - 1))
		return false;
	FOR_PAGES(p, v->iov_base, v->iov_len)
	if (atomic_load(&p->hole))
		return true;
	return false;
}

const char *fake_log(unsigned i)
{
	return i < atomic_load(&logged) && i < LOG_MAX ? log_text[i] : "";
}

unsigned fake_log_ranges(unsigned i)
{
	return i < atomic_load(&logged) && i < LOG_MAX ? log_ranges[i] : 0;
}

unsigned fake_log_count(void)
{
	return atomic_load(&logged);
}

void fake_log_clear(void)
{
	atomic_store(&logged, 0);
}

unsigned fake_violations(void)
{
	return atomic_load(&violations);
}

static void note(const char *name, const struct iovec *vec, size_t n)
{
	unsigned i = atomic_fetch_add(&logged, 1);
	size_t at;

	if (i >= LOG_MAX)
		return;
	log_ranges[i] = (unsigned)n;
	at = (size_t)snprintf(log_text[i], sizeof(log_text[i]), "%s", name);
	for (size_t k = 0; k < n && at < sizeof(log_text[i]); k++) {
		size_t off = (size_t)((uintptr_t)vec[k].iov_base - FAKE_BASE);

		at += (size_t)snprintf(log_text[i] + at, sizeof(log_text[i]) - at, " %zu.%zu+%zu",
				       off >> os_region_shift,
				       (off & (os_region_size - 1)) >> os_page_shift,
				       vec[k].iov_len >> os_page_shift);
	}
}

void fake_log_mincore(bool yes)
{
	logs_mincore = yes;
}

void fake_fail(const char *name, int err, unsigned times)
{
	(void)snprintf(failing.name, sizeof(failing.name), "%s", name);
	failing.err = err;
	failing.times = times;
}

static int failure(const char *name)
{
	if (!failing.times || strcmp(failing.name, name) != 0)
		return 0;
	failing.times--;
	return -failing.err;
}

void fake_short_vectors(int ranges)
{
	short_after = ranges;
}

void fake_know_reclaim(bool known)
{
	knows_reclaim = known;
}

void fake_during(void (*fn)(void))
{
	during = fn;
}

void fake_on_wait(void (*fn)(void))
{
	on_wait = fn;
}

static void destroy(const struct iovec *v)
{
	FOR_PAGES(p, v->iov_base, v->iov_len)
	{
		if (atomic_load(&p->live))
			atomic_fetch_add(&violations, 1);
		atomic_store(&p->dirty, false);
		atomic_store(&p->resident, false);
	}
}

static void advise(const struct iovec *vec, size_t n, int advice)
{
	if (advice == MADV_DONTNEED)
		for (size_t i = 0; i < n; i++)
			destroy(&vec[i]);
	if (advice == MADV_DONTNEED && during)
		during();
	if (advice == OS_MADV_POPULATE_WRITE)
		FOR_PAGES(p, vec->iov_base, vec->iov_len)
	atomic_store(&p->resident, true);
}

static const char *advice_name(int advice)
{
	return advice == MADV_DONTNEED		  ? "dontneed"
	       : advice == OS_MADV_PT_RECLAIM	  ? "reclaim"
	       : advice == OS_MADV_POPULATE_WRITE ? "populate"
						  : "other";
}

static int fake_madvise(void *addr, size_t len, int advice)
{
	struct iovec v = {.iov_base = addr, .iov_len = len};
	int r;

	if (!inside(addr)) /* the probe's scratch mapping */
		return advice == OS_MADV_PT_RECLAIM ? (knows_reclaim ? 0 : -EINVAL)
						    : os_linux.madvise(addr, len, advice);
	note(advice_name(advice), &v, 1);
	r = failure(advice_name(advice));
	if (!r)
		advise(&v, 1, advice);
	return !r && has_hole(&v) ? -ENOMEM : r;
}

/* The ranges of a vector before the first that has a hole. */
static size_t before_hole(const struct iovec *vec, size_t n)
{
	size_t i = 0;

	while (i < n && !has_hole(&vec[i]))
		i++;
	return i;
}

static ssize_t fake_process_madvise(const struct iovec *vec, size_t n, int advice)
{
	char name[32];
	ssize_t total = 0;
	size_t whole;
	int r;

	(void)snprintf(name, sizeof(name), "vec-%s", advice_name(advice));
	note(name, vec, n);
	r = failure(name);
	if (r)
		return r;
	if (short_after >= 0 && (size_t)short_after < n)
		n = (size_t)short_after;
	whole = before_hole(vec, n);
	/* What of the next range there is, is advised all the same. */
	advise(vec, whole < n ? whole + 1 : n, advice);
	for (size_t i = 0; i < whole; i++)
		total += (ssize_t)vec[i].iov_len;
	return whole < n && !total ? -ENOMEM : total;
}

static int fake_mincore(void *addr, size_t len, unsigned char *vec)
{
	struct iovec v = {.iov_base = addr, .iov_len = len};
	int r;

	if (logs_mincore)
		note("mincore", &v, 1);
	r = failure("mincore");
	if (!r && has_hole(&v))
		r = -ENOMEM;
	if (!r)
		FOR_PAGES(p, addr, len)
	*vec++ = atomic_load(&p->resident);
	return r;
}

#define PAGEMAP 77

static int fake_pagemap_open(void)
{
	return failure("pagemap") ? -EACCES : PAGEMAP;
}

static int fake_populated(int handle, void *addr, size_t len)
{
	if (handle != PAGEMAP)
		return -EBADF;
	return fake_resident(addr, len) > 0;
}

static void fake_pagemap_close(int handle)
{
	if (handle != PAGEMAP)
		atomic_fetch_add(&violations, 1);
}

static int fake_remap(void *addr, size_t len)
{
	struct iovec v = {.iov_base = addr, .iov_len = len};
	int r;

	if (!inside(addr))
		return os_linux.remap(addr, len);
	note("remap", &v, 1);
	r = failure("remap");
	if (!r) {
		destroy(&v);
		if (during)
			during();
	}
	return r;
}

static void fake_zero(void *addr, size_t len)
{
	struct iovec v = {.iov_base = addr, .iov_len = len};

	if (!inside(addr)) {
		os_linux.zero(addr, len);
		return;
	}
	note("zero", &v, 1);
	FOR_PAGES(p, addr, len)
	{
		/* In the middle of a reuse the pages are nobody's yet. */
		if (atomic_load(&p->live))
			atomic_fetch_add(&violations, 1);
		atomic_store(&p->dirty, false);
		atomic_store(&p->resident, true);
	}
}

static void fake_futex_wait(const void *word, uint32_t val, uint64_t timeout_ns)
{
	(void)word;
	(void)val;
	if (on_wait)
		on_wait();
	else if (timeout_ns != UINT64_MAX)
		fake_now += timeout_ns;
}

static void fake_futex_wake(const void *word, int n)
{
	(void)word;
	(void)n;
}

static uint64_t fake_clock(void)
{
	return fake_now;
}

/* Each reading of VmPTE is lower than the one before, so that any backend may pass its probe. */
static ssize_t fake_read_file(const char *path, char *buf, size_t cap)
{
	static unsigned kb = 1u << 30;

	if (strcmp(path, "/proc/self/status") != 0)
		return -ENOENT;
	kb -= 1024;
	return snprintf(buf, cap, "VmPTE:\t%u kB\n", kb);
}

static ssize_t fake_read_link(const char *path, char *buf, size_t cap)
{
	if (strcmp(path, "/proc/self/exe") != 0)
		return -ENOENT;
	return snprintf(buf, cap, "/usr/bin/fake");
}

static bool fake_file_exists(const char *path)
{
	(void)path;
	return false;
}

static int fake_psi_open(const char *path, const char *trigger)
{
	(void)path;
	(void)trigger;
	return -ENOENT;
}

static uint32_t *fake_wiped_on_fork(void)
{
	return fake_wiped;
}

void fake_install(size_t page_size)
{
	os_init_sizes(page_size);
	os = os_linux;
	os.madvise = fake_madvise;
	os.process_madvise = fake_process_madvise;
	os.mincore = fake_mincore;
	os.remap = fake_remap;
	os.zero = fake_zero;
	os.futex_wait = fake_futex_wait;
	os.futex_wake = fake_futex_wake;
	os.clock_ns = fake_clock;
	os.read_file = fake_read_file;
	os.read_link = fake_read_link;
	os.file_exists = fake_file_exists;
	os.psi_open = fake_psi_open;
	os.wiped_on_fork = fake_wiped_on_fork;
	os.pagemap_open = fake_pagemap_open;
	os.populated = fake_populated;
	os.pagemap_close = fake_pagemap_close;
	memset(pages, 0, sizeof(pages));
	memset(fake_wiped, 0, sizeof(fake_wiped));
	failing.times = 0;
	short_after = -1;
	knows_reclaim = false;
	during = NULL;
	on_wait = NULL;
	fake_now = 1000000000;
	atomic_store(&logged, 0);
	atomic_store(&violations, 0);
}
