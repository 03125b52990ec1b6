/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * floor - what a process's page tables cost, and the least they could cost.
 *
 * The floor is one PTE table for each region with at least one present or swapped page, plus the
 * upper-level tables above them. VmPTE - floor is waste. Reads /proc/PID/{status,maps,pagemap}; walks
 * in proportion to the mapped address space and must never be called from a hook.
 */
#ifndef PTR_FLOOR_H
#define PTR_FLOOR_H

#include <stdint.h>
#include <sys/types.h>

struct floor_report {
	uint64_t vmpte_kb;   /* VmPTE of /proc/PID/status */
	uint64_t floor_kb;   /* least possible VmPTE */
	uint64_t waste_kb;   /* vmpte_kb - floor_kb, never below 0 */
	uint64_t rss_kb;     /* VmRSS */
	uint64_t virt_kb;    /* VmSize */
	uint64_t regions;    /* regions with at least one present or swapped page */
	uint64_t pmd_tables; /* tables one level up that these need */
	uint64_t pud_tables; /* and two levels up */
	uint64_t vmas;	     /* lines of /proc/PID/maps */
	char comm[64];
};

/*
 * Fill *out for process pid (0: the caller). 0, or -errno: -ESRCH no such process (or it has no
 * address space: a kernel thread), -EACCES or -EPERM not allowed to look. Thread-safe.
 */
int floor_measure(pid_t pid, struct floor_report *out);

/* The same without the walk: VmPTE, RSS, virt, comm only; a few microseconds. */
int floor_vm(pid_t pid, struct floor_report *out);

#endif
