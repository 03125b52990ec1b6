/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gperftools - tcmalloc, by the three functions through which its page heap reaches the kernel.
 *
 * Those are interposed by their symbols and chained on. A span that was released is taken into use
 * again only after a commit, so the zap is put off behind SystemRelease, and SystemCommit cancels it;
 * tcmalloc never asks for zeroes, so that is all a commit does. All of it runs under tcmalloc's
 * page-heap lock.
 *
 * Nothing is put off before it is proven that this tcmalloc comes by here for both: a build with
 * hidden symbols, or linked into the program, does not, and is left to the madvise adapter.
 */
#ifndef PTR_HOOKS_GPERFTOOLS_H
#define PTR_HOOKS_GPERFTOOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Is there a tcmalloc of gperftools in this process, and which? Not from a hook. */
bool gperftools_find(char *version, size_t cap);

/*
 * Prove that its calls come by here and serve it from now on. Allocates with it. NULL, or why it is
 * not served. After engine_init.
 */
const char *gperftools_install(void);

/* An address in the object that the served tcmalloc is; NULL: none is served. */
const void *gperftools_served(void);

/* Of gperftools_hooks.c, for the start. */
bool gperftools_reached(void); /* tcmalloc's own functions are found */
bool gperftools_stock_release(void *start, size_t length);
/* Serve the tcmalloc whose functions were found, and no other. */
bool gperftools_only_reached(void);
/* Watch what comes by: the largest release, and whether there was a commit, since the last call. */
void gperftools_watch(bool on);
size_t gperftools_released(void);
bool gperftools_committed(void);
/* Have the tcmalloc that holds `inside` call the interposed functions. False: it does not call commit
 * or release by the dynamic linker. */
bool gperftools_replace_slots(const void *inside);
/* So much it had taken from the system and, of that, released before. */
void gperftools_catch_up(size_t taken, size_t released);
void gperftools_limit(size_t limit_mb); /* tcmalloc.heap_limit_mb */
/* From now on releases may be put off; or, where that is not proven, from when a release and a commit
 * have come by. */
void gperftools_serve(bool proven);
bool gperftools_serving(void);

#endif
