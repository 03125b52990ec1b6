// SPDX-License-Identifier: BSD-2-Clause
/* The configuration: grammar, values, sources, complaints, rollout. Files are fakes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* After the four that it needs. */
#include <cmocka.h>

#include "conf.h"
#include "os.h"

/*
 * What was said.
 */
#define LINES_MAX 64

static char lines[LINES_MAX][CONF_LINE_MAX];
static unsigned n_lines;

static void say(const char *line)
{
	assert_true(strlen(line) < CONF_LINE_MAX);
	assert_true(n_lines < LINES_MAX);
	for (const char *s = line; *s; s++)
		assert_true(*s >= ' ' && *s <= '~');
	strcpy(lines[n_lines++], line);
}

/*
 * Files that exist, the page the parser maps, and the pid.
 */
struct fake_file {
	const char *path, *text;
	size_t len;
	int error;
};

static struct fake_file files[8];
static unsigned maps, unmaps;
static bool no_memory;
static pid_t fake_pid;

static void add_file(const char *path, const char *text)
{
	for (unsigned i = 0; i < 8; i++) {
		if (files[i].path)
			continue;
		files[i] = (struct fake_file){path, text, strlen(text), 0};
		return;
	}
	fail();
}

static ssize_t fake_read_file(const char *path, char *buf, size_t cap)
{
	for (unsigned i = 0; i < 8 && files[i].path; i++) {
		size_t n = files[i].len < cap - 1 ? files[i].len : cap - 1;

		if (strcmp(files[i].path, path))
			continue;
		if (files[i].error)
			return files[i].error;
		memcpy(buf, files[i].text, n);
		buf[n] = '\0';
		return (ssize_t)n;
	}
	return -ENOENT;
}

static void *fake_map(size_t len)
{
	if (no_memory)
		return NULL;
	maps++;
	return os_linux.map(len);
}

static int fake_unmap(void *addr, size_t len)
{
	unmaps++;
	return os_linux.unmap(addr, len);
}

static pid_t fake_getpid(void)
{
	return fake_pid;
}

static int setup(void **state)
{
	(void)state;
	memset(files, 0, sizeof(files));
	n_lines = maps = unmaps = 0;
	no_memory = false;
	fake_pid = 4242;
	os.read_file = fake_read_file;
	os.map = fake_map;
	os.unmap = fake_unmap;
	os.getpid = fake_getpid;
	return unsetenv(CONF_ENV);
}

/* Defaults with text on top. */
static unsigned parse(struct conf *c, const char *text)
{
	n_lines = 0;
	conf_defaults(c);
	return conf_parse(c, "test", text, strlen(text), say);
}

