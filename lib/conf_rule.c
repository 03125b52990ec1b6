// SPDX-License-Identifier: BSD-2-Clause
/* conf_rule - see conf_internal.h: patterns of program names. */
#include "conf_internal.h"

/* Longest "[...]" that counts as one: bounds what a line full of '[' costs. */
#define BRACKET_MAX 64

/* Bytes of the bracket expression that p begins with; 0 if it is never closed, so that '[' is itself. */
static size_t bracket_length(const char *p, size_t n)
{
	size_t i = 1;

	if (n > BRACKET_MAX)
		n = BRACKET_MAX;
	if (i < n && (p[i] == '!' || p[i] == '^'))
		i++;
	/* In first place it is one of the characters. */
	if (i < n && p[i] == ']')
		i++;
	while (i < n && p[i] != ']' && !span_blank(p[i]))
		i++;
	return i < n && p[i] == ']' ? i + 1 : 0;
}

static bool bracket_has(const char *p, size_t n, char c)
{
	const char *end = p + n - 1;
	unsigned char u = (unsigned char)c;
	bool negate, found = false;

	p++;
	negate = *p == '!' || *p == '^';
	if (negate)
		p++;
	while (p < end) {
		unsigned char low = (unsigned char)*p, high = low;

		if (end - p > 2 && p[1] == '-') {
			high = (unsigned char)p[2];
			p += 2;
		}
		found |= low <= u && u <= high;
		p++;
	}
	return found != negate;
}

/* How many bytes at the beginning of the pattern match c; 0 if it does not match. */
static size_t match_one(const char *p, size_t n, char c)
{
	size_t length;

	switch (*p) {
	case '?':
		return 1;
	case '\\':
		if (n > 1)
			return p[1] == c ? 2 : 0;
		break;
	case '[':
		length = bracket_length(p, n);
		if (length)
			return bracket_has(p, length, c) ? length : 0;
		break;
	default:
		break;
	}
	return *p == c;
}

static bool pattern_matches(struct span pattern, const char *name)
{
	const char *after_star = NULL, *retry = NULL;
	const char *p = pattern.s, *end = pattern.s + pattern.n;

	while (*name) {
		size_t took;

		if (p < end && *p == '*') {
			after_star = ++p;
			retry = name;
			continue;
		}
		took = p < end ? match_one(p, (size_t)(end - p), *name) : 0;
		if (took) {
			p += took;
			name++;
		} else if (after_star) {
			/* The last '*' takes one more; what earlier ones took need not change. */
			p = after_star;
			name = ++retry;
		} else {
			return false;
		}
	}
	while (p < end && *p == '*')
		p++;
	return p == end;
}

size_t conf_rule_close(struct span line)
{
	size_t i = 1;

	while (i < line.n && line.s[i] != ']') {
		size_t skip = 1;

		if (line.s[i] == '\\')
			skip = 2;
		else if (line.s[i] == '[')
			skip = bracket_length(line.s + i, line.n - i);
		i += skip ? skip : 1;
	}
	return i < line.n ? i : 0;
}

bool conf_rule_matches(struct span patterns, const char *name)
{
	const char *s = patterns.s, *end = patterns.s + patterns.n;

	for (;;) {
		const char *from;

		while (s < end && span_blank(*s))
			s++;
		if (s == end)
			return false;
		from = s;
		while (s < end && !span_blank(*s))
			s++;
		if (pattern_matches((struct span){from, (size_t)(s - from)}, name))
			return true;
	}
}
