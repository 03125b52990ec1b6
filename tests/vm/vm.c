// SPDX-License-Identifier: BSD-2-Clause
/* vm - see vm.h. */
#include "vm.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "floor.h"

#define VM_BYTES ((size_t)INT32_MAX & ~(os_page_size - 1))

static const char *line = "";
static bool patched;
static unsigned passed, failed, skipped;

bool vm_patched(void)
{
	return patched;
}

const char *vm_line(void)
{
	return line;
}

__attribute__((format(printf, 3, 0))) static void result(const char *word, const char *name,
							 const char *format, va_list args)
{
	(void)printf("%s: %s: ", word, name);
	(void)vprintf(format, args);
	(void)putchar('\n');
}

void vm_check(bool ok, const char *name, const char *format, ...)
{
	va_list args;

	*(ok ? &passed : &failed) += 1;
	va_start(args, format);
	result(ok ? "PASS" : "FAIL", name, format, args);
	va_end(args);
}

void vm_skip(const char *name, const char *format, ...)
{
	va_list args;

	skipped++;
	va_start(args, format);
	result("SKIP", name, format, args);
	va_end(args);
}

void vm_figure(const char *name, double value)
{
	(void)printf("%s %.10g\n", name, value);
}

void vm_die(const char *what)
{
	(void)printf("FAIL: %s: %s\n", what, strerror(errno));
	(void)fflush(stdout);
	exit(1);
}

int vm_done(void)
{
	if (fflush(stdout))
		return 1;
	return failed ? 1 : passed ? 0 : 77;
}

static bool begins(const char *s, const char *with)
{
	return !strncmp(s, with, strlen(with));
}

void vm_init(void)
{
	const char *kernel = getenv("PTR_KERNEL");
	int r;

	/* Somebody watches a console: what was said last is what hangs. */
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	os_init();
	r = os.madvise(NULL, 0, OS_MADV_PT_RECLAIM);
	patched = !r;
	if (!kernel || !*kernel)
		return;
	line = begins(kernel, "7.3") ? "7.3" : begins(kernel, "6.12") ? "6.12" : "";
	patched = !strstr(kernel, "stock");
	if (patched != !r)
		vm_check(false, "the advice", "madvise(NULL, 0, %d) gives %d on %s",
			 OS_MADV_PT_RECLAIM, r, kernel);
}

uint64_t vm_pte_kb(pid_t pid)
{
	struct floor_report r;
	int err = floor_vm(pid, &r);

	if (err) {
		errno = -err;
		vm_die("VmPTE");
	}
	return r.vmpte_kb;
}

uint64_t vm_rss_kb(void)
{
	struct floor_report r;

	return floor_vm(0, &r) ? 0 : r.rss_kb;
}

/* The numbers of the line of a file that begins with a word, added up; -1 if there is no such line. */
static int64_t sum_of_line(const char *path, const char *word, const char *end)
{
	static char buf[64 << 10];
	FILE *f = fopen(path, "re");
	size_t len = strlen(word);
	int64_t sum = -1;

	while (f && sum < 0 && fgets(buf, sizeof(buf), f)) {
		char *p = buf + strspn(buf, " "), *next;

		if (strncmp(p, word, len) != 0 || !begins(p + len, end))
			continue;
		p += len + strlen(end);
		sum = 0;
		for (long long n = strtoll(p, &next, 10); next != p;
		     p = next, n = strtoll(p, &next, 10))
			sum += n;
	}
	if (f)
		(void)fclose(f);
	return sum;
}

int64_t vm_event(const char *name)
{
	return sum_of_line("/proc/vmstat", name, " ");
}

int64_t vm_interrupts(const char *name)
{
	return sum_of_line("/proc/interrupts", name, ":");
}

int64_t vm_meminfo_kb(const char *name)
{
	return sum_of_line("/proc/meminfo", name, ":");
}

uint64_t vm_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t vm_number(const char *name, uint64_t otherwise)
{
	const char *s = getenv(name);

	return s && *s ? strtoull(s, NULL, 10) : otherwise;
}

size_t vm_pmd_span(void)
{
	return os_region_size * (os_page_size / sizeof(uint64_t));
}

char *vm_map(size_t n, size_t align)
{
	size_t len = n * os_region_size;
	char *p = mmap(NULL, len + align, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t head;

	if (p == MAP_FAILED)
		vm_die("mmap");
	head = -(uintptr_t)p & (align - 1);
	if ((head && munmap(p, head)) || munmap(p + head + len, align - head))
		vm_die("munmap");
	p += head;
	/* Without huge pages in the kernel: nothing to forbid. */
	(void)os.madvise(p, len, MADV_NOHUGEPAGE);
	return p;
}

void vm_touch(char *base, size_t n, size_t page)
{
	for (size_t i = 0; i < n; i++)
		*(volatile char *)(base + i * os_region_size + page * os_page_size) = 1;
}

static int advise_vector(const struct iovec *vec, size_t n, int advice)
{
	ssize_t r = os.process_madvise(vec, n, advice);
	size_t want = n * vec[0].iov_len;

	if (r == (ssize_t)want)
		return 0;
	if (r >= 0)
		return -EIO;
	if (r != -EINVAL || advice != MADV_DONTNEED)
		return (int)r;
	for (size_t i = 0; i < n; i++) {
		int err = os.madvise(vec[i].iov_base, vec[i].iov_len, advice);

		if (err)
			return err;
	}
	return 0;
}

int vm_advise(char *base, size_t n, size_t offset, size_t len, int advice, size_t vector)
{
	struct iovec vec[VM_VECTOR];

	/* The kernel cuts a vector at MAX_RW_COUNT: 1,024 whole regions are a page too long. */
	vector = vector < VM_BYTES / len ? vector : VM_BYTES / len;
	for (size_t i = 0; i < n;) {
		size_t k = 0;
		int r;

		for (; k < vector && i < n; k++, i++)
			vec[k] = (struct iovec){base + i * os_region_size + offset, len};
		r = advise_vector(vec, k, advice);
		if (r)
			return r;
	}
	return 0;
}
