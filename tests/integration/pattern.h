/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pattern - blocks of memory whose every written byte is known, and checked.
 *
 * Small blocks are written wholly. Large ones, by their seed: wholly, at both ends of each page, or
 * only at their head and their last bytes, since sparse owners meet other code than dense ones.
 */
#ifndef PTR_TESTS_PATTERN_H
#define PTR_TESTS_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct block {
	unsigned char *p;
	size_t size;
	uint64_t seed;
};

/* The exit status of a program that found a byte it did not write, or that should read zero. */
#define EXIT_LOST 3

uint64_t next_random(uint64_t *state);
/* A size from 1 to max, each power of two as likely as the next. */
size_t random_size(uint64_t *state, size_t max);

void block_fill(const struct block *b);
/* Exits with EXIT_LOST, saying where, unless the first len bytes are as they were filled. */
void block_check(const struct block *b, size_t len, const char *when);
/* The same unless all of [p, p + len) is zero. */
void zero_check(unsigned char *p, size_t len, const char *when);

#endif
