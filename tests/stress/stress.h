/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reclaim-stress - everything that touches page tables, beside MADV_PT_RECLAIM, with every byte known.
 *
 * A process has one range of address space, cut into slots of one to some hundred pages. Each slot has
 * one owner, a worker, and workers' slots lie next to each other, so that page tables are shared by
 * several of them. What each page must hold is in a table outside, which only its owner changes.
 */
#ifndef STRESS_H
#define STRESS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MAX_PROCS   4
#define MAX_WORKERS 16
#define MAX_SLOTS   4096
#define HISTORY	    8192 /* operations remembered by each worker, a power of two */
#define BASE_PAGES  64	 /* pages of the file below private mappings */
#define BUF_PAGES   64	 /* a worker's buffer outside */

/* What a slot is mapped as. */
enum {
	K_ANON = 1,
	K_SHM = 2,    /* shared, a memfd of its own */
	K_PSHM = 4,   /* private, over a memfd */
	K_EXE = 8,    /* private, over the program's own file */
	K_KSM = 16,   /* anonymous and mergeable, contents out of a few */
	K_FILE = 32,  /* shared, one memfd for the whole arena */
	K_UFFD = 64,  /* userfaultfd, missing pages */
	K_WP = 128,   /* userfaultfd, write protection */
	K_PARK = 256, /* nothing: where mremap moves to */
};
#define K_MIX	  (K_ANON | K_SHM | K_PSHM | K_EXE | K_KSM)
#define K_ANYANON (K_ANON | K_KSM)
#define K_PLAIN	  (K_MIX | K_FILE)
#define K_ALL	  (K_PLAIN | K_UFFD | K_WP)

/* What a page must read as. */
enum {
	P_ZERO,
	P_FULL,	 /* the pattern of its key */
	P_MAYBE, /* that, or zero */
	P_BASE,	 /* the file below */
};

enum {
	PF_MISSING = 1, /* userfaultfd: nobody may see it before a fill */
	PF_WP = 2,	/* userfaultfd: the next write must be announced */
};

struct page {
	uint64_t key;
	uint8_t state;
	_Atomic(uint8_t) flags;
};

struct slot {
	size_t first, n; /* pages */
	unsigned owner, kind;
	int fd;	       /* K_SHM */
	bool disk;     /* K_SHM on a file system */
	bool sealed;   /* mseal */
	bool dirty;    /* something may have entries */
	bool changing; /* its kind may change */
};

/* An operation, where and on what; listed as X(NAME, KINDS, FILL, DRAIN): weights in the two tides. */
#define OPS(X)                                                                                     \
	X(write, K_PLAIN, 40, 1)                                                                   \
	X(read, K_PLAIN | K_WP, 10, 1)                                                             \
	X(populate, K_ANON | K_SHM | K_FILE, 3, 0)                                                 \
	X(zap, K_ALL, 8, 20)                                                                       \
	X(zap_slot, K_ALL, 3, 60)                                                                  \
	X(zap_vector, K_ALL, 2, 6)                                                                 \
	X(zap_locked, K_PLAIN, 1, 3)                                                               \
	X(madv_free, K_ANON, 5, 4)                                                                 \
	X(mprotect, K_PLAIN, 4, 3)                                                                 \
	X(unmap_map, K_PLAIN, 3, 8)                                                                \
	X(mremap, K_MIX, 5, 8)                                                                     \
	X(mremap_dontunmap, K_ANON, 2, 4)                                                          \
	X(rekind, K_MIX, 2, 4)                                                                     \
	X(mlock, K_PLAIN, 3, 1)                                                                    \
	X(guard, K_ANON, 3, 4)                                                                     \
	X(fork, K_ALL, 1, 0)                                                                       \
	X(collapse, K_ANON | K_FILE, 3, 1)                                                         \
	X(thp_advice, K_ANON | K_FILE, 1, 1)                                                       \
	X(pageout, K_ALL, 5, 2)                                                                    \
	X(cold, K_ALL, 2, 1)                                                                       \
	X(unmerge, K_KSM, 2, 1)                                                                    \
	X(mbind, K_ANON | K_SHM, 2, 1)                                                             \
	X(move_pages, K_PLAIN, 3, 1)                                                               \
	X(migrate_pages, K_PLAIN, 1, 0)                                                            \
	X(gup_read, K_PLAIN | K_WP, 4, 2)                                                          \
	X(gup_write, K_PLAIN, 5, 1)                                                                \
	X(vmsplice, K_PLAIN, 3, 3)                                                                 \
	X(io_uring, K_ANON | K_SHM | K_FILE, 3, 1)                                                 \
	X(pagemap, K_ALL, 3, 1)                                                                    \
	X(mincore, K_ALL, 2, 1)                                                                    \
	X(punch, K_SHM | K_FILE, 4, 10)                                                            \
	X(madv_remove, K_SHM | K_FILE, 2, 6)                                                       \
	X(truncate, K_SHM, 3, 8)                                                                   \
	X(alias, K_FILE, 4, 2)                                                                     \
	X(uffd_touch, K_UFFD, 40, 1)                                                               \
	X(uffd_copy, K_UFFD, 40, 1)                                                                \
	X(uffd_zeropage, K_UFFD, 10, 1)                                                            \
	X(uffd_move, K_UFFD, 20, 10)                                                               \
	X(wp_write, K_WP, 40, 1)                                                                   \
	X(wp_set, K_WP, 20, 4)                                                                     \
	X(wp_clear, K_WP, 4, 2)                                                                    \
	X(hop, K_ALL, 1, 1)

