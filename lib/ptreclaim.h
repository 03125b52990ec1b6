/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ptreclaim.h - the public interface of libptreclaim.
 *
 * The library works by being preloaded; a program needs nothing of this. It is for those that link
 * the library and want to say when it flushes, or which arenas it serves.
 */
#ifndef PTRECLAIM_H
#define PTRECLAIM_H

#ifdef __cplusplus
extern "C" {
#endif

/**
 * @brief The library's version.
 * @return "MAJOR.MINOR.PATCH", static. Thread-safe. Since 0.1.0.
 */
const char *ptreclaim_version(void);

/**
 * @brief Zap all pages that are pending, now, and free the page tables that become empty.
 *
 * On return every page that was pending at the call has been zapped, but for those that the
 * allocator took back meanwhile and those that the kernel refused (they stay pending and are tried
 * again). Does nothing if the library is switched off. Takes time in proportion to what is pending,
 * at most batch_bytes. Thread-safe; not async-signal-safe. Since 0.1.0.
 */
void ptreclaim_flush(void);

/**
 * @brief Give one arena of jemalloc the library's extent hooks, chained onto those it has.
 *
 * For programs that link the library behind jemalloc, where it serves no arena by itself, since it
 * could not see the program replace an arena's hooks. By this call the program vouches that it will
 * not do so with this arena, but by a mallctl() that is the library's. The engine and its thread are
 * started by the first call. An automatic arena that was not in use yet is made. Where the library
 * serves all arenas anyway this changes nothing.
 *
 * Idempotent; thread-safe; not async-signal-safe; not from an extent hook. Since 0.1.0.
 *
 * @param arena Index of the arena, as mallctl's arenas.create gives it.
 * @return 0, or an errno value:
 *	EAGAIN	too many different extent hooks in this process, or another thread is changing the
 *		mode;
 *	EINVAL	there is no such arena;
 *	ENOENT	no jemalloc was in this process when the library was loaded;
 *	ENOTSUP	this jemalloc cannot be served: a line on standard error has said why at the start;
 *	EPERM	the mode in force is off.
 */
int ptreclaim_hook_arena(unsigned arena);

#ifdef __cplusplus
}
#endif

#endif
