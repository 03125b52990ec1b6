/* SPDX-License-Identifier: BSD-2-Clause */
/* batch_internal - what the files of batch share; nobody else includes it. */
#ifndef PTR_BATCH_INTERNAL_H
#define PTR_BATCH_INTERNAL_H

#include "batch.h"
#include "gauge.h"

/* Bytes pending, and in flight. */
extern struct gauge batch_gauge __attribute__((visibility("hidden")));
extern _Atomic int64_t batch_in_flight __attribute__((visibility("hidden")));

void flight_init(bool may_remap);
/* The child after fork: nobody waits. */
void flight_after_fork(void);

/* So many bytes of r were refused: it waits apart until batch_retry(). */
void queue_refused(struct region *r, uint64_t bytes);
/* A flight of a node's zapped so much. */
void queue_count_zapped(unsigned node, uint64_t bytes);

#endif
