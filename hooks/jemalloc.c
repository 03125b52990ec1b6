// SPDX-License-Identifier: BSD-2-Clause
/* jemalloc - find it and install the hooks: see jemalloc.h. What stands in for its mallctl is in
 * jemalloc_ctl.c. */
#include "jemalloc.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine.h"
#include "imports.h"
#include "jemalloc_internal.h"
#include "os.h"

/* With at most this many arenas, all of them are made and hooked at start: 85 kB of RSS each. */
#define EAGER_ARENAS 16
/* The huge arena is made by an allocation as large as its threshold, if that is not absurd. */
#define HUGE_LIMIT ((size_t)64 << 20)

/* How long calls under way are waited for where hooks are installed late. */
#define PASSING_MS 1000

struct je_entry je;

static bool same_object(const void *a, const void *b)
{
	Dl_info of_a, of_b;

	return dladdr(a, &of_a) && dladdr(b, &of_b) && of_a.dli_fbase == of_b.dli_fbase;
}

/*
 * We stand in front of the library; but a program that exports its own stands before us. So may another
 * that stands in for mallctl alone: that one comes to us, and must not be come back to.
 */
static void *find(const char *prefix, const char *name, const void *ours)
{
	char symbol[64];
	void *p, *behind;

	(void)snprintf(symbol, sizeof(symbol), "%s%s", prefix, name);
	p = dlsym(RTLD_DEFAULT, symbol);
	if (p && p != ours && (!je.mallocx || same_object(p, (const void *)je.mallocx)))
		return p;
	behind = dlsym(RTLD_NEXT, symbol);
	return behind || p == ours ? behind : p;
}

void jemalloc_resolve(void)
{
	static const char *const prefixes[] = {"", "je_", "jemk_", "_rjem_"};

	if (atomic_load(&je.looked))
		return;
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		const char *p = prefixes[i];

		/* Object pointers to functions, as POSIX has dlsym do it. The first tells where it is. */
		je.mallocx = NULL;
		*(void **)&je.mallocx = find(p, "mallocx", NULL);
		*(void **)&je.ctl = find(p, "mallctl", (void *)jemalloc_our_ctl);
		*(void **)&je.bymib = find(p, "mallctlbymib", (void *)jemalloc_our_bymib);
		*(void **)&je.nametomib =
			find(p, "mallctlnametomib", (void *)jemalloc_our_nametomib);
		*(void **)&je.dallocx = find(p, "dallocx", NULL);
		je.prefix = p;
		if (je.ctl && je.bymib && je.nametomib)
			break;
		je.ctl = NULL;
	}
	/* Not asked again: in a fork's child the loader's lock may be lost. */
	je.stands_in = !je.prefix[0] && dlsym(RTLD_DEFAULT, "mallctl") == (void *)jemalloc_our_ctl;
	atomic_store(&je.looked, true);
}

int jemalloc_ctl(const char *name, void *oldp, size_t *oldlenp, void *newp, size_t newlen)
{
	return je.ctl ? je.ctl(name, oldp, oldlenp, newp, newlen) : ENOENT;
}

int jemalloc_nametomib(const char *name, size_t *mib, size_t *miblen)
{
	return je.ctl ? je.nametomib(name, mib, miblen) : ENOENT;
}

int jemalloc_bymib(const size_t *mib, size_t miblen, void *oldp, size_t *oldlenp, void *newp,
		   size_t newlen)
{
	return je.ctl ? je.bymib(mib, miblen, oldp, oldlenp, newp, newlen) : ENOENT;
}

static int read_value(const char *name, void *value, size_t size)
{
	size_t len = size;
	int r = je.ctl(name, value, &len, NULL, 0);

	return r ? r : len == size ? 0 : EINVAL;
}

static bool read_bool(const char *name)
{
	bool b = false;

	return !read_value(name, &b, sizeof(b)) && b;
}

static size_t read_size(const char *name)
{
	size_t n = 0;

	return read_value(name, &n, sizeof(n)) ? 0 : n;
}

