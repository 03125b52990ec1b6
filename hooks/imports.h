/* SPDX-License-Identifier: BSD-2-Clause */
/* imports - who in this process calls a function by name, and what it gets. */
#ifndef PTR_HOOKS_IMPORTS_H
#define PTR_HOOKS_IMPORTS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Does any object of this process, but for those that hold the addresses in `except` (ended by
 * NULL), have a relocation against `name`? Reads the objects that are loaded now; not from a hook.
 */
bool imports_any(const char *name, const void *const *except);

/*
 * Have the one shared object that holds `inside` call `ours` where it calls `name` through the dynamic
 * linker. False: it does not, or it is the program itself, which is not touched. Not from a hook.
 */
bool imports_replace(const char *name, const void *inside, void (*ours)(void));

/* The addresses of the object that holds `inside`: [*start, *end), of all its segments; false: there is
 * none. Not from a hook. */
bool imports_span(const void *inside, uintptr_t *start, uintptr_t *end);

/*
 * The function that a call of `name` would reach if the object that holds `ours` did not stand in
 * front: of the objects loaded behind that the first that defines it, else of all others. NULL: nobody
 * does. Allocates nothing and stays out of the dynamic linker's lookup, which may.
 */
void *imports_find(const char *name, const void *ours);

#endif
