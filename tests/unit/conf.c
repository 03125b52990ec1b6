// SPDX-License-Identifier: BSD-2-Clause
/* The configuration: grammar, values, complaints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* After the four that it needs. */
#include <cmocka.h>

#include "conf_fixture.h"
#include "os.h"

static void test_defaults(void **state)
{
	struct conf c;

	(void)state;
	conf_defaults(&c);
	assert_int_equal(c.mode, CONF_ON);
	assert_int_equal(c.backend, CONF_BACKEND_AUTO);
	assert_true(c.batch_bytes == 33554432);
	assert_true(c.batch_ms == 100);
	assert_true(c.keep_bytes == 33554432);
	assert_true(c.sweep_ms == 1000);
	assert_true(c.rollout == 1000);
	assert_string_equal(c.rollout_salt, "");
	assert_string_equal(c.rollout_id, "");
	assert_int_equal(c.rollout_others, CONF_OFF);
	assert_int_equal(c.tune, CONF_TUNE_OFF);
	assert_int_equal(c.policy, CONF_POLICY_LEARN);
	assert_string_equal(c.kill_file, "/run/ptreclaim/disable");
	assert_false(c.stats_print);
	assert_string_equal(c.stats_file, "");
	assert_true(c.stats_interval_ms == 10000);
	assert_false(c.verbose);
	assert_false(c.abort_conf);
}

static void test_every_key(void **state)
{
	struct conf c;

	(void)state;
	assert_int_equal(parse(&c,
			       "mode:observe,backend:remap,batch_bytes:5M,batch_ms:7,"
			       "keep_bytes:0,sweep_ms:11,rollout:250,rollout_salt:may be:x,"
			       "rollout_id:node 7:b,rollout_others:observe,tune:advise,policy:zap,"
			       "kill_file:/a#b,stats_print:true,stats_file:/s/%p.%p.prom,"
			       "stats_interval_ms:500,verbose:true,abort_conf:true"),
			 0);
	assert_int_equal(n_lines, 0);
	assert_int_equal(c.mode, CONF_OBSERVE);
	assert_int_equal(c.backend, CONF_BACKEND_REMAP);
	assert_true(c.batch_bytes == 5u << 20);
	assert_true(c.batch_ms == 7);
	assert_true(c.keep_bytes == 0);
	assert_true(c.sweep_ms == 11);
	assert_true(c.rollout == 250);
	assert_string_equal(c.rollout_salt, "may be:x");
	assert_string_equal(c.rollout_id, "node 7:b");
	assert_int_equal(c.rollout_others, CONF_OBSERVE);
	assert_int_equal(c.tune, CONF_TUNE_ADVISE);
	assert_int_equal(c.policy, CONF_POLICY_ZAP);
	assert_string_equal(c.kill_file, "/a#b");
	assert_true(c.stats_print);
	assert_string_equal(c.stats_file, "/s/4242.4242.prom");
	assert_string_equal(c.stats_file_pattern, "/s/%p.%p.prom");
	assert_true(c.stats_interval_ms == 500);
	assert_true(c.verbose);
	assert_true(c.abort_conf);
	assert_int_equal(c.errors, 0);
}

static void test_names(void **state)
{
	static const char *const backends[] = {"auto", "pt_reclaim", "dontneed", "remap", "none"};
	static const char *const modes[] = {"off", "observe", "on"};
	static const char *const tunes[] = {"off", "advise", "apply"};
	char text[64];
	struct conf c;

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		(void)snprintf(text, sizeof(text), "backend:%s", backends[i]);
		assert_int_equal(parse(&c, text), 0);
		assert_int_equal(c.backend, i);
		assert_string_equal(conf_backend_name(i), backends[i]);
	}
	for (unsigned i = 0; i < 3; i++) {
		(void)snprintf(text, sizeof(text), "mode:%s", modes[i]);
		assert_int_equal(parse(&c, text), 0);
		assert_int_equal(c.mode, i);
		assert_string_equal(conf_mode_name(i), modes[i]);
	}
	for (unsigned i = 0; i < 3; i++) {
		(void)snprintf(text, sizeof(text), "tune:%s", tunes[i]);
		assert_int_equal(parse(&c, text), 0);
		assert_int_equal(c.tune, i);
		assert_string_equal(conf_tune_name(i), tunes[i]);
	}
	assert_string_equal(conf_tune_name((enum conf_tune)77), "?");
	assert_string_equal(conf_mode_name((enum conf_mode)77), "?");
	assert_string_equal(conf_backend_name((enum conf_backend)77), "?");
}

