// SPDX-License-Identifier: BSD-2-Clause
/* Sections of the configuration: which program they are for, what they change, what is said of them. */
#include <fnmatch.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* After the four that it needs. */
#include <cmocka.h>

#include "conf_fixture.h"
#include "conf_internal.h"

static bool matches(const char *patterns, const char *name)
{
	return conf_rule_matches((struct span){patterns, strlen(patterns)}, name);
}

static void test_patterns(void **state)
{
	static const struct {
		const char *patterns, *name;
		bool yes;
	} cases[] = {
		{"redis-server", "redis-server", true},
		{"redis-server", "redis-serve", false},
		{"redis-serve", "redis-server", false},
		{"redis", "Redis", false},
		{"redis-*", "redis-server", true},
		{"redis-*", "redis-", true},
		{"redis-*", "redis", false},
		{"redis-* valkey-*", "valkey-server", true},
		{"  redis-*\tvalkey-*  ", "valkey-server", true},
		{"redis-* valkey-*", "keydb", false},
		{"*", "", true},
		{"", "", false},
		{" \t", "", false},
		{"?", "", false},
		{"?", "a", true},
		{"j*a*v*a", "java", true},
		{"*a*b*c*", "xxaxxbxxcxx", true},
		{"*a*b*c*", "xxcxxbxxaxx", false},
		{"*ab", "aab", true},
		{"python3.[0-9]*", "python3.11", true},
		{"python3.[0-9]*", "python3.x", false},
		{"[!a-c]x", "dx", true},
		{"[^a-c]x", "bx", false},
		{"[]x]", "]", true},
		{"[!]x]", "]", false},
		{"[a-]", "-", true},
		{"[z-a]", "m", false},
		{"[a-cx-z]", "y", true},
		/* Never closed, or not before a blank: it is itself. */
		{"a[b", "a[b", true},
		{"a[b c]", "a[b", true},
		{"a[b c]", "c]", true},
		{"a\\*", "a*", true},
		{"a\\*", "ab", false},
		{"a\\", "a\\", true},
		{"a?b", "a b", true},
		{"\xc3\xa4*", "\xc3\xa4h", true},
		{"??h", "\xc3\xa4h", true},
		{"[\x80-\xff]", "\xc3", true},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (matches(cases[i].patterns, cases[i].name) != cases[i].yes)
			fail_msg("\"%s\" and \"%s\"", cases[i].patterns, cases[i].name);
}

/* The next string over letters that is at most max long, starting from ""; false behind the last. */
static bool next_string(char *s, size_t max, const char *letters)
{
	for (size_t i = 0; i < max; i++) {
		s[i] = s[i] ? strchr(letters, s[i])[1] : letters[0];
		if (s[i])
			return true;
		s[i] = letters[0];
	}
	return false;
}

/* Is there a '[' that begins nothing? What the C library makes of it depends on what follows. */
static bool has_open_bracket(const char *s)
{
	while ((s = strchr(s, '['))) {
		s++;
		s += *s == '!';
		s += *s == ']';
		s = strchr(s, ']');
		if (!s)
			return true;
	}
	return false;
}

/* Every short pattern and name: the same as the C library's, but for what blanks and '/' mean. */
static void test_patterns_as_fnmatch(void **state)
{
	char pattern[6] = "", name[4];

	(void)state;
	while (next_string(pattern, sizeof(pattern) - 1, "ab*?[]!-")) {
		if (has_open_bracket(pattern))
			continue;
		memset(name, 0, sizeof(name));
		do {
			bool ours = matches(pattern, name);

			if (ours != !fnmatch(pattern, name, 0))
				fail_msg("\"%s\" and \"%s\": %d here", pattern, name, ours);
		} while (next_string(name, 2, "ab[]!-"));
	}
}

/* '*' upon '*' does not take for ever: each star is tried from each byte of the name at most. */
static void test_many_stars(void **state)
{
	char pattern[4096], name[CONF_NAME_MAX];

	(void)state;
	for (size_t i = 0; i + 2 < sizeof(pattern); i += 2)
		memcpy(pattern + i, "*a", 2);
	memcpy(pattern + sizeof(pattern) - 2, "b", 2);
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_false(matches(pattern, name));
	memset(pattern, '[', sizeof(pattern) - 1);
	assert_false(matches(pattern, name));
}

static void test_order(void **state)
{
	static const char text[] = "batch_ms:1,sweep_ms:1,rollout:1\n"
				   "[redis-* valkey-*]\n"
				   "batch_ms:2\n"
				   "sweep_ms:2\n"
				   "[redis-server]  # the big ones\n"
				   "batch_ms:3, mode:observe\n"
				   "[nobody]\n"
				   "batch_ms:4\n";
	struct conf c;

	(void)state;
	assert_int_equal(parse_file(&c, "redis-server", text), 0);
	assert_true(c.batch_ms == 3 && c.sweep_ms == 2 && c.rollout == 1);
	assert_string_equal(c.rule, "[redis-server]");
	assert_int_equal(parse_file(&c, "valkey-server", text), 0);
	assert_true(c.batch_ms == 2 && c.sweep_ms == 2 && c.rollout == 1);
	assert_int_equal(c.mode, CONF_ON);
	assert_string_equal(c.rule, "");
	assert_int_equal(parse_file(&c, "java", text), 0);
	assert_true(c.batch_ms == 1 && c.sweep_ms == 1 && c.rollout == 1);
	assert_int_equal(n_lines, 0);
	/* The order in the file decides, not how narrow a pattern is. */
	assert_int_equal(parse_file(&c, "java", "[java]\nbatch_ms:2\n[*]\nbatch_ms:3"), 0);
	assert_true(c.batch_ms == 3);
	/* A bad value leaves the one before it. */
	assert_int_equal(parse_file(&c, "java", "batch_ms:2\n[java]\nbatch_ms:x"), 1);
	assert_true(c.batch_ms == 2);
	assert_string_equal(lines[0], "test:3: \"batch_ms:x\": not a whole number of milliseconds");
}

static void test_other_name(void **state)
{
	static const char text[] = "[redis-server]\nmode:off";
	struct conf c;

	(void)state;
	conf_defaults(&c);
	strcpy(c.program, "redis-check-rdb");
	strcpy(c.started_as, "redis-server");
	assert_int_equal(conf_parse_file(&c, "test", text, sizeof(text) - 1, say), 0);
	assert_int_equal(c.mode, CONF_OFF);
}

/* Of what is for others nothing is read. */
static void test_others_sections_are_silent(void **state)
{
	struct conf c;

	(void)state;
	assert_int_equal(parse_file(&c, "prog",
				    "[other]\nnonsense\nmode:sideways\nmode:off,mode:off\n"
				    ",[prog]\nmode:off\n \tx [prog]\nmode:off\n# [prog]\nmode:off\n"
				    "rollout_salt:[prog]\nmode:off"),
			 0);
	assert_int_equal(n_lines, 0);
	assert_int_equal(c.mode, CONF_ON);
	/* Lines are counted all the same. */
	assert_int_equal(parse_file(&c, "prog", "[other]\na\nb,c\n\n \t[prog]\r\nbad:1\n"), 1);
	assert_string_equal(lines[0], "test:6: \"bad:1\": unknown key");
}

static void test_repeated_in_sections(void **state)
{
	struct conf c;

	(void)state;
	assert_int_equal(parse_file(&c, "prog",
				    "batch_ms:1\n[prog]\nbatch_ms:2\n[p*]\nbatch_ms:3\n"
				    "[other]\nbatch_ms:4,batch_ms:5\n"),
			 0);
	assert_true(c.batch_ms == 3);
	assert_int_equal(parse_file(&c, "prog",
				    "batch_ms:1,batch_ms:2\n[prog]\nbatch_ms:3\n"
				    "batch_ms:4\nbatch_ms:5"),
			 2);
	assert_true(c.batch_ms == 5);
	assert_string_equal(
		lines[1], "test:4: \"batch_ms:4\": key given more than once, the last one counts");
}

static void test_malformed(void **state)
{
	static const struct {
		const char *line, *why;
	} bad[] = {
		{"[redis", "section without a closing ], skipped"},
		{"[", "section without a closing ], skipped"},
		{"[redis-[0-9]", "section without a closing ], skipped"},
		{"[redis\\]", "section without a closing ], skipped"},
		{"[]", "section without a pattern, skipped"},
		{"[ \t]", "section without a pattern, skipped"},
		{"[] mode:off", "section without a pattern, skipped"},
		{"[prog] prog", "no pair behind ], section skipped"},
		{"[prog] [other]", "no pair behind ], section skipped"},
		{"[prog]]", "no pair behind ], section skipped"},
		{"[prog]mode:off", "no pair behind ], section skipped"},
		{"[prog],mode:off", "no pair behind ], section skipped"},
	};
	char text[128], line[CONF_LINE_MAX];
	struct conf c;

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		/* The section goes to the next one. */
		(void)snprintf(text, sizeof(text), "%s # x ]\nmode:off,bad\n[p*]\nbatch_ms:7\n",
			       bad[i].line);
		assert_int_equal(parse_file(&c, "prog", text), 1);
		assert_int_equal(c.errors, 1);
		(void)snprintf(line, sizeof(line), "test:1: \"%s\": %s", bad[i].line, bad[i].why);
		for (char *tab = line; (tab = strchr(tab, '\t'));)
			*tab = '?';
		assert_string_equal(lines[0], line);
		assert_int_equal(c.mode, CONF_ON);
		assert_true(c.batch_ms == 7);
	}
	/* It is for whoever reads it, so everybody says so; the last line of a file may lack its end. */
	assert_int_equal(parse_file(&c, "other", "batch_ms:7\n[prog"), 1);
	assert_string_equal(lines[0], "test:2: \"[prog\": section without a closing ], skipped");
}

