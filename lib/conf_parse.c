// SPDX-License-Identifier: BSD-2-Clause
/* conf_parse - the grammar of conf.h: sections, pairs, comments, and what to say of bad ones. */
#include "conf_internal.h"

/* Bytes of a pair and of a source's name that a complaint shows. */
#define SHOW_PAIR   60
#define SHOW_SOURCE 48

struct parser {
	struct conf *c;
	const char *source;
	void (*say)(const char *line);
	uint64_t line;	   /* 0: the text is one line, not worth a number */
	bool sections;	   /* the source may have some */
	bool skipping;	   /* in a section that is not for this program */
	struct span rule;  /* "[...]" of the section, or nothing */
	uint32_t seen;	   /* keys set by this section, a bit each */
	uint32_t repeated; /* keys whose repetition was named */
	unsigned complaints;
};

_Static_assert(CONF_KEYS_MAX <= 32, "parser.seen has a bit for each key");

/*
 * Complaints.
 */
void conf_put_printable(struct export_buf *b, struct span v, size_t max)
{
	for (size_t i = 0; i < v.n && i < max; i++) {
		/* It may end on a terminal. */
		char c = v.s[i] < ' ' || v.s[i] > '~' ? '?' : v.s[i];

		export_put(b, &c, 1);
	}
	if (v.n > max)
		export_str(b, "...");
}

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
	export_str(&b, "\"");
	conf_put_printable(&b, pair, SHOW_PAIR);
	export_str(&b, "\": ");
	export_str(&b, why);
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
 * The text.
 */
/* The pair with key k counts: note where it is from, and whether it is the first. */
static void note_pair(struct parser *p, struct span pair, unsigned k, bool is_mode)
{
	if (p->seen & ~p->repeated & 1u << k) {
		complain(p, pair, "key given more than once, the last one counts");
		p->repeated |= 1u << k;
	}
	p->seen |= 1u << k;
	if (is_mode) {
		struct export_buf b;

		export_init(&b, p->c->rule, sizeof(p->c->rule));
		conf_put_printable(&b, p->rule, sizeof(p->c->rule) - sizeof("..."));
		p->c->mode_source = p->source;
	}
}

static void apply_pair(struct parser *p, struct span pair)
{
	const char *colon = memchr(pair.s, ':', pair.n);
	char why[CONF_LINE_MAX];
	struct export_buf b;
	struct span key, value;
	unsigned k;

	if (!colon) {
		complain(p, pair, "not of the form key:value");
		return;
	}
	key = span_trim(pair.s, (size_t)(colon - pair.s));
	value = span_trim(colon + 1, (size_t)(pair.s + pair.n - colon - 1));
	k = conf_key_find(key);
	if (k == conf_key_count()) {
		complain(p, pair, "unknown key");
		return;
	}
	export_init(&b, why, sizeof(why));
	if (conf_value_set(p->c, k, value, &b))
		note_pair(p, pair, k, span_is(key, "mode"));
	else
		complain(p, pair, why);
}

/* End of the pair that begins at s: a comma, a newline, a comment or end. */
static const char *pair_end(const char *s, const char *end)
{
	/* A pair never begins with '#', so s[-1] is part of it. */
	while (s < end && *s != ',' && *s != '\n' && !(*s == '#' && span_blank(s[-1])))
		s++;
	return s;
}

static const char *line_end(const char *s, const char *end)
{
	const char *newline = memchr(s, '\n', (size_t)(end - s));

	return newline ? newline : end;
}

/* What is wrong with a line that begins with '[', or NULL; close is where its list is closed. */
static const char *bad_section(struct span line, size_t close)
{
	struct span behind;

	if (!close)
		return "section without a closing ], skipped";
	if (!span_trim(line.s + 1, close - 1).n)
		return "section without a pattern, skipped";
	behind = (struct span){line.s + close + 1, line.n - close - 1};
	if (behind.n && (!span_blank(behind.s[0]) || !memchr(behind.s, ':', behind.n)))
		return "no pair behind ], section skipped";
	return NULL;
}

/* Open the section whose line begins at s; returns where its pairs begin. */
static const char *open_section(struct parser *p, const char *s, const char *end)
{
	const char *stop = s, *why;
	struct span line, patterns;
	size_t close;

	end = line_end(s, end);
	while (stop < end && !(*stop == '#' && span_blank(stop[-1])))
		stop++;
	line = span_trim(s, (size_t)(stop - s));
	close = conf_rule_close(line);
	why = bad_section(line, close);
	p->seen = p->repeated = 0;
	p->skipping = true;
	if (why) {
		complain(p, line, why);
		return end;
	}
	patterns = (struct span){line.s + 1, close - 1};
	p->rule = (struct span){line.s, close + 1};
	p->skipping = !conf_rule_matches(patterns, p->c->program) &&
		      !conf_rule_matches(patterns, p->c->started_as);
	return line.s + close + 1;
}

static void parse(struct parser *p, const char *s, const char *end)
{
	bool line_begins = true;

	while (s < end) {
		if (span_blank(*s) || *s == ',' || *s == '\n') {
			line_begins = *s == '\n' || (line_begins && *s != ',');
			p->line += *s == '\n';
			s++;
		} else if (*s == '[' && line_begins && p->sections) {
			line_begins = false;
			s = open_section(p, s, end);
		} else if (*s == '[' && line_begins) {
			/* Its pairs are meant for some programs, maybe not for this one. */
			const char *close = line_end(s, end);

			complain(p, span_trim(s, (size_t)(close - s)),
				 "sections are not supported, skipped from here on");
			return;
		} else if (*s == '#' || p->skipping) {
			s = line_end(s, end);
		} else {
			const char *stop = pair_end(s, end);

			apply_pair(p, span_trim(s, (size_t)(stop - s)));
			line_begins = false;
			s = stop;
		}
	}
}

static unsigned parse_source(struct parser *p, const char *text, size_t len)
{
	if (len) {
		p->line = memchr(text, '\n', len) != NULL;
		parse(p, text, text + len);
	}
	return finish(p);
}

unsigned conf_parse(struct conf *c, const char *source, const char *text, size_t len,
		    void (*say)(const char *line))
{
	struct parser p = {.c = c, .source = source, .say = say};

	return parse_source(&p, text, len);
}

unsigned conf_parse_file(struct conf *c, const char *source, const char *text, size_t len,
			 void (*say)(const char *line))
{
	struct parser p = {.c = c, .source = source, .say = say, .sections = true};

	return parse_source(&p, text, len);
}
