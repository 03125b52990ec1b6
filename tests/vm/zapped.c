// SPDX-License-Identifier: BSD-2-Clause
/*
 * zapped - the library's sweep: what it is told was zapped by others (engine_zapped), in pieces that
 * are smaller than a region, loses its tables without an allocator's help. Measured against what the
 * zaps leave by themselves, and against a whole-region MADV_DONTNEED, for which all of a region has to
 * be known to be free: here a page in some regions is in use, so no such call may be made at all.
 *
 * And a sweep costs what was zapped since the last, however large the address space: calls and regions
 * are counted. Where the kernel has nothing to sweep with, the tables that it would have freed are.
 */
#include "vm.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backend.h"
#include "conf.h"
#include "engine.h"
#include "floor.h"
#include "worker.h"

#define REGIONS	   512
#define KEPT_EVERY 8
#define PIECE	   ((size_t)64 << 10)
#define WAIT_MS	   20000
#define SWEEP_MS   500
#define SETTLED_US (1500 * SWEEP_MS)
#define SLACK_KB   16 /* stacks and such move */

/* 64 GiB, of which every eighth region has a table. */
#define WIDE	   32768
#define WIDE_EVERY 8
#define ZAPS	   64 /* so many of them are zapped in */
#define ZAP_EVERY  (WIDE / ZAPS)
#define HOLE_EVERY 16
#define GONE_EVERY 16
#define UNTOUCHED  16384

static struct floor_report look(void)
{
	struct floor_report r;
	int err = floor_measure(0, &r);

	if (err) {
		errno = -err;
		vm_die("the floor");
	}
	return r;
}

/* Touch every PIECE, zap it again, tell the engine; keep a page in some regions. */
static void churn(char *base, bool tell)
{
	for (size_t i = 0; i < REGIONS; i++)
		for (size_t at = 0; at < os_region_size; at += PIECE) {
			char *p = base + i * os_region_size + at;

			*(volatile char *)p = 1;
			if (os.madvise(p, PIECE, MADV_DONTNEED))
				vm_die("MADV_DONTNEED");
			if (tell)
				engine_zapped(p, PIECE, true);
		}
	for (size_t i = 0; i < REGIONS; i += KEPT_EVERY)
		memset(base + i * os_region_size, (int)(i | 1), os_page_size);
}

static bool intact(const char *base)
{
	for (size_t i = 0; i < REGIONS; i += KEPT_EVERY)
		for (size_t k = 0; k < os_page_size; k++)
			if (base[i * os_region_size + k] != (char)(i | 1))
				return false;
	return true;
}

static uint64_t counter(enum stat which)
{
	struct stats_snapshot s;

	stats_snapshot(&s);
	return s.counter[which];
}

static const char *expected_backend(void)
{
	return vm_patched() ? "pt_reclaim" : !strcmp(vm_line(), "6.12") ? "remap" : "dontneed";
}

/* Every zap here is in pieces; then, where that can be done at all, a call over the whole region. */
static void without_library(uint64_t *pieces, uint64_t *whole)
{
	char *base = vm_map(REGIONS, vm_pmd_span());

	churn(base, false);
	*pieces = look().waste_kb;
	for (size_t i = 0; i < REGIONS; i++)
		if (i % KEPT_EVERY &&
		    os.madvise(base + i * os_region_size, os_region_size, MADV_DONTNEED))
			vm_die("MADV_DONTNEED");
	*whole = look().waste_kb;
	(void)os.unmap(base, REGIONS * os_region_size);
}

