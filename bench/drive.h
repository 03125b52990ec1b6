/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * drive - the engine without an allocator: what benches of its verbs have in common.
 *
 * Nothing is flushed unless a bench asks for it, and there is room to keep everything, so that what is
 * measured is the verb that was called.
 */
#ifndef PTR_DRIVE_H
#define PTR_DRIVE_H

#include <stdbool.h>
#include <stddef.h>

/* Start the engine and its worker, which sleeps; ends the program where that fails. Main thread, once. */
void drive_start(void);
/* Forget what was learned of the owners of memory: one bench shall not decide what the next one meets. */
void drive_forget(void);
/* Say what is wrong, and end the program. */
_Noreturn void drive_die(const char *what);

/* So many whole regions, side by side, mapped as ours and in use, each with a record; untouched. */
char *drive_space(size_t regions);
void drive_space_free(char *space, size_t regions);
/* One byte in each page. */
void drive_touch(char *p, size_t len);

#endif
