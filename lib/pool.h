/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pool - the library's own memory: taken from the kernel in chunks, handed out once, never freed.
 *
 * Hooks run where malloc must not be called, so the region map takes its nodes from here. Lock-free:
 * a thread that dies in the middle (fork) costs at most the piece it was taking.
 */
#ifndef PTR_POOL_H
#define PTR_POOL_H

#include <stddef.h>
#include <stdint.h>

/* Zeroed memory aligned to 128 bytes, for the calling thread to touch first: that puts it on its node. NULL
 * if the kernel has none. Any thread. */
void *pool_alloc(size_t size);

/* Bytes mapped for the pool so far. */
uint64_t pool_bytes(void);
/* Of these, for threads on a node. */
uint64_t pool_node_bytes(unsigned node);

/* Unmap everything (tests; nothing may use pool memory any more). */
void pool_reset(void);

#endif
