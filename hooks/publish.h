/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * publish - this process's statistics: on request, at exit, to stats_file and to the statistics page.
 * Measuring the floor walks pagemap: never from a hook.
 */
#ifndef PTR_HOOKS_PUBLISH_H
#define PTR_HOOKS_PUBLISH_H

#include <sys/types.h>

#include "conf.h"

/* What the reports say besides the counters. The strings must stay. Again in a child after fork. */
void publish_init(const struct conf *c, const char *allocator);

/* As ptreclaim_stats_print(): also where publish_init was not called. */
void publish_stats(void (*write)(void *arg, const char *text), void *arg, const char *opts);

/* stats_file: write it anew. */
void publish_file(void);

/* The statistics page: bring it up to date; makes it the first time. */
void publish_page(void);

#endif
