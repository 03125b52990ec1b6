// SPDX-License-Identifier: BSD-2-Clause
/*
 * Any bytes as /etc/ptreclaim.conf, for any program. The input is the executable's path, a newline,
 * the name in argv[0], a newline, and the file.
 *
 * Besides what holds for every configuration (conf_check.h): a file without sections is what it would
 * be as one string; under a section that matches every program it is the same, and under one that can
 * match none it is nothing, without a word. Built by tests/fuzz/run.
 */
#include <errno.h>

#include "conf_check.h"

/* Whatever libFuzzer's -max_len is. */
#define TEXT_MAX 8192

static struct {
	const char *s;
	size_t n;
} path, name, file;

static char invoked[TEXT_MAX + 1];

static ssize_t fake_read_link(const char *link, char *buf, size_t cap)
{
	(void)link;
	if (path.n >= cap)
		return -ENAMETOOLONG;
	memcpy(buf, path.s, path.n);
	buf[path.n] = '\0';
	return (ssize_t)path.n;
}

static ssize_t fake_read_file(const char *of, char *buf, size_t cap)
{
	if (strcmp(of, CONF_FILE) != 0)
		return -ENOENT;
	CHECK(file.n < cap);
	memcpy(buf, file.s, file.n);
	buf[file.n] = '\0';
	return (ssize_t)file.n;
}

static void *fake_map(size_t len)
{
	static char room[CONF_FILE_MAX + 2];

	CHECK(len <= sizeof(room));
	return room;
}

static int fake_unmap(void *addr, size_t len)
{
	(void)addr;
	(void)len;
	return 0;
}

/* A configuration with the names and nothing else, padding included. */
static void fresh(struct conf *c, const struct conf *names)
{
	memset(c, 0, sizeof(*c));
	conf_defaults(c);
	memcpy(c->program, names->program, sizeof(c->program));
	memcpy(c->started_as, names->started_as, sizeof(c->started_as));
}

/* The file below a line of its own. */
static unsigned parse_below(struct conf *c, const char *line, void (*say_line)(const char *))
{
	static char text[TEXT_MAX + 64];
	size_t n = strlen(line);

	memcpy(text, line, n);
	memcpy(text + n, file.s, file.n);
	return conf_parse_file(c, "fuzz", text, n + file.n, say_line);
}

static void check_without_sections(const struct conf *names)
{
	static struct conf plain, sectioned, nothing;
	unsigned n;

	fresh(&plain, names);
	fresh(&sectioned, names);
	n = conf_parse(&plain, "fuzz", file.s, file.n, NULL);
	CHECK(conf_parse_file(&sectioned, "fuzz", file.s, file.n, NULL) == n);
	CHECK(same_bytes(&plain, &sectioned));

	fresh(&sectioned, names);
	CHECK(parse_below(&sectioned, "[*]\n", NULL) == n);
	CHECK(!strcmp(sectioned.rule, sectioned.mode_source ? "[*]" : ""));
	memcpy(sectioned.rule, plain.rule, sizeof(plain.rule));
	CHECK(same_bytes(&plain, &sectioned));

	/* No name has a slash in it. */
	fresh(&sectioned, names);
	fresh(&nothing, names);
	CHECK(parse_below(&sectioned, "[/ */* ?/]\n", say) == 0);
	CHECK(same_bytes(&nothing, &sectioned));
}

static void check_loaded(void)
{
	static struct conf c, again;

	said = 0;
	CHECK(conf_load(&c, false, say) == !(c.errors && c.abort_conf));
	/* The last is the note on a host without an ID. */
	CHECK(said <= CONF_LINES_MAX + 2 && (said > 0 || !c.errors));
	check_conf(&c);
	CHECK(memchr(c.program, '\0', sizeof(c.program)) && !strchr(c.program, '/'));
	CHECK(memchr(c.started_as, '\0', sizeof(c.started_as)) && !strchr(c.started_as, '/'));
	check_printable(c.reason, sizeof(c.reason));
	CHECK(*c.reason);
	CHECK(c.bucket == conf_bucket(c.rollout_id, c.rollout_salt));
	if (!memchr(file.s, '[', file.n))
		check_without_sections(&c);
	/* What the caller chose has no say. */
	program_invocation_short_name = (char *)"";
	(void)conf_load(&c, true, NULL);
	program_invocation_short_name = invoked;
	(void)conf_load(&again, true, NULL);
	CHECK(c.mode == again.mode && c.errors == again.errors && !*again.started_as);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = (const char *)data, *end = s + size, *newline;

	if (!size || size > TEXT_MAX)
		return 0;
	newline = memchr(s, '\n', (size_t)(end - s));
	if (!newline)
		return 0;
	path.s = s;
	path.n = (size_t)(newline - s);
	name.s = newline + 1;
	newline = memchr(name.s, '\n', (size_t)(end - name.s));
	if (!newline)
		return 0;
	name.n = (size_t)(newline - name.s);
	file.s = newline + 1;
	file.n = (size_t)(end - file.s);
	memcpy(invoked, name.s, name.n);
	invoked[name.n] = '\0';
	program_invocation_short_name = invoked;
	(void)unsetenv(CONF_ENV);
	os.getpid = fake_getpid;
	os.read_link = fake_read_link;
	os.read_file = fake_read_file;
	os.map = fake_map;
	os.unmap = fake_unmap;
	check_loaded();
	return 0;
}
