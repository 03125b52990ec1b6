/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * backend - how pages are zapped and how a table is freed on this kernel.
 *
 * A backend is chosen by what it does on a scratch mapping, never by a version number: data beside
 * it stays, VmPTE falls. Zaps go out as vectors (process_madvise on self) where that works; on any
 * error they fall back to plain madvise, range by range, and the fallback is remembered.
 */
#ifndef PTR_BACKEND_H
#define PTR_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "conf.h"

/* process_madvise takes no more ranges than this in one call. */
#define BACKEND_VEC_MAX 1024

enum backend_flag {
	BACKEND_REMAP = 1,  /* in: whole regions that may be mapped anew */
	BACKEND_FAILED = 2, /* out: the kernel refused; the pages may hold anything */
};

/*
 * Choose and keep a backend. AUTO: the first in the order of architecture.md that works. One that
 * was asked for and does not work becomes `none`. Not thread-safe: call at start and after fork.
 */
enum conf_backend backend_choose(enum conf_backend want);

enum conf_backend backend_kind(void);
/* Does the chosen backend free tables that are empty among pages in use? */
bool backend_asks(void);

/* Does the kernel free the table of a region that one zap covers? Known once one was chosen. */
bool backend_whole_frees(void);

/* Does this backend do its job on a scratch mapping? Takes well under a millisecond. */
bool backend_probe(enum conf_backend which);

/* For whom: what the calls are counted as. */
enum backend_for { BACKEND_FOR_FLUSH, BACKEND_FOR_REUSE };

/* VmPTE of this process, -1 if it cannot be read. Not from a hook. */
long backend_vmpte_kb(void);

/*
 * Zap n ranges. flag[i] says what may be done to range i and is told what failed; returns the
 * number that failed. The caller must have every page of them in flight.
 */
unsigned backend_zap(const struct iovec *vec, uint8_t *flag, unsigned n, enum backend_for whom);

/* Ask the kernel to free the empty tables in n ranges. Harmless to their pages; may do nothing. */
void backend_ask(const struct iovec *vec, unsigned n);

/* After fork: what was learned about vectors may not hold for this process. */
void backend_after_fork(void);

#endif
