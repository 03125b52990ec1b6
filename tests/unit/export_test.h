/* SPDX-License-Identifier: BSD-2-Clause */
/* export_test - what the files of t-export share. */
#ifndef PTR_EXPORT_TEST_H
#define PTR_EXPORT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
/* After those that it needs. */
#include <cmocka.h>

#include "export.h"
#include "floor.h"
#include "stats.h"

/* What is rendered; set up anew for each test. */
extern struct stats_snapshot snap;
extern struct floor_report tables;
extern struct export_input in;
void set_worst(void);
void set_arenas(void);
void set_nodes(unsigned n); /* 1 or 2 */
void set_observing(void);

typedef bool (*renderer)(struct export_buf *b, const struct export_input *in);

/* All of it, until the next call. */
const char *render(renderer r);
void assert_has(const char *text, const char *what);
void assert_lacks(const char *text, const char *what);

void test_json(void **state);
void test_nodes(void **state);

#endif
