// SPDX-License-Identifier: BSD-2-Clause
/* json - see json.h. */
#include "json.h"

#include <string.h>

/* Bytes of the UTF-8 character at s; 0 if there is none (a cut one, a surrogate, too long a form).
 */
static size_t utf8_len(const char *s)
{
	const unsigned char *u = (const unsigned char *)s;
	size_t n = *u < 0x80   ? 1
		   : *u < 0xc2 ? 0
		   : *u < 0xe0 ? 2
		   : *u < 0xf0 ? 3
		   : *u < 0xf5 ? 4
			       : 0;

	for (size_t i = 1; i < n; i++)
		if ((u[i] & 0xc0) != 0x80)
			return 0;
	if ((*u == 0xe0 && u[1] < 0xa0) || (*u == 0xed && u[1] > 0x9f) ||
	    (*u == 0xf0 && u[1] < 0x90) || (*u == 0xf4 && u[1] > 0x8f))
		return 0;
	return n;
}

static int is_control(const char *s)
{
	return (unsigned char)*s < ' ' || *s == 0x7f;
}

void json_string(FILE *f, const char *s)
{
	(void)putc('"', f);
	while (*s) {
		size_t n = utf8_len(s);

		if (!n) {
			(void)fputs("\\ufffd", f);
			n = 1;
		} else if (is_control(s)) {
			(void)fprintf(f, "\\u%04x", (unsigned)*s);
		} else {
			if (*s == '"' || *s == '\\')
				(void)putc('\\', f);
			(void)fwrite(s, 1, n, f);
		}
		s += n;
	}
	(void)putc('"', f);
}

void plain_string(char *buf, size_t cap, const char *s)
{
	size_t at = 0;

	while (*s) {
		size_t n = utf8_len(s);
		int ok = n && !is_control(s);

		n = n ? n : 1;
		if (at + n >= cap)
			break;
		memcpy(buf + at, ok ? s : "?", ok ? n : 1);
		at += ok ? n : 1;
		s += n;
	}
	buf[at] = '\0';
}