static void swept_by_the_library(void)
{
	uint64_t pieces, whole, calls, waste = UINT64_MAX, t;
	struct floor_report r;
	struct conf c;
	char *base;

	without_library(&pieces, &whole);
	vm_figure("zapped_waste_pieces_kb", (double)pieces);
	vm_figure("zapped_waste_whole_kb", (double)whole);

	conf_defaults(&c);
	c.sweep_ms = SWEEP_MS;
	c.kill_file[0] = '\0';
	if (engine_init(&c) != CONF_ON || worker_start(&c))
		vm_die("the engine");
	vm_check(!strcmp(engine_backend_name(), expected_backend()), "backend", "%s, expected %s",
		 engine_backend_name(), expected_backend());
	base = vm_map(REGIONS, vm_pmd_span());
	churn(base, true);
	t = vm_ns();
	do {
		(void)usleep(50000);
		r = look();
		waste = r.waste_kb < waste ? r.waste_kb : waste;
		if (!vm_patched() || (waste <= 64 + r.floor_kb / 20 && waste <= whole + SLACK_KB))
			break;
	} while (vm_ns() - t < WAIT_MS * UINT64_C(1000000));
	vm_figure("zapped_waste_swept_kb", (double)waste);
	vm_figure("zapped_floor_kb", (double)r.floor_kb);
	vm_figure("zapped_regions_swept", (double)counter(STAT_REGIONS_SWEPT));
	vm_figure("zapped_sys_process_madvise", (double)counter(STAT_SYS_PROCESS_MADVISE));
	vm_figure("zapped_sys_madvise", (double)counter(STAT_SYS_MADVISE));
	vm_figure("zapped_fallbacks", (double)counter(STAT_FALLBACKS));
	vm_check(intact(base), "pages in use are intact", "%d of %d regions have one",
		 REGIONS / KEPT_EVERY, REGIONS);
	if (!vm_patched()) {
		/* Nothing may be done to such a region, and nothing is. */
		vm_check(waste + SLACK_KB >= pieces, "the sweep leaves them", "%lu kB of %lu",
			 (unsigned long)waste, (unsigned long)pieces);
		return;
	}
	vm_check(waste <= 64 + r.floor_kb / 20, "the sweep reaches the waste target",
		 "%lu kB, floor %lu kB", (unsigned long)waste, (unsigned long)r.floor_kb);
	vm_check(waste <= whole + SLACK_KB, "no more waste than whole-region zaps would leave",
		 "%lu kB, those leave %lu kB, pieces %lu kB", (unsigned long)waste,
		 (unsigned long)whole, (unsigned long)pieces);
	calls = counter(STAT_SYS_PROCESS_MADVISE) + counter(STAT_SYS_MADVISE);
	vm_check(counter(STAT_FALLBACKS) == 0 && calls <= REGIONS / 64,
		 "neighbours are asked about at once", "%lu calls, %lu fallbacks",
		 (unsigned long)calls, (unsigned long)counter(STAT_FALLBACKS));
}

static uint64_t calls(void)
{
	return counter(STAT_SYS_PROCESS_MADVISE) + counter(STAT_SYS_MADVISE);
}

/* The nth region that is zapped in. */
static char *zapped_region(char *base, size_t n)
{
	return base + n * ZAP_EVERY * os_region_size;
}

/* Without a word to the engine, as a C library does it from within. */
static void unmap_silently(char *p, size_t len)
{
	if (os.unmap(p, len))
		vm_die("munmap");
}

static void zap_page(char *region)
{
	if (os.madvise(region + os_region_size - os_page_size, os_page_size, MADV_DONTNEED))
		vm_die("MADV_DONTNEED");
}

static void tell(char *region)
{
	engine_zapped(region + os_region_size - os_page_size, os_page_size, true);
}

/* The only page of each of a few regions. */
static void zap_few(char *base)
{
	for (size_t i = 0; i < ZAPS; i++) {
		zap_page(zapped_region(base, i));
		tell(zapped_region(base, i));
	}
}

/*
 * The same in those beside them. Of some the front or the back is left mapped, with their table; of some
 * nothing.
 */
static void zap_few_with_holes(char *base)
{
	size_t half = os_region_size / 2;

	for (size_t i = 0; i < ZAPS; i++) {
		char *region = zapped_region(base, i) + WIDE_EVERY * os_region_size;

		zap_page(region);
		if (i % HOLE_EVERY == 0)
			unmap_silently(i % (2 * HOLE_EVERY) ? region : region + half, half);
		if (i % GONE_EVERY == 1)
			unmap_silently(region, os_region_size);
		tell(region);
	}
}

