// SPDX-License-Identifier: BSD-2-Clause
/* churn_profile - how large blocks are, and the random numbers behind every choice. */
#include <string.h>

#include "churn.h"

#define KB ((size_t)1 << 10)
#define MB ((uint64_t)1 << 20)

static const struct profile profiles[] = {
	{"mixed", 16, 17, 5, 2048 * MB, 20000, 300000},
	{"small", 16, 9, 5, 256 * MB, 3000000, 3000000},
	{"large", 64 * KB, 6, 5, 2048 * MB, 8000, 150000},
	{"burst", 40 * KB, 5, 0, 2048 * MB, 12000, 200000},
	{"cache", 64, 12, 5, 512 * MB, 100000, 400000},
};

const struct profile *profile_find(const char *name)
{
	for (size_t i = 0; i < sizeof(profiles) / sizeof(profiles[0]); i++) {
		if (!strcmp(profiles[i].name, name))
			return &profiles[i];
	}
	return NULL;
}

/* splitmix64: any seed will do, and a run repeats from its seed alone. */
uint64_t rng_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

uint64_t rng_below(uint64_t *state, uint64_t n)
{
	return (uint64_t)(((unsigned __int128)rng_next(state) * n) >> 64);
}

size_t profile_size(const struct profile *p, uint64_t *rng)
{
	size_t octave = p->min << rng_below(rng, p->octaves);

	return octave + rng_below(rng, octave);
}

size_t profile_mean(const struct profile *p)
{
	return p->min * (((size_t)1 << p->octaves) - 1) * 3 / 2 / p->octaves;
}
