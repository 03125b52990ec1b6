// SPDX-License-Identifier: BSD-2-Clause
/*
 * The floor of real processes: this one, and children that hold still while they are measured. The
 * sums are exact because nothing else runs in them; the parent asks from outside.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "floor.h"
#include "os.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define REGIONS 64

static uint64_t table_kb(uint64_t tables)
{
	return tables * os_page_size / 1024;
}

static struct floor_report measure(pid_t pid)
{
	struct floor_report r;

	assert_int_equal(floor_measure(pid, &r), 0);
	return r;
}

/*
 * A sanitizer's run-time library has pages of its own for whatever the process does, in a shadow of
 * terabytes: no sum is exact, and reading pagemap page by page takes minutes.
 */
static void skip_if_shadowed(void)
{
	if (measure(0).virt_kb >> 32)
		skip();
}

/* n regions that nobody else has a page in: *map is what to unmap. */
static char *scratch(size_t n, char **map, int prot)
{
	char *p = mmap(NULL, (n + 1) * os_region_size, prot,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert_true(p != MAP_FAILED);
	*map = p;
	p += -(uintptr_t)p & (os_region_size - 1);
	(void)madvise(p, n * os_region_size, MADV_NOHUGEPAGE);
	return p;
}

static void touch(char *p, size_t n, size_t offset)
{
	for (size_t i = 0; i < n; i++)
		((volatile char *)p)[i * os_region_size + offset] = 1;
}

static unsigned peek(const char *p, size_t n)
{
	unsigned sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (unsigned)((const volatile char *)p)[i * os_region_size];
	return sum;
}

static void zap(char *p, size_t n, size_t offset, size_t len)
{
	for (size_t i = 0; i < n; i++)
		assert_int_equal(madvise(p + i * os_region_size + offset, len, MADV_DONTNEED), 0);
}

/* The tables of b that a lacks, in the levels above the regions. */
static uint64_t upper_kb(const struct floor_report *a, const struct floor_report *b)
{
	return table_kb(b->pmd_tables + b->pud_tables - a->pmd_tables - a->pud_tables);
}

static void plain_process_is_at_its_floor(void **state)
{
	struct floor_report r = measure(0);

	(void)state;
	assert_true(r.regions > 0);
	assert_true(r.vmas > 5);
	assert_true(r.rss_kb > 0 && r.virt_kb >= r.rss_kb);
	assert_true(r.floor_kb <= r.vmpte_kb);
	/* The kernel's scan passes over the data pages beside the vdso, which may have a region of
	 * their own. */
	assert_in_range(r.waste_kb, 0, table_kb(2));
	assert_int_equal(r.waste_kb, r.vmpte_kb - r.floor_kb);
}

static void touched_regions_raise_the_floor(void **state)
{
	struct floor_report before, after;
	char *map, *p = scratch(REGIONS, &map, PROT_READ | PROT_WRITE);

	(void)state;
	skip_if_shadowed();
	before = measure(0);
	touch(p, REGIONS, 5 * os_page_size);
	after = measure(0);
	assert_int_equal(after.regions - before.regions, REGIONS);
	assert_int_equal(after.floor_kb - before.floor_kb,
			 table_kb(REGIONS) + upper_kb(&before, &after));
	assert_int_equal(after.waste_kb, before.waste_kb);
	/* More pages of the same regions change nothing. */
	touch(p, REGIONS, os_region_size - 1);
	assert_int_equal(measure(0).floor_kb, after.floor_kb);
	munmap(map, (REGIONS + 1) * os_region_size);
	assert_int_equal(measure(0).regions, before.regions);
}

static void a_zap_in_pieces_leaves_waste(void **state)
{
	struct floor_report before, after;
	char *map, *p = scratch(REGIONS, &map, PROT_READ | PROT_WRITE);

	(void)state;
	skip_if_shadowed();
	touch(p, REGIONS, os_page_size);
	before = measure(0);
	zap(p, REGIONS, os_page_size, os_page_size);
	after = measure(0);
	assert_int_equal(before.regions - after.regions, REGIONS);
	assert_int_equal(after.waste_kb - before.waste_kb,
			 table_kb(REGIONS) + upper_kb(&after, &before));
	assert_int_equal(after.vmpte_kb, before.vmpte_kb);
	munmap(map, (REGIONS + 1) * os_region_size);
	assert_int_equal(measure(0).waste_kb, before.waste_kb);
}

static void a_whole_region_zap_leaves_no_pages(void **state)
{
	struct floor_report before, after;
	char *map, *p = scratch(REGIONS, &map, PROT_READ | PROT_WRITE);
	uint64_t freed;

	(void)state;
	skip_if_shadowed();
	touch(p, REGIONS, os_page_size);
	before = measure(0);
	zap(p, REGIONS, 0, os_region_size);
	after = measure(0);
	assert_int_equal(before.regions - after.regions, REGIONS);
	/* All of the tables go, or on a kernel without CONFIG_PT_RECLAIM none. */
	freed = before.vmpte_kb - after.vmpte_kb;
	assert_true(freed == table_kb(REGIONS) || freed == 0);
	assert_int_equal(after.waste_kb - before.waste_kb + freed,
			 table_kb(REGIONS) + upper_kb(&after, &before));
	munmap(map, (REGIONS + 1) * os_region_size);
}

static void vmas_share_a_region(void **state)
{
	struct floor_report before, after;
	char *map, *p = scratch(2, &map, PROT_READ | PROT_WRITE);
	size_t half = os_region_size / 2;

	(void)state;
	skip_if_shadowed();
	before = measure(0);
	touch(p, 2, half - os_page_size);
	touch(p, 2, half + os_page_size);
	assert_int_equal(mprotect(p + half, half, PROT_READ), 0);
	after = measure(0);
	assert_int_equal(after.vmas - before.vmas, 2);
	assert_int_equal(after.regions - before.regions, 2);
	assert_int_equal(after.waste_kb, before.waste_kb);
	munmap(map, 3 * os_region_size);
}

/* More runs of pages in a region, and in all, than one call of the kernel reports. */
static void scattered_pages_count_once(void **state)
{
	struct floor_report before, after;
	char *map, *p = scratch(3, &map, PROT_READ | PROT_WRITE);

	(void)state;
	skip_if_shadowed();
	before = measure(0);
	for (size_t at = 0; at < os_region_size; at += 2 * os_page_size)
		touch(p, 3, at);
	after = measure(0);
	assert_int_equal(after.regions - before.regions, 3);
	assert_int_equal(after.waste_kb, before.waste_kb);
	munmap(map, 4 * os_region_size);
}

static void zero_pages_need_their_table(void **state)
{
	struct floor_report before, after;
	char *map, *p = scratch(REGIONS, &map, PROT_READ);

	(void)state;
	skip_if_shadowed();
	before = measure(0);
	assert_int_equal(peek(p, REGIONS), 0);
	after = measure(0);
	assert_int_equal(after.regions - before.regions, REGIONS);
	assert_int_equal(after.waste_kb, before.waste_kb);
	munmap(map, (REGIONS + 1) * os_region_size);
}

static void reserved_space_costs_nothing(void **state)
{
	struct floor_report before = measure(0), after;
	size_t len = (size_t)1 << 40;
	char *p = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	(void)state;
	skip_if_shadowed();
	if (p == MAP_FAILED)
		skip();
	after = measure(0);
	assert_int_equal(after.floor_kb, before.floor_kb);
	assert_int_equal(after.virt_kb - before.virt_kb, len / 1024);
	munmap(p, len);
}

static void huge_pages_are_at_their_floor(void **state)
{
	struct floor_report before, after;
	char *map, *p = scratch(4, &map, PROT_READ | PROT_WRITE);

	(void)state;
	skip_if_shadowed();
	/* Huge or not, as the machine pleases: each has its table, in use or laid by. */
	(void)madvise(p, 4 * os_region_size, MADV_HUGEPAGE);
	before = measure(0);
	touch(p, 4, 0);
	after = measure(0);
	assert_int_equal(after.regions - before.regions, 4);
	assert_int_equal(after.waste_kb, before.waste_kb);
	munmap(map, 5 * os_region_size);
}

/* A child that says one byte when body is done and then holds still until it is let go. */
struct child {
	pid_t pid;
	int ready, go;
};

static struct child child_start(void (*body)(void))
{
	int ready[2], go[2];
	char c = 'r';
	struct child ch;

	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(go), 0);
	ch.pid = fork();
	assert_true(ch.pid >= 0);
	if (!ch.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ready[0]);
		close(go[1]);
		body();
		if (write(ready[1], &c, 1) != 1 || read(go[0], &c, 1) < 0)
			_exit(9);
		_exit(0);
	}
	close(ready[1]);
	close(go[0]);
	ch.ready = ready[0];
	ch.go = go[1];
	if (read(ch.ready, &c, 1) != 1)
		fail_msg("the child gave up");
	return ch;
}

