// SPDX-License-Identifier: BSD-2-Clause
/* The snapshot that statistics are read from: one moment, whoever counts meanwhile, and never lost by a fork. */
#include "engine_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl.h"
#include "ctl_fixture.h"
#include "stats.h"

static void an_epoch_is_one_snapshot(void **state)
{
	uint64_t first, value = 12345, old;
	size_t len = sizeof(old);

	(void)state;
	(void)write_number("ptreclaim.epoch", 1);
	first = number("ptreclaim.epoch");
	use_region(0);
	assert_true(alloc_free(0, 0, 300));
	/* Of before. */
	assert_int_equal(number("ptreclaim.stats.released"), 0);
	assert_int_equal(number("ptreclaim.stats.pending"), 0);
	assert_int_equal(number("ptreclaim.epoch"), first);
	/* The value does not count; what is read is the new one. */
	assert_int_equal(ctl_byname("ptreclaim.epoch", &old, &len, &value, sizeof(value)), 0);
	assert_int_equal(old, first + 1);
	assert_int_equal(number("ptreclaim.stats.released"), fake_pages(300));
	assert_int_equal(number("ptreclaim.stats.pending"), fake_pages(300));
	/* Of a wrong length it takes none. */
	assert_int_equal(ctl_byname("ptreclaim.epoch", NULL, NULL, &value, 4), EINVAL);
	assert_int_equal(number("ptreclaim.epoch"), first + 1);
	/* As numbers they are of now. */
	assert_int_equal(engine_reuse(fake_addr(0, 0), fake_pages(300), false), ENGINE_OK);
	assert_int_equal(number("ptreclaim.stats.pending"), fake_pages(300));
	assert_int_equal(ctl_read("ptreclaim.stats.pending", &value), 0);
	assert_int_equal(value, 0);
	assert_int_equal(ctl_write("ptreclaim.epoch", 0), 0);
	assert_int_equal(number("ptreclaim.epoch"), first + 2);
	assert_int_equal(number("ptreclaim.stats.pending"), 0);
}

/* A walk over the regions: not before somebody asks, and once in an epoch. */
static void reclaimable_is_taken_when_asked_for(void **state)
{
	(void)state;
	(void)write_number("ptreclaim.epoch", 1);
	engine_zapped(fake_addr(5, 0), fake_pages(1), true);
	(void)number("ptreclaim.stats.zapped_by_others");
	assert_int_equal(number("ptreclaim.stats.reclaimable"), os_page_size);
	engine_zapped(fake_addr(6, 0), fake_pages(1), true);
	assert_int_equal(number("ptreclaim.stats.reclaimable"), os_page_size);
	(void)write_number("ptreclaim.epoch", 1);
	assert_int_equal(number("ptreclaim.stats.reclaimable"), 2 * os_page_size);
}

/* --- many threads */

#define STORM_THREADS 3
/* Snapshots between which something was counted, on a machine where threads run at the same time. */
#define STORM_ROUNDS 1000
#define STORM_MOST   1000000

static atomic_bool stop;

/* In the order of engine_release(). */
static void *storm(void *arg)
{
	uint64_t n = (uintptr_t)arg;

	while (!atomic_load(&stop)) {
		stats_add(STAT_RELEASED, n);
		stats_add(n & 1 ? STAT_DEFERRED : STAT_DECLINED, n);
		stats_add(STAT_CANCELLED, n);
		stats_add(STAT_ZAPPED, n);
	}
	return NULL;
}

static void *refresh(void *arg)
{
	static const uint32_t word;

	while (!atomic_load(&stop)) {
		(void)write_number("ptreclaim.epoch", 0);
		/* Others may want to have it too. */
		if (arg)
			os_linux.futex_wait(&word, 0, 20000);
	}
	return NULL;
}

/* Where threads take turns they are never at it together, and it would only take long. */
static unsigned rounds(unsigned most)
{
	const char *under = getenv("PTR_TEST_UNDER");

	return under && !strcmp(under, "valgrind") ? 20 : most;
}

