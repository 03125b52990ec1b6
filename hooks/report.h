/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report - this process's statistics, to standard error at exit and to stats_file now and then.
 * Measuring the floor walks pagemap: never from a hook.
 */
#ifndef PTR_HOOKS_REPORT_H
#define PTR_HOOKS_REPORT_H

#include <sys/types.h>

#include "conf.h"

/* What the reports say besides the counters. The strings must stay. */
void report_init(const struct conf *c, const char *allocator);

/* stats_print: everything, as text, to standard error. */
void report_print(void);

/* stats_file: write it anew. */
void report_write_file(void);

#endif