/* What others than workers do is counted in the same table. */
#define SIDE_OPS(X)                                                                                \
	X(monitor_copy)                                                                            \
	X(monitor_zeropage)                                                                        \
	X(monitor_move)                                                                            \
	X(monitor_unprotect)                                                                       \
	X(read_pagemap)                                                                            \
	X(read_smaps)                                                                              \
	X(read_smaps_rollup)                                                                       \
	X(read_numa_maps)                                                                          \
	X(read_clear_refs)                                                                         \
	X(lru_gen_age)                                                                             \
	X(lru_gen_evict)                                                                           \
	X(page_idle)                                                                               \
	X(compact_memory)                                                                          \
	X(reclaim_page)                                                                            \
	X(reclaim_region)                                                                          \
	X(reclaim_range)                                                                           \
	X(reclaim_all)                                                                             \
	X(reclaim_vector)                                                                          \
	X(reclaim_remote)

enum op {
#define X(name, ...) OP_##name,
	OPS(X) OP_WORKERS,
	OP_SIDE = OP_WORKERS - 1, /* the next one goes on counting */
	SIDE_OPS(X)
#undef X
		OP_COUNT
};

struct op_count {
	_Atomic(uint64_t) ok, err;
	_Atomic(int) last_errno;
};

/* What the processes share. */
struct shared {
	_Atomic(bool) stop, failed, said;
	_Atomic(uint64_t) ticks[MAX_PROCS];
	_Atomic(uint64_t) progress[MAX_PROCS][MAX_WORKERS];
	_Atomic(unsigned) busy[MAX_PROCS]; /* workers not finished */
	struct op_count ops[OP_COUNT];
};

struct event {
	uint64_t when; /* nanoseconds */
	uint32_t first, n;
	int32_t result; /* of the last system call, negative errno */
	uint16_t op, step;
};

struct uring {
	int fd; /* < 0: none; the reason in error */
	int error;
	void *sq, *cq, *sqes;
	size_t sq_len, cq_len, sqes_len;
	uint32_t sq_tail, sq_mask, sq_array, cq_head, cq_tail, cq_mask, cq_cqes; /* offsets */
};

struct worker {
	unsigned id;
	uint64_t rng, seq;
	enum op op; /* under way */
	uint64_t events;
	struct event *history;
	unsigned char *buf; /* BUF_PAGES, never in the range */
	int pipe[2], scratch;
	struct uring uring;
	size_t cursor;
};

enum inject { INJECT_NONE, INJECT_LOSE, INJECT_STRAY, INJECT_FILL, INJECT_HANG };

