// SPDX-License-Identifier: BSD-2-Clause
/*
 * preload - what happens when the library is loaded: configuration, mode, which allocators are in
 * this process, fork handler, statistics at exit.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "conf.h"
#include "ctl.h"
#include "engine.h"
#include "gperftools.h"
#include "imports.h"
#include "jemalloc.h"
#include "jemalloc_tune.h"
#include "madvise.h"
#include "node.h"
#include "os.h"
#include "page.h"
#include "preload.h"
#include "ptreclaim.h"
#include "publish.h"
#include "stats.h"
#include "worker.h"

/* How long to wait for another thread that is starting something, which takes milliseconds. */
#define START_MS 1000

static struct conf conf;
static char allocators[160]; /* "jemalloc 5.3.0, gperftools 2.10" */
static _Atomic bool active;
static _Atomic bool changing; /* the mode is being changed, or arenas come to be named */
static bool threaded;	      /* there is a worker, or there was to be one */

static struct je_found jemalloc;
static bool have_jemalloc;

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

static void served(const char *name, const char *version)
{
	size_t n = strlen(allocators);

	(void)snprintf(allocators + n, sizeof(allocators) - n, "%s%s%s%s", n ? ", " : "", name,
		       *version ? " " : "", version);
}

static void left_alone(const char *name, const char *version, const char *why,
		       void (*how)(const char *))
{
	char line[256];

	(void)snprintf(line, sizeof(line), "%s %s is left alone: %s", name, version, why);
	how(line);
}

/* In the child there is no worker. Starting one here rather than at the first need keeps thread
 * creation, which allocates, out of the hooks. */
static void after_fork_in_child(void)
{
	atomic_store(&changing, false);
	stats_fork_child();
	engine_fork_child();
	ctl_fork_child();
	conf_refresh_pid(&conf);
	publish_init(&conf, allocators);
	page_fork_child();
	worker_set_page(publish_page);
	/* Says nothing of a failure: the child may have no standard error, and it works without. */
	(void)worker_start(&conf);
}

static void wait_ms(void)
{
	static const uint32_t never;

	os.futex_wait(&never, 0, 1000000);
}

/* The engine is started once, by whoever comes first: later there can be two. */
static bool claim_engine(void)
{
	static _Atomic bool claimed;

	return !atomic_exchange(&claimed, true);
}

static void start_engine(void)
{
	if (claim_engine()) {
		engine_init(&conf);
		atomic_store(&active, true);
	}
	for (unsigned ms = 0; !atomic_load(&active) && ms < START_MS; ms++)
		wait_ms();
}

/* The same for an allocator that has hooks: only what comes through them is queued. */
static void start_engine_by_node(void)
{
	if (!engine_started())
		node_init(say_verbose);
	start_engine();
}

/* Will the program itself name the arenas to be served, as far as can be told? */
static bool names_arenas(void)
{
	const void *except[] = {&conf, NULL};

	return imports_any("ptreclaim_hook_arena", except);
}

static bool start_jemalloc(bool late)
{
	have_jemalloc = jemalloc_find(&jemalloc, late);
	if (!have_jemalloc)
		return false;
	if (jemalloc.refused) {
		left_alone("jemalloc", jemalloc.version, jemalloc.refused,
			   jemalloc.bypassed && names_arenas() ? say_verbose : say);
		return false;
	}
	if (jemalloc.warning)
		say(jemalloc.warning);
	start_engine_by_node();
	served("jemalloc", jemalloc.version);
	jemalloc_tune_start(conf.tune, jemalloc_install());
	return true;
}

static bool start_gperftools(void)
{
	char version[32], line[256];
	const char *why;

	if (!gperftools_find(version, sizeof(version)))
		return false;
	start_engine_by_node();
	why = gperftools_install();
	if (!why) {
		served("gperftools", version);
		return true;
	}
	(void)snprintf(line, sizeof(line), "gperftools %s: %s: what it zaps is swept only", version,
		       why);
	say_verbose(line);
	return false;
}

/* A program that had nothing to serve at its start has zapped something. */
static void start_late(void)
{
	if (conf_effective_mode(&conf) == CONF_OFF || !claim_engine())
		return;
	(void)engine_init(&conf);
	served("others", "");
	atomic_store(&active, true);
}

/* The allocator behind the madvise adapter, if it has a name. */
static const char *name_of_others(char *buf, size_t cap)
{
	int (*version)(void);
	int v;

	*(void **)&version = dlsym(RTLD_DEFAULT, "mi_version");
	if (!version)
		return "others";
	/* 209 is 2.0.9; newer ones say 30403 for 3.4.3. */
	v = version();
	if (v < 10000)
		(void)snprintf(buf, cap, "mimalloc %d.%d.%d", v / 100, v / 10 % 10, v % 10);
	else
		(void)snprintf(buf, cap, "mimalloc %d.%d.%d", v / 10000, v / 100 % 100, v % 100);
	return buf;
}

