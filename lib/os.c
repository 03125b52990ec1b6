// SPDX-License-Identifier: BSD-2-Clause
/* os - see os.h. Raw system calls, so that errno stays the host program's own. */
#include "os.h"

#include "pagemap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* From linux/pidfd.h, newer than many build hosts. */
#define OS_PIDFD_SELF (-10000)

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

/* Our descriptors live high up: programs count on getting 3 from their first open(). */
#define OS_FD_FLOOR 200

size_t os_page_size;
unsigned os_page_shift;
size_t os_region_size;
unsigned os_region_shift;

void os_init_sizes(size_t page_size)
{
	os_page_size = page_size;
	os_page_shift = (unsigned)__builtin_ctzl(page_size);
	/* One table is one page of 8-byte entries, each of which maps one page. */
	os_region_shift = 2 * os_page_shift - 3;
	os_region_size = (size_t)1 << os_region_shift;
}

void os_init(void)
{
	if (!os_page_size)
		os_init_sizes((size_t)sysconf(_SC_PAGESIZE));
}

/*
 * A system call, its error as a negative number. Where we know how, without libc's syscall(2): that one
 * is interposed (hooks/madvise.c), and what we do ourselves must not be taken for the program's doing.
 */
static long os_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
#if defined(__x86_64__) && defined(__LP64__)
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return r;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
#else
	int saved = errno;
	long r = syscall(nr, a, b, c, d, e, f);

	if (r == -1)
		r = -errno;
	errno = saved;
	return r;
#endif
}

