/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ptreclaim.h - the public interface of libptreclaim.
 *
 * The library works by being preloaded; a program needs nothing of this. It is for those that link
 * the library and want to say when it flushes.
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

#ifdef __cplusplus
}
#endif

#endif
