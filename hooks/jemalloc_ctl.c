// SPDX-License-Identifier: BSD-2-Clause
/*
 * jemalloc_ctl - stands in for jemalloc's mallctl(3) and its kin: our properties are answered here, the
 * program sees and sets its own hooks, and all else goes on to jemalloc.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "imports.h"
#include "jemalloc_internal.h"

#define EXPORT __attribute__((visibility("default")))

/* What we export in jemalloc's place. The name `mallctl` may mean jemalloc's even in here, where it
 * was preloaded before us: only `jemalloc_our_ctl` is surely ours. */
EXPORT mallctl_fn mallctl __attribute__((alias("jemalloc_our_ctl")));
EXPORT nametomib_fn mallctlnametomib __attribute__((alias("jemalloc_our_nametomib")));
EXPORT bymib_fn mallctlbymib __attribute__((alias("jemalloc_our_bymib")));

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

static bool arena_is_ours(size_t arena)
{
	struct je_hooks *cur = NULL;
	size_t len = sizeof(cur);

	return !jemalloc_hooks_ctl(arena, &cur, &len, NULL, 0) && jemalloc_unwrap(cur) != cur;
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
	r = jemalloc_hooks_ctl(arena, oldp, oldlenp, newp, newlen);
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
	(void)jemalloc_install_on(arena);
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
	return je.ctl && !je.prefix[0] ? NULL : imports_find(name, (const void *)jemalloc_our_ctl);
}

/* jemalloc's mallctl(3), but for the names above and those of our properties. */
int jemalloc_our_ctl(const char *name, void *oldp, size_t *oldlenp, void *newp, size_t newlen)
{
	mallctl_fn *other;
	size_t arena;
	int r;

	if (name && ctl_is_ours(name))
		return ctl_byname(name, oldp, oldlenp, newp, newlen);
	jemalloc_resolve();
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
int jemalloc_our_nametomib(const char *name, size_t *mibp, size_t *miblenp)
{
	nametomib_fn *other;

	if (name && ctl_is_ours(name))
		return ctl_nametomib(name, mibp, miblenp);
	jemalloc_resolve();
	*(void **)&other = unknown("mallctlnametomib");
	if (other)
		return other(name, mibp, miblenp);
	return je.ctl ? je.nametomib(name, mibp, miblenp) : ENOENT;
}

/* jemalloc's mallctlbymib(3), likewise. */
int jemalloc_our_bymib(const size_t *mib, size_t miblen, void *oldp, size_t *oldlenp, void *newp,
		       size_t newlen)
{
	bymib_fn *other;
	int r;

	if (ctl_is_ours_mib(mib, miblen))
		return ctl_bymib(mib, miblen, oldp, oldlenp, newp, newlen);
	jemalloc_resolve();
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
