// SPDX-License-Identifier: BSD-2-Clause
/* micro_text - what is read at start and asked for while it runs: configuration, properties, statistics. */
#include <stddef.h>
#include <stdint.h>

#include "conf.h"
#include "ctl.h"
#include "gbench.h"
#include "micro.h"
#include "stats.h"

#define NUMBER	"ptreclaim.batch_bytes"
#define COUNTER "ptreclaim.stats.released"

static void run_conf(struct gb_state *s)
{
	static const char text[] =
		"mode:on,backend:auto,batch_bytes:64M,batch_ms:50,keep_bytes:128M,"
		"rollout:100,rollout_salt:autumn,stats_print:true";
	struct conf c;

	while (gb_next(s)) {
		conf_defaults(&c);
		if (conf_parse(&c, "bench", text, sizeof(text) - 1, NULL))
			gb_fail(s, "the configuration has errors");
	}
}

static void run_byname(struct gb_state *s)
{
	const char *name = gb_arg(s, 0) ? COUNTER : NUMBER;

	gb_label(s, name);
	while (gb_next(s)) {
		uint64_t value;
		size_t len = sizeof(value);

		if (ctl_byname(name, &value, &len, NULL, 0))
			gb_fail(s, "cannot be read");
	}
}

static void run_bymib(struct gb_state *s)
{
	const char *name = gb_arg(s, 0) ? COUNTER : NUMBER;
	size_t mib[CTL_DEPTH], depth = CTL_DEPTH;

	gb_label(s, name);
	if (ctl_nametomib(name, mib, &depth))
		gb_fail(s, "has no MIB");
	while (gb_next(s)) {
		uint64_t value;
		size_t len = sizeof(value);

		if (ctl_bymib(mib, depth, &value, &len, NULL, 0))
			gb_fail(s, "cannot be read");
	}
}

static void run_nametomib(struct gb_state *s)
{
	while (gb_next(s)) {
		size_t mib[CTL_DEPTH], depth = CTL_DEPTH;

		if (ctl_nametomib(COUNTER, mib, &depth))
			gb_fail(s, "has no MIB");
	}
}

static void run_number(struct gb_state *s)
{
	uint64_t value;

	while (gb_next(s))
		if (ctl_read(COUNTER, &value))
			gb_fail(s, "cannot be read");
}

static void run_epoch(struct gb_state *s)
{
	uint64_t one = 1;

	while (gb_next(s))
		if (ctl_byname("ptreclaim.epoch", NULL, NULL, &one, sizeof(one)))
			gb_fail(s, "cannot be written");
}

static void run_snapshot(struct gb_state *s)
{
	static struct stats_snapshot snapshot;

	while (gb_next(s))
		stats_snapshot(&snapshot);
}

static void two(struct gb_bench *b)
{
	static const char *const names[] = {"counter"};

	gb_arg_names(b, names, 1);
	for (int64_t i = 0; i < 2; i++)
		gb_args(b, &i, 1);
}

void micro_text(void)
{
	(void)gb_add("conf/parse", run_conf);
	two(gb_add("ctl/byname", run_byname));
	two(gb_add("ctl/bymib", run_bymib));
	(void)gb_add("ctl/nametomib", run_nametomib);
	(void)gb_add("ctl/number", run_number);
	(void)gb_add("ctl/epoch", run_epoch);
	(void)gb_add("stats/snapshot", run_snapshot);
}