static void test_numbers(void **state)
{
	static const struct {
		const char *text;
		uint64_t value;
	} good[] = {
		{"0", 0},
		{"1", 1},
		{"007", 7},
		{"1K", 1024},
		{"1k", 1024},
		{"3M", 3145728},
		{"2G", 2147483648},
		{"1T", 1099511627776},
		{"16T", 17592186044416},
		{"16384G", 16ull << 40},
		{"17592186044416", 16ull << 40},
	};
	char text[64];
	struct conf c;

	(void)state;
	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		(void)snprintf(text, sizeof(text), "batch_bytes:%s", good[i].text);
		assert_int_equal(parse(&c, text), 0);
		assert_true(c.batch_bytes == good[i].value);
	}
}

/* Each is one complaint, names the pair, says why, and changes nothing. */
static void test_bad_values(void **state)
{
	static const struct {
		const char *pair, *why;
	} bad[] = {
		{"mode:sideways", "off, observe or on"},
		{"mode:", "off, observe or on"},
		{"mode:ON", "off, observe or on"},
		{"mode:on backend:none", "off, observe or on"},
		{"backend:brk", "auto, pt_reclaim, dontneed, remap or none"},
		{"batch_bytes:", "not a number of bytes"},
		{"batch_bytes:banana", "not a number of bytes"},
		{"batch_bytes:M", "not a number of bytes"},
		{"batch_bytes:1MB", "not a number of bytes"},
		{"batch_bytes:1KK", "not a number of bytes"},
		{"batch_bytes:1.5M", "not a number of bytes"},
		{"batch_bytes:0x10", "not a number of bytes"},
		{"batch_bytes:+1", "not a number of bytes"},
		{"batch_bytes:1 M", "not a number of bytes"},
		{"batch_bytes:-", "not a number of bytes"},
		{"batch_bytes:--1", "not a number of bytes"},
		{"batch_bytes:-1", "batch_bytes goes from 0 to 16T"},
		{"batch_bytes:-0K", "batch_bytes goes from 0 to 16T"},
		{"batch_bytes:17T", "batch_bytes goes from 0 to 16T"},
		{"batch_bytes:18446744073709551615", "goes from 0 to 16T"},
		{"batch_bytes:18446744073709551616", "goes from 0 to 16T"},
		{"batch_bytes:18446744073709551617K", "goes from 0 to 16T"},
		{"batch_bytes:16777216T", "goes from 0 to 16T"},
		{"keep_bytes:99999999999999999999999999999999", "goes from 0 to 16T"},
		{"batch_ms:0", "batch_ms goes from 1 to 3600000"},
		{"batch_ms:3600001", "batch_ms goes from 1 to 3600000"},
		{"batch_ms:5K", "not a whole number of milliseconds"},
		{"batch_ms:5ms", "not a whole number of milliseconds"},
		{"sweep_ms:0", "sweep_ms goes from 1 to 3600000"},
		{"stats_interval_ms:9", "stats_interval_ms goes from 10 to 3600000"},
		{"rollout:1001", "rollout goes from 0 to 1000"},
		{"rollout:1K", "not a whole number"},
		{"rollout:10%", "not a whole number"},
		{"rollout_others:on", "rollout_others is off or observe"},
		{"rollout_others:", "rollout_others is off or observe"},
		{"tune:on", "tune is off, advise or apply"},
		{"policy:off", "policy is learn, keep or zap"},
		{"stats_print:yes", "neither true nor false"},
		{"verbose:1", "neither true nor false"},
		{"abort_conf:", "neither true nor false"},
		{"kill_file:run/off", "not an absolute path"},
		{"stats_file:%p", "not an absolute path"},
		{"mode", "not of the form key:value"},
		{"mode=on", "not of the form key:value"},
		{":on", "unknown key"},
		{":", "unknown key"},
		{"Mode:on", "unknown key"},
		{"mode2:on", "unknown key"},
		{"mod:on", "unknown key"},
		{"bucket:1", "unknown key"},
	};
	char quoted[128];
	struct conf before, c;

	(void)state;
	conf_defaults(&before);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(quoted, sizeof(quoted), "test: \"%s\": ", bad[i].pair);
		assert_int_equal(parse(&c, bad[i].pair), 1);
		assert_int_equal(n_lines, 1);
		assert_int_equal(c.errors, 1);
		assert_int_equal(strncmp(lines[0], quoted, strlen(quoted)), 0);
		assert_non_null(strstr(lines[0], bad[i].why));
		assert_same(&before, &c);
	}
}