static unsigned read_unsigned(const char *name)
{
	unsigned n = 0;

	return read_value(name, &n, sizeof(n)) ? 0 : n;
}

/* What a string of options gives this one: the last that names it decides. NULL: it is not named. */
static const char *option_value(const char *options, const char *name)
{
	const char *value = NULL;
	size_t n = strlen(name);

	while (options && *options) {
		if (!strncmp(options, name, n) && options[n] == ':')
			value = options + n + 1;
		options += strcspn(options, ",");
		options += *options == ',';
	}
	return value;
}

static bool is_nonzero(const char *value)
{
	return strtoul(value, NULL, 10) != 0;
}

static bool is_false(const char *value)
{
	return !strncmp(value, "false", 5);
}

static bool gives(const char *options, const char *name, bool (*is)(const char *value))
{
	const char *value = option_value(options, name);

	return value && is(value);
}

/* Is this one so in any of the places that jemalloc reads its options from? */
static bool option_is(const char *name, bool (*is)(const char *value))
{
	static const char *const environment[] = {"MALLOC_CONF", "JE_MALLOC_CONF",
						  "JEMK_MALLOC_CONF", "_RJEM_MALLOC_CONF"};
	const char *built_in = NULL, *const * linked;
	char file[1024];
	ssize_t n;

	(void)read_value("config.malloc_conf", &built_in, sizeof(built_in));
	linked = dlsym(RTLD_DEFAULT, "malloc_conf");
	n = readlink("/etc/malloc.conf", file, sizeof(file) - 1);
	file[n > 0 ? n : 0] = '\0';
	if (gives(built_in, name, is) || gives(file, name, is) ||
	    (linked && gives(*linked, name, is)))
		return true;
	for (size_t i = 0; i < sizeof(environment) / sizeof(environment[0]); i++)
		if (gives(getenv(environment[i]), name, is))
			return true;
	return false;
}

/*
 * An option that mallctl may not know: 5.3.0 parses san_guard_* and does not tell them. So the places
 * are read where jemalloc reads its options; one that sets it is enough.
 */
static bool option_set(const char *name)
{
	char opt[64];

	(void)snprintf(opt, sizeof(opt), "opt.%s", name);
	return read_size(opt) || option_is(name, is_nonzero);
}

bool jemalloc_option_false(const char *name)
{
	return je.ctl && option_is(name, is_false);
}

static bool overcommit_never(void)
{
	char buf[16];

	return os.read_file("/proc/sys/vm/overcommit_memory", buf, sizeof(buf)) > 0 &&
	       buf[0] == '2';
}

/*
 * Somebody who replaces an arena's hooks without our seeing it takes pages back that we believe to be
 * pending. A jemalloc linked into the program itself is not looked at: its calls cannot be told.
 */
static bool mallctl_bypasses_us(void)
{
	const void *except[] = {(const void *)je.ctl, (const void *)jemalloc_our_ctl, NULL};
	char by_name[32], by_mib[32];

	(void)snprintf(by_name, sizeof(by_name), "%smallctl", je.prefix);
	(void)snprintf(by_mib, sizeof(by_mib), "%smallctlbymib", je.prefix);
	return !je.stands_in && (imports_any(by_name, except) || imports_any(by_mib, except));
}

static const char *why_refused(const struct je_found *found)
{
	if (strtol(found->version, NULL, 10) < 5)
		return "this version has no extent hooks";
	/* Extents with guards were not made by our hooks, and 5.3 crashes on unguarding them. */
	if (option_set("san_guard_small") || option_set("san_guard_large"))
		return "san_guard_small or san_guard_large is set, which no extent hooks survive";
	/* There the stock decommit is real, and not ours to put off. */
	if (overcommit_never())
		return "vm.overcommit_memory is 2";
	if (!je_facts.stock || !je_facts.stock->alloc)
		return "its extent hooks cannot be read";
	return NULL;
}

