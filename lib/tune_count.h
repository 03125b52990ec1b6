/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tune_count - the counters behind tune.h, by arena; what hooks touch of it, and nothing else.
 */
#ifndef PTR_TUNE_COUNT_H
#define PTR_TUNE_COUNT_H

#include <stdatomic.h>
#include <stdint.h>

#include "tune.h"

/* A cache line for each arena: threads that meet in one share its locks already. */
struct tune_count {
	_Atomic uint64_t purges, purged, purged_whole, grown, taken;
	_Atomic uint64_t taken_back; /* see tune_count_taken_back */
} __attribute__((aligned(64)));

extern struct tune_count tune_counts[TUNE_ARENAS];

/*
 * What was taken and is not the first use of what was grown. Which of the two the allocator took is
 * not told; as if the grown always came first, so this is too little for a while rather than too much.
 */
uint64_t tune_count_taken_back(struct tune_count *c);

#endif
