// SPDX-License-Identifier: BSD-2-Clause
/* Who calls a function and what it gets: against what the dynamic linker says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <stdlib.h>

#include "imports.h"

static const char here;

/* What a call would reach if this program, which defines none of them, were not there. Some have several
 * versions in glibc (pthread_cond_wait, realpath, posix_spawn, nftw, sched_getaffinity). */
static const char *const names[] = {
	"madvise",
	"mmap",
	"mmap64",
	"munmap",
	"mremap",
	"syscall",
	"mprotect",
	"mincore",
	"malloc",
	"free",
	"calloc",
	"realloc",
	"aligned_alloc",
	"posix_memalign",
	"malloc_usable_size",
	"sbrk",
	"brk",
	"open",
	"openat",
	"read",
	"write",
	"close",
	"fork",
	"vfork",
	"execve",
	"waitpid",
	"kill",
	"getpid",
	"dlsym",
	"dlopen",
	"pthread_create",
	"pthread_join",
	"pthread_atfork",
	"pthread_cond_wait",
	"pthread_mutex_lock",
	"realpath",
	"posix_spawn",
	"nftw",
	"sched_getaffinity",
	"snprintf",
	"qsort",
	"getenv",
	"strtol",
	"fopen",
	"poll",
	"sigaction",
	"setjmp",
	"_setjmp",
	"abort",
	"exit",
	"process_madvise",
	"sem_wait",
	"clock_nanosleep",
	"fopencookie",
};

static void as_the_dynamic_linker_finds_them(void **state)
{
	unsigned found = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		void *want = dlsym(RTLD_NEXT, names[i]);

		if (imports_find(names[i], &here) != want)
			fail_msg("%s: %p, not %p", names[i], imports_find(names[i], &here), want);
		found += want != NULL;
	}
	assert_true(found > 40);
}

static void what_nobody_defines_is_not_found(void **state)
{
	(void)state;
	assert_null(imports_find("ptreclaim_no_such_function", &here));
	assert_null(imports_find("", &here));
	/* Data is no function, and what picks a function is not the function. */
	assert_null(imports_find("environ", &here));
	assert_null(imports_find("rawmemchr", &here));
}

static void behind_the_last_comes_the_first(void **state)
{
	void *libc = dlsym(RTLD_NEXT, "madvise");

	(void)state;
	/* From libc's point of view somebody else's is wanted, and nobody has one. */
	assert_null(imports_find("madvise", libc));
	/* cmocka stands in front of libc, and defines nothing of libc's. */
	assert_ptr_equal(imports_find("madvise",
				      (const void *)dlsym(RTLD_NEXT, "cmocka_set_message_output")),
			 libc);
}

static void who_calls_is_found(void **state)
{
	void *libc = dlsym(RTLD_NEXT, "madvise");
	const void *const nobody[] = {NULL}, *const us[] = {&here, NULL},
			  *const us_and_libc[] = {&here, libc, NULL};

	(void)state;
	assert_true(imports_any("a64l", nobody)); /* by this program, below */
	assert_false(imports_any("a64l", us));
	assert_false(imports_any("a64l", us_and_libc));
	assert_true(imports_any("strcmp", us)); /* by cmocka */
	assert_false(imports_any("ptreclaim_no_such_function", nobody));
	assert_int_equal(a64l("/"), 1);
}

static void the_program_itself_is_not_touched(void **state)
{
	(void)state;
	assert_false(imports_replace("a64l", &here, (void (*)(void))abort));
	assert_int_equal(a64l("/"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_the_dynamic_linker_finds_them),
		cmocka_unit_test(what_nobody_defines_is_not_found),
		cmocka_unit_test(behind_the_last_comes_the_first),
		cmocka_unit_test(who_calls_is_found),
		cmocka_unit_test(the_program_itself_is_not_touched),
	};

	return cmocka_run_group_tests_name("imports", tests, NULL, NULL);
}
