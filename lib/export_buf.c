// SPDX-License-Identifier: BSD-2-Clause
/* export_buf - the bounded text of export.h; conf writes its lines with it too. */
#include "export.h"

#include <string.h>

/* "18446744073709551615" and a NUL. */
#define U64_DIGITS 21

void export_init(struct export_buf *b, char *buf, size_t cap)
{
	*b = (struct export_buf){.buf = buf, .cap = cap};
	if (cap)
		buf[0] = '\0';
}

void export_put(struct export_buf *b, const char *s, size_t n)
{
	if (b->len < b->cap) {
		size_t room = b->cap - b->len - 1;
		size_t take = n < room ? n : room;

		memcpy(b->buf + b->len, s, take);
		b->buf[b->len + take] = '\0';
	}
	b->len += n;
}

void export_str(struct export_buf *b, const char *s)
{
	export_put(b, s, strlen(s));
}

/* The digits of v at the end of out; returns where they start. */
static const char *digits(uint64_t v, char out[U64_DIGITS])
{
	char *p = &out[U64_DIGITS - 1];

	*p = '\0';
	do {
		*--p = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	return p;
}

static void pad(struct export_buf *b, size_t have, size_t width)
{
	for (; have < width; have++)
		export_put(b, " ", 1);
}

void export_str_pad(struct export_buf *b, const char *s, size_t width)
{
	pad(b, strlen(s), width);
	export_str(b, s);
}

void export_u64_pad(struct export_buf *b, uint64_t v, size_t width)
{
	char out[U64_DIGITS];

	export_str_pad(b, digits(v, out), width);
}

void export_u64(struct export_buf *b, uint64_t v)
{
	export_u64_pad(b, v, 0);
}

void export_size_pad(struct export_buf *b, uint64_t bytes, size_t width)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	char out[U64_DIGITS], text[U64_DIGITS + 8];
	struct export_buf t;
	unsigned u = 0;

	while (u + 1 < sizeof(units) / sizeof(units[0]) && bytes >> (10 * (u + 1)))
		u++;
	export_init(&t, text, sizeof(text));
	export_str(&t, digits(bytes >> (10 * u), out));
	if (u) {
		uint64_t below = bytes >> (10 * (u - 1)) & 1023;
		const char tenth[2] = {'.', (char)('0' + below * 10 / 1024)};

		export_put(&t, tenth, 2);
	}
	export_str(&t, " ");
	export_str(&t, units[u]);
	export_str_pad(b, text, width);
}

void export_ns_pad(struct export_buf *b, uint64_t ns, size_t width)
{
	static const char *const units[] = {" ns", " us", " ms", " s"};
	char out[U64_DIGITS], text[U64_DIGITS + 8];
	struct export_buf t;
	uint64_t scale = 1;
	unsigned u = 0;

	for (; u < 3 && ns / scale >= 1000; u++)
		scale *= 1000;
	export_init(&t, text, sizeof(text));
	export_str(&t, digits(ns / scale, out));
	if (u) {
		const char tenth[2] = {'.', (char)('0' + ns % scale * 10 / scale)};

		export_put(&t, tenth, 2);
	}
	export_str(&t, units[u]);
	export_str_pad(b, text, width);
}
