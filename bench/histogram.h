/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * histogram - how often each value came, within 1% of the value, in a fixed amount of memory.
 *
 * Log-linear: each octave is cut into 128 buckets of equal width, values below 128 are kept exactly.
 * A tail is read from it as well as the middle. One writer at a time; zeroed memory is an empty one.
 */
#ifndef PTR_HISTOGRAM_H
#define PTR_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_SUB_SHIFT 7
#define HISTOGRAM_SUB	    (1u << HISTOGRAM_SUB_SHIFT)
/* Values from 2^40 share the last bucket: as nanoseconds, 18 minutes. */
#define HISTOGRAM_BITS	  40
#define HISTOGRAM_BUCKETS ((HISTOGRAM_BITS - HISTOGRAM_SUB_SHIFT + 1) * HISTOGRAM_SUB)

struct histogram {
	uint64_t total;
	uint64_t max; /* exact */
	uint64_t count[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *h, uint64_t value);

/* Add all of from to h. */
void histogram_merge(struct histogram *h, const struct histogram *from);

/*
 * The value that permil of 1000 values do not exceed (nearest rank): the middle of its bucket, never
 * above the largest value; 0 if there is none. 1000 is the largest value itself.
 */
uint64_t histogram_permil(const struct histogram *h, unsigned permil);

#endif
