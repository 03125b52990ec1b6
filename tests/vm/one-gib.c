// SPDX-License-Identifier: BSD-2-Clause
/*
 * one-gib - 1 GiB is touched and zapped in pieces of 64 KiB; then the advice, once over all of it.
 *
 * The zaps leave every table. With the advice VmPTE is back where it was, and where pages were kept
 * their tables are too, and what was written there.
 */
#include "vm.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define PIECE	     ((size_t)64 << 10)
#define KEPT_EVERY   7 /* regions, in the second round */
#define UPPER_LEVELS 8 /* kB: a PMD table and a PUD table, which stay */
#define STOCK_LEAVES 2000

static size_t kept_page(size_t region)
{
	return region * 37 % (os_page_size / sizeof(uint64_t));
}

static void touch_all(char *base, size_t len)
{
	for (size_t i = 0; i < len; i += os_page_size)
		*(volatile char *)(base + i) = 1;
}

static void zap_in_pieces(char *base, size_t len)
{
	for (size_t i = 0; i < len; i += PIECE)
		if (os.madvise(base + i, PIECE, MADV_DONTNEED))
			vm_die("MADV_DONTNEED");
}

static void all_of_it(char *base, size_t n)
{
	size_t len = n * os_region_size;
	uint64_t start = vm_pte_kb(0), touched, zapped, after, t;
	int64_t freed = vm_event("pt_reclaim_freed");
	int r;

	touch_all(base, len);
	touched = vm_pte_kb(0);
	zap_in_pieces(base, len);
	zapped = vm_pte_kb(0);
	t = vm_ns();
	r = os.madvise(base, len, OS_MADV_PT_RECLAIM);
	t = vm_ns() - t;
	after = vm_pte_kb(0);
	freed = vm_event("pt_reclaim_freed") - freed;

	vm_figure("one_gib_start_kb", (double)start);
	vm_figure("one_gib_touched_kb", (double)touched);
	vm_figure("one_gib_zapped_kb", (double)zapped);
	vm_figure("one_gib_after_kb", (double)after);
	vm_figure("one_gib_ms", (double)t / 1e6);
	vm_check(zapped >= start + n * os_page_size / 1024, "zaps of 64 KiB leave every table",
		 "%lu -> %lu kB", (unsigned long)start, (unsigned long)zapped);
	if (!vm_patched()) {
		vm_check(r == -EINVAL, "the advice is unknown", "%d", r);
		vm_check(after > STOCK_LEAVES, "the tables stay", "%lu kB", (unsigned long)after);
		return;
	}
	vm_check(!r, "the advice over 1 GiB", "%d", r);
	vm_check(after <= start + UPPER_LEVELS, "VmPTE is back to within 8 kB",
		 "%lu -> %lu -> %lu kB", (unsigned long)start, (unsigned long)zapped,
		 (unsigned long)after);
	vm_check(freed == (int64_t)n, "pt_reclaim_freed counts every table", "%ld of %zu%s",
		 (long)freed, n, vm_event("pt_reclaim_freed") < 0 ? " (no such counter)" : "");
}

static void some_kept(char *base, size_t n)
{
	size_t len = n * os_region_size, kept = 0, lost = 0;
	uint64_t before, after;
	int r;

	touch_all(base, len);
	zap_in_pieces(base, len);
	for (size_t i = 0; i < n; i += KEPT_EVERY, kept++)
		memset(base + i * os_region_size + kept_page(i) * os_page_size, (int)(i | 1),
		       os_page_size);
	before = vm_pte_kb(0);
	r = os.madvise(base, len, OS_MADV_PT_RECLAIM);
	after = vm_pte_kb(0);
	for (size_t i = 0; i < n; i += KEPT_EVERY) {
		const char *page = base + i * os_region_size + kept_page(i) * os_page_size;

		for (size_t k = 0; k < os_page_size; k++)
			lost += page[k] != (char)(i | 1);
	}
	vm_check(!lost, "pages that were kept are intact", "%zu bytes differ", lost);
	if (!vm_patched())
		return;
	vm_check(!r && before - after == (n - kept) * os_page_size / 1024,
		 "tables stay below pages that were kept, and only those", "%d, %lu - %lu kB", r,
		 (unsigned long)before, (unsigned long)after);
}

int main(void)
{
	char *base;
	size_t n;

	vm_init();
	n = vm_pmd_span() / os_region_size; /* 1 GiB on x86-64: one PMD table */
	if (vm_meminfo_kb("MemAvailable") < (int64_t)(vm_pmd_span() / 1024 / 8 * 9)) {
		vm_skip("one-gib", "not enough memory");
		return vm_done();
	}
	base = vm_map(n, vm_pmd_span());
	all_of_it(base, n);
	some_kept(base, n);
	return vm_done();
}
