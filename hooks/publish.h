/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * publish - this process's statistics, to standard error at exit and to stats_file now and then.
 * Measuring the floor walks pagemap: never from a hook.
 */
#ifndef PTR_HOOKS_PUBLISH_H
#define PTR_HOOKS_PUBLISH_H

#include <sys/types.h>

#include "conf.h"

/* What the reports say besides the counters. The strings must stay. Again in a child after fork. */
void publish_init(const struct conf *c, const char *allocator);

/* stats_print: everything, as text, to standard error. */
void publish_print(void);

/* stats_file: write it anew. */
void publish_file(void);

#endif
