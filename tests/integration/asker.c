// SPDX-License-Identifier: BSD-2-Clause
/*
 * asker - properties as a program sees them: asker theirs | ours MODE ALLOCATOR | load
 *
 *	theirs  what jemalloc says to a sample of its own names, for comparison: results, lengths, MIBs and,
 *	        where they do not depend on what was allocated, values
 *	ours    the library's names, which is in MODE and serves ALLOCATOR
 *	load    snapshots while threads allocate and free, and in children
 *
 * Through mallctl() and the like, or, linked with the library, through ptreclaim_ctl(). Exit status 5:
 * something was wrong, and is named.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ptreclaim.h"

typedef int ctl_fn(const char *, void *, size_t *, void *, size_t);
typedef int nametomib_fn(const char *, size_t *, size_t *);
typedef int bymib_fn(const size_t *, size_t, void *, size_t *, void *, size_t);

static ctl_fn *ctl;
static nametomib_fn *nametomib;
static bymib_fn *bymib;

static void resolve(void)
{
#ifdef LINKED
	ctl = ptreclaim_ctl;
	nametomib = ptreclaim_ctlnametomib;
	bymib = ptreclaim_ctlbymib;
#else
	*(void **)&ctl = dlsym(RTLD_DEFAULT, "mallctl");
	*(void **)&nametomib = dlsym(RTLD_DEFAULT, "mallctlnametomib");
	*(void **)&bymib = dlsym(RTLD_DEFAULT, "mallctlbymib");
	if (!ctl || !nametomib || !bymib)
		_exit(4);
#endif
}

static void check(bool good, const char *what)
{
	if (good)
		return;
	(void)fprintf(stderr, "asker: failed: %s\n", what);
	_exit(5);
}

/* --- theirs */

/* '=': the value is the same in every run. */
static const char *const theirs[] = {
	"=version",
	"epoch",
	"=background_thread",
	"=max_background_threads",
	"=config.debug",
	"=config.fill",
	"=config.malloc_conf",
	"=opt.abort",
	"=opt.narenas",
	"=opt.dirty_decay_ms",
	"=opt.muzzy_decay_ms",
	"=opt.retain",
	"=opt.dss",
	"=opt.tcache",
	"=opt.lg_extent_max_active_fit",
	"=opt.nonesuch",
	"thread.arena",
	"thread.allocated",
	"thread.allocatedp",
	"thread.tcache.enabled",
	"thread.tcache.flush",
	"=arena.0.initialized",
	"=arena.0.dirty_decay_ms",
	"=arena.0.muzzy_decay_ms",
	"=arena.0.dss",
	"=arena.0.retain_grow_limit",
	"=arena.0.nonesuch",
	"arena.0.purge",
	"arena.0.decay",
	"arena.999999.purge",
	"=arenas.dirty_decay_ms",
	"=arenas.quantum",
	"=arenas.page",
	"=arenas.nbins",
	"=arenas.bin.0.size",
	"=arenas.bin.5.nregs",
	"=arenas.bin.99999.size",
	"=arenas.lextent.3.size",
	"arenas.narenas",
	"stats.allocated",
	"stats.active",
	"stats.metadata",
	"stats.arenas.0.nthreads",
	"stats.arenas.0.pactive",
	"stats.arenas.0.small.nmalloc",
	"=prof.active",
	"=prof.interval",
	"=",
	"=.",
	"=epoch.",
	"=epoch.x",
	"=arenas",
	"=arenas.bin",
	"=stats.arenas",
	"=p",
	"=pt",
	"=ptreclaimer",
	"=ptreclai.mode",
};

static void say_value(const char *what, int r, const unsigned char *value, size_t len, bool shown)
{
	(void)printf(" %s %d %zu", what, r, len);
	for (size_t i = 0; shown && i < len && i < 16; i++)
		(void)printf("%c%02x", i ? '-' : ':', value[i]);
}

