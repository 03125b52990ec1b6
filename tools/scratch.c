// SPDX-License-Identifier: BSD-2-Clause
/* scratch - see scratch.h. */
#include "scratch.h"

#include "floor.h"
#include "os.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

/* Regions whose tables must go, between two that stay in use. */
#define REGIONS 8

/* Written everywhere: a page that was dropped reads zero. */
#define MARK 0x5a

struct scratch {
	char *map;
	size_t map_len;
	char *lower; /* in use: its last page holds data, just below the first region */
	char *first; /* REGIONS regions with data in their first and last page */
	char *upper; /* in use: its first page holds data, and one in the middle was zapped */
};

static void mark(char *page)
{
	memset(page, MARK, os_page_size);
}

static bool page_is(const char *page, char c)
{
	return *page == c && !memcmp(page, page + 1, os_page_size - 1);
}

static bool scratch_map(struct scratch *s)
{
	s->map_len = (REGIONS + 3) * os_region_size;
	s->map = os.map(s->map_len);
	if (!s->map)
		return false;
	s->lower = s->map + (-(uintptr_t)s->map & (os_region_size - 1));
	s->first = s->lower + os_region_size;
	s->upper = s->first + REGIONS * os_region_size;
	/* A huge page has no table to free. Without huge pages there is no such advice. */
	(void)os.madvise(s->map, s->map_len, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < REGIONS; i++) {
		mark(s->first + i * os_region_size);
		mark(s->first + (i + 1) * os_region_size - os_page_size);
	}
	mark(s->lower + os_region_size - os_page_size);
	mark(s->upper);
	mark(s->upper + os_region_size / 2);
	return true;
}

static bool neighbours_intact(const struct scratch *s)
{
	return page_is(s->lower + os_region_size - os_page_size, MARK) && page_is(s->upper, MARK);
}

static bool regions_read_zero(const struct scratch *s)
{
	for (size_t i = 0; i < REGIONS; i++)
		if (!page_is(s->first + i * os_region_size, 0) ||
		    !page_is(s->first + (i + 1) * os_region_size - os_page_size, 0))
			return false;
	return true;
}

static uint64_t vmpte_kb(void)
{
	struct floor_report r;

	return floor_vm(0, &r) ? 0 : r.vmpte_kb;
}

/* Zap in pieces, then ask for the tables: over a region in use, too, whose data must survive. */
static bool ask_for_tables(const struct scratch *s)
{
	char *end = s->upper + os_region_size;

	for (char *p = s->first; p < s->upper; p += os_region_size)
		if (os.madvise(p, os_page_size, MADV_DONTNEED) ||
		    os.madvise(p + os_region_size - os_page_size, os_page_size, MADV_DONTNEED))
			return false;
	if (os.madvise(s->upper + os_region_size / 2, os_page_size, MADV_DONTNEED))
		return false;
	return !os.madvise(s->lower, (size_t)(end - s->lower), OS_MADV_PT_RECLAIM);
}

static bool free_tables(const struct scratch *s, enum conf_backend which)
{
	if (which == CONF_BACKEND_PT_RECLAIM)
		return ask_for_tables(s);
	for (char *p = s->first; p < s->upper; p += os_region_size) {
		int r = which == CONF_BACKEND_REMAP ? os.remap(p, os_region_size)
						    : os.madvise(p, os_region_size, MADV_DONTNEED);

		if (r)
			return false;
	}
	return true;
}

bool backend_probe(enum conf_backend which)
{
	struct scratch s;
	uint64_t before, after;
	bool ok;

	if (which == CONF_BACKEND_AUTO || which == CONF_BACKEND_NONE)
		return which == CONF_BACKEND_NONE;
	if (!scratch_map(&s))
		return false;
	before = vmpte_kb();
	ok = free_tables(&s, which);
	after = vmpte_kb();
	ok = ok && after && before >= after + REGIONS * os_page_size / 1024;
	/* Last, because reading brings the tables back. */
	ok = ok && neighbours_intact(&s) && regions_read_zero(&s);
	(void)os.unmap(s.map, s.map_len);
	return ok;
}