/* A bad pair does not take its neighbours with it. */
static void test_bad_pair_is_skipped(void **state)
{
	struct conf c;

	(void)state;
	assert_int_equal(parse(&c, "batch_ms:7,what:ever,batch_bytes:x,sweep_ms:9"), 2);
	assert_int_equal(n_lines, 2);
	assert_true(c.batch_ms == 7);
	assert_true(c.sweep_ms == 9);
	assert_true(c.batch_bytes == 32u << 20);
}

static void test_blanks_and_comments(void **state)
{
	static const char *const same[] = {
		"mode:off,batch_ms:7",
		",,mode:off,,,batch_ms:7,,",
		" \tmode:off ,\v\f batch_ms:7 ",
		"mode:off\nbatch_ms:7\n",
		"\r\n\r\nmode:off\r\n, batch_ms:7\r\n",
		"# mode:on, batch_ms:8\nmode:off # not:this, nor:that\nbatch_ms:7 #\n",
		"mode : off,batch_ms: 7",
		"mode:off,#x:y\nbatch_ms:7",
	};
	struct conf c;

	(void)state;
	for (unsigned i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		assert_int_equal(parse(&c, same[i]), 0);
		assert_int_equal(c.mode, CONF_OFF);
		assert_true(c.batch_ms == 7);
	}
	/* A '#' that follows no blank is part of the value. */
	assert_int_equal(parse(&c, "rollout_salt:a#b,batch_ms:7#"), 1);
	assert_string_equal(c.rollout_salt, "a#b");
	assert_int_equal(parse(&c, ""), 0);
	assert_int_equal(parse(&c, "  ,\n\n ,,"), 0);
	assert_int_equal(parse(&c, "#"), 0);
	conf_defaults(&c);
	assert_int_equal(conf_parse(&c, "test", NULL, 0, say), 0);
}

/* The text ends where len says, not at a NUL before or after it. */
static void test_length_is_exact(void **state)
{
	static const char zero[] = "kill_file:/a\0b,mode:off";
	struct conf c;

	(void)state;
	conf_defaults(&c);
	assert_int_equal(conf_parse(&c, "test", "batch_ms:75", 10, say), 0);
	assert_true(c.batch_ms == 7);
	assert_int_equal(conf_parse(&c, "test", zero, sizeof(zero) - 1, say), 1);
	assert_string_equal(lines[0], "test: \"kill_file:/a?b\": a path cannot hold a zero byte");
	assert_string_equal(c.kill_file, "/run/ptreclaim/disable");
	assert_int_equal(c.mode, CONF_OFF);
}

static void test_repeated_key(void **state)
{
	struct conf c;

	(void)state;
	assert_int_equal(parse(&c, "batch_ms:1,mode:off,batch_ms:2,batch_ms:3"), 1);
	assert_int_equal(n_lines, 1);
	assert_string_equal(lines[0],
			    "test: \"batch_ms:2\": key given more than once, the last one counts");
	assert_true(c.batch_ms == 3);

	/* A bad one neither counts nor is counted. */
	assert_int_equal(parse(&c, "batch_ms:0,batch_ms:2,batch_ms:x"), 2);
	assert_true(c.batch_ms == 2);
	/* Another source may repeat what it likes. */
	n_lines = 0;
	assert_int_equal(conf_parse(&c, "other", "batch_ms:9", 10, say), 0);
	assert_true(c.batch_ms == 9);
	assert_int_equal(c.errors, 2);
}

