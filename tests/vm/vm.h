/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm - what the programs that run in the guest kernels share.
 *
 * Each shows one row of what the kernel series promises, on the kernel it finds itself on. What that
 * kernel has to do is said by PTR_KERNEL in the environment, not found out: a patched kernel that
 * frees nothing has to fail here. Without it (on a developer's machine) a probe decides.
 */
#ifndef PTR_VM_H
#define PTR_VM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "os.h"

#define VM_VECTOR 1024 /* ranges that one call takes */

/* Call first: sizes, the kernel that is expected, and whether it is the one that runs. */
void vm_init(void);
/* Does this kernel have the advice? */
bool vm_patched(void);
/* "7.3", "6.12", or "" where nobody said. */
const char *vm_line(void);

/* Results: a line each on stdout; vm_done() is the exit status (0, 1, or 77 if all was skipped). */
void vm_check(bool ok, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void vm_skip(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));
void vm_figure(const char *name, double value);
void vm_die(const char *what) __attribute__((noreturn)); /* with errno: the machine is to blame */
int vm_done(void);

uint64_t vm_pte_kb(pid_t pid); /* 0: this process */
uint64_t vm_rss_kb(void);
int64_t vm_event(const char *name);	 /* of /proc/vmstat; -1: there is none */
int64_t vm_interrupts(const char *name); /* "TLB", "CAL": over all CPUs; -1: no such line */
int64_t vm_meminfo_kb(const char *name); /* "MemAvailable" */
uint64_t vm_ns(void);			 /* CLOCK_MONOTONIC_RAW */
uint64_t vm_number(const char *name, uint64_t otherwise); /* from the environment */

/* n regions of private anonymous memory without huge pages, aligned to `align`. */
char *vm_map(size_t n, size_t align);
/* The span of one PMD table. */
size_t vm_pmd_span(void);
/* Write to page `page` of each of n regions: each then has a table. */
void vm_touch(char *base, size_t n, size_t page);
/*
 * The advice for `len` bytes at `offset` of each of n regions, by vectors of this many. An error
 * comes back as -errno. A kernel that has no vectors for MADV_DONTNEED gets it range by range.
 */
int vm_advise(char *base, size_t n, size_t offset, size_t len, int advice, size_t vector);

#endif
