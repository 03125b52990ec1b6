/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * os - everything that reaches outside the process, in one table.
 *
 * os.c is the only file of the library that makes a system call or reads a clock. Everybody else
 * calls through `os`, so that a unit test can put a fake kernel in its place, own the truth about
 * every page and move the clock by hand.
 *
 * None of these functions allocates, takes a lock or touches errno: an error comes back as a
 * negative errno value. All are safe to call from any thread at any time.
 */
#ifndef PTR_OS_H
#define PTR_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/* Advice 26 is ours (kernel-patch/); the others may be missing from older headers. */
#define OS_MADV_PT_RECLAIM     26
#define OS_MADV_POPULATE_WRITE 23

#define OS_WIPED_WORDS 16

struct os_ops {
	/* 0 or -errno. */
	int (*madvise)(void *addr, size_t len, int advice);
	/* madvise over a vector of ranges of this process: bytes advised (may be short) or -errno.
	 * -ENOSYS where the kernel cannot name the process itself (no PIDFD_SELF, no pidfd_open). */
	ssize_t (*process_madvise)(const struct iovec *vec, size_t n, int advice);
	/* As mincore(2): one byte a page, bit 0 set if resident. 0 or -errno. */
	int (*mincore)(void *addr, size_t len, unsigned char *vec);
	/* Replace [addr, addr + len) by fresh private anonymous read-write memory. 0 or -errno. */
	int (*remap)(void *addr, size_t len);
	/* Fresh private anonymous memory anywhere; NULL if there is none. */
	void *(*map)(size_t len);
	int (*unmap)(void *addr, size_t len);
	/* The same, but a child after fork() has not a copy of it but the memory itself. */
	void *(*shared_page)(size_t len);
	/* Write zeroes over memory that the caller owns. */
	void (*zero)(void *addr, size_t len);

	/* Sleep while *word == val, at most timeout_ns (UINT64_MAX: no limit). */
	void (*futex_wait)(const void *word, uint32_t val, uint64_t timeout_ns);
	void (*futex_wake)(const void *word, int n);
	/* CLOCK_MONOTONIC, nanoseconds. */
	uint64_t (*clock_ns)(void);

	bool (*file_exists)(const char *path);
	/* Up to cap - 1 bytes of a file, NUL-terminated: bytes read or -errno. */
	ssize_t (*read_file)(const char *path, char *buf, size_t cap);
	/* What a symbolic link says, NUL-terminated: its bytes or -errno, ENAMETOOLONG if it does not fit. */
	ssize_t (*read_link)(const char *path, char *buf, size_t cap);
	/* Write a file under a temporary name beside path and rename it there. 0 or -errno. */
	int (*replace_file)(const char *path, const char *data, size_t len);
	/* Write all of data to standard error. */
	void (*write_err)(const char *data, size_t len);

	/* Open a pressure file and arm it with trigger: a handle >= 0 or -errno. */
	int (*psi_open)(const char *path, const char *trigger);
	/* Has the trigger fired since the last call? Never blocks. -errno when the handle is dead. */
	int (*psi_fired)(int handle);
	void (*psi_close)(int handle);

	/* OS_WIPED_WORDS words that read 0 in a child after fork() and keep their value in the
	 * parent; NULL if the kernel cannot give them. */
	uint32_t *(*wiped_on_fork)(void);

	/* Is any page of [addr, addr + len) present or swapped out: 1 or 0, or -errno. The handle, from
	 * pagemap_open (-errno if there is none), is of this process: not to be kept over a fork. */
	int (*pagemap_open)(void);
	int (*populated)(int handle, void *addr, size_t len);
	void (*pagemap_close)(int handle);

	/* This process, asked of the kernel each time: right in a child after fork(). */
	pid_t (*getpid)(void);

	/* The NUMA node of the processor that the caller is on, which may be another one by now; no system
	 * call, a few nanoseconds. -1: it cannot be told like that here. */
	int (*node)(void);
};

/* Within the library: hooks read these all the time, and not by way of a table of addresses. */
#pragma GCC visibility push(hidden)

/* The table in force. Only tests write to it, before they start the code under test. */
extern struct os_ops os;

/* The real thing, for tests that fake only a part. */
extern const struct os_ops os_linux;

/* Bytes in a page and in a region (the span of one PTE table). Constant after os_init(). */
extern size_t os_page_size;
extern unsigned os_page_shift;
extern size_t os_region_size;
extern unsigned os_region_shift;

#pragma GCC visibility pop

/* Read the page size. Call once before anything else of the library; idempotent. */
void os_init(void);

/* Seed the sizes with those of another architecture (tests only). */
void os_init_sizes(size_t page_size);

#endif
