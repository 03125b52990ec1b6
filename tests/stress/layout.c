// SPDX-License-Identifier: BSD-2-Clause
/*
 * layout - one range, five arenas in it, each cut into slots.
 *
 * Arenas end in the middle of a region, and slots are dealt to the workers in turn: nearly every page
 * table has several owners, and many span mappings of different kinds.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "stress.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef SYS_mseal
#define SYS_mseal 462
#endif

unsigned proc;
unsigned char *base, *alias_base, *base_copy;
size_t total_pages, regions, slot_count;
struct slot *slots;
struct page *pages;
int arena_fd = -1;
struct arena arena_anon, arena_mix, arena_file, arena_uffd, arena_wp;

static uint16_t *page_slot;
static size_t base_pages;
static int base_fd = -1, exe_fd = -1;

/* The same in every process: the remote one computes it too. */
unsigned char *range_base(unsigned process)
{
	uintptr_t at = (uintptr_t)0x200000000000 + ((uintptr_t)process << 40);

	return (unsigned char *)at; /* NOLINT(performance-no-int-to-ptr) */
}

/* In quarters of a region. */
static const size_t arena_quarters[] = {26, 25, 18, 17, 10};

size_t layout_pages(void)
{
	size_t sum = 0;

	for (size_t i = 0; i < sizeof(arena_quarters) / sizeof(*arena_quarters); i++)
		sum += arena_quarters[i];
	return sum * (region_pages / 4);
}

static void *map(void *at, size_t bytes, int prot, int flags, int fd, off_t offset)
{
	void *p = mmap(at, bytes, prot, flags, fd, offset);

	need(p != MAP_FAILED, "mmap");
	return p;
}

struct slot *slot_of(size_t page)
{
	return page_slot[page] == UINT16_MAX ? NULL : &slots[page_slot[page]];
}

size_t base_index(size_t page)
{
	const struct slot *s = slot_of(page);
	size_t i = s ? page - s->first : 0;

	return i < base_pages ? i : 0;
}

void pages_set(size_t first, size_t n, uint8_t state)
{
	for (size_t i = first; i < first + n; i++)
		pages[i].state = state;
}

