/* SPDX-License-Identifier: BSD-2-Clause */
/* jemalloc_internal - what jemalloc.c and jemalloc_ctl.c share; nobody else includes it. */
#ifndef PTR_HOOKS_JEMALLOC_INTERNAL_H
#define PTR_HOOKS_JEMALLOC_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jemalloc.h"

typedef int mallctl_fn(const char *, void *, size_t *, void *, size_t);
typedef int nametomib_fn(const char *, size_t *, size_t *);
typedef int bymib_fn(const size_t *, size_t, void *, size_t *, void *, size_t);
typedef void *mallocx_fn(size_t, int);
typedef void dallocx_fn(void *, int);

/* jemalloc's own entry points, by the prefix it was built with. */
struct je_entry {
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
};

extern struct je_entry je;

/* What stands in for jemalloc's, under names that are surely ours. */
mallctl_fn jemalloc_our_ctl;
nametomib_fn jemalloc_our_nametomib;
bymib_fn jemalloc_our_bymib;

/* Look for them, once. */
void jemalloc_resolve(void);
/* arena.<i>.extent_hooks, past us. */
int jemalloc_hooks_ctl(size_t arena, void *oldp, size_t *oldlenp, void *newp, size_t newlen);
/* Put our hooks before those that the arena has. False: it has none yet, or there was no room. */
bool jemalloc_install_on(unsigned arena);

#endif
