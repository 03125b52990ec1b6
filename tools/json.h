/* SPDX-License-Identifier: BSD-2-Clause */
/* json - strings that other people chose, written so that any reader gets through. */
#ifndef PTR_JSON_H
#define PTR_JSON_H

#include <stddef.h>
#include <stdio.h>

/* s as a JSON string with its quotes; bytes that are no UTF-8 become U+FFFD. */
void json_string(FILE *f, const char *s);

/* s into buf for a terminal: control characters and bytes that are no UTF-8 become '?'. */
void plain_string(char *buf, size_t cap, const char *s);

#endif