static void say(const char *name)
{
	bool same = *name == '=', pointer;
	size_t mib[8], miblen = 8;
	int r;

	name += same;
	/* Where strings are differs from run to run. */
	pointer = !strcmp(name, "version") || strstr(name, "dss") || strstr(name, "conf");
	(void)printf("%s:", name);
	for (size_t room = 0; room <= 12; room += 4) {
		unsigned char value[16] = {0};
		size_t len = room;

		r = ctl(name, value, &len, NULL, 0);
		if (pointer && len == sizeof(char *) && room == len && !r) {
			const char *text;

			memcpy(&text, value, sizeof(text));
			(void)printf(" '%s'", text);
		}
		say_value("read", r, value, len, same && !pointer);
	}
	for (size_t room = 0; room <= 8; room++) {
		memset(mib, 0, sizeof(mib));
		miblen = room;
		r = nametomib(name, mib, &miblen);
		(void)printf(" mib %d %zu", r, miblen);
		for (size_t i = 0; !r && i < miblen; i++)
			(void)printf(".%zu", mib[i]);
	}
	if (!r) {
		unsigned char value[16] = {0};
		size_t len = sizeof(uint64_t);

		r = bymib(mib, miblen, value, &len, NULL, 0);
		say_value("bymib", r, value, len, same && !pointer);
		/* A length that is no type's. */
		(void)printf(" write %d", bymib(mib, miblen, NULL, NULL, value, 3));
	}
	(void)printf("\n");
}

static int ask_theirs(void)
{
	for (size_t i = 0; i < sizeof(theirs) / sizeof(theirs[0]); i++)
		say(theirs[i]);
	return 0;
}

/* --- ours */

static const char *string(const char *name)
{
	const char *value = NULL;
	size_t len = sizeof(value);

	check(!ctl(name, &value, &len, NULL, 0) && value, name);
	return value;
}

static uint64_t number(const char *name)
{
	size_t mib[8], miblen = 8, len = sizeof(uint64_t);
	uint64_t value = 0, again = 0;

	check(!ctl(name, &value, &len, NULL, 0) && len == sizeof(value), name);
	check(!nametomib(name, mib, &miblen) && miblen > 1, name);
	check(!bymib(mib, miblen, &again, &len, NULL, 0) && again == value, name);
	return value;
}

static int set_number(const char *name, uint64_t value)
{
	return ctl(name, NULL, NULL, &value, sizeof(value));
}

static void work(unsigned rounds)
{
	for (unsigned i = 0; i < rounds; i++) {
		size_t size = (size_t)65536 << i % 6;
		char *p = malloc(size);

		check(p != NULL, "malloc");
		memset(p, 1, size);
		free(p);
	}
}

/* By one MIB, whose third number is the arena. */
static void ask_arenas(void)
{
	size_t mib[8], miblen = 8, len = sizeof(unsigned);
	unsigned arenas;

	check(!ctl("ptreclaim.arenas", &arenas, &len, NULL, 0), "arenas");
	check(!nametomib("ptreclaim.arena.0.purged", mib, &miblen) && miblen == 4,
	      "MIB of an arena");
	for (unsigned i = 0; i <= arenas; i++) {
		uint64_t value;
		int r;

		mib[2] = i;
		len = sizeof(value);
		r = bymib(mib, miblen, &value, &len, NULL, 0);
		check(!r || r == ENOENT, "an arena");
		check(i < arenas || r == ENOENT, "the arena behind the last");
	}
}

static void ask_errors(void)
{
	size_t mib[8], miblen = 8, len = 3;
	unsigned char bytes[8] = {0};
	const char *text = "nonsense";

	check(ctl("ptreclaim.nonesuch", NULL, NULL, NULL, 0) == ENOENT, "nonesuch");
	check(nametomib("ptreclaim.nonesuch", mib, &miblen) == ENOENT, "MIB of nonesuch");
	check(ctl("ptreclaim.batch_bytes", bytes, &len, NULL, 0) == EINVAL && len == 3, "short");
	check(ctl("ptreclaim.version", NULL, NULL, &text, sizeof(text)) == EPERM, "read only");
	check(ctl("ptreclaim.flush", bytes, &len, NULL, 0) == EPERM, "neither");
	check(ctl("ptreclaim.mode", NULL, NULL, &text, 3) != 0, "a mode of three bytes");
	check(ctl("ptreclaim.mode", NULL, NULL, &text, sizeof(text)) != 0, "no mode");
}

