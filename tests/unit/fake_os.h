/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_os - a kernel for unit tests: it owns the truth about every page of a window of address space
 * that is not there, records what is asked of it, and moves its clock only when told.
 *
 * A destructive call over a page that the test holds to be live is a violation and is counted; so
 * is a zeroing of one that is not the caller's.
 */
#ifndef PTR_FAKE_OS_H
#define PTR_FAKE_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define FAKE_REGIONS 16
#define FAKE_BASE    UINT64_C(0x00550000000000)

/* Where the test's pages are; regions and pages count from 0. */
uintptr_t fake_page(unsigned region, unsigned page);
void *fake_addr(unsigned region, unsigned page);
size_t fake_pages(unsigned n); /* bytes of n pages */

/* The owner takes pages (and may write) or gives them up. dirty: they no longer read zero. */
void fake_live(void *addr, size_t len, bool live);
void fake_write(void *addr, size_t len);
bool fake_reads_zero(void *addr, size_t len);
unsigned fake_resident(void *addr, size_t len); /* pages */

/* Mapped, as all of it is at the start, or a hole: advice does what it can around holes and says
 * ENOMEM, a vector stops there. */
void fake_mapped(void *addr, size_t len, bool mapped);

/* One recorded call: "dontneed", "reclaim", "remap", "zero", "mincore", "populate", "vec-dontneed",
 * "vec-reclaim", with region.page+pages of each range, e.g. "vec-dontneed 0.0+512 2.5+3". */
const char *fake_log(unsigned i);     /* "" behind the last */
unsigned fake_log_ranges(unsigned i); /* how many it had: the text may be cut short */
unsigned fake_log_count(void);
void fake_log_clear(void);
unsigned fake_violations(void);
/* Leave mincore out of the log: a release may be sampled. */
void fake_log_mincore(bool yes);

/* The next `times` calls named (as in the log, without ranges) fail with err. */
void fake_fail(const char *name, int err, unsigned times);
/* A vectored call stops after so many ranges and reports a short result (-1: never). */
void fake_short_vectors(int ranges);
/* Advice 26 and its vectors: known to this kernel? */
void fake_know_reclaim(bool known);
/* Called in the middle of every destructive call, after the page states are what they are then. */
void fake_during(void (*fn)(void));
/* Called by a futex wait instead of passing its timeout. */
void fake_on_wait(void (*fn)(void));

extern uint64_t fake_now;
extern uint32_t fake_wiped[16]; /* what os.wiped_on_fork gives */

/* Install, with everything empty; page size as given. */
void fake_install(size_t page_size);

#endif