static void what_follows_is_never_there_first(void **state)
{
	pthread_t threads[STORM_THREADS + 1];
	uint64_t last = 0, released = 0;
	unsigned changed = 0;

	(void)state;
	os.futex_wait = os_linux.futex_wait;
	atomic_store(&stop, false);
	for (uintptr_t i = 0; i < STORM_THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, storm, (void *)(i + 1)), 0);
	assert_int_equal(pthread_create(&threads[STORM_THREADS], NULL, refresh, &stop), 0);
	for (unsigned i = 0; i < rounds(STORM_MOST) && changed < STORM_ROUNDS; i++) {
		struct stats_snapshot s;
		uint64_t epoch = number("ptreclaim.epoch");

		stats_snapshot(&s);
		changed += s.counter[STAT_RELEASED] != released;
		released = s.counter[STAT_RELEASED];
		assert_true(s.counter[STAT_DEFERRED] + s.counter[STAT_DECLINED] <=
			    s.counter[STAT_RELEASED]);
		assert_true(s.counter[STAT_CANCELLED] <= s.counter[STAT_RELEASED]);
		assert_true(s.counter[STAT_ZAPPED] <= s.counter[STAT_CANCELLED]);
		assert_true(epoch >= last);
		last = epoch;
	}
	/* The same by properties: all of them are of one epoch if it is the same before and after. */
	for (unsigned i = 0, same = 0; same < 20 && i < rounds(STORM_MOST); i++) {
		uint64_t before = number("ptreclaim.epoch");
		uint64_t of_all = number("ptreclaim.stats.released");
		uint64_t deferred = number("ptreclaim.stats.deferred");
		uint64_t declined = number("ptreclaim.stats.declined");

		if (number("ptreclaim.epoch") != before)
			continue;
		assert_true(deferred + declined <= of_all);
		same++;
	}
	atomic_store(&stop, true);
	for (unsigned i = 0; i <= STORM_THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
}

/* Children are born at any moment, also in the midst of a snapshot: none may find it held. */
static void a_child_never_finds_it_held(void **state)
{
	pthread_t thread;

	(void)state;
	os.futex_wait = os_linux.futex_wait;
	atomic_store(&stop, false);
	assert_int_equal(pthread_create(&thread, NULL, refresh, NULL), 0);
	for (unsigned i = 0; i < rounds(200); i++) {
		int status;
		pid_t child = fork();

		assert_true(child >= 0);
		if (!child) {
			uint64_t value = 1;
			size_t len = sizeof(value);
			/* Told before anything else is asked: what it counts is its own. */
			stats_reset();
			stats_add(STAT_RELEASED, i);
			if (ctl_byname("ptreclaim.stats.released", &value, &len, NULL, 0))
				_exit(1);
			_exit(value == i ? 0 : 2);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
	}
	atomic_store(&stop, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

/* In a pid namespace of its own a child has a number that its parent may have in another. */
static pid_t one_for_all(void)
{
	return 1;
}

static void a_child_of_the_same_number_has_its_own(void **state)
{
	uint64_t value = 1;
	size_t len = sizeof(value);

	(void)state;
	os.getpid = one_for_all;
	stats_add(STAT_RELEASED, 5);
	assert_int_equal(ctl_byname("ptreclaim.stats.released", &value, &len, NULL, 0), 0);
	assert_int_equal(value, 5);
	stats_reset();
	ctl_fork_child();
	assert_int_equal(ctl_byname("ptreclaim.stats.released", &value, &len, NULL, 0), 0);
	assert_int_equal(value, 0);
}

static _Atomic unsigned waits, handled;

static void no_wait(const void *word, uint32_t value, uint64_t ns)
{
	(void)word;
	(void)value;
	(void)ns;
	atomic_fetch_add(&waits, 1);
}

static void ask(int signal)
{
	uint64_t value;
	size_t len = sizeof(value);

	(void)signal;
	/* NOLINTNEXTLINE: that it ends, or says EAGAIN, is what is tested */
	(void)ctl_byname("ptreclaim.stats.released", &value, &len, NULL, 0);
	atomic_fetch_add(&handled, 1);
}

/* It would wait for what it interrupted. */
static void a_signal_handler_does_not_wait_for_its_thread(void **state)
{
	const struct itimerval soon = {.it_value = {.tv_usec = 50}};
	uint64_t value = 1;

	(void)state;
	os.futex_wait = no_wait;
	(void)signal(SIGALRM, ask);
	for (unsigned i = 0; i < 300; i++) {
		unsigned before = atomic_load(&handled);

		assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
		while (atomic_load(&handled) == before)
			(void)ctl_byname("ptreclaim.epoch", NULL, NULL, &value, sizeof(value));
	}
	(void)signal(SIGALRM, SIG_DFL);
	assert_int_equal(atomic_load(&waits), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_epoch_is_one_snapshot),
		TEST(reclaimable_is_taken_when_asked_for),
		TEST(what_follows_is_never_there_first),
		TEST(a_child_never_finds_it_held),
		TEST(a_child_of_the_same_number_has_its_own),
		TEST(a_signal_handler_does_not_wait_for_its_thread),
	};

	return cmocka_run_group_tests_name("epoch", tests, NULL, NULL);
}