static void test_sections(void **state)
{
	struct conf c;

	(void)state;
	assert_int_equal(parse(&c, "batch_ms:7\n [redis-server]\nmode:off\n[x]\nnonsense\n"), 1);
	assert_int_equal(n_lines, 1);
	assert_string_equal(lines[0], "test:2: \"[redis-server]\": sections are not supported, "
				      "skipped from here on");
	assert_true(c.batch_ms == 7);
	assert_int_equal(c.mode, CONF_ON);
	/* Only a line can open one. */
	assert_int_equal(parse(&c, "batch_ms:7,[x],mode:off"), 1);
	assert_int_equal(c.mode, CONF_OFF);
	assert_int_equal(parse(&c, ",[x],mode:off"), 1);
	assert_int_equal(c.mode, CONF_OFF);
}

static void test_paths_and_texts(void **state)
{
	char text[CONF_PATH_MAX + 64];
	struct conf c;
	int head;

	(void)state;
	/* Empty turns a file off that an earlier source named. */
	assert_int_equal(parse(&c, "kill_file:,stats_file:"), 0);
	assert_string_equal(c.kill_file, "");
	assert_string_equal(c.stats_file, "");

	head = snprintf(text, sizeof(text), "kill_file:/");
	memset(text + head, 'a', sizeof(text) - (size_t)head);
	assert_int_equal(conf_parse(&c, "test", text, (size_t)head + CONF_PATH_MAX - 1, say), 1);
	assert_non_null(strstr(lines[0], "aaa...\": path too long"));
	assert_string_equal(c.kill_file, "");
	assert_int_equal(conf_parse(&c, "test", text, (size_t)head + CONF_PATH_MAX - 2, say), 0);
	assert_int_equal(strlen(c.kill_file), CONF_PATH_MAX - 1);

	/* The longest pid must fit, whatever ours is now. */
	head = snprintf(text, sizeof(text), "stats_file:/%%p");
	memset(text + head, 'a', sizeof(text) - (size_t)head);
	assert_int_equal(conf_parse(&c, "test", text, (size_t)head + CONF_PATH_MAX - 11, say), 1);
	assert_string_equal(c.stats_file, "");
	assert_int_equal(conf_parse(&c, "test", text, (size_t)head + CONF_PATH_MAX - 12, say), 0);
	fake_pid = INT32_MAX;
	conf_refresh_pid(&c);
	assert_int_equal(strlen(c.stats_file), CONF_PATH_MAX - 1);
	assert_int_equal(strncmp(c.stats_file, "/2147483647aaa", 14), 0);

	assert_int_equal(parse(&c, "stats_file:/%/%%p%q%"), 0);
	assert_string_equal(c.stats_file, "/%/%2147483647%q%");

	(void)snprintf(text, sizeof(text), "rollout_id:%0*d", CONF_ID_MAX, 7);
	assert_int_equal(parse(&c, text), 1);
	assert_non_null(strstr(lines[0], "too long, at most 127 bytes"));
	assert_string_equal(c.rollout_id, "");
	(void)snprintf(text, sizeof(text), "rollout_id:%0*d", CONF_ID_MAX - 1, 7);
	assert_int_equal(parse(&c, text), 0);
	assert_int_equal(strlen(c.rollout_id), CONF_ID_MAX - 1);

	memset(text, 's', sizeof(text));
	memcpy(text, "rollout_salt:", 13);
	conf_defaults(&c);
	assert_int_equal(conf_parse(&c, "test", text, 13 + CONF_SALT_MAX, say), 1);
	assert_string_equal(c.rollout_salt, "");
	assert_int_equal(conf_parse(&c, "test", text, 13 + CONF_SALT_MAX - 1, say), 0);
	assert_int_equal(strlen(c.rollout_salt), CONF_SALT_MAX - 1);
}

