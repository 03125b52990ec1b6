// SPDX-License-Identifier: BSD-2-Clause
/* histogram - see histogram.h. */
#include "histogram.h"

/* Bucket b >= 2 * SUB covers 1 << (b / SUB - 1) values; below that, one. */
static unsigned bucket_of(uint64_t value)
{
	if (value >> HISTOGRAM_BITS)
		return HISTOGRAM_BUCKETS - 1;
	if (value < HISTOGRAM_SUB)
		return (unsigned)value;
	unsigned shift = 63 - (unsigned)__builtin_clzll(value) - HISTOGRAM_SUB_SHIFT;

	return shift * HISTOGRAM_SUB + (unsigned)(value >> shift);
}

static uint64_t bucket_middle(unsigned bucket)
{
	if (bucket < 2 * HISTOGRAM_SUB)
		return bucket;
	unsigned shift = bucket / HISTOGRAM_SUB - 1;
	uint64_t low = (uint64_t)(bucket - shift * HISTOGRAM_SUB) << shift;

	return low + (((uint64_t)1 << shift) - 1) / 2;
}

void histogram_add(struct histogram *h, uint64_t value)
{
	h->count[bucket_of(value)]++;
	h->total++;
	if (value > h->max)
		h->max = value;
}

void histogram_merge(struct histogram *h, const struct histogram *from)
{
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		/* Most are empty: writing them would only make pages of them. */
		if (from->count[i])
			h->count[i] += from->count[i];
	}
	h->total += from->total;
	if (from->max > h->max)
		h->max = from->max;
}

uint64_t histogram_permil(const struct histogram *h, unsigned permil)
{
	uint64_t rank = (h->total * permil + 999) / 1000, seen = 0;

	if (!h->total || permil >= 1000)
		return h->max;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS - 1; i++) {
		seen += h->count[i];
		/* The rank of the least value is 1, also for 0 of 1000. */
		if (seen && seen >= rank)
			return bucket_middle(i) < h->max ? bucket_middle(i) : h->max;
	}
	return h->max;
}
