/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compare_json - as much of JSON as reading the benches' results takes: numbers of an object's own
 * members, wherever the line breaks are, and never those of the objects within it.
 */
#ifndef PTR_COMPARE_JSON_H
#define PTR_COMPARE_JSON_H

#include <stdbool.h>
#include <stdio.h>

/* What follows the colon of a member of the outermost object; NULL if there is none. */
const char *json_member(const char *text, const char *name);
/* Its number; NAN if there is none, or something else. */
double json_number(const char *text, const char *name);
/* A member of the entry of Google Benchmark's "benchmarks" with this name; NAN likewise. */
double json_benchmark(const char *text, const char *benchmark, const char *name);
/* All members but one (NULL: all), without the outermost braces and needless white space. */
void json_write_members(FILE *f, const char *text, const char *without);
/* A string with its quotes. */
void json_write_string(FILE *f, const char *text);
/* JSON has no NAN: null. */
void json_write_number(FILE *f, double v);

#endif