static void test_child_gets_its_own_file(void **state)
{
	struct conf c;

	(void)state;
	assert_int_equal(parse(&c, "stats_file:/run/pt-%p.prom"), 0);
	assert_string_equal(c.stats_file, "/run/pt-4242.prom");
	fake_pid = 5;
	conf_refresh_pid(&c);
	assert_string_equal(c.stats_file, "/run/pt-5.prom");
}

static void test_lines_are_bounded_in_number(void **state)
{
	char text[1024] = "";
	struct conf c;

	(void)state;
	for (unsigned i = 0; i < CONF_LINES_MAX; i++)
		strcat(text, "x:y,");
	assert_int_equal(parse(&c, text), CONF_LINES_MAX);
	assert_int_equal(n_lines, CONF_LINES_MAX);
	for (unsigned i = 0; i < 5; i++)
		strcat(text, "x:y\n");
	assert_int_equal(parse(&c, text), CONF_LINES_MAX + 5);
	assert_int_equal(c.errors, CONF_LINES_MAX + 5);
	assert_int_equal(n_lines, CONF_LINES_MAX + 1);
	assert_string_equal(lines[CONF_LINES_MAX], "test: and 5 more");
	/* Nobody listens: they still count. */
	conf_defaults(&c);
	assert_int_equal(conf_parse(&c, "test", text, strlen(text), NULL), CONF_LINES_MAX + 5);
}

static void test_a_megabyte(void **state)
{
	const size_t len = 1u << 20;
	char *text = test_malloc(len), source[400];
	struct conf c;

	(void)state;
	conf_defaults(&c);
	memset(text, 'a', len);
	assert_int_equal(conf_parse(&c, "test", text, len, say), 1);
	memset(text, '\x1b', len);
	memset(source, 'S', sizeof(source));
	source[sizeof(source) - 1] = '\0';
	assert_int_equal(conf_parse(&c, source, text, len, say), 1);
	memset(text, '9', len);
	memcpy(text, "batch_bytes:", 12);
	assert_int_equal(conf_parse(&c, "test", text, len, say), 1);
	memset(text, ',', len);
	memcpy(text + len - 8, "mode:off", 8);
	assert_int_equal(conf_parse(&c, "test", text, len, say), 0);
	assert_int_equal(c.mode, CONF_OFF);
	memset(text, '#', len);
	assert_int_equal(conf_parse(&c, "test", text, len, say), 0);
	for (size_t i = 0; i < len; i += 2)
		memcpy(text + i, "x\n", 2);
	assert_int_equal(conf_parse(&c, "test", text, len, say), len / 2);
	assert_string_equal(lines[n_lines - 1], "test: and 524272 more");
	test_free(text);
}

static void test_line_numbers(void **state)
{
	struct conf c;

	(void)state;
	assert_int_equal(parse(&c, "# first\n\nmode:off, bad:1\n#\nbad:2"), 2);
	assert_string_equal(lines[0], "test:3: \"bad:1\": unknown key");
	assert_string_equal(lines[1], "test:5: \"bad:2\": unknown key");
	/* The environment has no lines to count. */
	assert_int_equal(parse(&c, "bad:1"), 1);
	assert_string_equal(lines[0], "test: \"bad:1\": unknown key");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, conf_setup)
	const struct CMUnitTest tests[] = {
		T(test_defaults),
		T(test_every_key),
		T(test_names),
		T(test_numbers),
		T(test_bad_values),
		T(test_bad_pair_is_skipped),
		T(test_blanks_and_comments),
		T(test_length_is_exact),
		T(test_repeated_key),
		T(test_sections),
		T(test_paths_and_texts),
		T(test_child_gets_its_own_file),
		T(test_lines_are_bounded_in_number),
		T(test_a_megabyte),
		T(test_line_numbers),
	};
#undef T
	return cmocka_run_group_tests(tests, NULL, NULL);
}
