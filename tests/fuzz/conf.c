// SPDX-License-Identifier: BSD-2-Clause
/*
 * Any bytes as configuration: nothing outside the text is read, every line of complaint is bounded
 * and printable, every value ends up in its range, and the same text gives the same result twice.
 * Built by tests/fuzz/run.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "os.h"

#define CHECK(what)                                                                                \
	do {                                                                                       \
		if (!(what))                                                                       \
			abort();                                                                   \
	} while (0)

static unsigned said;

static void say(const char *line)
{
	size_t n = strlen(line);

	CHECK(n && n < CONF_LINE_MAX);
	for (size_t i = 0; i < n; i++)
		CHECK(line[i] >= ' ' && line[i] <= '~');
	CHECK(++said <= CONF_LINES_MAX + 1);
}

static pid_t fake_getpid(void)
{
	return 4194304;
}

static void check_path(const char *path)
{
	CHECK(memchr(path, '\0', CONF_PATH_MAX));
	CHECK(!*path || *path == '/');
}

static void check(const struct conf *c)
{
	CHECK((unsigned)c->mode <= CONF_ON);
	CHECK((unsigned)c->backend <= CONF_BACKEND_NONE);
	CHECK(c->batch_bytes <= 16ull << 40 && c->keep_bytes <= 16ull << 40);
	CHECK(c->batch_ms >= 1 && c->batch_ms <= 3600000);
	CHECK(c->sweep_ms >= 1 && c->sweep_ms <= 3600000);
	CHECK(c->stats_interval_ms >= 10 && c->stats_interval_ms <= 3600000);
	CHECK(c->rollout <= CONF_BUCKETS);
	CHECK(memchr(c->rollout_salt, '\0', CONF_SALT_MAX));
	check_path(c->kill_file);
	check_path(c->stats_file);
	check_path(c->stats_file_pattern);
	CHECK(conf_bucket(c->stats_file, c->rollout_salt) < CONF_BUCKETS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct conf once, twice;
	unsigned n;

	os.getpid = fake_getpid;
	/* Padding too, so that the two can be compared as bytes. */
	memset(&once, 0, sizeof(once));
	memset(&twice, 0, sizeof(twice));
	conf_defaults(&once);
	memcpy(&twice, &once, sizeof(once));
	said = 0;
	n = conf_parse(&once, "fuzz", (const char *)data, size, say);
	CHECK(n == once.errors);
	CHECK(said == (n <= CONF_LINES_MAX ? n : CONF_LINES_MAX + 1));
	check(&once);
	CHECK(conf_parse(&twice, "fuzz", (const char *)data, size, NULL) == n);
	/* What follows the NUL of a string may differ only if more than the text went in. */
	CHECK(!memcmp(&once, &twice, sizeof(once)));
	return 0;
}
