/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * predict - while observing: what deferring would have spared.
 *
 * Each release that is seen stands for a zapping call of the allocator. Had it been deferred, it would have
 * gone out in a vector, together with the others of the same half of batch_ms, or sooner if these came
 * to as much as is flushed at once. That is counted; what would have been taken back before, or have met
 * its neighbours, cannot be seen, so there is less to spare in the count than in the fact.
 *
 * Any thread; lock-free; no system call.
 */
#ifndef PTR_PREDICT_H
#define PTR_PREDICT_H

#include <stddef.h>
#include <stdint.h>

/* Whenever batch_bytes changes. */
void predict_init(uint64_t batch_bytes);
/* The allocator has given up so much, by one call. */
void predict_release(size_t len);
/* Half of batch_ms has gone by. */
void predict_tick(void);
/* In the child after fork: what was gathered is the parent's. */
void predict_after_fork(void);

#endif
