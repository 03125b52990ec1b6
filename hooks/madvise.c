// SPDX-License-Identifier: BSD-2-Clause
/* madvise - see madvise.h. */
#include "madvise.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "engine.h"
#include "imports.h"
#include "os.h"
#include "worker.h"

#define EXPORT __attribute__((visibility("default")))
#define TLS    __thread __attribute__((tls_model("initial-exec")))

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif

/* X(name, result, parameters): what of libc's is interposed. */
#define INTERPOSED(X)                                                                              \
	X(madvise, int, (void *, size_t, int))                                                     \
	X(process_madvise, ssize_t, (int, const struct iovec *, size_t, int, unsigned))            \
	X(munmap, int, (void *, size_t))                                                           \
	X(mremap, void *, (void *, size_t, size_t, int, void *))                                   \
	X(mmap, void *, (void *, size_t, int, int, int, off_t))                                    \
	X(syscall, long, (long, long, long, long, long, long, long))

/* Ours, under libc's names; the function that a call would have reached without us, found when first
 * called: the first may be an early allocation. */
#define X(name, result, parameters)                                                                \
	typedef result name##_fn parameters;                                                       \
	static name##_fn *_Atomic next_##name;
INTERPOSED(X)
#undef X

static const char here; /* an address in this object */

#define CHAIN(name)                                                                                \
	static name##_fn *chain_##name(void)                                                       \
	{                                                                                          \
		name##_fn *fn = atomic_load_explicit(&next_##name, memory_order_relaxed);          \
                                                                                                   \
		if (__builtin_expect(!fn, 0)) {                                                    \
			*(void **)&fn = imports_find(#name, &here);                                \
			atomic_store(&next_##name, fn);                                            \
		}                                                                                  \
		return fn;                                                                         \
	}
#define X(name, result, parameters) CHAIN(name)
INTERPOSED(X)
#undef X

static void (*_Atomic first_zap)(void);
static _Atomic uint64_t sweep_ns;   /* 0: nothing is noted */
static _Atomic uint64_t next_sweep; /* where no worker runs */

/* What this thread maps while it is watched. */
static TLS struct {
	bool on;
	uintptr_t addr, end;
} watch;

static bool noting(void)
{
	return atomic_load_explicit(&sweep_ns, memory_order_relaxed) != 0;
}

static bool zaps(int advice)
{
	return advice == MADV_DONTNEED || advice == MADV_DONTNEED_LOCKED || advice == MADV_FREE;
}

static void sweep_if_due(void)
{
	uint64_t now = os.clock_ns(), at = atomic_load(&next_sweep);

	if (now >= at &&
	    atomic_compare_exchange_strong(&next_sweep, &at, now + atomic_load(&sweep_ns)))
		engine_sweep();
}

/* A call over the range has succeeded. What the kernel has rounded up to pages is rounded here. */
static void note(const void *start, size_t len, int advice)
{
	uintptr_t addr = (uintptr_t)start, mask = os_page_size - 1;
	void (*first)(void) = atomic_load_explicit(&first_zap, memory_order_relaxed);

	if (!len || addr & mask)
		return;
	if (first && atomic_compare_exchange_strong(&first_zap, &first, NULL))
		first();
	engine_zapped((void *)addr, (len + mask) & ~mask, advice != MADV_FREE);
	if (!worker_running())
		sweep_if_due();
}

static void forget(const void *start, size_t len)
{
	uintptr_t addr = (uintptr_t)start, mask = os_page_size - 1;

	if (noting() && !(addr & mask))
		engine_gone((void *)addr, (len + mask) & ~mask);
}

EXPORT int madvise(void *addr, size_t len, int advice)
{
	madvise_fn *chain = chain_madvise();
	int r;

	if (!chain) {
		errno = ENOSYS;
		return -1;
	}
	r = chain(addr, len, advice);
	if (!r && noting() && zaps(advice))
		note(addr, len, advice);
	return r;
}

/* Does a process descriptor name this process? Negative ones always do. */
static bool is_self(int pidfd)
{
	static _Atomic int known = -1;
	char path[64], text[1024];
	const char *pid;

	if (pidfd < 0 || pidfd == atomic_load(&known))
		return true;
	(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	if (os.read_file(path, text, sizeof(text)) <= 0)
		return false;
	pid = strstr(text, "\nPid:");
	if (!pid || strtol(pid + strlen("\nPid:"), NULL, 10) != os.getpid())
		return false;
	/* Should the number come to stand for another process, regions are asked about for nothing. */
	atomic_store(&known, pidfd);
	return true;
}

static void note_vector(int pidfd, const struct iovec *vec, size_t n, int advice, ssize_t done)
{
	int saved = errno;

	if (done <= 0 || !noting() || !zaps(advice) || !is_self(pidfd))
		return;
	for (size_t i = 0; i < n && done > 0; i++) {
		size_t len = vec[i].iov_len < (size_t)done ? vec[i].iov_len : (size_t)done;

		note(vec[i].iov_base, len, advice);
		done -= (ssize_t)len;
	}
	errno = saved;
}

/* glibc has it since 2.36. */
EXPORT ssize_t process_madvise(int pidfd, const struct iovec *vec, size_t n, int advice,
			       unsigned flags)
{
	process_madvise_fn *chain = chain_process_madvise();
	ssize_t r;

	if (!chain) {
		errno = ENOSYS;
		return -1;
	}
	r = chain(pidfd, vec, n, advice, flags);
	note_vector(pidfd, vec, n, advice, r);
	return r;
}

EXPORT int munmap(void *addr, size_t len)
{
	munmap_fn *chain = chain_munmap();

	if (!chain) {
		errno = ENOSYS;
		return -1;
	}
	/* Before the call: after it the range may be somebody else's. */
	forget(addr, len);
	return chain(addr, len);
}

EXPORT void *mremap(void *addr, size_t old_len, size_t new_len, int flags, ...)
{
	mremap_fn *chain = chain_mremap();
	uintptr_t mask = os_page_size - 1;
	void *to = NULL, *p;
	va_list args;

	if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) {
		va_start(args, flags);
		to = va_arg(args, void *);
		va_end(args);
	}
	if (!chain) {
		errno = ENOSYS;
		return MAP_FAILED;
	}
	if (flags & MREMAP_FIXED)
		forget(to, new_len);
	if (old_len > new_len)
		forget((char *)addr + new_len, old_len - new_len);
	p = chain(addr, old_len, new_len, flags, to);
	/* Tables go along, or are made anew for the pages that do. Whoever has mapped something at the old
	 * place meanwhile, and zapped in it, is forgotten: a sweep is missed, no more. */
	if (noting() && p != MAP_FAILED && p != addr && !(flags & MREMAP_DONTUNMAP))
		engine_moved(addr, p, ((old_len < new_len ? old_len : new_len) + mask) & ~mask);
	return p;
}

/* Called once, when memory was mapped; NULL: nobody waits for that. */
static void (*_Atomic grown)(void);

static void *map(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
	mmap_fn *chain = chain_mmap();
	void (*tell)(void);
	void *p;

	if (!chain) {
		errno = ENOSYS;
		return MAP_FAILED;
	}
	if (flags & MAP_FIXED && !((flags & MAP_FIXED_NOREPLACE) == MAP_FIXED_NOREPLACE))
		forget(addr, len);
	p = chain(addr, len, prot, flags, fd, offset);
	if (watch.on && p != MAP_FAILED) {
		bool ordinary = prot == (PROT_READ | PROT_WRITE) &&
				(flags & ~MAP_NORESERVE) == (MAP_PRIVATE | MAP_ANONYMOUS);

		watch.addr = ordinary ? (uintptr_t)p : 0;
		watch.end = ordinary ? (uintptr_t)p + len : 0;
	}
	if (__builtin_expect(flags & MAP_ANONYMOUS && atomic_load(&grown), 0)) {
		int saved = errno;

		tell = atomic_exchange(&grown, NULL);
		if (tell)
			tell();
		errno = saved;
	}
	return p;
}

EXPORT void *mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
	return map(addr, len, prot, flags, fd, offset);
}

EXPORT void *mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
	return map(addr, len, prot, flags, fd, offset);
}

