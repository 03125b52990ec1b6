// SPDX-License-Identifier: BSD-2-Clause
/*
 * remote - another process's VmPTE shrinks by pidfd. It is not stopped: all the while it faults pages
 * in beside and between those tables, zaps them, and verifies what it wrote.
 */
#include "vm.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define REGIONS	   1024
#define KEPT_EVERY 16
#define ROUNDS	   20

struct shared {
	_Atomic uint64_t turns; /* of the target's loop */
	_Atomic uint64_t wrong; /* bytes that were not as written */
	_Atomic bool stop;
};

static struct shared *shared;
static char *base;

static char *at(size_t region, size_t page)
{
	return base + region * os_region_size + page * os_page_size;
}

static uint64_t pattern(size_t region, size_t page, uint64_t turn)
{
	return (region * 512 + page) * 0x9e3779b97f4a7c15u ^ turn;
}

/* Pages that stay, and two that come and go, in every KEPT_EVERY-th region; one in each other. */
static _Noreturn void target(void)
{
	for (size_t i = 0; i < REGIONS; i += KEPT_EVERY)
		*(uint64_t *)at(i, 5) = pattern(i, 5, 0);
	for (uint64_t turn = 1; !atomic_load(&shared->stop); turn++) {
		size_t r = (size_t)turn * 7 % REGIONS;
		volatile uint64_t *p = (volatile uint64_t *)at(r, 100);
		volatile uint64_t *q = (volatile uint64_t *)at(r, 101);
		size_t kept = r / KEPT_EVERY * KEPT_EVERY;

		*p = pattern(r, 100, turn);
		*q = pattern(r, 101, turn);
		if (*(uint64_t *)at(kept, 5) != pattern(kept, 5, 0))
			atomic_fetch_add(&shared->wrong, 1);
		if (*p != pattern(r, 100, turn) || *q != pattern(r, 101, turn))
			atomic_fetch_add(&shared->wrong, 1);
		if (os.madvise(at(r, 100), 2 * os_page_size, MADV_DONTNEED))
			_exit(2);
		if (*p || *q)
			atomic_fetch_add(&shared->wrong, 1);
		if (os.madvise(at(r, 100), 2 * os_page_size, MADV_DONTNEED))
			_exit(2);
		atomic_fetch_add(&shared->turns, 1);
	}
	_exit(0);
}

static int ask(int pidfd)
{
	struct iovec vec[VM_VECTOR];

	for (size_t i = 0; i < REGIONS;) {
		size_t k = 0;
		long r;

		/* A page of each: it is rounded outwards. */
		for (; k < VM_VECTOR && i < REGIONS; k++, i++)
			vec[k] = (struct iovec){at(i, 0), os_page_size};
		r = syscall(SYS_process_madvise, pidfd, vec, k, OS_MADV_PT_RECLAIM, 0);
		if (r != (long)(k * os_page_size))
			return r < 0 ? -errno : -EIO;
	}
	return 0;
}

/* Wait until the target has gone round all regions. */
static uint64_t turns_after(uint64_t n)
{
	uint64_t want = atomic_load(&shared->turns) + n;

	while (atomic_load(&shared->turns) < want)
		(void)usleep(1000);
	return want;
}

int main(void)
{
	uint64_t full, least = UINT64_MAX, excess = UINT64_MAX, kept, before, during = 0;
	int status, pidfd, r = 0;
	pid_t pid;

	vm_init();
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		vm_die("mmap");
	base = vm_map(REGIONS, vm_pmd_span());
	pid = fork();
	if (pid < 0)
		vm_die("fork");
	if (!pid)
		target();
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		vm_die("pidfd_open");
	(void)turns_after(2 * (uint64_t)REGIONS);
	full = vm_pte_kb(pid);
	before = atomic_load(&shared->turns);
	for (unsigned i = 0; i < ROUNDS && !r; i++) {
		uint64_t now, turns = atomic_load(&shared->turns);

		r = ask(pidfd);
		now = vm_pte_kb(pid);
		turns = atomic_load(&shared->turns) - turns;
		during += turns;
		least = now < least ? now : least;
		/* It makes a table a turn, meanwhile too: those may be there again. */
		turns = (turns + 1) * os_page_size / 1024;
		now -= turns < now ? turns : now;
		excess = now < excess ? now : excess;
		/* Let it make some tables again. */
		(void)turns_after(64);
	}
	before = atomic_load(&shared->turns) - before;
	atomic_store(&shared->stop, true);
	if (waitpid(pid, &status, 0) != pid)
		vm_die("waitpid");

	kept = REGIONS / KEPT_EVERY * os_page_size / 1024;
	vm_figure("remote_full_kb", (double)full);
	vm_figure("remote_least_kb", (double)least);
	vm_figure("remote_kept_kb", (double)kept);
	vm_figure("remote_turns", (double)before);
	vm_figure("remote_turns_while_asked", (double)during);
	vm_check(!status && !atomic_load(&shared->wrong), "the target reads what it wrote",
		 "status %d, %lu wrong in %lu turns", status, (unsigned long)shared->wrong,
		 (unsigned long)shared->turns);
	if (!vm_patched()) {
		vm_check(r == -EINVAL, "the advice is unknown", "%d", r);
		return vm_done();
	}
	vm_check(!r, "the advice to another process", "%d", r);
	vm_check(full >= REGIONS * os_page_size / 1024, "all tables were there", "%lu kB",
		 (unsigned long)full);
	/* What the target makes meanwhile is a table a turn. */
	vm_check(least <= kept + 256 && least >= kept, "its VmPTE shrinks",
		 "%lu -> %lu kB, %lu kept", (unsigned long)full, (unsigned long)least,
		 (unsigned long)kept);
	vm_check(during > 0, "it goes on meanwhile", "%lu turns during %u calls",
		 (unsigned long)during, ROUNDS);
	return vm_done();
}
