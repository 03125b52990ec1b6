/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * turns - do several threads take turns at a lock of the allocator, that a hook is called under?
 *
 * A guess from who came last: a thread that was here before has nobody behind it, most likely. What a hook
 * does for its own thread's sake (populate) it does at length only then. Any thread, lock-free.
 */
#ifndef PTR_TURNS_H
#define PTR_TURNS_H

#include <stdatomic.h>
#include <stdbool.h>

struct turns {
	_Atomic(const void *) last;
} __attribute__((aligned(64))); /* those of other locks are written to by other threads */

/* Was somebody else the last to say so? */
static inline bool turns_take(struct turns *t)
{
	static __thread char me __attribute__((tls_model("initial-exec")));

	if (atomic_load_explicit(&t->last, memory_order_relaxed) == &me)
		return false;
	atomic_store_explicit(&t->last, &me, memory_order_relaxed);
	return true;
}

#endif