static void child_end(struct child *ch)
{
	int status;

	close(ch->go);
	close(ch->ready);
	assert_int_equal(waitpid(ch->pid, &status, 0), ch->pid);
	assert_int_equal(status, 0);
}

static char *inherited;

static void body_idle(void)
{
	prctl(PR_SET_NAME, "two words\n\"q\\");
}

static void body_touch(void)
{
	prctl(PR_SET_NAME, "two words\n\"q\\");
	touch(inherited, REGIONS, 0);
}

static void body_zap(void)
{
	body_touch();
	for (size_t i = 0; i < REGIONS; i++)
		(void)madvise(inherited + i * os_region_size, os_page_size, MADV_DONTNEED);
}

static void another_process(void **state)
{
	struct floor_report idle, touched, zapped, vm;
	struct child ch;
	char *map;

	(void)state;
	skip_if_shadowed();
	inherited = scratch(REGIONS, &map, PROT_READ | PROT_WRITE);
	ch = child_start(body_idle);
	idle = measure(ch.pid);
	child_end(&ch);

	ch = child_start(body_touch);
	touched = measure(ch.pid);
	assert_int_equal(floor_vm(ch.pid, &vm), 0);
	child_end(&ch);
	assert_int_equal(touched.regions - idle.regions, REGIONS);
	assert_int_equal(touched.waste_kb, idle.waste_kb);
	/* A line break in a name would break every table it is shown in. */
	assert_string_equal(touched.comm, "two words \"q\\");
	assert_string_equal(vm.comm, touched.comm);
	assert_int_equal(vm.vmpte_kb, touched.vmpte_kb);
	assert_int_equal(vm.rss_kb, touched.rss_kb);
	assert_int_equal(vm.virt_kb, touched.virt_kb);
	assert_int_equal(vm.floor_kb, 0);

	ch = child_start(body_zap);
	zapped = measure(ch.pid);
	child_end(&ch);
	assert_int_equal(zapped.regions, idle.regions);
	assert_int_equal(zapped.waste_kb - idle.waste_kb,
			 table_kb(REGIONS) + upper_kb(&idle, &touched));
	munmap(map, (REGIONS + 1) * os_region_size);
}

