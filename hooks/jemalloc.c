// SPDX-License-Identifier: BSD-2-Clause
/* jemalloc - find it, install the hooks, stand in for its mallctl: see jemalloc.h. */
#include "jemalloc.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"
#include "engine.h"
#include "imports.h"
#include "os.h"

/* With at most this many arenas, all of them are made and hooked at start: 85 kB of RSS each. */
#define EAGER_ARENAS 16
/* The huge arena is made by an allocation as large as its threshold, if that is not absurd. */
#define HUGE_LIMIT ((size_t)64 << 20)

/* How long calls under way are waited for where hooks are installed late. */
#define PASSING_MS 1000

#define EXPORT __attribute__((visibility("default")))

typedef int mallctl_fn(const char *, void *, size_t *, void *, size_t);
typedef int nametomib_fn(const char *, size_t *, size_t *);
typedef int bymib_fn(const size_t *, size_t, void *, size_t *, void *, size_t);
typedef void *mallocx_fn(size_t, int);
typedef void dallocx_fn(void *, int);

/* What we export in jemalloc's place. The name `mallctl` may mean jemalloc's even in here, where it
 * was preloaded before us: only `our_mallctl` is surely ours. */
static mallctl_fn our_mallctl;
static nametomib_fn our_mallctlnametomib;
static bymib_fn our_mallctlbymib;
EXPORT mallctl_fn mallctl __attribute__((alias("our_mallctl")));
EXPORT nametomib_fn mallctlnametomib __attribute__((alias("our_mallctlnametomib")));
EXPORT bymib_fn mallctlbymib __attribute__((alias("our_mallctlbymib")));

/* jemalloc's own entry points, by the prefix it was built with. */
static struct {
	_Atomic bool looked;
	const char *prefix;
	mallctl_fn *ctl;
	nametomib_fn *nametomib;
	bymib_fn *bymib;
	mallocx_fn *mallocx;
	dallocx_fn *dallocx;
	size_t hooks_mib[3]; /* arena.<i>.extent_hooks */
	size_t create_mib[2];
	unsigned automatic; /* how many arenas jemalloc makes for threads */
	unsigned own;	    /* the same and the huge arena: with these indices it begins */
	bool stands_in;	    /* ours is the mallctl that the program calls */
	_Atomic bool installed;
	_Atomic uint32_t
		passing; /* calls that may set hooks, and have seen that nothing is installed */
} je;

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

static void resolve(void)
{
	static const char *const prefixes[] = {"", "je_", "jemk_", "_rjem_"};

	if (atomic_load(&je.looked))
		return;
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		const char *p = prefixes[i];

		/* Object pointers to functions, as POSIX has dlsym do it. The first tells where it is. */
		je.mallocx = NULL;
		*(void **)&je.mallocx = find(p, "mallocx", NULL);
		*(void **)&je.ctl = find(p, "mallctl", (void *)our_mallctl);
		*(void **)&je.bymib = find(p, "mallctlbymib", (void *)our_mallctlbymib);
		*(void **)&je.nametomib = find(p, "mallctlnametomib", (void *)our_mallctlnametomib);
		*(void **)&je.dallocx = find(p, "dallocx", NULL);
		je.prefix = p;
		if (je.ctl && je.bymib && je.nametomib)
			break;
		je.ctl = NULL;
	}
	/* Not asked again: in a fork's child the loader's lock may be lost. */
	je.stands_in = !je.prefix[0] && dlsym(RTLD_DEFAULT, "mallctl") == (void *)our_mallctl;
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
	const void *except[] = {(const void *)je.ctl, (const void *)our_mallctl, NULL};
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

static int hooks_ctl(size_t arena, void *oldp, size_t *oldlenp, void *newp, size_t newlen)
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
		return !hooks_ctl(i, &has, &len, NULL, 0);
	(void)snprintf(name, sizeof(name), "arena.%u.dirty_decay_ms", i);
	return !read_value(name, &ms, sizeof(ms));
}

