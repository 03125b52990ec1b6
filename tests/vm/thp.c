// SPDX-License-Identifier: BSD-2-Clause
/*
 * thp - a table that is gone lets the next fault bring a huge page: how much RSS grows by that where
 * transparent huge pages are "always". A figure for the manual, not a mistake: a whole-region
 * MADV_DONTNEED does the same where it frees tables.
 *
 * Regions get their tables while huge pages are off for the process; one page in each is touched and
 * zapped, then huge pages are on and one page in each is touched again.
 */
#include "vm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define REGIONS 32
#define ENABLED "/sys/kernel/mm/transparent_hugepage/enabled"

static bool write_file(const char *path, const char *what)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, what, strlen(what)) > 0;

	if (fd >= 0)
		(void)close(fd);
	return ok;
}

/* RSS, in kB, that touching one page in each region costs after `advice` over all (0: none). */
static int64_t growth(int advice, size_t len, int64_t *pte)
{
	size_t span = REGIONS * os_region_size;
	char *p = mmap(NULL, span + os_region_size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *base = p + (-(uintptr_t)p & (os_region_size - 1));
	uint64_t rss;
	int64_t kb;

	if (p == MAP_FAILED)
		vm_die("mmap");
	if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0))
		vm_die("PR_SET_THP_DISABLE");
	vm_touch(base, REGIONS, 0);
	if (vm_advise(base, REGIONS, 0, os_page_size, MADV_DONTNEED, VM_VECTOR))
		vm_die("MADV_DONTNEED");
	if (prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0))
		vm_die("PR_SET_THP_DISABLE");
	if (advice && vm_advise(base, REGIONS, 0, len, advice, VM_VECTOR))
		vm_die("the advice");
	rss = vm_rss_kb();
	*pte = (int64_t)vm_pte_kb(0);
	vm_touch(base, REGIONS, 0);
	kb = (int64_t)vm_rss_kb() - (int64_t)rss;
	*pte = (int64_t)vm_pte_kb(0) - *pte;
	(void)munmap(p, span + os_region_size);
	return kb;
}

int main(void)
{
	char old[128] = "";
	int fd = open(ENABLED, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, old, sizeof(old) - 1);
	int64_t kb, pte, large;

	if (fd >= 0)
		(void)close(fd);
	vm_init();
	if (got <= 0 || !write_file(ENABLED, "always")) {
		vm_skip("thp", "no transparent huge pages here");
		return vm_done();
	}
	large = (int64_t)(REGIONS * os_region_size / 1024);
	kb = growth(0, 0, &pte);
	vm_figure("thp_growth_without_kb", (double)kb);
	/* RSS is counted per CPU and added up now and then. */
	vm_check(kb <= large / 8, "with its table a region gets a small page", "%ld kB", (long)kb);
	kb = growth(MADV_DONTNEED, os_region_size, &pte);
	vm_figure("thp_growth_dontneed_kb", (double)kb);
	if (vm_patched()) {
		kb = growth(OS_MADV_PT_RECLAIM, os_page_size, &pte);
		vm_figure("thp_growth_reclaim_kb", (double)kb);
		vm_figure("thp_growth_reclaim_pte_kb", (double)pte);
		vm_check(kb >= large * 3 / 4, "after the advice it gets a huge page",
			 "%ld of %ld kB", (long)kb, (long)large);
	}
	/* "always [madvise] never" */
	old[got] = '\0';
	for (char *word = strchr(old, '['); word; word = NULL) {
		word[strcspn(word, "]")] = '\0';
		(void)write_file(ENABLED, word + 1);
	}
	return vm_done();
}