static int ask_ours(const char *mode, const char *allocator)
{
	uint64_t epoch, one = 1;
	size_t len = sizeof(epoch);

	check(!strcmp(string("ptreclaim.mode"), mode), "mode");
	check(!strcmp(string("ptreclaim.mode_in_force"), mode), "mode in force");
	check(strstr(string("ptreclaim.allocator"), allocator) != NULL, "allocator");
	check(!strcmp(string("ptreclaim.version"), ptreclaim_version()), "version");
	epoch = number("ptreclaim.epoch");
	work(200);
	check(!ctl("ptreclaim.epoch", &one, &len, &one, sizeof(one)), "a new epoch");
	check(one == epoch + 1, "the next epoch");
	if (!strcmp(mode, "on") && !strncmp(allocator, "jemalloc", 8))
		check(number("ptreclaim.stats.released") > 0, "something was released");
	check(!set_number("ptreclaim.batch_bytes", 12345678), "batch_bytes is written");
	check(number("ptreclaim.batch_bytes") == 12345678, "batch_bytes is read");
	check(!set_number("ptreclaim.batch_ms", 20), "batch_ms is written");
	check(number("ptreclaim.batch_ms") == 20, "batch_ms is read");
	check(set_number("ptreclaim.batch_ms", 0) == EINVAL, "a period of 0");
	check(!ctl("ptreclaim.flush", NULL, NULL, NULL, 0), "flush");
	check(!set_number("ptreclaim.epoch", 0), "an epoch");
	(void)number("ptreclaim.stats.pending");
	(void)number("ptreclaim.stats.reclaimable");
	ask_arenas();
	ask_errors();
	(void)printf("right\n");
	return 0;
}

/* --- load */

static atomic_bool stop;

static void *churn(void *arg)
{
	(void)arg;
	while (!atomic_load(&stop))
		work(6);
	return NULL;
}

static void *refresh(void *arg)
{
	(void)arg;
	while (!atomic_load(&stop)) {
		check(!set_number("ptreclaim.epoch", 0), "an epoch under load");
		(void)usleep(100);
	}
	return NULL;
}

/* Of the parent: a child may cancel what was released before it was born. */
static void consistent(bool parent)
{
	static const char *const names[] = {"ptreclaim.epoch",		 "ptreclaim.stats.released",
					    "ptreclaim.stats.deferred",	 "ptreclaim.stats.declined",
					    "ptreclaim.stats.cancelled", "ptreclaim.epoch"};
	uint64_t v[6];

	for (unsigned i = 0; i < 6; i++) {
		size_t len = sizeof(v[i]);

		check(!ctl(names[i], &v[i], &len, NULL, 0), names[i]);
	}
	if (v[0] != v[5])
		return;
	check(v[2] + v[3] <= v[1], "no more deferred and declined than released");
	check(!parent || v[4] <= v[1], "no more cancelled than released");
}

static void ask_in_child(void)
{
	int status = -1;
	pid_t child = fork();

	check(child >= 0, "fork");
	if (!child) {
		uint64_t released = number("ptreclaim.stats.released");

		work(12);
		check(!set_number("ptreclaim.epoch", 0), "an epoch in a child");
		check(number("ptreclaim.stats.released") >= released, "its own figures");
		consistent(false);
		_exit(0);
	}
	check(waitpid(child, &status, 0) == child && !status, "a child");
}

static int ask_under_load(void)
{
	pthread_t threads[4];

	for (unsigned i = 0; i < 4; i++)
		check(!pthread_create(&threads[i], NULL, i < 3 ? churn : refresh, NULL),
		      "a thread");
	for (unsigned i = 0; i < 3000; i++) {
		consistent(true);
		if (i % 100 == 0)
			ask_in_child();
	}
	atomic_store(&stop, true);
	for (unsigned i = 0; i < 4; i++)
		(void)pthread_join(threads[i], NULL);
	(void)printf("right\n");
	return 0;
}

#ifndef LINKED
/* The header's, but not this program's to link. */
const char *ptreclaim_version(void)
{
	static const char *(*version)(void);

	*(void **)&version = dlsym(RTLD_NEXT, "ptreclaim_version");
	return version ? version() : "";
}
#endif

int main(int argc, char **argv)
{
	resolve();
	if (argc == 2 && !strcmp(argv[1], "theirs"))
		return ask_theirs();
	if (argc == 4 && !strcmp(argv[1], "ours"))
		return ask_ours(argv[2], argv[3]);
	if (argc == 2 && !strcmp(argv[1], "load"))
		return ask_under_load();
	return 2;
}