#define SYS0(nr)	     os_syscall(nr, 0, 0, 0, 0, 0, 0)
#define SYS1(nr, a)	     os_syscall(nr, (long)(a), 0, 0, 0, 0, 0)
#define SYS2(nr, a, b)	     os_syscall(nr, (long)(a), (long)(b), 0, 0, 0, 0)
#define SYS3(nr, a, b, c)    os_syscall(nr, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define SYS4(nr, a, b, c, d) os_syscall(nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define SYS5(nr, a, b, c, d, e)                                                                    \
	os_syscall(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define SYS6(nr, a, b, c, d, e, f)                                                                 \
	os_syscall(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

static int linux_madvise(void *addr, size_t len, int advice)
{
	return (int)SYS3(SYS_madvise, addr, len, advice);
}

/* The descriptor that names this process: PIDFD_SELF, or one opened for process pidfd_owner. */
static _Atomic int pidfd = OS_PIDFD_SELF;
static _Atomic pid_t pidfd_owner;

static int os_pidfd_open(pid_t self)
{
#ifdef SYS_pidfd_open
	long fd = SYS2(SYS_pidfd_open, self, 0);
	int expected = OS_PIDFD_SELF;

	if (fd < 0)
		return (int)fd;
	long high = SYS3(SYS_fcntl, fd, F_DUPFD_CLOEXEC, OS_FD_FLOOR);

	if (high >= 0) {
		(void)SYS1(SYS_close, fd);
		fd = high;
	}
	atomic_store(&pidfd_owner, self);
	if (!atomic_compare_exchange_strong(&pidfd, &expected, (int)fd)) {
		(void)SYS1(SYS_close, fd);
		return expected;
	}
	return (int)fd;
#else
	(void)self;
	return -ENOSYS;
#endif
}

static ssize_t linux_process_madvise(const struct iovec *vec, size_t n, int advice)
{
#ifdef SYS_process_madvise
	int fd = atomic_load_explicit(&pidfd, memory_order_relaxed);

	if (fd != OS_PIDFD_SELF && atomic_load(&pidfd_owner) != (pid_t)SYS0(SYS_getpid)) {
		/* Inherited by fork: it names the parent, and closing it is not our business. */
		atomic_store(&pidfd, OS_PIDFD_SELF);
		fd = OS_PIDFD_SELF;
	}
	long r = SYS5(SYS_process_madvise, fd, vec, n, advice, 0);

	if (r == -EBADF && fd == OS_PIDFD_SELF) {
		fd = os_pidfd_open((pid_t)SYS0(SYS_getpid));
		if (fd < 0 && fd != OS_PIDFD_SELF)
			return -ENOSYS;
		r = SYS5(SYS_process_madvise, fd, vec, n, advice, 0);
	}
	return r;
#else
	(void)vec;
	(void)n;
	(void)advice;
	return -ENOSYS;
#endif
}

static int linux_mincore(void *addr, size_t len, unsigned char *vec)
{
	return (int)SYS3(SYS_mincore, addr, len, vec);
}

static long os_mmap(void *addr, size_t len, int flags)
{
	return SYS6(SYS_mmap, addr, len, PROT_READ | PROT_WRITE,
		    MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);
}

static int linux_remap(void *addr, size_t len)
{
	long r = os_mmap(addr, len, MAP_PRIVATE | MAP_FIXED);

	return r < 0 && r > -4096 ? (int)r : 0;
}

static void *linux_map(size_t len)
{
	long r = os_mmap(NULL, len, MAP_PRIVATE);

	return r < 0 && r > -4096 ? NULL : (void *)r;
}

static void *linux_shared_page(size_t len)
{
	long r = os_mmap(NULL, len, MAP_SHARED);

	if (r < 0 && r > -4096)
		return NULL;
	/* Where shared memory is given huge pages, it would be one. */
	(void)linux_madvise((void *)r, len, MADV_NOHUGEPAGE);
	return (void *)r;
}

static int linux_unmap(void *addr, size_t len)
{
	return (int)SYS2(SYS_munmap, addr, len);
}

static void linux_zero(void *addr, size_t len)
{
	memset(addr, 0, len);
}

static void linux_futex_wait(const void *word, uint32_t val, uint64_t timeout_ns)
{
	struct timespec ts = {
		.tv_sec = (time_t)(timeout_ns / 1000000000u),
		.tv_nsec = (long)(timeout_ns % 1000000000u),
	};

	(void)SYS4(SYS_futex, word, FUTEX_WAIT_PRIVATE, val, timeout_ns == UINT64_MAX ? NULL : &ts);
}

static void linux_futex_wake(const void *word, int n)
{
	(void)SYS3(SYS_futex, word, FUTEX_WAKE_PRIVATE, n);
}

static uint64_t linux_clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static bool linux_file_exists(const char *path)
{
	return SYS4(SYS_faccessat, AT_FDCWD, path, F_OK, 0) == 0;
}

static ssize_t linux_read_file(const char *path, char *buf, size_t cap)
{
	long fd = SYS4(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	size_t got = 0;

	if (fd < 0)
		return fd;
	while (got < cap - 1) {
		long r = SYS3(SYS_read, fd, buf + got, cap - 1 - got);

		if (r == -EINTR)
			continue;
		if (r <= 0)
			break;
		got += (size_t)r;
	}
	buf[got] = '\0';
	(void)SYS1(SYS_close, fd);
	return (ssize_t)got;
}

static ssize_t linux_read_link(const char *path, char *buf, size_t cap)
{
	long r = SYS4(SYS_readlinkat, AT_FDCWD, path, buf, cap);

	if (r < 0)
		return r;
	if ((size_t)r == cap)
		return -ENAMETOOLONG;
	buf[r] = '\0';
	return r;
}

static long os_write_all(long fd, const char *data, size_t len)
{
	while (len) {
		long r = SYS3(SYS_write, fd, data, len);

		if (r == -EINTR)
			continue;
		if (r <= 0)
			return r ? r : -EIO;
		data += r;
		len -= (size_t)r;
	}
	return 0;
}

static int linux_replace_file(const char *path, const char *data, size_t len)
{
	char tmp[1024];
	int n = snprintf(tmp, sizeof(tmp), "%s.%d.tmp", path, (int)SYS0(SYS_getpid));

	if (n < 0 || (size_t)n >= sizeof(tmp))
		return -ENAMETOOLONG;
	(void)SYS3(SYS_unlinkat, AT_FDCWD, tmp, 0);
	long fd = SYS4(SYS_openat, AT_FDCWD, tmp,
		       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

	if (fd < 0)
		return (int)fd;
	long r = os_write_all(fd, data, len);

	(void)SYS1(SYS_close, fd);
	if (!r)
		r = SYS4(SYS_renameat, AT_FDCWD, tmp, AT_FDCWD, path);
	if (r)
		(void)SYS3(SYS_unlinkat, AT_FDCWD, tmp, 0);
	return (int)r;
}

static void linux_write_err(const char *data, size_t len)
{
	(void)os_write_all(STDERR_FILENO, data, len);
}

/* What the trigger's descriptor was when we opened it: the host may close it behind our back. */
static _Atomic uint64_t psi_dev, psi_ino;

static int linux_psi_open(const char *path, const char *trigger)
{
	struct rlimit lim = {.rlim_cur = 1024};
	struct stat st = {0};
	long fd = SYS4(SYS_openat, AT_FDCWD, path, O_RDWR | O_NONBLOCK | O_CLOEXEC, 0);
	long r;

	if (fd < 0)
		return (int)fd;
	(void)SYS2(SYS_getrlimit, RLIMIT_NOFILE, &lim);
	r = SYS3(SYS_fcntl, fd, F_DUPFD_CLOEXEC,
		 lim.rlim_cur > 2 * OS_FD_FLOOR ? OS_FD_FLOOR : lim.rlim_cur / 2);
	if (r >= 0) {
		(void)SYS1(SYS_close, fd);
		fd = r;
	}
	r = SYS3(SYS_write, fd, trigger, strlen(trigger) + 1);
	if (r >= 0)
		r = SYS2(SYS_fstat, fd, &st);
	if (r < 0) {
		(void)SYS1(SYS_close, fd);
		return (int)r;
	}
	atomic_store(&psi_dev, st.st_dev);
	atomic_store(&psi_ino, st.st_ino);
	return (int)fd;
}

static bool psi_is_ours(int fd)
{
	struct stat st = {0};

	return !SYS2(SYS_fstat, fd, &st) && st.st_dev == atomic_load(&psi_dev) &&
	       st.st_ino == atomic_load(&psi_ino);
}

static int linux_psi_fired(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLPRI};
	struct timespec now = {0};
	long r = SYS5(SYS_ppoll, &p, 1, &now, NULL, 0);

	if (r < 0)
		return r == -EINTR ? 0 : (int)r;
	if (!r)
		return 0;
	if (p.revents & (POLLERR | POLLNVAL) || !psi_is_ours(fd))
		return -EBADF;
	return !!(p.revents & POLLPRI);
}

static void linux_psi_close(int fd)
{
	if (psi_is_ours(fd))
		(void)SYS1(SYS_close, fd);
}

static uint32_t *linux_wiped_on_fork(void)
{
	void *page = linux_map(os_page_size);

	if (page && linux_madvise(page, os_page_size, MADV_WIPEONFORK)) {
		(void)linux_unmap(page, os_page_size);
		page = NULL;
	}
	return page;
}

static int linux_pagemap_open(void)
{
	return (int)SYS4(SYS_openat, AT_FDCWD, "/proc/self/pagemap", O_RDONLY | O_CLOEXEC, 0);
}

/* The same from the file itself, which says 8 bytes about every page. */
static int populated_by_entries(int fd, uintptr_t addr, uintptr_t end)
{
	uint64_t entry[64] = {0};

	for (; addr < end; addr += sizeof(entry) / sizeof(entry[0]) * os_page_size) {
		uint64_t n = (end - addr) >> os_page_shift;
		long r = SYS4(SYS_pread64, fd, entry, n < 64 ? n * 8 : sizeof(entry),
			      (addr >> os_page_shift) * 8);

		if (r < 0)
			return (int)r;
		for (long i = 0; i < r / 8; i++)
			if (entry[i] & (PAGEMAP_PRESENT | PAGEMAP_SWAPPED))
				return 1;
	}
	return 0;
}

static int linux_populated(int fd, void *addr, size_t len)
{
	struct scan_run run;
	struct scan_arg arg = {
		.size = sizeof(arg),
		.start = (uintptr_t)addr,
		.end = (uintptr_t)addr + len,
		.vec = (uintptr_t)&run,
		.vec_len = 1,
		.max_pages = 1,
		.category_anyof_mask = SCAN_PRESENT | SCAN_SWAPPED,
		.return_mask = SCAN_PRESENT | SCAN_SWAPPED,
	};
	long r = SYS3(SYS_ioctl, fd, SCAN_IOCTL, &arg);

	if (r == -ENOTTY || r == -EINVAL)
		return populated_by_entries(fd, (uintptr_t)addr, (uintptr_t)addr + len);
	return r < 0 ? (int)r : r > 0;
}

static void linux_pagemap_close(int fd)
{
	(void)SYS1(SYS_close, fd);
}

static pid_t linux_getpid(void)
{
	return (pid_t)SYS0(SYS_getpid);
}

/* What libc (glibc from 2.35 on) has registered for each thread, and the kernel keeps up to date. */
extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned int __rseq_size __attribute__((weak));

#ifndef AT_RSEQ_FEATURE_SIZE
#define AT_RSEQ_FEATURE_SIZE 27
#endif
#define RSEQ_NODE_ID 20 /* where in struct rseq the node is, on Linux from 6.3 on */

/* Does this kernel write it? The room is there in every version of libc. */
static bool rseq_has_node(void)
{
	static _Atomic int known; /* 1: yes, -1: no */
	int k = atomic_load_explicit(&known, memory_order_relaxed);

	if (!k) {
		k = &__rseq_size && __rseq_size &&
				    getauxval(AT_RSEQ_FEATURE_SIZE) >= RSEQ_NODE_ID + 4
			    ? 1
			    : -1;
		atomic_store_explicit(&known, k, memory_order_relaxed);
	}
	return k > 0;
}

static int linux_node(void)
{
	if (rseq_has_node())
		return *(const volatile int *)((const char *)__builtin_thread_pointer() +
					       __rseq_offset + RSEQ_NODE_ID);
#ifdef __x86_64__
	unsigned cpu, node;

	/* Answered by the vDSO, which has it on this architecture only. */
	if (!getcpu(&cpu, &node))
		return (int)node;
#endif
	return -1;
}

#define OS_TABLE                                                                                   \
	{                                                                                          \
		.madvise = linux_madvise, .process_madvise = linux_process_madvise,                \
		.mincore = linux_mincore, .remap = linux_remap, .map = linux_map,                  \
		.unmap = linux_unmap, .shared_page = linux_shared_page, .zero = linux_zero,        \
		.futex_wait = linux_futex_wait, .futex_wake = linux_futex_wake,                    \
		.clock_ns = linux_clock_ns, .file_exists = linux_file_exists,                      \
		.read_file = linux_read_file, .read_link = linux_read_link,                        \
		.replace_file = linux_replace_file, .write_err = linux_write_err,                  \
		.psi_open = linux_psi_open, .psi_fired = linux_psi_fired,                          \
		.psi_close = linux_psi_close, .wiped_on_fork = linux_wiped_on_fork,                \
		.getpid = linux_getpid, .pagemap_open = linux_pagemap_open,                        \
		.populated = linux_populated, .pagemap_close = linux_pagemap_close,                \
		.node = linux_node,                                                                \
	}

const struct os_ops os_linux = OS_TABLE;
struct os_ops os = OS_TABLE;