/* As a kernel before 6.7 answers: pagemap has no such ioctl. */
static bool forbid_ioctl(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOTTY),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {.len = sizeof(code) / sizeof(*code), .filter = code};

	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

static void without_the_scan_the_answer_is_the_same(void **state)
{
	struct floor_report *r, before;
	char *map, *p = scratch(REGIONS, &map, PROT_READ | PROT_WRITE);
	int status;

	(void)state;
	skip_if_shadowed();
	r = mmap(NULL, os_page_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(r != MAP_FAILED);
	/* First, last and middle pages, a hole, a shared region. */
	touch(p, REGIONS - 4, 0);
	touch(p + 8 * os_region_size, 8, os_region_size - os_page_size);
	touch(p + 12 * os_region_size, 8, os_region_size / 2);
	zap(p, 8, 0, os_page_size);
	assert_int_equal(mprotect(p + 20 * os_region_size + os_page_size, os_page_size, PROT_NONE),
			 0);
	before = measure(0);
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		struct floor_report warm;

		/* What the first call touches is the same for both. */
		if (floor_measure(0, &warm) || floor_measure(0, &r[0]))
			_exit(1);
		if (!forbid_ioctl())
			_exit(77);
		_exit(floor_measure(0, &r[1]) ? 2 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_true(r[0].regions >= REGIONS - 12);
	assert_true(r[0].regions <= before.regions);
	assert_int_equal(r[1].regions, r[0].regions);
	assert_int_equal(r[1].pmd_tables, r[0].pmd_tables);
	assert_int_equal(r[1].pud_tables, r[0].pud_tables);
	assert_int_equal(r[1].floor_kb, r[0].floor_kb);
	assert_int_equal(r[1].waste_kb, r[0].waste_kb);
	munmap(r, os_page_size);
	munmap(map, (REGIONS + 1) * os_region_size);
}

static void no_such_process(void **state)
{
	struct floor_report r;
	siginfo_t info;
	pid_t pid;

	(void)state;
	errno = 42;
	assert_int_equal(floor_measure(-1, &r), -ESRCH);
	assert_int_equal(floor_measure(99999999, &r), -ESRCH);
	assert_int_equal(floor_vm(99999999, &r), -ESRCH);
	assert_int_equal(floor_vm(0, &r), 0);
	assert_int_equal(errno, 42);

	/* First a zombie, which has a status but no memory, then gone. */
	pid = fork();
	if (!pid)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(floor_measure(pid, &r), -ESRCH);
	waitpid(pid, NULL, 0);
	assert_int_equal(floor_measure(pid, &r), -ESRCH);
}

static bool is_kthreadd(pid_t pid)
{
	char path[64], comm[64] = "";
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	bool read = fgets(comm, sizeof(comm), f);

	(void)fclose(f);
	return read && !strcmp(comm, "kthreadd\n");
}

static void kernel_thread(void **state)
{
	struct floor_report r;

	(void)state;
	if (!is_kthreadd(2))
		skip(); /* a container shows none */
	assert_int_equal(floor_measure(2, &r), -ESRCH);
	assert_int_equal(floor_vm(2, &r), -ESRCH);
}

static void not_allowed_to_look(void **state)
{
	struct floor_report r;
	struct child ch;
	int status;
	pid_t pid;

	(void)state;
	if (geteuid())
		skip();
	ch = child_start(body_idle);
	pid = fork();
	if (!pid) {
		if (setgid(65534) || setuid(65534))
			_exit(77);
		/* What everyone may read is read, where /proc is not mounted with hidepid. */
		int err = floor_vm(ch.pid, &r);

		if (err == -ESRCH)
			_exit(77);
		if (err || !r.vmpte_kb)
			_exit(1);
		err = floor_measure(ch.pid, &r);

		_exit(err == -EACCES || err == -EPERM ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	child_end(&ch);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void *measure_often(void *arg)
{
	pid_t pid = *(pid_t *)arg;
	struct floor_report *first = calloc(1, sizeof(*first)), r;

	for (unsigned i = 0; first && i < 50; i++) {
		if (floor_measure(pid, i ? &r : first) || (i && memcmp(&r, first, sizeof(r)))) {
			free(first);
			return NULL;
		}
	}
	return first;
}

static void threads_do_not_disturb_each_other(void **state)
{
	struct child ch = child_start(body_idle);
	struct floor_report expect = measure(ch.pid), *got;
	pthread_t t[4];

	(void)state;
	skip_if_shadowed();
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, measure_often, &ch.pid), 0);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(t[i], (void **)&got), 0);
		assert_non_null(got);
		assert_int_equal(got->floor_kb, expect.floor_kb);
		assert_int_equal(got->regions, expect.regions);
		free(got);
	}
	child_end(&ch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_process_is_at_its_floor),
		cmocka_unit_test(touched_regions_raise_the_floor),
		cmocka_unit_test(a_zap_in_pieces_leaves_waste),
		cmocka_unit_test(a_whole_region_zap_leaves_no_pages),
		cmocka_unit_test(vmas_share_a_region),
		cmocka_unit_test(scattered_pages_count_once),
		cmocka_unit_test(zero_pages_need_their_table),
		cmocka_unit_test(reserved_space_costs_nothing),
		cmocka_unit_test(huge_pages_are_at_their_floor),
		cmocka_unit_test(another_process),
		cmocka_unit_test(without_the_scan_the_answer_is_the_same),
		cmocka_unit_test(no_such_process),
		cmocka_unit_test(kernel_thread),
		cmocka_unit_test(not_allowed_to_look),
		cmocka_unit_test(threads_do_not_disturb_each_other),
	};

	os_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
