/* SPDX-License-Identifier: BSD-2-Clause */
/* imports - who in this process calls a function by name? */
#ifndef PTR_HOOKS_IMPORTS_H
#define PTR_HOOKS_IMPORTS_H

#include <stdbool.h>

/*
 * Does any object of this process, but for those that hold the addresses in `except` (ended by
 * NULL), have a relocation against `name`? Reads the objects that are loaded now; not from a hook.
 */
bool imports_any(const char *name, const void *const *except);

#endif
