// SPDX-License-Identifier: BSD-2-Clause
/*
 * sweep - 550 GiB of address space with one page touched in each region: 1.1 GiB of tables. The pages
 * are zapped and the tables reclaimed while threads fault elsewhere in the same address space.
 *
 *   sweep vectors|once     by vectors of 1,024 regions, or by a single call over all of it
 *
 * PTR_REGIONS in the environment: how many regions (281600), if memory is short.
 */
#include "vm.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define REGIONS	      281600
#define AFTER_KB      (12 << 10)
#define FAULTERS      2
#define FAULT_REGIONS 32
#define BUCKETS	      40

struct faulter {
	pthread_t thread;
	char *base;
	_Atomic uint64_t faults;  /* that ended */
	uint64_t during, longest; /* of those that began or ended within the sweep; ns */
	uint64_t bucket[BUCKETS]; /* by log2 of ns */
} __attribute__((aligned(256)));

static struct faulter faulters[FAULTERS];
static _Atomic bool sweeping, stop;
static uint64_t mappings, longest_mapping; /* by the thread that maps and unmaps */

/* Fault in fresh pages, each timed; half of them are the first of their region. */
static void *fault(void *arg)
{
	struct faulter *f = arg;
	size_t step = os_region_size / 2, len = FAULT_REGIONS * os_region_size;

	for (size_t at = 0; !atomic_load(&stop); at += step) {
		bool before = atomic_load(&sweeping);
		uint64_t t = vm_ns();

		*(volatile char *)(f->base + at % len) = 1;
		t = vm_ns() - t;
		atomic_fetch_add(&f->faults, 1);
		if (before || atomic_load(&sweeping)) {
			unsigned log = (unsigned)(63 - __builtin_clzll(t | 1));

			f->during++;
			f->bucket[log < BUCKETS ? log : BUCKETS - 1]++;
			f->longest = t > f->longest ? t : f->longest;
		}
		if ((at + step) % len == 0 && os.madvise(f->base, len, MADV_DONTNEED))
			vm_die("MADV_DONTNEED");
	}
	return NULL;
}

/* The other lock: those who change mappings wait for whoever holds it to read. */
static void *map_and_unmap(void *arg)
{
	(void)arg;
	while (!atomic_load(&stop)) {
		bool before = atomic_load(&sweeping);
		struct timespec pause = {.tv_nsec = 5000000};
		uint64_t t = vm_ns();
		void *p = os.map(os_page_size);

		if (!p || os.unmap(p, os_page_size))
			vm_die("mmap");
		t = vm_ns() - t;
		if (before || atomic_load(&sweeping)) {
			mappings++;
			longest_mapping = t > longest_mapping ? t : longest_mapping;
		}
		(void)nanosleep(&pause, NULL);
	}
	return NULL;
}

static uint64_t all_faults(void)
{
	uint64_t n = 0;

	for (size_t i = 0; i < FAULTERS; i++)
		n += atomic_load(&faulters[i].faults);
	return n;
}

/* Log2 of the time within which all but one of `share` faults ended. */
static uint64_t quantile_ns(uint64_t share)
{
	uint64_t all = 0, slow = 0;

	for (size_t i = 0; i < FAULTERS; i++)
		all += faulters[i].during;
	for (unsigned b = BUCKETS; b-- > 0;) {
		for (size_t i = 0; i < FAULTERS; i++)
			slow += faulters[i].bucket[b];
		if (slow > all / share)
			return (uint64_t)2 << b;
	}
	return 0;
}

/* In how many of the calls did some fault end? */
static size_t calls, calls_with_faults;

static int reclaim(char *base, size_t n, size_t vector)
{
	int r = 0;

	for (size_t i = 0; i < n && !r; i += vector, calls++) {
		size_t k = n - i < vector ? n - i : vector;
		uint64_t before = all_faults();

		r = vector == n
			    ? os.madvise(base, n * os_region_size, OS_MADV_PT_RECLAIM)
			    /* A page of each will do, since it is rounded outwards, and 1,024 whole
				 * regions would be more than a vector can name. */
			    : vm_advise(base + i * os_region_size, k, 0, os_page_size,
					OS_MADV_PT_RECLAIM, VM_VECTOR);
		calls_with_faults += all_faults() > before;
	}
	return r;
}