int jemalloc_hooks_ctl(size_t arena, void *oldp, size_t *oldlenp, void *newp, size_t newlen)
{
	size_t mib[3] = {je.hooks_mib[0], arena, je.hooks_mib[2]};

	return je.bymib(mib, 3, oldp, oldlenp, newp, newlen);
}

bool jemalloc_owns_arena(unsigned arena)
{
	return arena < je.own;
}

/*
 * arena.<i>.initialized is as of the last epoch; a setting can be read once there is an arena. It is read
 * without a lock, and one that the program made may be destroyed meanwhile: of these the hooks can be
 * read, under the lock that destroying takes.
 */
static bool arena_initialized(unsigned i)
{
	struct je_hooks *has;
	char name[64];
	size_t len = sizeof(has);
	ssize_t ms;

	if (i >= je.automatic)
		return !jemalloc_hooks_ctl(i, &has, &len, NULL, 0);
	(void)snprintf(name, sizeof(name), "arena.%u.dirty_decay_ms", i);
	return !read_value(name, &ms, sizeof(ms));
}

static struct je_hooks *hooks_of(unsigned arena)
{
	struct je_hooks *h = NULL;
	size_t len = sizeof(h);

	return jemalloc_hooks_ctl(arena, &h, &len, NULL, 0) ? NULL : h;
}

/*
 * jemalloc's own hooks. When the process starts every arena has them. Late, the program may have put its own
 * before any arena that there is: one that is still to come has jemalloc's, and so has one that is new.
 */
static struct je_hooks *stock_hooks(bool late)
{
	unsigned automatic = read_unsigned("opt.narenas"), fresh;
	size_t len = sizeof(fresh);

	if (!late)
		return hooks_of(0);
	for (unsigned i = 0; i < automatic; i++) {
		struct je_hooks *h = hooks_of(i);

		/* In this order: if it is not there now, it was not when its hooks were read. */
		if (h && !arena_initialized(i))
			return h;
	}
	return je.bymib(je.create_mib, 2, &fresh, &len, NULL, 0) ? NULL : hooks_of(fresh);
}

bool jemalloc_find(struct je_found *out, bool late)
{
	const char *text = NULL;
	ssize_t decay;
	size_t n = 3;

	*out = (struct je_found){0};
	jemalloc_resolve();
	if (!je.ctl || read_value("version", &text, sizeof(text)) || !text)
		return false;
	(void)snprintf(out->version, sizeof(out->version), "%.40s", text);
	/* "5.3.0-0-g54eaed1d8b56..." */
	out->version[strcspn(out->version, "-")] = '\0';
	je_facts.retain = read_bool("opt.retain");
	/* Absent or negative, memory is never given up for its age. */
	je_facts.at_once = !read_value("opt.dirty_decay_ms", &decay, sizeof(decay)) && decay == 0;
	je_facts.dss = read_value("opt.dss", &text, sizeof(text)) || strcmp(text, "disabled") != 0;
	je_facts.thp = !read_value("opt.thp", &text, sizeof(text)) && strcmp(text, "default") != 0;
	je_facts.stock = NULL;
	if (!je.nametomib("arena.0.extent_hooks", je.hooks_mib, &n) && n == 3) {
		n = 2;
		(void)je.nametomib("arenas.create", je.create_mib, &n);
		je_facts.stock = stock_hooks(late);
	}
	out->refused = why_refused(out);
	if (!out->refused && mallctl_bypasses_us()) {
		out->bypassed = true;
		out->refused = "the program calls its mallctl past us: put libptreclaim before it "
			       "in LD_PRELOAD";
	}
	if (read_bool("opt.hpa"))
		out->warning = "opt.hpa is on: memory that it already holds bypasses the hooks";
	return true;
}