/* A large file that is mapped anyway: the C library, or else the program. */
static int open_large_file(void)
{
	char line[512], *path;
	FILE *maps = fopen("/proc/self/maps", "re");
	int fd = -1;

	while (maps && fd < 0 && fgets(line, sizeof(line), maps)) {
		path = strchr(line, '/');
		if (!path || !strstr(path, "libc"))
			continue;
		path[strcspn(path, "\n")] = '\0';
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (maps)
		(void)fclose(maps);
	return fd >= 0 ? fd : open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
}

static void base_init(void)
{
	size_t have = 0, room = BASE_PAGES * page_size;
	ssize_t n;

	exe_fd = open_large_file();
	need(exe_fd >= 0, "the program's own file");
	base_copy = map(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	while (have < room) {
		n = pread(exe_fd, base_copy + have, room - have, (off_t)have);
		if (n <= 0)
			break;
		have += (size_t)n;
	}
	base_pages = have / page_size;
	need(base_pages, "the program's own file");
	base_fd = open_memfd("base", room);
	need(base_fd >= 0 && pwrite(base_fd, base_copy, have, 0) == (ssize_t)have, "base file");
}

/* Fresh memory for some pages of a slot, by its kind. */
void slot_map(struct slot *s, size_t first, size_t n)
{
	int prot = PROT_READ | PROT_WRITE, flags = MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, fd = -1;
	off_t offset = (off_t)((first - s->first) * page_size);
	uint8_t state = P_ZERO;

	switch (s->kind) {
	case K_SHM:
		flags = MAP_SHARED | MAP_FIXED;
		fd = s->fd;
		break;
	case K_FILE:
		flags = MAP_SHARED | MAP_FIXED;
		fd = arena_fd;
		offset = (off_t)(first * page_size);
		break;
	case K_PSHM:
		fd = base_fd;
		state = P_BASE;
		break;
	case K_EXE:
		fd = exe_fd;
		state = P_BASE;
		break;
	default:
		flags |= MAP_ANONYMOUS;
		offset = 0;
		break;
	}
	map(addr(first), n * page_size, prot, flags, fd, offset);
	/* What is shared is where it was. */
	if (!(s->kind & (K_SHM | K_FILE)))
		pages_set(first, n, state);
	if (s->kind == K_KSM)
		madvise(addr(first), n * page_size, MADV_MERGEABLE);
}

/* Half of the shared ones are on a disk, if there is one. */
static int open_shared(struct slot *s)
{
	size_t bytes = s->n * page_size;
	int fd;

	s->disk = false;
	if (!opts.dir || now_ns() & 1024)
		return open_memfd("slot", bytes);
	fd = open(opts.dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	need(fd >= 0 && !ftruncate(fd, (off_t)bytes), opts.dir);
	s->disk = true;
	return fd;
}

/* A new kind for a slot of the mixed arena: everything in it goes. */
void slot_kind(struct slot *s, unsigned kind)
{
	if ((kind & (K_PSHM | K_EXE)) && s->n > base_pages)
		kind = K_ANON;
	if (s->kind == K_SHM) {
		close(s->fd);
		s->fd = -1;
	}
	s->kind = kind;
	if (kind == K_SHM) {
		s->fd = open_shared(s);
		need(s->fd >= 0, "memfd_create");
		pages_set(s->first, s->n, P_ZERO);
	}
	slot_map(s, s->first, s->n);
	s->dirty = true;
}

static size_t stripe(uint64_t *rng)
{
	static const uint16_t parts[] = {1, 2, 3, 5, 8, 16, 32, 32, 64, 128};
	size_t n = parts[(rng_next(rng) >> 16) % (sizeof(parts) / sizeof(*parts))];

	return n * region_pages / 512 ? n * region_pages / 512 : 1;
}

static void cut(const struct arena *a, uint64_t *rng)
{
	size_t at = a->first, end = a->first + a->n;
	unsigned turn = 0;

	while (at < end) {
		struct slot *s = &slots[slot_count];
		size_t n = stripe(rng);

		need(slot_count < MAX_SLOTS, "slots");
		/* Half of each in large pieces, so that tables are empty often and whole ones zapped. */
		if (at >= a->first + a->n / 2)
			n = region_pages / (1 + rng_next(rng) % 3);
		/* One owner has all of it. */
		if (at % region_pages == 0 && rng_next(rng) % 5 == 0)
			n = region_pages;
		if (n > end - at)
			n = end - at;
		*s = (struct slot){.first = at, .n = n, .owner = turn++ % opts.workers, .fd = -1};
		s->kind = a->kind;
		for (size_t i = at; i < at + n; i++)
			page_slot[i] = (uint16_t)slot_count;
		slot_count++;
		at += n;
	}
}

static void arena(struct arena *a, unsigned index, unsigned kind, uint64_t *rng)
{
	static size_t at;

	a->first = at;
	a->n = arena_quarters[index] * (region_pages / 4);
	a->kind = kind;
	at += a->n;
	cut(a, rng);
}

/* Kinds in turn, some slots for mremap to move to, some for the monitor, one sealed for each. */
static void mix_init(uint64_t *rng)
{
	static const unsigned kinds[] = {K_ANON, K_SHM, K_PARK, K_PSHM, K_KSM, K_ANON, K_EXE};
	unsigned turn = 0, monitors = 0, sealed = 0;

	for (size_t i = 0; i < slot_count; i++) {
		struct slot *s = &slots[i];
		size_t len = s->n * page_size;
		unsigned kind = kinds[(turn + rng_next(rng) % 2) % 7];

		if (s->first < arena_mix.first || s->first >= arena_mix.first + arena_mix.n)
			continue;
		turn++;
		s->kind = K_ANON;
		if (monitors < 4 && s->n >= 4 && s->n <= 64) {
			monitors++;
			s->owner = opts.workers;
			slot_map(s, s->first, s->n);
		} else if (sealed < opts.workers && s->n >= 8 && s->n <= 64) {
			slot_map(s, s->first, s->n);
			s->sealed = !syscall(SYS_mseal, addr(s->first), len, 0);
			sealed++;
		} else if (kind == K_PARK && s->n >= 4 && s->n < region_pages) {
			s->kind = K_PARK;
			need(!munmap(addr(s->first), len), "munmap");
		} else {
			s->changing = true;
			slot_kind(s, kind == K_PARK ? K_ANON : kind);
		}
	}
}

static void map_arena(struct arena *a, int flags, int fd)
{
	map(addr(a->first), a->n * page_size, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd,
	    fd < 0 ? 0 : (off_t)(a->first * page_size));
}

static void uffd_arena(struct arena *a, bool wp)
{
	int error;

	map_arena(a, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
	madvise(addr(a->first), a->n * page_size, MADV_NOHUGEPAGE);
	error = uffd < 0 ? uffd_error : uffd_register(a->first, a->n, wp);
	for (size_t i = 0; i < slot_count; i++) {
		struct slot *s = &slots[i];

		/* Without it, more of the first arena. */
		if (s->kind == a->kind && error)
			s->kind = K_ANON;
	}
	for (size_t i = a->first; i < a->first + a->n && !wp && !error; i++)
		pages[i].flags = PF_MISSING;
	if (error) {
		a->kind = K_ANON;
		for (enum op op = wp ? OP_wp_write : OP_uffd_touch;
		     op <= (wp ? OP_wp_clear : OP_uffd_move); op++)
			count(op, error);
		for (enum op op = wp ? OP_monitor_unprotect : OP_monitor_copy;
		     op <= (wp ? OP_monitor_unprotect : OP_monitor_move); op++)
			count(op, error);
	}
}

void layout_init(void)
{
	uint64_t rng = opts.seed * 31 + proc;
	size_t bytes, plane;

	total_pages = layout_pages();
	bytes = total_pages * page_size;
	regions = (total_pages + region_pages - 1) / region_pages;
	base = map(range_base(proc), bytes, PROT_NONE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	need(base == range_base(proc), "the range");

	slots = calloc(MAX_SLOTS, sizeof(*slots));
	pages = calloc(total_pages, sizeof(*pages));
	page_slot = calloc(total_pages, sizeof(*page_slot));
	need(slots && pages && page_slot, "memory");
	memset(page_slot, 0xff, total_pages * sizeof(*page_slot));

	base_init();
	arena(&arena_anon, 0, K_ANON, &rng);
	arena(&arena_mix, 1, K_PARK, &rng);
	arena(&arena_file, 2, K_FILE, &rng);
	arena(&arena_uffd, 3, K_UFFD, &rng);
	arena(&arena_wp, 4, K_WP, &rng);

	map_arena(&arena_anon, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
	mix_init(&rng);
	arena_fd = open_memfd("arena", bytes);
	need(arena_fd >= 0, "memfd_create");
	map_arena(&arena_file, MAP_SHARED, arena_fd);
	/* Elsewhere, at the same place in a region. */
	plane = (size_t)1 << 38;
	alias_base = map(base + plane + arena_file.first * page_size, arena_file.n * page_size,
			 PROT_READ, MAP_SHARED | MAP_FIXED_NOREPLACE, arena_fd,
			 (off_t)(arena_file.first * page_size));
	uffd_arena(&arena_uffd, false);
	uffd_arena(&arena_wp, true);
	for (size_t i = 0; i < slot_count; i++)
		slots[i].dirty = true;
}
