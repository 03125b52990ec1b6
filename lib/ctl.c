// SPDX-License-Identifier: BSD-2-Clause
/* ctl - see ctl.h. */
#include "ctl.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "backend.h"
#include "conf.h"
#include "engine.h"
#include "stats.h"
#include "worker.h"

#define PREFIX "ptreclaim."
#define STATS  PREFIX "stats."

static uint64_t read_mode(void)
{
	return engine_mode();
}

static uint64_t read_backend(void)
{
	return backend_kind();
}

static uint64_t read_pending(void)
{
	struct engine_state s;

	engine_state(&s);
	return s.pending_bytes;
}

static uint64_t read_kept(void)
{
	struct engine_state s;

	engine_state(&s);
	return s.kept_bytes;
}

static uint64_t read_own(void)
{
	struct engine_state s;

	engine_state(&s);
	return s.own_bytes;
}

static int (*_Atomic change_mode)(enum conf_mode mode);

void ctl_on_mode(int (*change)(enum conf_mode mode))
{
	atomic_store(&change_mode, change);
}

static int write_mode(uint64_t value)
{
	int (*change)(enum conf_mode mode) = atomic_load(&change_mode);

	if (value > CONF_ON)
		return EINVAL;
	return change ? change((enum conf_mode)value) : EPERM;
}

static int write_flush(uint64_t value)
{
	(void)value;
	engine_flush();
	return 0;
}

static int write_batch_bytes(uint64_t value)
{
	engine_set_batch_bytes(value);
	return 0;
}

static int write_keep_bytes(uint64_t value)
{
	engine_set_keep_bytes(value);
	return 0;
}

static int write_batch_ms(uint64_t value)
{
	return worker_set_batch_ms(value) ? 0 : EINVAL;
}

static int write_sweep_ms(uint64_t value)
{
	return worker_set_sweep_ms(value) ? 0 : EINVAL;
}

/* read or write NULL: that cannot be done. */
static const struct property {
	const char *name;
	uint64_t (*read)(void);
	int (*write)(uint64_t);
} properties[] = {
	{PREFIX "mode", read_mode, write_mode},
	{PREFIX "backend", read_backend, NULL},
	{PREFIX "batch_bytes", engine_batch_bytes, write_batch_bytes},
	{PREFIX "batch_ms", worker_batch_ms, write_batch_ms},
	{PREFIX "keep_bytes", engine_keep_bytes, write_keep_bytes},
	{PREFIX "sweep_ms", worker_sweep_ms, write_sweep_ms},
	{PREFIX "flush", NULL, write_flush},
	{STATS "pending", read_pending, NULL},
	{STATS "kept_now", read_kept, NULL},
	{STATS "own", read_own, NULL},
	{STATS "reclaimable", engine_reclaimable, NULL},
};

bool ctl_is_ours(const char *name)
{
	return !strncmp(name, PREFIX, sizeof(PREFIX) - 1);
}

static const struct property *find(const char *name)
{
	for (size_t i = 0; i < sizeof(properties) / sizeof(properties[0]); i++)
		if (!strcmp(properties[i].name, name))
			return &properties[i];
	return NULL;
}

static int read_counter(const char *name, uint64_t *value)
{
	struct stats_snapshot snapshot;

	for (enum stat i = 0; i < STAT_COUNT; i++) {
		if (strcmp(stats_name(i), name) != 0)
			continue;
		stats_snapshot(&snapshot);
		*value = snapshot.counter[i];
		return 0;
	}
	return ENOENT;
}

int ctl_read(const char *name, uint64_t *value)
{
	const struct property *p = find(name);

	/* A child that never came to a hook reads its own numbers all the same. */
	engine_after_fork();
	if (p && !p->read)
		return EPERM;
	if (p) {
		*value = p->read();
		return 0;
	}
	if (!strncmp(name, STATS, sizeof(STATS) - 1))
		return read_counter(name + sizeof(STATS) - 1, value);
	return ENOENT;
}

int ctl_write(const char *name, uint64_t value)
{
	const struct property *p = find(name);
	uint64_t counter;

	if (p)
		return p->write ? p->write(value) : EPERM;
	return ctl_read(name, &counter) ? ENOENT : EPERM;
}
