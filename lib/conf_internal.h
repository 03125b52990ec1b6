/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf_internal - what the rooms of conf share: conf_parse.c cuts text into sections and pairs,
 * conf_rule.c knows patterns of program names, conf_value.c knows the keys and their types.
 */
#ifndef PTR_CONF_INTERNAL_H
#define PTR_CONF_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "conf.h"
#include "export.h"

/* A piece of the text; never NUL-terminated. */
struct span {
	const char *s;
	size_t n;
};

static inline bool span_is(struct span v, const char *word)
{
	return v.n == strlen(word) && !memcmp(v.s, word, v.n);
}

static inline bool span_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static inline struct span span_trim(const char *s, size_t n)
{
	while (n && span_blank(s[0])) {
		s++;
		n--;
	}
	while (n && span_blank(s[n - 1]))
		n--;
	return (struct span){s, n};
}

/* Append at most max bytes of v, unprintable ones as '?', and "..." where more was left out. */
void conf_put_printable(struct export_buf *b, struct span v, size_t max);

/* Keys by number; CONF_KEYS_MAX is a bound for bit sets. */
#define CONF_KEYS_MAX 32
unsigned conf_key_find(struct span name); /* conf_key_count() if there is none */
unsigned conf_key_count(void);

/* Put v into the field of key. If it cannot be: false, nothing changed, and why is appended. */
bool conf_value_set(struct conf *c, unsigned key, struct span v, struct export_buf *why);

/*
 * Patterns as the shell has them: '*', '?', "[a-z]", "[!a-z]", and '\\' before a character that is
 * meant literally. Blanks separate patterns, so none can contain one ('?' matches it).
 *
 * Not fnmatch(3): it wants NUL-terminated copies, reads names as text in the locale's encoding, in which
 * not every file name is valid, and may allocate for long patterns.
 */

/* A line that begins with '[': the place of the ']' that closes the section's list, 0 if none does. */
size_t conf_rule_close(struct span line);
/* Does one of the patterns match name? */
bool conf_rule_matches(struct span patterns, const char *name);

#endif
