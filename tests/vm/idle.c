// SPDX-License-Identifier: BSD-2-Clause
/*
 * idle - a call that finds nothing to free interrupts no other CPU, takes no lock of a page table and
 * frees nothing; by one thread and by several.
 *
 * Counted: the lines TLB and CAL of /proc/interrupts, pt_reclaim_scanned and pt_reclaim_freed, and
 * nr_tlb_remote_flush and /proc/lock_stat where the kernel has them (CONFIG_DEBUG_TLBFLUSH,
 * CONFIG_LOCK_STAT). A run that does free tables comes last: it shows that the counting works.
 */
#include "vm.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define REGIONS	    256
#define CALLS	    100
#define MAX_THREADS 8
#define ATTEMPTS    5 /* something else may interrupt meanwhile, once */

struct counts {
	int64_t tlb, cal, remote, scanned, freed, locks;
};

struct caller {
	pthread_t thread;
	char *base;
	int result;
};

static struct caller callers[MAX_THREADS];
static _Atomic unsigned phase, arrived;

/* Acquisitions of page table locks since lock_stat was cleared; -1 where it is not kept. */
static int64_t table_locks(void)
{
	FILE *f = fopen("/proc/lock_stat", "re");
	char line[1024];
	int64_t sum = 0;

	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f)) {
		char *p = strchr(line, ':');
		double column[11] = {0};
		unsigned n = 0;

		/* "ptlock_ptr(...)", "&mm->page_table_lock"; both with or without #n and /n. */
		if (!p || (!strstr(line, "ptlock") && !strstr(line, "page_table_lock")))
			continue;
		/* con-bounces, contentions, four wait times, acq-bounces, acquisitions, ... */
		for (p++; n < 11; n++) {
			char *end;

			column[n] = strtod(p, &end);
			if (end == p)
				break;
			p = end;
		}
		if (n >= 8)
			sum += (int64_t)column[7];
	}
	(void)fclose(f);
	return sum;
}

static bool write_proc(const char *path, const char *what)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, what, strlen(what)) > 0;

	if (fd >= 0)
		(void)close(fd);
	return ok;
}

static struct counts look(void)
{
	return (struct counts){
		.locks = table_locks(),
		.tlb = vm_interrupts("TLB"),
		.cal = vm_interrupts("CAL"),
		.remote = vm_event("nr_tlb_remote_flush_received"),
		.scanned = vm_event("pt_reclaim_scanned"),
		.freed = vm_event("pt_reclaim_freed"),
	};
}

/* All threads run, and stay on a CPU, for the whole of what is counted: nobody is woken. */
static void gate(unsigned n)
{
	unsigned now = atomic_load(&phase);

	if (atomic_fetch_add(&arrived, 1) + 1 == n) {
		atomic_store(&arrived, 0);
		atomic_store(&phase, now + 1);
		return;
	}
	while (atomic_load(&phase) == now)
		(void)sched_yield();
}

static unsigned threads;

static void *call(void *arg)
{
	struct caller *c = arg;

	gate(threads + 1);
	for (unsigned i = 0; i < CALLS && !c->result; i++) {
		/* By vector and by a plain call in turns. */
		c->result =
			i % 2 ? vm_advise(c->base, REGIONS, 0, os_region_size, OS_MADV_PT_RECLAIM,
					  REGIONS)
			      : os.madvise(c->base, REGIONS * os_region_size, OS_MADV_PT_RECLAIM);
	}
	gate(threads + 1);
	return NULL;
}

static int run(struct counts *d)
{
	struct counts before, after;
	int r = 0;

	for (unsigned i = 0; i < threads; i++)
		if (pthread_create(&callers[i].thread, NULL, call, &callers[i]))
			vm_die("pthread_create");
	(void)look();
	before = look(); /* the one before it brought in what looking needs */
	gate(threads + 1);
	gate(threads + 1);
	after = look();
	for (unsigned i = 0; i < threads; i++) {
		(void)pthread_join(callers[i].thread, NULL);
		r = callers[i].result ? callers[i].result : r;
		callers[i].result = 0;
	}
	*d = (struct counts){
		.tlb = after.tlb - before.tlb,
		.cal = after.cal - before.cal,
		.remote = after.remote < 0 ? -1 : after.remote - before.remote,
		.scanned = after.scanned - before.scanned,
		.freed = after.freed - before.freed,
		.locks = after.locks < 0 ? -1 : after.locks - before.locks,
	};
	return r;
}

