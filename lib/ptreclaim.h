/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ptreclaim.h - the public interface of libptreclaim.
 *
 * The library works by being preloaded; a program needs nothing of this. It is for those that link
 * the library and want to say when it flushes and which arenas it serves, or to read and set its
 * properties.
 */
#ifndef PTRECLAIM_H
#define PTRECLAIM_H

#include <stddef.h>

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
 * @brief Tell the statistics, as text or as JSON.
 *
 * By default the least size that the page tables could have is told as well; finding it out walks
 * /proc/self/pagemap, which takes time in proportion to the mapped address space.
 *
 * @param write_cb Called with the text, whole and once, in the calling thread; the text is gone when
 *                 it returns. NULL: it goes to standard error. Not called if there is no memory for
 *                 the text.
 * @param arg      Passed on to write_cb.
 * @param opts     Letters, or NULL for none; those that nobody knows are ignored. J: one JSON object,
 *                 as ptreclaim-stats.schema.json describes it. f: without measuring page tables.
 *                 a: without arenas. h: without the histograms of the time in hooks.
 *
 * Works in every mode. Allocates nothing; thread-safe; not async-signal-safe. Since 0.1.0.
 */
void ptreclaim_stats_print(void (*write_cb)(void *arg, const char *text), void *arg,
			   const char *opts);

/**
 * @brief Read and write a property by name, in the calling form of jemalloc's mallctl().
 *
 * Names and types are in ptreclaim-properties(7). In a process with jemalloc in which the library is
 * preloaded, mallctl() does the same for these names. A property is read before it is written, but for
 * ptreclaim.epoch. Works in every mode. errno is kept. Thread-safe; not async-signal-safe; not from an
 * extent hook. Since 0.1.0.
 *
 * @param name    The property, "ptreclaim." included.
 * @param oldp    Where to put its value, of the property's type; NULL: it is not read. Strings are the
 *                library's, and stay.
 * @param oldlenp In: the length of what oldp points to. Out: the length of what was put there.
 * @param newp    The value to write; NULL: it is not written.
 * @param newlen  The length of what newp points to, 0 if that is NULL.
 * @return 0, or an errno value:
 *	EAGAIN	the statistics were held by another thread for as long as a second;
 *	EINVAL	*oldlenp or newlen is not the length of the property's type (of its value as much as
 *		fits was put into oldp), or the value written is none it can have;
 *	ENOENT	there is no such property, or nothing is known of that arena;
 *	EPERM	the property cannot be read, or cannot be written.
 */
int ptreclaim_ctl(const char *name, void *oldp, size_t *oldlenp, void *newp, size_t newlen);

/**
 * @brief Translate a name to a MIB, by which it can be read many times without a look-up.
 *
 * A MIB has a number for each component of the name. It is good for this process, and for none with
 * another version of the library. The third number of "ptreclaim.arena.0..." is the arena's index and
 * may be changed. A name that is only the beginning of properties' names has a MIB too; of a name that
 * is longer than mibp has room for, the beginning is translated. Thread-safe; not async-signal-safe.
 * Since 0.1.0.
 *
 * @param name    The property.
 * @param mibp    Where to put the numbers.
 * @param miblenp In: how many there is room for. Out: how many were put there.
 * @return 0; ENOENT: there is no such property (mibp may have been written to).
 */
int ptreclaim_ctlnametomib(const char *name, size_t *mibp, size_t *miblenp);

/**
 * @brief The same as ptreclaim_ctl(), by MIB.
 *
 * @param mib    As ptreclaim_ctlnametomib() gave it.
 * @param miblen How many numbers it has.
 * @return As ptreclaim_ctl().
 */
int ptreclaim_ctlbymib(const size_t *mib, size_t miblen, void *oldp, size_t *oldlenp, void *newp,
		       size_t newlen);

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
