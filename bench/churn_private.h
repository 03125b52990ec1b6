/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * churn_private - churn on an allocator of its own under a private prefix, as programs have that link
 * one beside the C library's: nobody can find it by its name, and only its system calls are to be seen.
 *
 * Included before all else (-include), so that churn's own files need not know.
 */
#ifndef PTR_CHURN_PRIVATE_H
#define PTR_CHURN_PRIVATE_H

#include <stdlib.h>

void *priv_malloc(size_t size);
void *priv_calloc(size_t n, size_t size);
void *priv_realloc(void *p, size_t size);
void *priv_aligned_alloc(size_t align, size_t size);
void priv_free(void *p);

#define malloc(size)		   priv_malloc(size)
#define calloc(n, size)		   priv_calloc(n, size)
#define realloc(p, size)	   priv_realloc(p, size)
#define aligned_alloc(align, size) priv_aligned_alloc(align, size)
#define free(p)			   priv_free(p)

#endif
