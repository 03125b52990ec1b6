// SPDX-License-Identifier: BSD-2-Clause
/* conf_parse - the grammar of conf.h: pairs, values and what to say of bad ones. */
#include "conf.h"

#include <string.h>

#include "export.h"
#include "os.h"

#define BYTES_MAX (16ull << 40)

/* Bytes of a pair and of a source's name that a complaint shows. */
#define SHOW_PAIR   60
#define SHOW_SOURCE 48

/* Room that a pid may need: a pattern that fits now must fit in every child. */
#define PID_DIGITS 10

enum type {
	TYPE_MODE,
	TYPE_BACKEND,
	TYPE_BYTES,
	TYPE_MS,
	TYPE_COUNT,
	TYPE_BOOL,
	TYPE_SALT,
	TYPE_PATH,
	TYPE_PATTERN, /* a path with %p */
};

struct key {
	const char *name;
	enum type type;
	size_t offset;	   /* of the field in struct conf */
	uint64_t min, max; /* of a number */
};

#define KEY(field, type, ...)                                                                      \
	{                                                                                          \
#field, type, offsetof(struct conf, field), __VA_ARGS__                            \
	}

static const struct key keys[] = {
	KEY(mode, TYPE_MODE, 0, 0),
	KEY(backend, TYPE_BACKEND, 0, 0),
	KEY(batch_bytes, TYPE_BYTES, 0, BYTES_MAX),
	KEY(batch_ms, TYPE_MS, 1, CONF_MS_MAX),
	KEY(keep_bytes, TYPE_BYTES, 0, BYTES_MAX),
	KEY(sweep_ms, TYPE_MS, 1, CONF_MS_MAX),
	KEY(rollout, TYPE_COUNT, 0, CONF_BUCKETS),
	KEY(rollout_salt, TYPE_SALT, 0, 0),
	KEY(kill_file, TYPE_PATH, 0, 0),
	KEY(stats_print, TYPE_BOOL, 0, 0),
	KEY(stats_file, TYPE_PATTERN, 0, 0),
	/* More often would be all that the flusher does. */
	KEY(stats_interval_ms, TYPE_MS, 10, CONF_MS_MAX),
	KEY(verbose, TYPE_BOOL, 0, 0),
	KEY(abort_conf, TYPE_BOOL, 0, 0),
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define KEYS	     COUNT(keys)

static const char *const mode_names[] = {
	[CONF_OFF] = "off",
	[CONF_OBSERVE] = "observe",
	[CONF_ON] = "on",
};

static const char *const backend_names[] = {
	[CONF_BACKEND_AUTO] = "auto",	      [CONF_BACKEND_PT_RECLAIM] = "pt_reclaim",
	[CONF_BACKEND_DONTNEED] = "dontneed", [CONF_BACKEND_REMAP] = "remap",
	[CONF_BACKEND_NONE] = "none",
};

/* A piece of the text; never NUL-terminated. */
struct span {
	const char *s;
	size_t n;
};

struct parser {
	struct conf *c;
	const char *source;
	void (*say)(const char *line);
	uint64_t line;	   /* 0: the text is one line, not worth a number */
	uint32_t seen;	   /* keys set by this source, a bit each */
	uint32_t repeated; /* keys whose repetition was named */
	unsigned complaints;
};

_Static_assert(KEYS <= 32, "parser.seen has a bit for each key");

/*
 * Complaints.
 */
static void put_source(struct export_buf *b, const struct parser *p)
{
	size_t n = strlen(p->source);

	export_put(b, p->source, n < SHOW_SOURCE ? n : SHOW_SOURCE);
	if (p->line) {
		export_str(b, ":");
		export_u64(b, p->line);
	}
	export_str(b, ": ");
}

static void put_pair(struct export_buf *b, struct span pair)
{
	export_str(b, "\"");
	for (size_t i = 0; i < pair.n && i < SHOW_PAIR; i++) {
		/* It may end on a terminal. */
		char c = pair.s[i] < ' ' || pair.s[i] > '~' ? '?' : pair.s[i];

		export_put(b, &c, 1);
	}
	export_str(b, pair.n > SHOW_PAIR ? "...\"" : "\"");
}

static void put_limit(struct export_buf *b, enum type type, uint64_t v)
{
	static const char suffix[] = "KMGT";
	unsigned shift = 40;

	if (type != TYPE_BYTES || !v) {
		export_u64(b, v);
		return;
	}
	while (shift && (v & ((1ull << shift) - 1)))
		shift -= 10;
	export_u64(b, v >> shift);
	if (shift)
		export_put(b, &suffix[shift / 10 - 1], 1);
}

/* Count a complaint and begin its line; false if it is one too many to be said. */
static bool complaint(struct parser *p, struct export_buf *b, char line[CONF_LINE_MAX])
{
	if (++p->complaints > CONF_LINES_MAX || !p->say)
		return false;
	export_init(b, line, CONF_LINE_MAX);
	put_source(b, p);
	return true;
}

static void complain(struct parser *p, struct span pair, const char *why)
{
	char line[CONF_LINE_MAX];
	struct export_buf b;

	if (!complaint(p, &b, line))
		return;
	put_pair(&b, pair);
	export_str(&b, ": ");
	export_str(&b, why);
	p->say(line);
}

static void complain_range(struct parser *p, struct span pair, const struct key *k)
{
	char line[CONF_LINE_MAX];
	struct export_buf b;

	if (!complaint(p, &b, line))
		return;
	put_pair(&b, pair);
	export_str(&b, ": out of range, ");
	export_str(&b, k->name);
	export_str(&b, " goes from ");
	put_limit(&b, k->type, k->min);
	export_str(&b, " to ");
	put_limit(&b, k->type, k->max);
	p->say(line);
}

/* Close the source: what was not said, and the count. */
static unsigned finish(struct parser *p)
{
	if (p->complaints > CONF_LINES_MAX && p->say) {
		char line[CONF_LINE_MAX];
		struct export_buf b;

		export_init(&b, line, sizeof(line));
		p->line = 0;
		put_source(&b, p);
		export_str(&b, "and ");
		export_u64(&b, p->complaints - CONF_LINES_MAX);
		export_str(&b, " more");
		p->say(line);
	}
	p->c->errors += p->complaints;
	return p->complaints;
}

/*
 * Values. Each returns NULL, or why the value is none; a field changes only on success.
 */
static bool span_is(struct span v, const char *word)
{
	return v.n == strlen(word) && !memcmp(v.s, word, v.n);
}

/* The place of v among words, or n. */
static unsigned find_word(struct span v, const char *const *words, unsigned n)
{
	unsigned i = 0;

	while (i < n && !span_is(v, words[i]))
		i++;
	return i;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static unsigned suffix_shift(char c)
{
	switch (c) {
	case 'K':
	case 'k':
		return 10;
	case 'M':
	case 'm':
		return 20;
	case 'G':
	case 'g':
		return 30;
	case 'T':
	case 't':
		return 40;
	default:
		return 0;
	}
}

/* Whether v is a number at all; one that does not fit, or is negative, reads as not in_range. */
static bool read_number(struct span v, const struct key *k, uint64_t *out, bool *in_range)
{
	bool negative = v.n > 1 && v.s[0] == '-', overflow = false;
	unsigned shift = 0;
	uint64_t n = 0;

	if (negative) {
		v.s++;
		v.n--;
	}
	if (k->type == TYPE_BYTES && v.n > 1) {
		shift = suffix_shift(v.s[v.n - 1]);
		v.n -= shift ? 1 : 0;
	}
	if (!v.n)
		return false;
	for (size_t i = 0; i < v.n; i++) {
		if (!is_digit(v.s[i]))
			return false;
		overflow |= __builtin_mul_overflow(n, 10u, &n);
		overflow |= __builtin_add_overflow(n, (unsigned)(v.s[i] - '0'), &n);
	}
	overflow |= n > UINT64_MAX >> shift;
	n <<= shift;
	*in_range = !negative && !overflow && n >= k->min && n <= k->max;
	*out = n;
	return true;
}

static const char *read_path(struct span v, size_t cap, char *out)
{
	if (v.n && v.s[0] != '/')
		return "not an absolute path";
	if (v.n >= cap)
		return "path too long";
	if (memchr(v.s, '\0', v.n))
		return "a path cannot hold a zero byte";
	memcpy(out, v.s, v.n);
	out[v.n] = '\0';
	return NULL;
}

void conf_refresh_pid(struct conf *c)
{
	const char *from = c->stats_file_pattern;
	struct export_buf b;

	export_init(&b, c->stats_file, sizeof(c->stats_file));
	while (*from) {
		const char *p = strstr(from, "%p");

		if (!p) {
			export_str(&b, from);
			break;
		}
		export_put(&b, from, (size_t)(p - from));
		export_u64(&b, (uint64_t)os.getpid());
		from = p + 2;
	}
}

static const char *read_pattern(struct span v, struct conf *c)
{
	size_t need = v.n;

	for (size_t i = 0; i + 1 < v.n; i++) {
		if (v.s[i] != '%' || v.s[i + 1] != 'p')
			continue;
		need += PID_DIGITS - 2;
		i++;
	}
	if (need >= CONF_PATH_MAX)
		return "path too long";
	const char *why = read_path(v, CONF_PATH_MAX, c->stats_file_pattern);

	if (!why)
		conf_refresh_pid(c);
	return why;
}

static const char *read_salt(struct span v, char *out)
{
	if (v.n >= CONF_SALT_MAX)
		return "salt too long, at most 63 bytes";
	/* The hash puts one between salt and id. */
	if (memchr(v.s, '\0', v.n))
		return "a salt cannot hold a zero byte";
	memcpy(out, v.s, v.n);
	out[v.n] = '\0';
	return NULL;
}

static const char *not_a_number(enum type type)
{
	switch (type) {
	case TYPE_BYTES:
		return "not a number of bytes (digits, then K, M, G, T or nothing)";
	case TYPE_MS:
		return "not a whole number of milliseconds";
	default:
		return "not a whole number";
	}
}

/* Put the value of pair into k's field; complain and return false if it cannot be. */
static bool set_value(struct parser *p, struct span pair, const struct key *k, struct span v)
{
	void *field = (char *)p->c + k->offset;
	const char *why = NULL;
	bool in_range = true;
	uint64_t n;

	switch (k->type) {
	case TYPE_MODE:
		n = find_word(v, mode_names, COUNT(mode_names));
		if (n < COUNT(mode_names))
			*(enum conf_mode *)field = (enum conf_mode)n;
		else
			why = "mode is off, observe or on";
		break;
	case TYPE_BACKEND:
		n = find_word(v, backend_names, COUNT(backend_names));
		if (n < COUNT(backend_names))
			*(enum conf_backend *)field = (enum conf_backend)n;
		else
			why = "backend is auto, pt_reclaim, dontneed, remap or none";
		break;
	case TYPE_BYTES:
	case TYPE_MS:
	case TYPE_COUNT:
		if (!read_number(v, k, &n, &in_range))
			why = not_a_number(k->type);
		else if (in_range)
			*(uint64_t *)field = n;
		break;
	case TYPE_BOOL:
		if (span_is(v, "true"))
			*(bool *)field = true;
		else if (span_is(v, "false"))
			*(bool *)field = false;
		else
			why = "neither true nor false";
		break;
	case TYPE_SALT:
		why = read_salt(v, field);
		break;
	case TYPE_PATH:
		why = read_path(v, CONF_PATH_MAX, field);
		break;
	case TYPE_PATTERN:
		why = read_pattern(v, p->c);
		break;
	}
	if (!in_range)
		complain_range(p, pair, k);
	else if (why)
		complain(p, pair, why);
	return in_range && !why;
}

/*
 * The text.
 */
static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static struct span trim(const char *s, size_t n)
{
	while (n && is_blank(s[0])) {
		s++;
		n--;
	}
	while (n && is_blank(s[n - 1]))
		n--;
	return (struct span){s, n};
}

static void apply_pair(struct parser *p, struct span pair)
{
	const char *colon = memchr(pair.s, ':', pair.n);
	struct span key, value;
	unsigned k = 0;

	if (!colon) {
		complain(p, pair, "not of the form key:value");
		return;
	}
	key = trim(pair.s, (size_t)(colon - pair.s));
	value = trim(colon + 1, (size_t)(pair.s + pair.n - colon - 1));
	while (k < KEYS && !span_is(key, keys[k].name))
		k++;
	if (k == KEYS) {
		complain(p, pair, "unknown key");
		return;
	}
	if (!set_value(p, pair, &keys[k], value))
		return;
	if (p->seen & ~p->repeated & 1u << k) {
		complain(p, pair, "key given more than once, the last one counts");
		p->repeated |= 1u << k;
	}
	p->seen |= 1u << k;
}

/* End of the pair that begins at s: a comma, a newline, a comment or end. */
static const char *pair_end(const char *s, const char *end)
{
	/* A pair never begins with '#', so s[-1] is part of it. */
	while (s < end && *s != ',' && *s != '\n' && !(*s == '#' && is_blank(s[-1])))
		s++;
	return s;
}

static const char *line_end(const char *s, const char *end)
{
	const char *newline = memchr(s, '\n', (size_t)(end - s));

	return newline ? newline : end;
}

static void parse(struct parser *p, const char *s, const char *end)
{
	bool line_begins = true;

	while (s < end) {
		if (is_blank(*s) || *s == ',' || *s == '\n') {
			line_begins = *s == '\n' || (line_begins && *s != ',');
			p->line += *s == '\n';
			s++;
		} else if (*s == '#') {
			s = line_end(s, end);
		} else if (*s == '[' && line_begins) {
			/* Its pairs are meant for some programs, maybe not for this one. */
			const char *close = line_end(s, end);

			complain(p, trim(s, (size_t)(close - s)),
				 "sections are not supported, skipped from here on");
			return;
		} else {
			const char *stop = pair_end(s, end);

			apply_pair(p, trim(s, (size_t)(stop - s)));
			line_begins = false;
			s = stop;
		}
	}
}

unsigned conf_parse(struct conf *c, const char *source, const char *text, size_t len,
		    void (*say)(const char *line))
{
	struct parser p = {.c = c, .source = source, .say = say};

	if (len) {
		p.line = memchr(text, '\n', len) != NULL;
		parse(&p, text, text + len);
	}
	return finish(&p);
}

const char *conf_mode_name(enum conf_mode m)
{
	return (unsigned)m < COUNT(mode_names) ? mode_names[m] : "?";
}

const char *conf_backend_name(enum conf_backend b)
{
	return (unsigned)b < COUNT(backend_names) ? backend_names[b] : "?";
}
