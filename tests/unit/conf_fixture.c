// SPDX-License-Identifier: BSD-2-Clause
/* conf_fixture - see conf_fixture.h. */
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

#include "conf_fixture.h"
#include "os.h"

char lines[LINES_MAX][CONF_LINE_MAX];
unsigned n_lines;

void say(const char *line)
{
	assert_true(strlen(line) < CONF_LINE_MAX);
	assert_true(n_lines < LINES_MAX);
	for (const char *s = line; *s; s++)
		assert_true(*s >= ' ' && *s <= '~');
	strcpy(lines[n_lines++], line);
}

struct fake_file files[FILES_MAX];
const char *fake_exe;
unsigned maps, unmaps;
bool no_memory;
pid_t fake_pid;

void add_file(const char *path, const char *text)
{
	for (unsigned i = 0; i < FILES_MAX; i++) {
		if (files[i].path)
			continue;
		files[i] = (struct fake_file){path, text, strlen(text), 0};
		return;
	}
	fail();
}

static ssize_t fake_read_file(const char *path, char *buf, size_t cap)
{
	for (unsigned i = 0; i < FILES_MAX && files[i].path; i++) {
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

static ssize_t fake_read_link(const char *path, char *buf, size_t cap)
{
	size_t n = fake_exe ? strlen(fake_exe) : 0;

	assert_string_equal(path, "/proc/self/exe");
	if (!fake_exe)
		return -ENOENT;
	if (n >= cap)
		return -ENAMETOOLONG;
	memcpy(buf, fake_exe, n + 1);
	return (ssize_t)n;
}

void set_invoked(const char *name)
{
	static char room[512];

	assert_true(strlen(name) < sizeof(room));
	strcpy(room, name);
	program_invocation_short_name = room;
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

int conf_setup(void **state)
{
	(void)state;
	memset(files, 0, sizeof(files));
	n_lines = maps = unmaps = 0;
	no_memory = false;
	fake_pid = 4242;
	fake_exe = "/usr/bin/prog";
	set_invoked("prog");
	os.read_file = fake_read_file;
	os.read_link = fake_read_link;
	os.map = fake_map;
	os.unmap = fake_unmap;
	os.getpid = fake_getpid;
	return unsetenv(CONF_ENV);
}

unsigned parse(struct conf *c, const char *text)
{
	n_lines = 0;
	conf_defaults(c);
	return conf_parse(c, "test", text, strlen(text), say);
}

unsigned parse_file(struct conf *c, const char *program, const char *text)
{
	n_lines = 0;
	conf_defaults(c);
	assert_true(strlen(program) < sizeof(c->program));
	strcpy(c->program, program);
	return conf_parse_file(c, "test", text, strlen(text), say);
}

void assert_same(const struct conf *a, const struct conf *b)
{
	assert_int_equal(a->mode, b->mode);
	assert_int_equal(a->backend, b->backend);
	assert_true(a->batch_bytes == b->batch_bytes);
	assert_true(a->batch_ms == b->batch_ms);
	assert_true(a->keep_bytes == b->keep_bytes);
	assert_true(a->policy == b->policy);
	assert_true(a->sweep_ms == b->sweep_ms);
	assert_true(a->rollout == b->rollout);
	assert_string_equal(a->rollout_salt, b->rollout_salt);
	assert_string_equal(a->rollout_id, b->rollout_id);
	assert_int_equal(a->rollout_others, b->rollout_others);
	assert_int_equal(a->tune, b->tune);
	assert_string_equal(a->kill_file, b->kill_file);
	assert_int_equal(a->stats_print, b->stats_print);
	assert_string_equal(a->stats_file, b->stats_file);
	assert_true(a->stats_interval_ms == b->stats_interval_ms);
	assert_int_equal(a->verbose, b->verbose);
	assert_int_equal(a->abort_conf, b->abort_conf);
}
