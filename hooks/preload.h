/* SPDX-License-Identifier: BSD-2-Clause */
/* preload - what the C interface needs of how the library was started. */
#ifndef PTR_HOOKS_PRELOAD_H
#define PTR_HOOKS_PRELOAD_H

/*
 * The program is about to name arenas of jemalloc that it vouches for: start what was not started
 * when the library was loaded. 0 or an errno value, see ptreclaim_hook_arena. Any thread; creates one,
 * so not from a hook.
 */
int preload_start_for_arena(void);

#endif