/* Until so many regions more are swept, and some time: a vector is issued after its regions are counted,
 * and nobody is to ask twice. */
static void wait_for(uint64_t swept)
{
	uint64_t t = vm_ns();

	while (counter(STAT_REGIONS_SWEPT) < swept && vm_ns() - t < WAIT_MS * UINT64_C(1000000))
		(void)usleep(20000);
	(void)usleep(SETTLED_US);
}

/* What a few zaps cost, and won, where there is a sweep. */
static void few_swept(const char *name, char *base, void (*zap)(char *), uint64_t most_calls)
{
	uint64_t swept = counter(STAT_REGIONS_SWEPT), n = calls(), kb = vm_pte_kb(0), now;

	zap(base);
	wait_for(swept + ZAPS);
	swept = counter(STAT_REGIONS_SWEPT) - swept;
	n = calls() - n;
	now = vm_pte_kb(0);
	vm_check(swept == ZAPS && n > 0 && n <= most_calls, name,
		 "%lu regions swept by %lu calls, %d zapped, of %d with a table in %d",
		 (unsigned long)swept, (unsigned long)n, ZAPS, WIDE / WIDE_EVERY, WIDE);
	vm_check(now + ZAPS * (os_page_size >> 10) <= kb + SLACK_KB, "and their tables are freed",
		 "VmPTE %lu kB, was %lu kB", (unsigned long)now, (unsigned long)kb);
}

/* Where there is none: nothing is done, and it is counted. */
static void few_counted(const char *name, char *base, void (*zap)(char *), uint64_t tables)
{
	uint64_t before = engine_reclaimable(), n = calls(), counted;

	zap(base);
	counted = (engine_reclaimable() - before) / os_page_size;
	n = calls() - n;
	vm_check(counted == tables && !n, name, "%lu tables counted, %lu are empty, %lu calls",
		 (unsigned long)counted, (unsigned long)tables, (unsigned long)n);
}

/* Where nothing was ever touched there is no table to be won, and nobody can see that. */
static void zap_untouched(void)
{
	char *base = vm_map(UNTOUCHED, os_region_size);

	for (size_t i = 0; i < UNTOUCHED; i++)
		engine_zapped(base + i * os_region_size, os_page_size, true);
	vm_check(engine_reclaimable() <= vm_pte_kb(0) << 10, "not more is counted than there is",
		 "%lu kB, VmPTE %lu kB, %d regions that were never touched",
		 (unsigned long)(engine_reclaimable() >> 10), (unsigned long)vm_pte_kb(0),
		 UNTOUCHED);
}

static void in_proportion(void)
{
	char *base = vm_map(WIDE, vm_pmd_span());

	for (size_t i = 0; i < WIDE; i += WIDE_EVERY)
		vm_touch(base + i * os_region_size, 1, os_region_size / os_page_size - 1);
	if (!vm_patched()) {
		few_counted("what the advice would free is counted", base, zap_few, ZAPS);
		few_counted("also where a part is mapped, and not where nothing is", base,
			    zap_few_with_holes, ZAPS - ZAPS / GONE_EVERY);
		zap_untouched();
		return;
	}
	/* Nothing is left of what came before. */
	wait_for(counter(STAT_REGIONS_SWEPT));
	/* One call, or two if the sweep comes while they are zapped. */
	few_swept("a sweep costs what was zapped since", base, zap_few, 3);
	/* Each hole may stop a vector. */
	few_swept("holes cost no more than a call each", base, zap_few_with_holes, ZAPS + 4);
	vm_check(engine_reclaimable() == 0, "nothing is left to be won", "%lu bytes",
		 (unsigned long)engine_reclaimable());
}

int main(void)
{
	vm_init();
	swept_by_the_library();
	in_proportion();
	return vm_done();
}
