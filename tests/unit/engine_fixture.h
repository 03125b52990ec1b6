/* SPDX-License-Identifier: BSD-2-Clause */
/* engine_fixture - an engine on the fake kernel, and an allocator that follows the rules. */
#ifndef PTR_ENGINE_FIXTURE_H
#define PTR_ENGINE_FIXTURE_H

/* cmocka wants these first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backend.h"
#include "batch.h"
#include "conf.h"
#include "engine.h"
#include "fake_os.h"
#include "os.h"
#include "policy.h"
#include "pool.h"
#include "region.h"
#include "sweep.h"
#include "worker.h"

#define MIB ((uint64_t)1 << 20)

/* Start over: regions, statistics and all, with this backend; a worker is taken to run. */
void fixture_start(enum conf_backend backend, uint64_t batch_bytes);
int fixture_setup(void **state);    /* dontneed, 32 MiB */
int fixture_teardown(void **state); /* fails the test if a live page was destroyed */

/* What an allocator does: map, use (reuse and write every page), free (release). */
void alloc_map(unsigned region, unsigned page, unsigned pages);
enum engine_reuse alloc_use(unsigned region, unsigned page, unsigned pages);
bool alloc_free(unsigned region, unsigned page, unsigned pages);

/* A region of 512 pages, all of it used and written. */
void use_region(unsigned region);

/* Owners of so many pages touch the first `touched` of them: the policy learns that. */
void teach(unsigned pages, unsigned touched);

/* Two generations: whatever is pending by now gets flushed by age. */
void tick_twice(void);
void flush_all(void);

/* The log is exactly these calls, then NONE. Clears it. */
#define NONE ((const char *)NULL)
void assert_calls(const char *call, ...);
uint64_t count_of(enum stat s);

#endif