static struct je_hooks *hooks_of(unsigned arena)
{
	struct je_hooks *h = NULL;
	size_t len = sizeof(h);

	return hooks_ctl(arena, &h, &len, NULL, 0) ? NULL : h;
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
	size_t n = 3;

	*out = (struct je_found){0};
	resolve();
	if (!je.ctl || read_value("version", &text, sizeof(text)) || !text)
		return false;
	(void)snprintf(out->version, sizeof(out->version), "%.40s", text);
	/* "5.3.0-0-g54eaed1d8b56..." */
	out->version[strcspn(out->version, "-")] = '\0';
	je_facts.retain = read_bool("opt.retain");
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
static bool install(unsigned arena)
{
	struct je_hooks *has = NULL, *wrapped, *ours, *old;
	size_t len = sizeof(has);

	if (hooks_ctl(arena, &has, &len, NULL, 0) || !has)
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
		if (hooks_ctl(arena, &old, &len, &ours, sizeof(ours)))
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
	(void)install(index);
	if (p)
		je.dallocx(p, 0);
}

bool jemalloc_poll(void)
{
	unsigned n = read_unsigned("arenas.narenas");
	bool left = false;

	for (unsigned i = 0; i < n; i++)
		if (!arena_initialized(i) || !install(i))
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
	(void)jemalloc_wrap(je_facts.stock);
	replace_memset();
}

int jemalloc_hook_arena(unsigned arena)
{
	struct je_hooks *has = NULL;
	size_t len = sizeof(has);

	if (hooks_ctl(arena, &has, &len, NULL, 0) || !has)
		return EINVAL;
	return install(arena) ? 0 : EAGAIN;
}

/* Is nothing installed yet? Then a call that may set hooks goes past us, and passed() comes after it. */
static bool pass(void)
{
	atomic_fetch_add(&je.passing, 1);
	if (!je.installed && !je_facts.named)
		return true;
	atomic_fetch_sub(&je.passing, 1);
	return false;
}

static int passed(int r)
{
	atomic_fetch_sub(&je.passing, 1);
	return r;
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
	wait_for_passing();
	for (unsigned i = 0; i < automatic; i++)
		if (automatic <= EAGER_ARENAS || arena_initialized(i))
			(void)install(i);
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

static bool arena_is_ours(size_t arena)
{
	struct je_hooks *cur = NULL;
	size_t len = sizeof(cur);

	return !hooks_ctl(arena, &cur, &len, NULL, 0) && jemalloc_unwrap(cur) != cur;
}

/* The program reads and writes an arena's hooks: it sees its own. */
static int program_hooks(size_t arena, void *oldp, size_t *oldlenp, void *newp, size_t newlen)
{
	struct je_hooks *fresh = NULL, *wrapped;
	int r;

	/* Where the program names what we serve, an arena that it did not name is its own. */
	if (newp && newlen == sizeof(fresh) && (je.installed || arena_is_ours(arena))) {
		memcpy(&fresh, newp, sizeof(fresh));
		wrapped = jemalloc_wrap(fresh);
		/* Out of shims: an arena in our account cannot do without, another can. */
		if (!wrapped && arena_is_ours(arena))
			return EAGAIN;
		if (wrapped)
			newp = &wrapped;
	}
	r = hooks_ctl(arena, oldp, oldlenp, newp, newlen);
	if (!r && oldp && oldlenp && *oldlenp == sizeof(fresh)) {
		memcpy(&fresh, oldp, sizeof(fresh));
		fresh = jemalloc_unwrap(fresh);
		memcpy(oldp, &fresh, sizeof(fresh));
	}
	return r;
}

/* The program made an arena: *oldp is its index. */
static void program_created(int r, const void *oldp, const size_t *oldlenp)
{
	unsigned arena;

	if (r || !oldp || !oldlenp || *oldlenp != sizeof(arena))
		return;
	memcpy(&arena, oldp, sizeof(arena));
	(void)install(arena);
}

static bool is_hooks_name(const char *name, size_t *arena)
{
	char *end;

	if (strncmp(name, "arena.", 6) != 0 || name[6] < '0' || name[6] > '9')
		return false;
	*arena = strtoul(name + 6, &end, 10);
	return !strcmp(end, ".extent_hooks");
}

/* Most names end at the second byte: all of jemalloc's come by here. */
static bool is_create_name(const char *name)
{
	if (name[0] == 'a')
		return !strcmp(name, "arenas.create");
	return name[0] == 'e' && name[1] == 'x' && !strcmp(name, "experimental.arenas_create_ext");
}

/*
 * A jemalloc that we do not know: it came with a plugin, after we looked, and even where the plugin keeps
 * its names to itself ours are found before them. Asked anew each time, as the plugin may go.
 */
static void *unknown(const char *name)
{
	return je.ctl && !je.prefix[0] ? NULL : imports_find(name, (const void *)our_mallctl);
}

/* jemalloc's mallctl(3), but for the names above and those of our properties. */
static int our_mallctl(const char *name, void *oldp, size_t *oldlenp, void *newp, size_t newlen)
{
	mallctl_fn *other;
	size_t arena;
	int r;

	if (name && ctl_is_ours(name))
		return ctl_byname(name, oldp, oldlenp, newp, newlen);
	resolve();
	*(void **)&other = unknown("mallctl");
	if (other)
		return other(name, oldp, oldlenp, newp, newlen);
	if (!je.ctl)
		return ENOENT;
	if (name && is_hooks_name(name, &arena))
		return pass() ? passed(je.ctl(name, oldp, oldlenp, newp, newlen))
			      : program_hooks(arena, oldp, oldlenp, newp, newlen);
	if (!je.installed || !name || !is_create_name(name))
		return je.ctl(name, oldp, oldlenp, newp, newlen);
	r = je.ctl(name, oldp, oldlenp, newp, newlen);
	program_created(r, oldp, oldlenp);
	return r;
}

/* jemalloc's mallctlnametomib(3): the MIBs of our names are none of jemalloc's. */
static int our_mallctlnametomib(const char *name, size_t *mibp, size_t *miblenp)
{
	nametomib_fn *other;

	if (name && ctl_is_ours(name))
		return ctl_nametomib(name, mibp, miblenp);
	resolve();
	*(void **)&other = unknown("mallctlnametomib");
	if (other)
		return other(name, mibp, miblenp);
	return je.ctl ? je.nametomib(name, mibp, miblenp) : ENOENT;
}

/* jemalloc's mallctlbymib(3), likewise. */
static int our_mallctlbymib(const size_t *mib, size_t miblen, void *oldp, size_t *oldlenp,
			    void *newp, size_t newlen)
{
	bymib_fn *other;
	int r;

	if (ctl_is_ours_mib(mib, miblen))
		return ctl_bymib(mib, miblen, oldp, oldlenp, newp, newlen);
	resolve();
	*(void **)&other = unknown("mallctlbymib");
	if (other)
		return other(mib, miblen, oldp, oldlenp, newp, newlen);
	if (!je.ctl)
		return ENOENT;
	/* Which of them sets hooks is not known before. */
	if (newp && miblen == 3 && !je.installed && pass())
		return passed(je.bymib(mib, miblen, oldp, oldlenp, newp, newlen));
	if ((je.installed || je_facts.named) && miblen == 3 && mib[0] == je.hooks_mib[0] &&
	    mib[2] == je.hooks_mib[2])
		return program_hooks(mib[1], oldp, oldlenp, newp, newlen);
	r = je.bymib(mib, miblen, oldp, oldlenp, newp, newlen);
	if (miblen == 2 && je.installed && mib[0] == je.create_mib[0] && mib[1] == je.create_mib[1])
		program_created(r, oldp, oldlenp);
	return r;
}
