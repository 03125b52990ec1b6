// SPDX-License-Identifier: BSD-2-Clause
/*
 * A signal's handler that looks a region up, between any two instructions of somebody who looks another up:
 * both have to get the right one, and everybody after them.
 */
/* cmocka wants these first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <ucontext.h>

#include "os.h"
#include "region.h"

/* So far apart that they lie in different leaves. */
#define HERE  ((uintptr_t)0x550000000000)
#define THERE ((uintptr_t)0x660000000000)

/* The thread sanitizer puts signals off until they suit it. */
#if defined(__SANITIZE_THREAD__)
#define PUT_OFF 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define PUT_OFF 1
#endif
#endif

#if defined(__x86_64__) && defined(__LP64__) && !defined(PUT_OFF)
#define TRAP_FLAG 0x100

static volatile unsigned steps, when;

/* After each instruction. */
static void step(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	(void)context;
	if (steps++ == when)
		(void)region_known(THERE);
}

static void steps_on(int sig, siginfo_t *info, void *context)
{
	(void)info;
	if (sig == SIGUSR1)
		((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
	else
		((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
}

static void handle(int sig, void (*fn)(int, siginfo_t *, void *))
{
	struct sigaction sa = {.sa_sigaction = fn, .sa_flags = SA_SIGINFO};

	assert_int_equal(sigaction(sig, &sa, NULL), 0);
}

static void a_signal_changes_nothing(void **state)
{
	struct region *here = region_get(HERE), *there = region_get(THERE), *found;

	(void)state;
	handle(SIGTRAP, step);
	handle(SIGUSR1, steps_on);
	handle(SIGUSR2, steps_on);
	for (unsigned round = 0; round < 10000; round++) {
		when = round / 2;
		/* Once it is the one that was looked up last, and once it is not. */
		(void)region_find(round % 2 ? HERE : THERE);
		steps = 0;
		(void)raise(SIGUSR1);
		found = region_find(HERE);
		(void)raise(SIGUSR2);
		assert_ptr_equal(found, here);
		assert_ptr_equal(region_find(THERE), there);
		assert_ptr_equal(region_find(HERE), here);
		if (steps <= when)
			break;
	}
	/* Under valgrind, which runs instructions of its own, it never stops. */
	if (!steps && !when)
		skip();
	/* It did stop at every instruction. */
	assert_in_range(when, 20, 4999);
}
#else
static void a_signal_changes_nothing(void **state)
{
	(void)state;
	skip();
}
#endif

static int setup(void **state)
{
	(void)state;
	os_init();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_signal_changes_nothing),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
