/* SPDX-License-Identifier: BSD-2-Clause */
/* conf_check - what holds for a configuration whatever its text was; for the fuzzers of conf. */
#ifndef PTR_FUZZ_CONF_CHECK_H
#define PTR_FUZZ_CONF_CHECK_H

#include <stdbool.h>
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

static inline void check_printable(const char *s, size_t cap)
{
	const char *end = memchr(s, '\0', cap);

	CHECK(end);
	for (; s < end; s++)
		CHECK(*s >= ' ' && *s <= '~');
}

static inline void say(const char *line)
{
	check_printable(line, CONF_LINE_MAX);
	CHECK(*line);
	said++;
}

/* Every complaint is counted, the first are said, and then how many more there are. */
static inline void check_said(unsigned complaints)
{
	CHECK(said == (complaints <= CONF_LINES_MAX ? complaints : CONF_LINES_MAX + 1));
}

static inline pid_t fake_getpid(void)
{
	return 4194304;
}

/* Padding included: for configurations that started as the same bytes. */
static inline bool same_bytes(const void *a, const void *b)
{
	return !memcmp(a, b, sizeof(struct conf));
}

static inline void check_path(const char *path)
{
	CHECK(memchr(path, '\0', CONF_PATH_MAX));
	CHECK(!*path || *path == '/');
}

static inline void check_conf(const struct conf *c)
{
	CHECK((unsigned)c->mode <= CONF_ON);
	CHECK((unsigned)c->rollout_others <= CONF_OBSERVE);
	CHECK((unsigned)c->tune <= CONF_TUNE_APPLY);
	CHECK((unsigned)c->backend <= CONF_BACKEND_NONE);
	CHECK(c->batch_bytes <= 16ull << 40 && c->keep_bytes <= 16ull << 40);
	CHECK(c->batch_ms >= 1 && c->batch_ms <= 3600000);
	CHECK(c->sweep_ms >= 1 && c->sweep_ms <= 3600000);
	CHECK(c->stats_interval_ms >= 10 && c->stats_interval_ms <= 3600000);
	CHECK(c->rollout <= CONF_BUCKETS);
	CHECK(memchr(c->rollout_salt, '\0', CONF_SALT_MAX));
	CHECK(memchr(c->rollout_id, '\0', CONF_ID_MAX));
	check_path(c->kill_file);
	check_path(c->stats_file);
	check_path(c->stats_file_pattern);
	check_printable(c->rule, sizeof(c->rule));
	CHECK(!*c->rule || *c->rule == '[');
	CHECK(conf_bucket(c->rollout_id, c->rollout_salt) < CONF_BUCKETS);
	CHECK(conf_effective_mode(c) <= c->mode);
}

#endif
