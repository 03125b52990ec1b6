// SPDX-License-Identifier: BSD-2-Clause
/*
 * cost - what the advice and page faults cost, in guest instructions, as lines "name value".
 *
 * For QEMU's -icount shift=0 and one CPU: there time, and so the time stamp counter, advances by 1 ns
 * with each instruction, and two kernels can be compared to the digit. Elsewhere it prints cycles,
 * which compare to nothing.
 *
 * Each is per region, of a vector of 256, and the median and the least of many rounds: timer
 * interrupts fall into some.
 */
#include "vm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define REGIONS 256
#define ROUNDS	33

static char *base;
static size_t pages; /* of a region */
static uint64_t overhead;

static inline uint64_t counter(void)
{
#ifdef __x86_64__
	return __builtin_ia32_rdtsc();
#else
	return vm_ns();
#endif
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void say(const char *name, uint64_t *sample, size_t n, double each)
{
	const uint64_t *median = sample + n / 2;
	char least[64];

	for (size_t i = 0; i < n; i++)
		sample[i] -= overhead < sample[i] ? overhead : sample[i];
	qsort(sample, n, sizeof(*sample), compare);
	vm_figure(name, (double)*median / each);
	(void)snprintf(least, sizeof(least), "%s_min", name);
	vm_figure(least, (double)sample[0] / each);
}

/* What a region is before each round. */
static void untouched(void)
{
	if (os.remap(base, REGIONS * os_region_size) ||
	    os.madvise(base, REGIONS * os_region_size, MADV_NOHUGEPAGE))
		vm_die("mmap");
}

static void empty_tables(void)
{
	vm_touch(base, REGIONS, pages / 2);
	if (vm_advise(base, REGIONS, pages / 2 * os_page_size, os_page_size, MADV_DONTNEED,
		      VM_VECTOR))
		vm_die("MADV_DONTNEED");
}

static void first_present(void)
{
	vm_touch(base, REGIONS, 0);
}

static void last_present(void)
{
	vm_touch(base, REGIONS, pages - 1);
}

static bool can(int advice)
{
	struct iovec vec[2] = {{base, os_region_size}, {base + os_region_size, os_region_size}};

	return os.process_madvise(vec, 2, advice) == 2 * (ssize_t)os_region_size;
}

static void vectored(const char *name, int advice, void (*prepare)(void))
{
	uint64_t sample[ROUNDS];
	struct iovec vec[REGIONS];

	untouched();
	if (!can(advice)) {
		(void)printf("# %s: this kernel does not take that in vectors\n", name);
		return;
	}
	for (size_t i = 0; i < REGIONS; i++)
		vec[i] = (struct iovec){base + i * os_region_size, os_region_size};
	for (size_t round = 0; round < ROUNDS; round++) {
		uint64_t t;
		ssize_t r;

		untouched();
		prepare();
		t = counter();
		r = os.process_madvise(vec, REGIONS, advice);
		sample[round] = counter() - t;
		if (r != (ssize_t)(REGIONS * os_region_size))
			vm_die(name);
	}
	say(name, sample, ROUNDS, REGIONS);
}

/* `calls` plain calls, one region after the other, that are the work of all regions. */
static void single(const char *name, int advice, size_t len, size_t calls, void (*prepare)(void))
{
	uint64_t sample[ROUNDS];

	untouched();
	if (os.madvise(base, len, advice))
		return;
	for (size_t round = 0; round < ROUNDS; round++) {
		uint64_t t;

		untouched();
		prepare();
		t = counter();
		for (size_t i = 0; i < calls; i++)
			(void)os.madvise(base + i * os_region_size, len, advice);
		sample[round] = counter() - t;
	}
	say(name, sample, ROUNDS, REGIONS);
}

/* One for each region, as on kernels without vectors. */
static void plain(const char *name, int advice, size_t len, void (*prepare)(void))
{
	single(name, advice, len, REGIONS, prepare);
}

/* And one for all of them. */
static void once(const char *name, int advice, void (*prepare)(void))
{
	single(name, advice, REGIONS * os_region_size, 1, prepare);
}

/*
 * Faults, each in a sample of its own, so that what interrupts one is not in the others: the first
 * in each region, which makes its table, and `more` others, which find it.
 */
static void faults(bool write, const char *first, const char *later)
{
	static uint64_t table[REGIONS * 4], there[REGIONS * 16];
	size_t n = 0, m = 0;

	for (unsigned round = 0; round < 4; round++) {
		untouched();
		for (size_t i = 0; i < REGIONS; i++) {
			volatile char *p = base + i * os_region_size;
			uint64_t t = counter();

			if (write)
				*p = 1;
			else
				(void)*p;
			table[n++] = counter() - t;
			for (size_t k = 1; k <= 4; k++) {
				t = counter();
				if (write)
					p[k * 64 * os_page_size] = 1;
				else
					(void)p[k * 64 * os_page_size];
				there[m++] = counter() - t;
			}
		}
	}
	say(first, table, n, 1);
	say(later, there, m, 1);
}

static void measure_overhead(void)
{
	uint64_t sample[ROUNDS];

	for (size_t i = 0; i < ROUNDS; i++) {
		uint64_t t = counter();

		sample[i] = counter() - t;
	}
	qsort(sample, ROUNDS, sizeof(*sample), compare);
	overhead = sample[0];
	vm_figure("overhead", (double)overhead);
}

/* A loop of known length, to tell whether it is instructions that are counted. */
static void calibrate(void)
{
#ifdef __x86_64__
	uint64_t n = 1000000, t = counter();

	__asm__ volatile("1: dec %0\n\tjnz 1b" : "+r"(n));
	vm_figure("loop_of_2000000", (double)(counter() - t));
#endif
}

int main(void)
{
	vm_init();
	pages = os_region_size / os_page_size;
	base = vm_map(REGIONS, vm_pmd_span());
	measure_overhead();
	calibrate();
	faults(true, "fault_write_first", "fault_write");
	faults(false, "fault_read_first", "fault_read");
	vectored("dontneed_empty", MADV_DONTNEED, empty_tables);
	vectored("dontneed_nothing", MADV_DONTNEED, untouched);
	vectored("dontneed_first", MADV_DONTNEED, first_present);
	vectored("dontneed_last", MADV_DONTNEED, last_present);
	plain("dontneed_empty_plain", MADV_DONTNEED, os_region_size, empty_tables);
	plain("dontneed_page_plain", MADV_DONTNEED, os_page_size, first_present);
	if (vm_patched()) {
		vectored("free_empty", OS_MADV_PT_RECLAIM, empty_tables);
		vectored("free_nothing", OS_MADV_PT_RECLAIM, untouched);
		vectored("kept_first", OS_MADV_PT_RECLAIM, first_present);
		vectored("kept_last", OS_MADV_PT_RECLAIM, last_present);
		plain("free_empty_plain", OS_MADV_PT_RECLAIM, os_region_size, empty_tables);
		plain("kept_first_plain", OS_MADV_PT_RECLAIM, os_region_size, first_present);
		once("free_empty_once", OS_MADV_PT_RECLAIM, empty_tables);
		once("kept_first_once", OS_MADV_PT_RECLAIM, first_present);
		once("kept_last_once", OS_MADV_PT_RECLAIM, last_present);
	}
	once("dontneed_empty_once", MADV_DONTNEED, empty_tables);
	return vm_done() == 1;
}