static void judge(const char *how, size_t n, int r, uint64_t ns, uint64_t zapped, uint64_t after)
{
	uint64_t during = 0, longest = 0;
	char name[64];

	for (size_t i = 0; i < FAULTERS; i++) {
		during += faulters[i].during;
		longest = faulters[i].longest > longest ? faulters[i].longest : longest;
	}
#define FIGURE(what, value)                                                                        \
	((void)snprintf(name, sizeof(name), "sweep_%s_%s", how, what), vm_figure(name, value))
	FIGURE("zapped_kb", (double)zapped);
	FIGURE("after_kb", (double)after);
	FIGURE("ms", (double)ns / 1e6);
	FIGURE("calls", (double)calls);
	FIGURE("calls_with_faults", (double)calls_with_faults);
	FIGURE("faults", (double)during);
	FIGURE("fault_longest_ms", (double)longest / 1e6);
	FIGURE("fault_99.9_us", (double)quantile_ns(1000) / 1e3);
	FIGURE("mappings", (double)mappings);
	FIGURE("mapping_longest_ms", (double)longest_mapping / 1e6);
#undef FIGURE
	if (!vm_patched()) {
		vm_check(r == -EINVAL && after >= zapped, "without the advice the tables stay",
			 "%d, %lu kB", r, (unsigned long)after);
		return;
	}
	vm_check(!r, "the sweep", "%d", r);
	/* Those of the faulting threads are not what is asked about, but are in it. */
	vm_check(after <= AFTER_KB, "VmPTE after the sweep", "%lu kB of %lu", (unsigned long)after,
		 (unsigned long)zapped);
	/* What took all of the sweep would leave each thread with the one fault that it waits in. */
	vm_check(during >= 100 * FAULTERS, "faults go on during the sweep", "%lu in %lu ms",
		 (unsigned long)during, (unsigned long)(ns / 1000000));
	/* A fault may also wait for a processor, some scheduler's ticks: a short sweep tells nothing. */
	if (ns < UINT64_C(1000000000))
		vm_skip("no fault waits for the whole sweep", "it took %lu us only",
			(unsigned long)(ns / 1000));
	else
		vm_check(longest < ns / 4, "no fault waits for the whole sweep", "%lu of %lu us",
			 (unsigned long)(longest / 1000), (unsigned long)(ns / 1000));
	if (n == REGIONS && calls > 1)
		vm_check(calls_with_faults > calls / 10, "nor for its calls",
			 "faults ended within %zu of %zu", calls_with_faults, calls);
}

int main(int argc, char **argv)
{
	size_t n, vector;
	uint64_t zapped, after, ns, t;
	pthread_t mapper;
	char *base;
	int r;

	vm_init();
	n = vm_number("PTR_REGIONS", REGIONS);
	vector = argc > 1 && !strcmp(argv[1], "once") ? n : VM_VECTOR;
	/* A page and a table for each, and half as much again for everything else. */
	if (vm_meminfo_kb("MemAvailable") < (int64_t)(n * os_page_size / 1024 * 5 / 2)) {
		vm_skip("sweep", "not enough memory for %zu regions", n);
		return vm_done();
	}
	base = vm_map(n, vm_pmd_span());
	t = vm_ns();
	vm_touch(base, n, 0);
	vm_figure("sweep_touch_ms", (double)(vm_ns() - t) / 1e6);
	t = vm_ns();
	/* A page at a time: DONTNEED over all of a region would free its table by itself. */
	r = vm_advise(base, n, 0, os_page_size, MADV_DONTNEED, VM_VECTOR);
	if (r) {
		errno = -r;
		vm_die("MADV_DONTNEED");
	}
	vm_figure("sweep_zap_ms", (double)(vm_ns() - t) / 1e6);
	zapped = vm_pte_kb(0);

	for (size_t i = 0; i < FAULTERS; i++) {
		faulters[i].base = vm_map(FAULT_REGIONS, os_region_size);
		if (pthread_create(&faulters[i].thread, NULL, fault, &faulters[i]))
			vm_die("pthread_create");
	}
	if (pthread_create(&mapper, NULL, map_and_unmap, NULL))
		vm_die("pthread_create");
	while (all_faults() < 1000)
		(void)sched_yield();

	atomic_store(&sweeping, true);
	ns = vm_ns();
	r = reclaim(base, n, vector);
	ns = vm_ns() - ns;
	atomic_store(&sweeping, false);
	atomic_store(&stop, true);
	for (size_t i = 0; i < FAULTERS; i++)
		(void)pthread_join(faulters[i].thread, NULL);
	(void)pthread_join(mapper, NULL);
	after = vm_pte_kb(0);
	judge(vector == n ? "once" : "vectors", n, r, ns, zapped, after);
	return vm_done();
}