static void test_well_formed(void **state)
{
	static const char *const good[] = {
		"[prog]\nmode:off",
		" \t[prog]\t\r\nmode:off",
		"[ prog ]\nmode:off",
		"[x prog y]\n\n,mode:off",
		"[p[a-r]og]\nmode:off",
		"[[p]rog]\nmode:off",
		"[p[]r]og]\nmode:off",
		"[prog] # [other]\nmode:off",
		"[prog] mode:off",
		"[prog] ,mode:off # x",
		"[prog]\tmode:off,batch_ms:7",
		"[other]\n[prog]\nmode:off",
		"[other] mode:on\n[prog] mode:off\n[other] mode:on",
		"[prog]\n[other]\n[*] mode:off",
	};
	struct conf c;

	(void)state;
	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		if (parse_file(&c, "prog", good[i]) || c.mode != CONF_OFF)
			fail_msg("%s: %s", good[i], n_lines ? lines[0] : "no complaint");
		if (strstr(good[i], "other") && parse_file(&c, "another", good[i]) &&
		    c.mode != CONF_ON)
			fail_msg("%s", good[i]);
	}
}

/* As many complaints as any other text. */
static void test_lines_are_bounded_in_number(void **state)
{
	char text[1024] = "";
	struct conf c;

	(void)state;
	for (unsigned i = 0; i < CONF_LINES_MAX + 5; i++)
		strcat(text, "[prog\n");
	assert_int_equal(parse_file(&c, "prog", text), CONF_LINES_MAX + 5);
	assert_int_equal(n_lines, CONF_LINES_MAX + 1);
	assert_string_equal(lines[CONF_LINES_MAX], "test: and 5 more");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, conf_setup)
	const struct CMUnitTest tests[] = {
		T(test_patterns),
		T(test_patterns_as_fnmatch),
		T(test_many_stars),
		T(test_order),
		T(test_other_name),
		T(test_others_sections_are_silent),
		T(test_repeated_in_sections),
		T(test_malformed),
		T(test_well_formed),
		T(test_lines_are_bounded_in_number),
	};
#undef T
	return cmocka_run_group_tests(tests, NULL, NULL);
}