static void figures(const char *what, const struct counts *d)
{
	(void)printf("idle: %s, %u threads: TLB %ld, CAL %ld, remote flushes %ld, scanned %ld, "
		     "freed %ld, page table locks %ld\n",
		     what, threads, (long)d->tlb, (long)d->cal, (long)d->remote, (long)d->scanned,
		     (long)d->freed, (long)d->locks);
}

static void idle(const char *what, int64_t tables)
{
	int64_t calls = (int64_t)threads * CALLS;
	struct counts d;
	char name[96];
	int r, attempts = 0;

	/* A call that interrupts does it each time: one run without any is the proof. */
	do {
		r = run(&d);
		figures(what, &d);
	} while (vm_patched() && !r && (d.tlb || d.remote > 0) && ++attempts < ATTEMPTS);
	(void)snprintf(name, sizeof(name), "%s, %u threads", what, threads);
	if (!vm_patched()) {
		vm_check(r == -EINVAL, name, "%d", r);
		return;
	}
	/* What looking and the threads' start cost is a handful; a call that takes part is one each. */
	/* One or two may be somebody else's, each time; a call that sends any would send hundreds. */
	vm_check(!r && d.tlb < calls / 50 && d.remote < calls / 50 && d.cal < calls / 10 &&
			 d.freed == 0,
		 name, "result %d, TLB %ld, CAL %ld in %ld calls, freed %ld", r, (long)d.tlb,
		 (long)d.cal, (long)calls, (long)d.freed);
	(void)strncat(name, ": tables examined", sizeof(name) - strlen(name) - 1);
	vm_check(d.scanned == tables * calls, name, "%ld, not %ld", (long)d.scanned,
		 (long)(tables * calls));
	(void)snprintf(name, sizeof(name), "%s, %u threads: no page table lock", what, threads);
	if (d.locks < 0)
		vm_skip(name, "this kernel does not count locks (CONFIG_LOCK_STAT)");
	else
		vm_check(d.locks < calls, name, "%ld in %ld calls over %d regions", (long)d.locks,
			 (long)calls, REGIONS);
}

/* The same with tables to free: the counters do count. */
static void busy(void)
{
	struct counts d;

	for (unsigned i = 0; i < threads; i++) {
		vm_touch(callers[i].base, REGIONS, 0);
		if (vm_advise(callers[i].base, REGIONS, 0, os_page_size, MADV_DONTNEED, VM_VECTOR))
			vm_die("MADV_DONTNEED");
	}
	if (run(&d) || !vm_patched())
		return;
	figures("tables to free", &d);
	vm_check(d.freed == (int64_t)threads * REGIONS, "the counters count what is freed", "%ld",
		 (long)d.freed);
	if (threads > 1 && sysconf(_SC_NPROCESSORS_ONLN) > 1)
		vm_check(d.tlb + d.cal > 0, "the counters count interrupts", "TLB %ld, CAL %ld",
			 (long)d.tlb, (long)d.cal);
	if (d.locks >= 0)
		vm_check(d.locks >= (int64_t)threads * REGIONS, "the counters count locks", "%ld",
			 (long)d.locks);
}

static void round_of(unsigned n)
{
	threads = n;
	for (unsigned i = 0; i < n; i++)
		callers[i].base = vm_map(REGIONS, vm_pmd_span());
	idle("no tables", 0);
	for (unsigned i = 0; i < n; i++)
		vm_touch(callers[i].base, REGIONS, 0);
	idle("first page present", REGIONS);
	for (unsigned i = 0; i < n; i++) {
		vm_touch(callers[i].base, REGIONS, os_page_size / sizeof(uint64_t) - 1);
		if (vm_advise(callers[i].base, REGIONS, 0, os_page_size, MADV_DONTNEED, VM_VECTOR))
			vm_die("MADV_DONTNEED");
	}
	idle("last page present", REGIONS);
	for (unsigned i = 0; i < n; i++)
		if (vm_advise(callers[i].base, REGIONS, 0, os_region_size, MADV_DONTNEED,
			      VM_VECTOR))
			vm_die("MADV_DONTNEED");
	busy();
}

int main(void)
{
	unsigned cpus;

	vm_init();
	cpus = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	if (!write_proc("/proc/sys/kernel/lock_stat", "1"))
		(void)printf("idle: locks are not counted on this kernel\n");
	round_of(1);
	if (cpus > 1)
		round_of(cpus);
	round_of(cpus * 2 < MAX_THREADS ? cpus * 2 : MAX_THREADS);
	return vm_done();
}
