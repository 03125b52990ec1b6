// SPDX-License-Identifier: BSD-2-Clause
/*
 * preload - what happens when the library is loaded: configuration, mode, which allocators are in
 * this process, fork handler, statistics at exit.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "conf.h"
#include "engine.h"
#include "jemalloc.h"
#include "os.h"
#include "ptreclaim.h"
#include "publish.h"
#include "worker.h"

static struct conf conf;
static char allocator[80] = "none";
static bool active;

static void say(const char *line)
{
	char buf[1024];
	int n = snprintf(buf, sizeof(buf), "ptreclaim: %s\n", line);

	if (n > 0)
		os.write_err(buf, (size_t)n < sizeof(buf) ? (size_t)n : sizeof(buf) - 1);
}

static void say_verbose(const char *line)
{
	if (conf.verbose)
		say(line);
}

/* In the child there is no worker. Starting one here rather than at the first need keeps thread
 * creation, which allocates, out of the hooks. */
static void after_fork_in_child(void)
{
	if (engine_mode() != CONF_ON)
		return;
	engine_fork_child();
	conf_refresh_pid(&conf);
	publish_init(&conf, allocator);
	/* Says nothing of a failure: the child may have no standard error, and it works without. */
	(void)worker_start(&conf);
}

static bool start_jemalloc(void)
{
	struct je_found found;
	char line[256];

	if (!jemalloc_find(&found)) {
		say_verbose("no jemalloc in this process: nothing to do");
		return false;
	}
	(void)snprintf(allocator, sizeof(allocator), "jemalloc %s", found.version);
	if (found.refused) {
		(void)snprintf(line, sizeof(line), "%s is left alone: %s", allocator,
			       found.refused);
		say(line);
		return false;
	}
	if (found.warning)
		say(found.warning);
	engine_init(&conf);
	if (jemalloc_install())
		worker_set_chore(jemalloc_poll);
	return true;
}

__attribute__((constructor)) static void preload_init(void)
{
	char line[256];
	bool good;
	int r;

	os_init();
	good = conf_load(&conf, getauxval(AT_SECURE) != 0, say);
	if (!good) {
		say("abort_conf is on and the configuration is bad");
		abort();
	}
	if (conf_effective_mode(&conf) == CONF_OFF)
		return;
	active = start_jemalloc();
	if (!active)
		return;
	publish_init(&conf, allocator);
	if (conf.stats_file[0])
		worker_set_report(publish_file);
	if (conf_effective_mode(&conf) == CONF_ON) {
		(void)pthread_atfork(NULL, NULL, after_fork_in_child);
		r = worker_start(&conf);
		if (r) {
			(void)snprintf(line, sizeof(line),
				       "no thread for the flusher (%s): pages are zapped at once",
				       strerror(r));
			say(line);
		}
	}
	(void)snprintf(line, sizeof(line), "%s: %s, backend %s, mode %s", ptreclaim_version(),
		       allocator, engine_backend_name(), conf_mode_name(engine_mode()));
	say_verbose(line);
}

__attribute__((destructor)) static void preload_exit(void)
{
	if (!active)
		return;
	/* A child that never came to a hook counts its own all the same. */
	engine_after_fork();
	if (conf.stats_file[0])
		publish_file();
	if (conf.stats_print)
		publish_print();
}
