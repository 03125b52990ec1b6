/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * page - the counters of this process in one page of shared memory, for `ptreclaim stat`.
 *
 * The page is shared anonymous memory, which /proc/PID/maps shows as PAGE_MAPPING; who has the right
 * to trace the process finds it there, knows it by its magic number and reads it with
 * process_vm_readv(2), without the process's doing. There is no file behind it and never a descriptor:
 * between opening one, sizing it and closing it again, a program that closes all it has (every daemon
 * does) could have put a file of its own in its place. It is gone with the process, whatever ends it.
 *
 * A child after fork inherits the mapping, which goes on naming the parent, until it writes for the
 * first time: then it gets one of its own and the inherited one is unmapped. Memory that is wiped on
 * fork says which is the case, so a child made behind libc's back is known as well, and one that
 * shares its parent's address space shares its page. After exec the new program has a new one.
 *
 * One writer at a time, which is whoever comes first; readers go by the sequence number: odd while
 * somebody writes, and another one after.
 */
#ifndef PTR_PAGE_H
#define PTR_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The contract between library and command, of whatever versions. A layout that adds names of values
 * and texts is the same layout. */
#define PAGE_MAPPING "/dev/zero (deleted)"
#define PAGE_BYTES   4096u
#define PAGE_MAGIC   UINT64_C(0x6d69616c63727470) /* "ptrclaim" as it lies in memory on x86 */
#define PAGE_LAYOUT  1

#define PAGE_TEXTS  6
#define PAGE_VALUES 90

struct page_text {
	char name[16], text[48]; /* each ends in a NUL; a longer text is cut */
};

struct page_value {
	char name[32];
	uint64_t value;
};

struct page_image {
	uint64_t magic, layout;
	uint64_t bytes; /* of the page that say something */
	uint64_t seq;
	uint64_t pid; /* as the process sees itself */
	uint64_t
		start_ticks; /* field 22 of /proc/PID/stat: tells processes of one pid apart; 0: unknown */
	uint64_t since_ns;	/* when counting began, CLOCK_MONOTONIC */
	uint64_t written_ns;	/* when this was written */
	uint64_t texts, values; /* how many there are */
	struct page_text text[PAGE_TEXTS];
	struct page_value value[PAGE_VALUES];
};

_Static_assert(sizeof(struct page_image) <= PAGE_BYTES, "one page of the smallest size");

/*
 * Writing: a draft, which is then published. What does not fit is left out.
 */
void page_draft(struct page_image *draft);
void page_add_text(struct page_image *draft, const char *name, const char *text);
void page_add_value(struct page_image *draft, const char *name, uint64_t value);

/* False: somebody else is writing, or there is no memory for a page. Any thread; not from a hook: the
 * first time in a process it makes the page. Changes fields of the draft that are its own business. */
bool page_publish(struct page_image *draft);

/* Does this process have a page of its own? */
bool page_is_own(void);

/* For the fork handler of a child, before it has threads: where no memory is wiped on fork (Linux
 * before 4.14) that it is a child is told here. */
void page_fork_child(void);

/*
 * Reading. copy() fetches len bytes from offset off of the page: 0 or a negative errno value, which
 * page_read passes on. Besides: 0; -ENOMSG it is no such page; -EPROTONOSUPPORT of a layout that is
 * too new, in image->layout; -EAGAIN no copy was whole. What was read is fit to be used: texts end.
 */
int page_read(struct page_image *image, int (*copy)(void *arg, size_t off, void *to, size_t len),
	      void *arg);

/* What a page says under a name. False, NULL: nothing. */
bool page_value(const struct page_image *image, const char *name, uint64_t *value);
const char *page_text(const struct page_image *image, const char *name);

#endif
