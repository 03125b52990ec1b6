// SPDX-License-Identifier: BSD-2-Clause
/*
 * churn_check - the pattern in every block.
 *
 * Word i of a block is key + i * STEP. The key depends on the address, the size and a serial number,
 * so bytes of another block, of an earlier life of this one, or zeroes, all differ. Words go four at
 * a time: the check must stay cheap beside the page faults that are to be measured.
 *
 * Or only the words are written and read that come first in the block and in each of its further pages:
 * a page that was lost is noticed as well, and what is measured is the allocator and the kernel.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "churn.h"

#define STEP 0x9e3779b97f4a7c15u

typedef uint64_t quad __attribute__((vector_size(32), aligned(8), may_alias));

static bool words_only;
static size_t page;

void check_init(bool pages)
{
	words_only = pages;
	page = (size_t)sysconf(_SC_PAGESIZE);
}

uint64_t check_key(const void *p, size_t size, uint64_t serial)
{
	uint64_t state = (uint64_t)(uintptr_t)p ^ ((uint64_t)size << 20) ^ (serial * STEP);

	return rng_next(&state);
}

static unsigned char pattern_byte(uint64_t key, size_t offset)
{
	uint64_t word = key + offset / 8 * STEP;
	unsigned char bytes[8];

	memcpy(bytes, &word, sizeof(bytes));
	return bytes[offset % 8];
}

/* A macro: how a vector is returned depends on the target's options. */
#define PATTERN_QUAD(word) ((quad){(word), (word) + STEP, (word) + 2 * STEP, (word) + 3 * STEP})

static const quad quad_step = {4 * STEP, 4 * STEP, 4 * STEP, 4 * STEP};

/* Not exit(): other threads are in the allocator, whose state is now unknown. */
static _Noreturn void check_fail(const struct slot *s, size_t offset, unsigned expected,
				 const char *when)
{
	dprintf(STDERR_FILENO,
		"churn: CORRUPT %s: block %p of %zu bytes, byte %zu (%p) is 0x%02x instead of "
		"0x%02x; "
		"%zu bytes were written\n",
		when, (void *)s->p, s->size, offset, (void *)(s->p + offset), s->p[offset],
		expected, s->touched);
	_exit(CHURN_CORRUPT);
}

/* The offset of the page after that of offset i, in a block at address at. */
static size_t next_page(uintptr_t at, size_t i)
{
	return i + page - ((at + i) & (page - 1));
}

static size_t word_end(size_t i, size_t to)
{
	return to - i < sizeof(uint64_t) ? to : i + sizeof(uint64_t);
}

void check_fill(const struct slot *s, size_t from, size_t to)
{
	size_t i = from;

	if (words_only) {
		/* All of them: a block that has moved has its pages begin elsewhere. */
		for (i = 0; i < to; i = next_page((uintptr_t)s->p, i)) {
			for (size_t j = i; j < word_end(i, to); j++)
				s->p[j] = pattern_byte(s->key, j);
		}
		return;
	}
	while (i < to && i % 8)
		s->p[i] = pattern_byte(s->key, i), i++;
	quad q = PATTERN_QUAD(s->key + i / 8 * STEP);

	for (; to >= sizeof(quad) && i <= to - sizeof(quad); i += sizeof(quad)) {
		*(quad *)(void *)(s->p + i) = q;
		q += quad_step;
	}
	for (; i < to; i++)
		s->p[i] = pattern_byte(s->key, i);
}

static void pattern_bytes(const struct slot *s, size_t from, size_t to, const char *when)
{
	for (size_t i = from; i < to; i++) {
		if (s->p[i] != pattern_byte(s->key, i))
			check_fail(s, i, pattern_byte(s->key, i), when);
	}
}

void check_moved(const struct slot *s, uintptr_t old, size_t to, const char *when)
{
	if (!words_only) {
		check_pattern(s, to, when);
		return;
	}
	for (size_t i = 0; i < to; i = next_page(old, i))
		pattern_bytes(s, i, word_end(i, to), when);
}

void check_pattern(const struct slot *s, size_t to, const char *when)
{
	if (words_only) {
		check_moved(s, (uintptr_t)s->p, to, when);
		return;
	}
	quad q = PATTERN_QUAD(s->key), bad = {0, 0, 0, 0};
	size_t quads_end = to - to % sizeof(quad);

	for (size_t i = 0; i < quads_end; i += sizeof(quad)) {
		bad |= *(const quad *)(const void *)(s->p + i) ^ q;
		q += quad_step;
	}
	if (bad[0] | bad[1] | bad[2] | bad[3]) {
		pattern_bytes(s, 0, quads_end, when);
		/* The second look found nothing: somebody changed the byte back in between. */
		check_fail(s, 0, pattern_byte(s->key, 0), "for a moment only");
	}
	pattern_bytes(s, quads_end, to, when);
}

static void zero_bytes(const struct slot *s, size_t from, size_t to, const char *when)
{
	for (size_t i = from; i < to; i++) {
		if (s->p[i])
			check_fail(s, i, 0, when);
	}
}

void check_zero(const struct slot *s, size_t to, bool every, const char *when)
{
	if (words_only && !every) {
		for (size_t i = 0; i < to; i = next_page((uintptr_t)s->p, i))
			zero_bytes(s, i, word_end(i, to), when);
		return;
	}
	quad bad = {0, 0, 0, 0};
	size_t quads_end = to - to % sizeof(quad);

	for (size_t i = 0; i < quads_end; i += sizeof(quad))
		bad |= *(const quad *)(const void *)(s->p + i);
	if (bad[0] | bad[1] | bad[2] | bad[3]) {
		zero_bytes(s, 0, quads_end, when);
		check_fail(s, 0, 0, "for a moment only");
	}
	zero_bytes(s, quads_end, to, when);
}

void check_aligned(const struct slot *s, size_t align, const char *when)
{
	if (!((uintptr_t)s->p & (align - 1)))
		return;
	dprintf(STDERR_FILENO, "churn: CORRUPT %s: block %p of %zu bytes is not aligned to %zu\n",
		when, (void *)s->p, s->size, align);
	_exit(CHURN_CORRUPT);
}
