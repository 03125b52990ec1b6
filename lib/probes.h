/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * probes - USDT probes, provider ptreclaim: places where bpftrace, perf and gdb can listen in.
 *
 * Each is one nop and a note in the file; what it passes is at hand anyway, so nobody pays for one
 * that nobody listens to. Names and arguments are a contract with the scripts of others:
 * libptreclaim(7), TRACING.
 */
#ifndef PTR_PROBES_H
#define PTR_PROBES_H

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#ifdef USE_USDT
#include <sys/sdt.h>

/* Pending pages were zapped: bytes and ranges of one flight, and how many of the ranges failed. */
#define PROBE_FLUSH(bytes, ranges, failed) DTRACE_PROBE3(ptreclaim, flush, bytes, ranges, failed)
/* The allocator took [addr, addr + len) back, and so much of it had been pending. */
#define PROBE_CANCEL(addr, len, pending) DTRACE_PROBE3(ptreclaim, cancel, addr, len, pending)
/* A region goes as a whole, and its table with it where the backend can. */
#define PROBE_REGION_FREED(addr) DTRACE_PROBE1(ptreclaim, region_freed, addr)
/* A vectored call stopped before its end: with this errno value, or short (0). */
#define PROBE_FALLBACK(err) DTRACE_PROBE1(ptreclaim, fallback, err)
#else
#define PROBE_FLUSH(bytes, ranges, failed) ((void)(bytes), (void)(ranges), (void)(failed))
#define PROBE_CANCEL(addr, len, pending)   ((void)(addr), (void)(len), (void)(pending))
#define PROBE_REGION_FREED(addr)	   ((void)(addr))
#define PROBE_FALLBACK(err)		   ((void)(err))
#endif

#endif
