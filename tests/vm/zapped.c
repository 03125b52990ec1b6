// SPDX-License-Identifier: BSD-2-Clause
/*
 * zapped - the library's sweep: what it is told was zapped by others (engine_zapped), in pieces that
 * are smaller than a region, loses its tables without an allocator's help. Measured against what the
 * zaps leave by themselves, and against a whole-region MADV_DONTNEED, for which all of a region has to
 * be known to be free: here a page in some regions is in use, so no such call may be made at all.
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
#define SLACK_KB   16 /* stacks and such move */

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

int main(void)
{
	uint64_t pieces, whole, calls, waste = UINT64_MAX, t;
	struct floor_report r;
	struct conf c;
	char *base;

	vm_init();
	without_library(&pieces, &whole);
	vm_figure("zapped_waste_pieces_kb", (double)pieces);
	vm_figure("zapped_waste_whole_kb", (double)whole);

	conf_defaults(&c);
	c.sweep_ms = 100;
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
		return vm_done();
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
	return vm_done();
}
