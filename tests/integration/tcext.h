/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcext - tcmalloc's extension interface, as far as the tests use it: whatever tcmalloc is in the
 * process, preloaded or linked. And the resident memory, without the allocator's help.
 */
#ifndef PTR_TESTS_TCEXT_H
#define PTR_TESTS_TCEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Is there a tcmalloc? Before the others, which otherwise end the program with exit status 5. */
bool tcext_find(void);

bool tcext_get(const char *name, size_t *value);
bool tcext_set(const char *name, size_t value);
void tcext_release_free_memory(void);
void tcext_release(size_t bytes);
/* Of the debug builds: is every block's surrounding intact? True in others. */
bool tcext_verify(void);

/* VmRSS in kB as of now. Allocates nothing. */
size_t rss_kb(void);

#endif