/* Put our hooks before those that the arena has. False: it has none yet, or there was no room. */
bool jemalloc_install_on(unsigned arena)
{
	struct je_hooks *has = NULL, *wrapped, *ours, *old;
	size_t len = sizeof(has);

	if (jemalloc_hooks_ctl(arena, &has, &len, NULL, 0) || !has)
		return false;
	for (wrapped = has;; wrapped = old) {
		ours = jemalloc_wrap(wrapped);
		if (ours == has)
			return true;
		/* Out of shims: what the program set stays as it set it. */
		if (!ours && wrapped == has)
			return false;
		if (!ours)
			ours = wrapped;
		/* One call swaps. If the program has set others meanwhile, those are wrapped then. */
		len = sizeof(old);
		if (jemalloc_hooks_ctl(arena, &old, &len, &ours, sizeof(ours)))
			return false;
		if (old == has)
			return true;
		has = ours;
	}
}

/* The huge arena comes to be with the first allocation that belongs there. */
static void make_huge_arena(unsigned index)
{
	size_t threshold = read_size("opt.oversize_threshold");
	void *p;

	if (!je.mallocx || !je.dallocx || !threshold || threshold > HUGE_LIMIT)
		return;
	p = je.mallocx(threshold, 0);
	/* Hooked before it is freed, so that its address space is in our account from then on. */
	(void)jemalloc_install_on(index);
	if (p)
		je.dallocx(p, 0);
}

bool jemalloc_poll(void)
{
	unsigned n = read_unsigned("arenas.narenas");
	bool left = false;

	for (unsigned i = 0; i < n; i++)
		if (!arena_initialized(i) || !jemalloc_install_on(i))
			left = true;
	/* Under another name, or called by pointer, new arenas are not announced to us. */
	return left || !je.stands_in;
}

/* Is jemalloc a part of something larger? */
static bool shares_object(void)
{
	const char *base;
	Dl_info info;

	if (!dladdr((const void *)je.ctl, &info) || !info.dli_fname)
		return true;
	base = strrchr(info.dli_fname, '/');
	return strncmp(base ? base + 1 : info.dli_fname, "libjemalloc", 11) != 0;
}

/* Where it cannot be done, calloc of much and touch of little costs RSS: see libptreclaim(7). */
static void replace_memset(void)
{
	je_facts.shares_object = shares_object();
	(void)imports_replace("memset", (const void *)je.ctl, (void (*)(void))jemalloc_memset);
}

void jemalloc_begin_named(void)
{
	je_facts.named = true;
	engine_expect_returns(je_facts.at_once);
	(void)jemalloc_wrap(je_facts.stock);
	replace_memset();
}

int jemalloc_hook_arena(unsigned arena)
{
	struct je_hooks *has = NULL;
	size_t len = sizeof(has);

	if (jemalloc_hooks_ctl(arena, &has, &len, NULL, 0) || !has)
		return EINVAL;
	return jemalloc_install_on(arena) ? 0 : EAGAIN;
}

/*
 * Hooks that the program is just setting have to be there before ours, which wrap them. Put in the place of
 * ours they would be told of pages that are taken back, and we not. What a fork has lost is not waited for
 * for good.
 */
static void wait_for_passing(void)
{
	for (uint32_t ms = 0, n; ms < PASSING_MS && (n = atomic_load(&je.passing)); ms++)
		os.futex_wait(&je.passing, n, 1000000);
}

bool jemalloc_install(void)
{
	unsigned automatic = read_unsigned("opt.narenas");
	bool left;

	(void)jemalloc_wrap(je_facts.stock);
	je.automatic = automatic;
	je.own = automatic + (read_size("opt.oversize_threshold") != 0);
	je.installed = true;
	engine_expect_returns(je_facts.at_once);
	wait_for_passing();
	for (unsigned i = 0; i < automatic; i++)
		if (automatic <= EAGER_ARENAS || arena_initialized(i))
			(void)jemalloc_install_on(i);
	/* The next index is the huge arena's, unless the program was faster with one of its own. */
	if (read_unsigned("arenas.narenas") == automatic + 1 && !arena_initialized(automatic))
		make_huge_arena(automatic);
	left = jemalloc_poll();
	/* Not before all hooks are known: what it does goes by whether any are the program's. */
	replace_memset();
	return left;
}

const void *jemalloc_served(void)
{
	return je.installed ? (const void *)je.ctl : NULL;
}