static void assert_same(const struct conf *a, const struct conf *b)
{
	assert_int_equal(a->mode, b->mode);
	assert_int_equal(a->backend, b->backend);
	assert_true(a->batch_bytes == b->batch_bytes);
	assert_true(a->batch_ms == b->batch_ms);
	assert_true(a->keep_bytes == b->keep_bytes);
	assert_true(a->sweep_ms == b->sweep_ms);
	assert_true(a->rollout == b->rollout);
	assert_string_equal(a->rollout_salt, b->rollout_salt);
	assert_string_equal(a->kill_file, b->kill_file);
	assert_int_equal(a->stats_print, b->stats_print);
	assert_string_equal(a->stats_file, b->stats_file);
	assert_true(a->stats_interval_ms == b->stats_interval_ms);
	assert_int_equal(a->verbose, b->verbose);
	assert_int_equal(a->abort_conf, b->abort_conf);
}

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
	assert_int_equal(parse(&c, "mode:observe,backend:remap,batch_bytes:5M,batch_ms:7,"
				   "keep_bytes:0,sweep_ms:11,rollout:250,rollout_salt:may be:x,"
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

static void test_paths(void **state)
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

static void test_sources_in_order(void **state)
{
	struct conf c;

	(void)state;
	add_file(CONF_FILE, "batch_ms:7,sweep_ms:8\n# more\nkeep_bytes:1M, bad:1\n");
	assert_true(conf_load(&c, false, say));
	assert_true(c.batch_ms == 7 && c.sweep_ms == 8 && c.keep_bytes == 1u << 20);
	assert_int_equal(c.errors, 1);
	assert_string_equal(lines[0], "/etc/ptreclaim.conf:3: \"bad:1\": unknown key");

	n_lines = 0;
	assert_int_equal(setenv(CONF_ENV, "sweep_ms:9,bad:2", 1), 0);
	assert_true(conf_load(&c, false, say));
	assert_true(c.batch_ms == 7 && c.sweep_ms == 9);
	assert_int_equal(c.errors, 2);
	assert_string_equal(lines[1], "PTRECLAIM_CONF: \"bad:2\": unknown key");

	/* A privileged program does not listen to whoever started it. */
	assert_true(conf_load(&c, true, say));
	assert_true(c.sweep_ms == 8);
	assert_int_equal(c.errors, 1);
	assert_int_equal(maps, 3);
	assert_int_equal(unmaps, 3);
}

static void test_abort_conf(void **state)
{
	struct conf c;

	(void)state;
	assert_int_equal(setenv(CONF_ENV, "abort_conf:true", 1), 0);
	assert_true(conf_load(&c, false, say));
	assert_int_equal(setenv(CONF_ENV, "x:y,abort_conf:true", 1), 0);
	assert_false(conf_load(&c, false, say));
	/* What counts is what is in force at the end. */
	add_file(CONF_FILE, "abort_conf:true,x:y");
	assert_int_equal(setenv(CONF_ENV, "abort_conf:false", 1), 0);
	assert_true(conf_load(&c, false, say));
	assert_true(conf_load(&c, false, NULL));
	assert_false(conf_load(&c, true, say));
}

static void test_file_trouble(void **state)
{
	const size_t len = CONF_FILE_MAX + 100;
	char *text = test_malloc(len);
	struct conf c;

	(void)state;
	add_file(CONF_FILE, "");
	files[0].error = -EACCES;
	assert_true(conf_load(&c, false, say));
	assert_int_equal(c.errors, 1);
	assert_string_equal(lines[0], "/etc/ptreclaim.conf: cannot be read, error 13");

	/* Too long: whole lines of its beginning count, and no half of a pair. */
	memset(text, '\n', len);
	memcpy(text, "batch_ms:7", 10);
	memcpy(text + CONF_FILE_MAX - 10, "sweep_ms:5555", 13);
	files[0] = (struct fake_file){CONF_FILE, text, len, 0};
	n_lines = 0;
	assert_true(conf_load(&c, false, say));
	assert_int_equal(c.errors, 1);
	assert_string_equal(lines[0],
			    "/etc/ptreclaim.conf: longer than 65536 bytes, the rest is skipped");
	assert_true(c.batch_ms == 7 && c.sweep_ms == 1000);
	files[0].len = CONF_FILE_MAX;
	assert_true(conf_load(&c, false, say));
	assert_int_equal(c.errors, 0);

	no_memory = true;
	n_lines = 0;
	assert_true(conf_load(&c, false, say));
	assert_string_equal(lines[0], "/etc/ptreclaim.conf: cannot be read, error 12");
	assert_true(c.batch_ms == 100);
	test_free(text);
}

/* Computed by another program from the formula in conf.h: they must never change. */
static void test_bucket_is_stable(void **state)
{
	(void)state;
	assert_int_equal(conf_bucket("", ""), 267);
	assert_int_equal(conf_bucket("4c3a1f0d2b5e46778899aabbccddeeff", ""), 12);
	assert_int_equal(conf_bucket("4c3a1f0d2b5e46778899aabbccddeeff", "canary"), 628);
	assert_int_equal(conf_bucket("", "canary"), 447);
	assert_int_equal(conf_bucket("web-01", ""), 356);
	assert_int_equal(conf_bucket("web-02", "2026"), 448);
}

static void test_bucket_is_uniform(void **state)
{
	static const char *const salts[] = {"", "canary", "x"};

	(void)state;
	for (unsigned s = 0; s < 3; s++) {
		unsigned decile[10] = {0};
		long chi2 = 0;

		for (unsigned i = 0; i < 10000; i++) {
			char id[33];
			unsigned b;

			(void)snprintf(id, sizeof(id), "%032x", i);
			b = conf_bucket(id, salts[s]);
			assert_true(b < 1000);
			decile[b / 100]++;
		}
		for (unsigned d = 0; d < 10; d++)
			chi2 += ((long)decile[d] - 1000) * ((long)decile[d] - 1000);
		/* Nine degrees of freedom: 27.9 is exceeded by chance once in a thousand. */
		assert_true(chi2 < 27900);
	}
}

static void test_host_id(void **state)
{
	struct conf c;

	(void)state;
	add_file("/proc/sys/kernel/hostname", "web-01\n");
	assert_true(conf_load(&c, false, say));
	assert_int_equal(c.bucket, 356);
	add_file("/var/lib/dbus/machine-id", "4c3a1f0d2b5e46778899aabbccddeeff\n");
	assert_true(conf_load(&c, false, say));
	assert_int_equal(c.bucket, 12);
	/* Not known yet, empty: the next is asked. */
	add_file("/etc/machine-id", "uninitialized\n");
	assert_true(conf_load(&c, false, say));
	assert_int_equal(c.bucket, 12);
	files[2].len = 0;
	assert_true(conf_load(&c, false, say));
	assert_int_equal(c.bucket, 12);
	files[2] = (struct fake_file){"/etc/machine-id", "web-02", 6, 0};
	assert_int_equal(setenv(CONF_ENV, "rollout_salt:2026", 1), 0);
	assert_true(conf_load(&c, false, say));
	assert_int_equal(c.bucket, 448);
	assert_int_equal(n_lines, 0);
}

static void test_rollout(void **state)
{
	struct conf c;

	(void)state;
	add_file("/etc/machine-id", "web-01\n");
	assert_int_equal(setenv(CONF_ENV, "mode:observe,rollout:356", 1), 0);
	assert_true(conf_load(&c, false, say));
	assert_false(c.rolled_out);
	assert_int_equal(conf_effective_mode(&c), CONF_OFF);
	assert_int_equal(setenv(CONF_ENV, "mode:observe,rollout:357", 1), 0);
	assert_true(conf_load(&c, false, say));
	assert_true(c.rolled_out);
	assert_int_equal(conf_effective_mode(&c), CONF_OBSERVE);
	assert_int_equal(setenv(CONF_ENV, "rollout:0", 1), 0);
	assert_true(conf_load(&c, false, say));
	assert_false(c.rolled_out);
	assert_int_equal(n_lines, 0);

	/* Nothing tells the host: said only where it matters, and no error. */
	memset(files, 0, sizeof(files));
	add_file("/proc/sys/kernel/hostname", "(none)\n");
	assert_true(conf_load(&c, false, say));
	assert_int_equal(n_lines, 0);
	assert_int_equal(setenv(CONF_ENV, "rollout:500,abort_conf:true", 1), 0);
	assert_true(conf_load(&c, false, say));
	assert_int_equal(c.bucket, 267);
	assert_int_equal(n_lines, 1);
	assert_int_equal(c.errors, 0);
}

static void test_errno_is_kept(void **state)
{
	struct conf c;

	(void)state;
	os = os_linux;
	os_init();
	assert_int_equal(setenv(CONF_ENV, "mode:what,stats_file:/tmp/%p", 1), 0);
	errno = 77;
	(void)conf_load(&c, false, NULL);
	assert_int_equal(errno, 77);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
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
		T(test_paths),
		T(test_child_gets_its_own_file),
		T(test_lines_are_bounded_in_number),
		T(test_a_megabyte),
		T(test_line_numbers),
		T(test_sources_in_order),
		T(test_abort_conf),
		T(test_file_trouble),
		T(test_bucket_is_stable),
		T(test_bucket_is_uniform),
		T(test_host_id),
		T(test_rollout),
		T(test_errno_is_kept),
	};
#undef T
	return cmocka_run_group_tests(tests, NULL, NULL);
}
