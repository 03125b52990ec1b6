// SPDX-License-Identifier: BSD-2-Clause
/*
 * The probe: a backend is chosen by what it does to a scratch mapping, never by a version or by an
 * error alone. Each kernel here differs from a good one in one thing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "backend.h"
#include "fake_os.h"
#include "os.h"
#include "stats.h"

/* What this kernel does. */
static bool dontneed_frees, reclaim_known, reclaim_frees, reclaim_destroys, remap_frees,
	dontneed_zaps;
static bool vmpte_readable;
static unsigned tables;
static unsigned busy; /* so many times somebody else takes tables while one is freed */

static int scratch_madvise(void *addr, size_t len, int advice)
{
	switch (advice) {
	case MADV_DONTNEED:
		if (len >= os_region_size && busy) {
			busy--;
			tables += 4;
		}
		if (len >= os_region_size && dontneed_frees)
			tables -= (unsigned)(len / os_region_size);
		return dontneed_zaps ? os_linux.madvise(addr, len, advice) : 0;
	case OS_MADV_PT_RECLAIM:
		if (!reclaim_known)
			return -EINVAL;
		/* Frees the table all right, and with it what it maps. */
		if (reclaim_destroys) {
			tables--;
			return os_linux.madvise((void *)((uintptr_t)addr & ~(os_region_size - 1)),
						os_region_size, MADV_DONTNEED);
		}
		/* The first region holds a page: its table stays. */
		if (reclaim_frees)
			tables--;
		return 0;
	default:
		return 0;
	}
}

static int scratch_remap(void *addr, size_t len)
{
	if (remap_frees)
		tables -= (unsigned)(len / os_region_size);
	return os_linux.remap(addr, len);
}

static ssize_t scratch_read_file(const char *path, char *buf, size_t cap)
{
	if (strcmp(path, "/proc/self/status") != 0 || !vmpte_readable)
		return -EACCES;
	return snprintf(buf, cap, "Name:\tt\nVmPTE:\t%8u kB\n", tables * 4);
}

static int setup(void **state)
{
	(void)state;
	fake_install(4096);
	os.madvise = scratch_madvise;
	os.remap = scratch_remap;
	os.read_file = scratch_read_file;
	dontneed_frees = reclaim_known = reclaim_frees = remap_frees = dontneed_zaps = true;
	reclaim_destroys = false;
	vmpte_readable = true;
	tables = 100;
	return 0;
}

static void the_best_that_works(void **state)
{
	(void)state;
	assert_int_equal(backend_choose(CONF_BACKEND_AUTO), CONF_BACKEND_PT_RECLAIM);
	assert_true(backend_asks());
	reclaim_known = false;
	assert_int_equal(backend_choose(CONF_BACKEND_AUTO), CONF_BACKEND_DONTNEED);
	assert_false(backend_asks());
	dontneed_frees = false;
	assert_int_equal(backend_choose(CONF_BACKEND_AUTO), CONF_BACKEND_REMAP);
	remap_frees = false;
	assert_int_equal(backend_choose(CONF_BACKEND_AUTO), CONF_BACKEND_NONE);
}

static void what_was_asked_for_must_work(void **state)
{
	(void)state;
	assert_int_equal(backend_choose(CONF_BACKEND_REMAP), CONF_BACKEND_REMAP);
	assert_int_equal(backend_choose(CONF_BACKEND_NONE), CONF_BACKEND_NONE);
	dontneed_frees = false;
	assert_int_equal(backend_choose(CONF_BACKEND_DONTNEED), CONF_BACKEND_NONE);
	reclaim_known = false;
	assert_int_equal(backend_choose(CONF_BACKEND_PT_RECLAIM), CONF_BACKEND_NONE);
}

/* Another kernel may give 26 another meaning. */
static void advice_that_succeeds_and_destroys_is_not_ours(void **state)
{
	(void)state;
	reclaim_destroys = true;
	assert_false(backend_probe(CONF_BACKEND_PT_RECLAIM));
}

static void advice_that_succeeds_and_frees_nothing_is_not_ours(void **state)
{
	(void)state;
	reclaim_frees = false;
	assert_false(backend_probe(CONF_BACKEND_PT_RECLAIM));
}

static void a_zap_that_does_not_zap_is_found_out(void **state)
{
	(void)state;
	dontneed_zaps = false;
	assert_false(backend_probe(CONF_BACKEND_DONTNEED));
}

/* Switched on late: what other threads do to VmPTE meanwhile does not rule the backend out. */
static void other_threads_are_busy(void **state)
{
	(void)state;
	busy = 20;
	assert_true(backend_probe(CONF_BACKEND_DONTNEED));
	/* Nor does that go on without end. */
	busy = 100000;
	assert_false(backend_probe(CONF_BACKEND_DONTNEED));
	busy = 0;
}

/* Without VmPTE nothing is shown to work; whole-region zaps cost nothing over others, so those. */
static void without_vmpte_only_what_is_harmless(void **state)
{
	(void)state;
	vmpte_readable = false;
	assert_int_equal(backend_choose(CONF_BACKEND_AUTO), CONF_BACKEND_DONTNEED);
}

static void *no_map(size_t len)
{
	(void)len;
	return NULL;
}

static void without_memory_none(void **state)
{
	(void)state;
	os.map = no_map;
	assert_int_equal(backend_choose(CONF_BACKEND_AUTO), CONF_BACKEND_NONE);
}

/* And the kernel this runs on, whatever it is: what the probe says it does leaves data alone. */
static void the_real_kernel(void **state)
{
	(void)state;
	os = os_linux;
	os_page_size = 0;
	os_init();
	print_message("this kernel: backend %s\n",
		      conf_backend_name(backend_choose(CONF_BACKEND_AUTO)));
	assert_true(backend_probe(CONF_BACKEND_REMAP));
}

/* Hooks run in the middle of the program's own calls. */
static void errno_is_the_programs(void **state)
{
	static uint32_t word;
	char buf[8] = "";

	(void)state;
	errno = 4711;
	assert_int_equal(os_linux.madvise((void *)1, 1, MADV_DONTNEED), -EINVAL);
	assert_true(os_linux.process_madvise((const struct iovec *)1, 1, MADV_DONTNEED) < 0);
	assert_true(os_linux.mincore((void *)1, 1, (unsigned char *)buf) < 0);
	assert_true(os_linux.read_file("/nowhere", buf, sizeof(buf)) < 0);
	assert_false(os_linux.file_exists("/nowhere"));
	assert_true(os_linux.psi_open("/nowhere", "some") < 0);
	assert_true(os_linux.replace_file("/nowhere/at/all", buf, 1) < 0);
	os_linux.futex_wait(&word, 1, 1);
	assert_int_equal(errno, 4711);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_best_that_works, setup),
		cmocka_unit_test_setup(what_was_asked_for_must_work, setup),
		cmocka_unit_test_setup(advice_that_succeeds_and_destroys_is_not_ours, setup),
		cmocka_unit_test_setup(advice_that_succeeds_and_frees_nothing_is_not_ours, setup),
		cmocka_unit_test_setup(a_zap_that_does_not_zap_is_found_out, setup),
		cmocka_unit_test_setup(other_threads_are_busy, setup),
		cmocka_unit_test_setup(without_vmpte_only_what_is_harmless, setup),
		cmocka_unit_test_setup(without_memory_none, setup),
		cmocka_unit_test(the_real_kernel),
		cmocka_unit_test(errno_is_the_programs),
	};

	return cmocka_run_group_tests_name("backend", tests, NULL, NULL);
}