/*
 * The madvise adapter: for allocators without hooks, those that could not be served, and those that come
 * with a plug-in. A thread of its own is for programs that will need it.
 */
static void start_others(void)
{
	const void *served_already[3] = {NULL};
	char name[64];
	size_t n = 0;

	if (jemalloc_served())
		served_already[n++] = jemalloc_served();
	if (gperftools_served())
		served_already[n++] = gperftools_served();
	if (!madvise_wanted(served_already)) {
		madvise_install(conf.sweep_ms, n ? NULL : start_late);
		return;
	}
	start_engine();
	served(name_of_others(name, sizeof(name)), "");
	madvise_install(conf.sweep_ms, NULL);
}

static void start_worker(void)
{
	char line[256];
	int r;

	if (threaded)
		return;
	threaded = true;
	if (conf.stats_file[0])
		worker_set_report(publish_file);
	/* Now, while nobody else is about: the worker keeps it up to date. */
	publish_page();
	worker_set_page(publish_page);
	(void)pthread_atfork(NULL, NULL, after_fork_in_child);
	r = worker_start(&conf);
	if (!r)
		return;
	(void)snprintf(line, sizeof(line),
		       "no thread for the flusher (%s): pages are zapped at once", strerror(r));
	say(line);
}

/* Serve what is there, in the mode of the configuration. `late`: the program has run already. */
static void start(bool late)
{
	bool deferring;
	char line[512];

	deferring = start_jemalloc(late);
	deferring |= start_gperftools();
	start_others();
	if (!atomic_load(&active)) {
		(void)snprintf(
			line, sizeof(line),
			"no allocator in this process that gives memory back by madvise (%s)",
			conf.reason);
		say_verbose(line);
		return;
	}
	/* Without pages to flush there is only the sweep to do, and files to write. */
	if (deferring || engine_sweeps() || conf.stats_file[0])
		start_worker();
	(void)snprintf(line, sizeof(line), "%s: %s, backend %s, mode %s (%s)", ptreclaim_version(),
		       allocators, engine_backend_name(), conf_mode_name(engine_mode()),
		       conf.reason);
	say_verbose(line);
}

/*
 * The program changes the mode. From off, where nothing was started, everything is started now: extents
 * that are there count as in use until they are given up. One at a time: 0, or EAGAIN.
 */
static int change_mode(enum conf_mode mode)
{
	if (atomic_exchange(&changing, true))
		return EAGAIN;
	if (engine_started()) {
		engine_set_mode(mode);
		if (engine_sweeps())
			start_worker();
	} else {
		conf.mode = mode;
		conf.rolled_out = true;
		if (mode != CONF_OFF)
			start(true);
	}
	atomic_store(&changing, false);
	return 0;
}

/* As start(), of the jemalloc that it left alone. 0 or an errno value. */
static int start_named(void)
{
	if (!have_jemalloc)
		return ENOENT;
	if (!jemalloc.refused)
		return 0;
	if (!jemalloc.bypassed)
		return ENOTSUP;
	start_engine_by_node();
	if (jemalloc.warning)
		say(jemalloc.warning);
	served("jemalloc", jemalloc.version);
	jemalloc_begin_named();
	start_worker();
	say_verbose("arenas of jemalloc are served as the program names them");
	return 0;
}

static bool is_off(void)
{
	return (engine_started() ? engine_mode() : conf_effective_mode(&conf)) == CONF_OFF;
}

int preload_start_for_arena(void)
{
	static _Atomic bool done;
	static int result;

	if (is_off())
		return EPERM;
	for (unsigned ms = 0; !atomic_load(&done); ms++) {
		if (!atomic_exchange(&changing, true)) {
			if (!atomic_load(&done))
				result = start_named();
			atomic_store(&done, true);
			atomic_store(&changing, false);
		} else if (ms == START_MS) {
			return EAGAIN;
		} else {
			wait_ms();
		}
	}
	return is_off() ? EPERM : result;
}

__attribute__((constructor)) static void preload_init(void)
{
	char line[256];
	bool good;

	os_init();
	madvise_find();
	(void)gperftools_reached();
	good = conf_load(&conf, getauxval(AT_SECURE) != 0, say);
	ctl_describe(&conf, allocators);
	ctl_on_mode(change_mode);
	if (!good) {
		say("abort_conf is on and the configuration is bad");
		abort();
	}
	/* Who asks why it is off is told. */
	publish_init(&conf, allocators);
	if (conf_effective_mode(&conf) != CONF_OFF) {
		start(false);
		return;
	}
	(void)snprintf(line, sizeof(line), "%s: mode off (%s)", ptreclaim_version(), conf.reason);
	say_verbose(line);
}

__attribute__((destructor)) static void preload_exit(void)
{
	if (!atomic_load(&active))
		return;
	/* A child that never came to a hook counts its own all the same. */
	engine_after_fork();
	/* Not for a child that never had one. */
	if (page_is_own())
		publish_page();
	if (conf.stats_file[0])
		publish_file();
	if (conf.stats_print)
		publish_stats(NULL, NULL, NULL);
}
