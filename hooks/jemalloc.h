/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * jemalloc - extent hooks, chained onto those that each arena had before.
 *
 * The program never sees our hooks: what it reads through mallctl are its own, and what it writes
 * is wrapped. Deferral is behind `decommit` only, the one release that jemalloc announces the reuse
 * of (by `commit`); fresh address space is left uncommitted, so that every first use is seen too.
 */
#ifndef PTR_HOOKS_JEMALLOC_H
#define PTR_HOOKS_JEMALLOC_H

#include <stdbool.h>
#include <stddef.h>

/* extent_hooks_t as it has been since jemalloc 5.0. */
struct je_hooks {
	void *(*alloc)(struct je_hooks *, void *, size_t, size_t, bool *, bool *, unsigned);
	bool (*dalloc)(struct je_hooks *, void *, size_t, bool, unsigned);
	void (*destroy)(struct je_hooks *, void *, size_t, bool, unsigned);
	bool (*commit)(struct je_hooks *, void *, size_t, size_t, size_t, unsigned);
	bool (*decommit)(struct je_hooks *, void *, size_t, size_t, size_t, unsigned);
	bool (*purge_lazy)(struct je_hooks *, void *, size_t, size_t, size_t, unsigned);
	bool (*purge_forced)(struct je_hooks *, void *, size_t, size_t, size_t, unsigned);
	bool (*split)(struct je_hooks *, void *, size_t, size_t, size_t, bool, unsigned);
	bool (*merge)(struct je_hooks *, void *, size_t, void *, size_t, bool, unsigned);
};

/* How jemalloc was found in this process. */
struct je_found {
	char version[64];
	const char *refused; /* why hooks must not be installed here; NULL if they may */
	bool bypassed;	     /* for no other reason than that the program calls mallctl past us */
	const char *warning; /* something the user should know; NULL if nothing */
};

/* Look for a jemalloc and read its options. False: there is none. Not from a hook. */
bool jemalloc_find(struct je_found *out, bool late);

/* Install the hooks: on every arena now where they are few, on those in use otherwise. True if
 * some arenas are still to come, so that jemalloc_poll must be called now and then. */
bool jemalloc_install(void);

/* Install on arenas that came into use meanwhile. The worker's chore: false when none are left. */
bool jemalloc_poll(void);

/* jemalloc's own mallctl(3) and its kin, from behind those that we put before them; ENOENT where there
 * is no jemalloc. Not from a hook. */
int jemalloc_ctl(const char *name, void *oldp, size_t *oldlenp, void *newp, size_t newlen);
int jemalloc_nametomib(const char *name, size_t *mib, size_t *miblen);
int jemalloc_bymib(const size_t *mib, size_t miblen, void *oldp, size_t *oldlenp, void *newp,
		   size_t newlen);
/* Is this an arena that jemalloc made for itself, so that nobody destroys it? Once hooks are installed. */
bool jemalloc_owns_arena(unsigned arena);
/* Do jemalloc's options give this one the value false, by name? */
bool jemalloc_option_false(const char *name);
/* Serve only arenas that the program names: once, before the first of them. */
void jemalloc_begin_named(void);

/* Put our hooks before those of one arena, also where all are served. 0 or an errno value: EINVAL, there
 * is no such arena; EAGAIN, no room for more hooks. Any thread, not from a hook. */
int jemalloc_hook_arena(unsigned arena);

/* An address in the object that the served jemalloc is; NULL: none is served. */
const void *jemalloc_served(void);

/* The hooks that wrap `prev`, made on first use; NULL if there are too many. */
struct je_hooks *jemalloc_wrap(struct je_hooks *prev);
/* What h wraps, or h if it is not ours. */
struct je_hooks *jemalloc_unwrap(struct je_hooks *h);

/* Stands in for memset where jemalloc calls it. */
void *jemalloc_memset(void *addr, int byte, size_t len);

/* For jemalloc_hooks.c: what the wrapped hooks may assume. */
struct je_facts {
	struct je_hooks *stock; /* jemalloc's own hooks */
	bool retain;		/* dalloc of the stock hooks never unmaps */
	bool dss;		/* memory may come from brk */
	bool at_once;		/* what is freed is given up at once */
	bool thp;		/* opt.thp is not the default: memory is advised */
	bool named;		/* some arenas are served, of the others' hooks we know nothing */
	bool shares_object;	/* with other code, whose memset is replaced as well */
};

extern struct je_facts je_facts;

#endif