struct options {
	unsigned seconds, workers, procs, hang;
	uint64_t seed;
	int advice;
	bool tune, sysrq, verbose;
	enum inject inject;
	const char *require, *dir;
};

extern struct options opts;
extern struct shared *shared;
extern size_t page_size, page_words, region_pages;
extern bool supported; /* the advice */
extern const char *const op_names[OP_COUNT];

/* layout.c: the range of this process. */
extern unsigned proc;
extern unsigned char *base;
extern size_t total_pages, regions;
extern struct slot *slots;
extern size_t slot_count;
extern struct page *pages;
extern int arena_fd;
extern unsigned char *alias_base;
extern unsigned char *base_copy;
extern struct worker *workers;
struct arena {
	size_t first, n;
	unsigned kind;
};
extern struct arena arena_anon, arena_mix, arena_file, arena_uffd, arena_wp;

unsigned char *range_base(unsigned process);
size_t layout_pages(void);
void layout_init(void);
void slot_map(struct slot *s, size_t first, size_t n);
void slot_kind(struct slot *s, unsigned kind);
void pages_set(size_t first, size_t n, uint8_t state);
struct slot *slot_of(size_t page);
size_t base_index(size_t page);

static inline unsigned char *addr(size_t page)
{
	return base + page * page_size;
}

/* check.c: contents, and what to say when they are wrong. */
uint64_t new_key(struct worker *w, size_t page);
void fill_at(void *p, uint64_t key);
void page_write(struct worker *w, const struct slot *s, size_t page);
void check_at(const void *p, size_t page, const char *where);
void check_page(size_t page);
void check_pages(size_t first, size_t n);
void check_written(size_t first, size_t n);
void check_some(struct worker *w, size_t first, size_t n);
uint64_t pagemap_entry(const void *p);
_Noreturn void fail_page(size_t page, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_event(struct worker *w, unsigned step, size_t first, size_t n, long result);
void catch_signals(void);
int access_signal(const volatile unsigned char *p, bool write);

/* util.c */
uint64_t rng_next(uint64_t *state);
size_t pick(struct worker *w, size_t n);
uint64_t now_ns(void);
void nap(struct worker *w);
void pace(uint64_t *last, unsigned process, uint64_t ops, unsigned ms);
bool count(enum op op, long result);
void need(bool ok, const char *what);
int write_file(const char *path, const char *text);
int online_nodes(void);
long sys_process_madvise(int pidfd, const void *vec, size_t n, int advice);
int sys_pidfd_open(pid_t pid);
int open_memfd(const char *name, size_t bytes);

/* Pieces of a slot. */
struct piece {
	size_t first, n;
};
struct piece pick_piece(struct worker *w, const struct slot *s, size_t most);

/* The operations, ops_*.c. */
#define X(name, ...) void op_##name(struct worker *w, struct slot *s);
OPS(X)
#undef X
void zapped(const struct slot *s, size_t first, size_t n);

/* uffd.c */
extern int uffd;
extern int uffd_error; /* why there is none */
extern uint64_t uffd_features;
void uffd_init(void);
int uffd_register(size_t first, size_t n, bool wp);
void uffd_monitor_start(void);
int uffd_copy(size_t page, const void *from);
int uffd_zero(size_t page);
int uffd_move(size_t to, const void *from);
int uffd_wp(size_t first, size_t n, bool on);
void uring_init(struct uring *u);

/* The threads and processes. */
bool advice_works(void);
_Noreturn void stress_process(unsigned process);
_Noreturn void remote_process(const pid_t *pids);
_Noreturn void prod_process(void);
void *reclaim_thread(void *arg);
void *reader_thread(void *arg);
void *worker_thread(void *arg);
void child_life(struct worker *w);
size_t tide_region(struct worker *w, uint64_t ticks, bool *drain);

/* tune.c: switches of the machine, and what it says. */
void tune(void);
void untune(void);
uint64_t vmstat(const char *name);
void dump_stacks(const pid_t *pids, size_t n);

#endif
