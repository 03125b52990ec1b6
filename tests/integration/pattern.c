// SPDX-License-Identifier: BSD-2-Clause
/* pattern - see pattern.h. */
#include "pattern.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DENSE_MAX 32768u
#define HEAD	  8192u
#define PAGE	  4096u
#define WORD	  8u

uint64_t next_random(uint64_t *state)
{
	/* xorshift64* */
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(0x2545f4914f6cdd1d);
}

size_t random_size(uint64_t *state, size_t max)
{
	uint64_t r = next_random(state) >> 8;
	unsigned bits = 64 - (unsigned)__builtin_clzll(max);
	size_t top = (size_t)1 << (r % bits);

	r = next_random(state) >> 8;
	top += r % top;
	return top < max ? top : max;
}

static uint64_t word_at(uint64_t seed, size_t n)
{
	uint64_t w = (seed + n) * UINT64_C(0x9e3779b97f4a7c15);

	return w ^ w >> 29;
}

static void lost(const struct block *b, size_t at, const char *when)
{
	char line[200];
	int n = snprintf(line, sizeof(line),
			 "LOST: %s: byte %zu of %zu at %p reads %#x, process %d\n", when, at,
			 b->size, (void *)b->p, b->p[at], (int)getpid());

	if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0)
		_exit(EXIT_LOST);
	_exit(EXIT_LOST);
}

/* Write the bytes [from, to) of b, or look at them. */
static void span(const struct block *b, size_t from, size_t to, const char *when)
{
	while (from < to) {
		uint64_t w = word_at(b->seed, from / WORD);
		size_t skip = from % WORD, n = WORD - skip;

		if (n > to - from)
			n = to - from;
		if (!when)
			memcpy(b->p + from, (char *)&w + skip, n);
		else if (memcmp(b->p + from, (char *)&w + skip, n))
			lost(b, from, when);
		from += n;
	}
}

static void walk(const struct block *b, size_t len, const char *when)
{
	size_t tail = b->size > WORD ? b->size - WORD : 0;

	if (b->size <= DENSE_MAX || b->seed % 4 == 0) {
		span(b, 0, len, when);
		return;
	}
	if (b->seed % 4 == 1) {
		for (size_t at = 0; at + WORD <= len; at += PAGE) {
			size_t end = at + PAGE;

			span(b, at, at + WORD, when);
			if (end <= len)
				span(b, end - WORD, end, when);
		}
	} else {
		span(b, 0, len < HEAD ? len : HEAD, when);
	}
	if (len == b->size)
		span(b, tail, len, when);
}

void block_fill(const struct block *b)
{
	walk(b, b->size, NULL);
}

void block_check(const struct block *b, size_t len, const char *when)
{
	walk(b, len, when);
}

void zero_check(unsigned char *p, size_t len, const char *when)
{
	struct block b = {.p = p, .size = len};
	size_t i = 0;

	for (; i < len && (uintptr_t)(p + i) % WORD; i++)
		if (p[i])
			lost(&b, i, when);
	for (; i + WORD <= len; i += WORD) {
		uint64_t w;

		memcpy(&w, p + i, WORD);
		if (w)
			break;
	}
	for (; i < len; i++)
		if (p[i])
			lost(&b, i, when);
}
