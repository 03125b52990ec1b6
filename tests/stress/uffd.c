// SPDX-License-Identifier: BSD-2-Clause
/*
 * uffd - the userfaultfd of a process, and the monitor that fills its pages.
 *
 * Only its owner touches a page, and only the monitor answers a fault. So a page that is flagged as
 * missing was not filled since it was zapped: an EEXIST there is the kernel's error, as is a missing
 * fault on a page that was filled, or a write that no fault announced to a protected one.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "stress.h"

/* Younger than some headers. */
#define FEATURE_WP_UNPOPULATED (1u << 13)
#define FEATURE_MOVE	       (1u << 16)

struct move_args {
	uint64_t dst, src, len, mode;
	int64_t move;
};
#define IOCTL_MOVE _IOWR(UFFDIO, 0x05, struct move_args)

int uffd = -1, uffd_error;
uint64_t uffd_features;

static pthread_t thread;
static struct worker *self; /* the monitor's, behind the workers' */

static int open_uffd(uint64_t features, uint64_t *offered)
{
	struct uffdio_api api = {.api = UFFD_API, .features = features};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (ioctl(fd, UFFDIO_API, &api)) {
		int error = -errno;

		close(fd);
		return error;
	}
	*offered = api.features;
	return fd;
}

void uffd_init(void)
{
	uint64_t offered = 0;
	int fd = open_uffd(0, &offered);

	if (fd >= 0) {
		close(fd);
		uffd_features = offered & (UFFD_FEATURE_PAGEFAULT_FLAG_WP | FEATURE_WP_UNPOPULATED |
					   FEATURE_MOVE);
		fd = open_uffd(uffd_features, &offered);
	}
	uffd = fd < 0 ? -1 : fd;
	uffd_error = fd < 0 ? fd : 0;
}

int uffd_register(size_t first, size_t n, bool wp)
{
	struct uffdio_register r = {
		.range = {(uintptr_t)addr(first), n * page_size},
		.mode = wp ? UFFDIO_REGISTER_MODE_WP : UFFDIO_REGISTER_MODE_MISSING,
	};

	if (wp && (uffd_features & (UFFD_FEATURE_PAGEFAULT_FLAG_WP | FEATURE_WP_UNPOPULATED)) !=
			  (UFFD_FEATURE_PAGEFAULT_FLAG_WP | FEATURE_WP_UNPOPULATED))
		return -EOPNOTSUPP;
	return ioctl(uffd, UFFDIO_REGISTER, &r) ? -errno : 0;
}

/* EAGAIN: somebody changes the mappings, or a page table was taken away; nothing is done yet. */
int uffd_copy(size_t page, const void *from)
{
	struct uffdio_copy c = {
		.dst = (uintptr_t)addr(page), .src = (uintptr_t)from, .len = page_size};

	do {
		c.copy = 0;
		if (!ioctl(uffd, UFFDIO_COPY, &c))
			return 0;
	} while (errno == EAGAIN);
	return -errno;
}

int uffd_zero(size_t page)
{
	struct uffdio_zeropage z = {.range = {(uintptr_t)addr(page), page_size}};

	do {
		z.zeropage = 0;
		if (!ioctl(uffd, UFFDIO_ZEROPAGE, &z))
			return 0;
	} while (errno == EAGAIN);
	return -errno;
}

int uffd_move(size_t to, const void *from)
{
	struct move_args m = {.dst = (uintptr_t)addr(to), .src = (uintptr_t)from, .len = page_size};

	if (!(uffd_features & FEATURE_MOVE))
		return -EOPNOTSUPP;
	do {
		m.move = 0;
		if (!ioctl(uffd, IOCTL_MOVE, &m))
			return 0;
	} while (errno == EAGAIN);
	return -errno;
}

int uffd_wp(size_t first, size_t n, bool on)
{
	struct uffdio_writeprotect wp = {
		.range = {(uintptr_t)addr(first), n * page_size},
		.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	do {
		if (!ioctl(uffd, UFFDIO_WRITEPROTECT, &wp))
			return 0;
	} while (errno == EAGAIN);
	return -errno;
}

/* A page of the monitor's own, in the range, whose table others share. */
static size_t staging_page(void)
{
	size_t chosen = 0, seen = 0;

	for (size_t i = 0; i < slot_count; i++) {
		if (slots[i].owner != opts.workers)
			continue;
		seen++;
		if (pick(self, seen) == 0)
			chosen = slots[i].first + pick(self, slots[i].n);
	}
	return chosen;
}

static int fill_by_move(size_t page, uint64_t key)
{
	size_t from = staging_page();
	int result;

	if (!from)
		return -EOPNOTSUPP;
	self->op = OP_monitor_move;
	check_page(from);
	fill_at(addr(from), key);
	pages[from].key = key;
	pages[from].state = P_FULL;
	check_page(from);
	result = uffd_move(page, addr(from));
	log_event(self, 0, from, 1, result);
	count(OP_monitor_move, result);
	if (!result) {
		pages[from].state = P_ZERO;
	} else if (result == -ENOENT) {
		fail_page(from, "UFFDIO_MOVE does not find a page that was just written");
	} else if (result == -EEXIST) {
		fail_page(page, "UFFDIO_MOVE: EEXIST on a page that was never filled");
	}
	return result;
}

static void fill_missing(size_t page)
{
	struct page *e = &pages[page];
	int result = -1;

	if (!(e->flags & PF_MISSING))
		fail_page(page, "a missing fault on a page that was filled");
	/* First: the filling call wakes the owner, who looks at it. */
	e->flags &= (uint8_t)~PF_MISSING;
	if (e->state == P_ZERO) {
		result = uffd_zero(page);
		count(OP_monitor_zeropage, result);
	} else {
		if (pick(self, 3) == 0)
			result = fill_by_move(page, e->key);
		if (result) {
			fill_at(self->buf, e->key);
			result = uffd_copy(page, self->buf);
			count(OP_monitor_copy, result);
		}
	}
	if (result == -EEXIST)
		fail_page(page, "EEXIST on a page that was never filled");
	if (result)
		fail_page(page, "filling a missing page: %s", strerror(-result));
}

static void unprotect(size_t page)
{
	struct page *e = &pages[page];

	if (!(e->flags & PF_WP))
		fail_page(page, "a write-protect fault on a page that is not protected");
	e->flags &= (uint8_t)~PF_WP;
	if (!count(OP_monitor_unprotect, uffd_wp(page, 1, false)))
		fail_page(page, "UFFDIO_WRITEPROTECT: %s", strerror(errno));
}

static void *monitor(void *arg)
{
	struct uffd_msg msg;

	self = arg;
	while (read(uffd, &msg, sizeof(msg)) == (ssize_t)sizeof(msg)) {
		uint64_t at = msg.arg.pagefault.address;
		size_t page;

		if (msg.event != UFFD_EVENT_PAGEFAULT)
			continue;
		page = (size_t)(at - (uintptr_t)base) / page_size;
		if (page >= total_pages)
			fail("a fault outside the range, at 0x%llx", (unsigned long long)at);
		if (msg.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP)
			unprotect(page);
		else
			fill_missing(page);
	}
	fail("userfaultfd: read: %s", strerror(errno));
}

void uffd_monitor_start(void)
{
	if (uffd < 0)
		return;
	need(!pthread_create(&thread, NULL, monitor, &workers[opts.workers]), "monitor");
	pthread_detach(thread);
}