void mappings_tell(void (*fn)(void))
{
	atomic_store(&grown, fn);
}

void mappings_watch(void)
{
	watch.on = true;
	watch.addr = watch.end = 0;
}

bool mappings_seen(const void *addr, size_t len)
{
	watch.on = false;
	return addr && (uintptr_t)addr >= watch.addr && (uintptr_t)addr + len <= watch.end;
}

/*
 * syscall(2) has to leave the stack as it found it: what it calls may return twice, or on another one.
 * So all but the three numbers below are passed on by a jump. Elsewhere such calls are not seen.
 */
#if defined(__x86_64__) && defined(__LP64__) && defined(SYS_process_madvise)
static long first_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	syscall_fn *chain = chain_syscall();

	return chain ? chain(nr, a, b, c, d, e, f) : -1;
}

/* Where the jumps go; used by the assembler below, and by nobody else. */
extern syscall_fn *ptreclaim_next_syscall, ptreclaim_syscall;
syscall_fn *ptreclaim_next_syscall = first_syscall;

long ptreclaim_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	syscall_fn *chain = chain_syscall();
	long r;

	if (!chain) {
		errno = ENOSYS;
		return -1;
	}
	if (nr == SYS_munmap)
		forget((void *)a, (size_t)b);
	r = chain(nr, a, b, c, d, e, f);
	if (nr == SYS_madvise && !r && noting() && zaps((int)c))
		note((void *)a, (size_t)b, (int)c);
	if (nr == SYS_process_madvise)
		note_vector((int)a, (const struct iovec *)b, (size_t)c, (int)d, r);
	return r;
}

#define TEXT_OF(n) #n
#define NUMBER(nr) TEXT_OF(nr)
#define IF_IS(nr)  "\tcmpq $" NUMBER(nr) ", %rdi\n\tje ptreclaim_syscall\n"

__asm__(".pushsection .text\n"
	"\t.p2align 4\n"
	"\t.globl syscall\n"
	"\t.type syscall, @function\n"
	"syscall:\n"
	"\tendbr64\n" IF_IS(__NR_madvise) IF_IS(__NR_process_madvise)
		IF_IS(__NR_munmap) "\tjmp *ptreclaim_next_syscall(%rip)\n"
				   "\t.size syscall, . - syscall\n"
				   "\t.popsection\n");

static void straight_on(void)
{
	syscall_fn *chain = chain_syscall();

	if (chain)
		ptreclaim_next_syscall = chain;
}
#else
static void straight_on(void)
{
}
#endif

void madvise_find(void)
{
	(void)chain_madvise();
	(void)chain_process_madvise();
	(void)chain_munmap();
	(void)chain_mremap();
	(void)chain_mmap();
	straight_on();
}

bool madvise_wanted(const void *const *served)
{
	const void *except[8] = {&here, (const void *)chain_madvise()};
	size_t n = 2;

	for (; *served && n < sizeof(except) / sizeof(except[0]) - 1; served++)
		except[n++] = *served;
	except[n] = NULL;
	return imports_any("madvise", except) || imports_any("process_madvise", except);
}

void madvise_install(uint64_t sweep_ms, void (*first)(void))
{
	atomic_store(&first_zap, first);
	atomic_store(&sweep_ns, sweep_ms * 1000000);
}
