// SPDX-License-Identifier: BSD-2-Clause
/*
 * The worker, a real thread on the fake kernel: that each of its duties is done, and that it asks
 * nothing of the kernel while there is nothing to do. Waits for what must come; asserts no time.
 */
#include "engine_fixture.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "pressure.h"

static _Atomic bool pressed, killed;
static _Atomic unsigned waits, chores, reports;
static char psi_path[512];

static int psi_open(const char *path, const char *trigger)
{
	assert_string_equal(trigger, "some 100000 2000000");
	(void)snprintf(psi_path, sizeof(psi_path), "%s", path);
	return strstr(path, "refused") ? -EACCES : 7;
}

static int psi_fired(int handle)
{
	assert_int_equal(handle, 7);
	return atomic_exchange(&pressed, false);
}

static bool file_exists(const char *path)
{
	assert_string_equal(path, "/kill/file");
	return atomic_load(&killed);
}

static void futex_wait(const void *word, uint32_t val, uint64_t timeout_ns)
{
	atomic_fetch_add(&waits, 1);
	os_linux.futex_wait(word, val, timeout_ns);
}

static void rest(void)
{
	static uint32_t word;

	os_linux.futex_wait(&word, 0, 1000000);
}

#define WAIT_FOR(condition)                                                                        \
	do {                                                                                       \
		for (unsigned i_ = 0; !(condition) && i_ < 20000; i_++)                            \
			rest();                                                                    \
		assert_true(condition);                                                            \
	} while (0)

static bool do_chore(void)
{
	return atomic_fetch_add(&chores, 1) == 0;
}

static void do_report(void)
{
	atomic_fetch_add(&reports, 1);
}

/* One worker for all tests: it has no end. */
static int start(void **state)
{
	struct conf c;

	(void)state;
	os_init_sizes(4096);
	fixture_start(CONF_BACKEND_DONTNEED, 32 * MIB);
	os.psi_open = psi_open;
	os.psi_fired = psi_fired;
	os.file_exists = file_exists;
	os.clock_ns = os_linux.clock_ns;
	os.futex_wait = futex_wait;
	os.futex_wake = os_linux.futex_wake;
	fake_log_mincore(false);
	conf_defaults(&c);
	c.batch_ms = 20;
	c.stats_interval_ms = 5;
	(void)snprintf(c.kill_file, sizeof(c.kill_file), "/kill/file");
	return worker_start(&c);
}

static void idle_means_asleep(void **state)
{
	unsigned seen;

	(void)state;
	WAIT_FOR(atomic_load(&waits) > 0);
	for (unsigned i = 0; i < 50; i++)
		rest();
	seen = atomic_load(&waits);
	for (unsigned i = 0; i < 300; i++)
		rest();
	assert_int_equal(atomic_load(&waits), seen);
}

/* A program that only grows has nothing pending, and something to decide. */
/* What was said of costs is not measured. */
static void costs_that_were_said_stay(void **state)
{
	struct policy_costs c = {.fault = 12345};

	policy_set_costs(&c);
	alloc_map(0, 0, 512);
	assert_int_equal(alloc_use(0, 0, 512), ENGINE_OK);
	assert_true(alloc_free(0, 0, 512));
	WAIT_FOR(batch_bytes_exact() == 0);
	idle_means_asleep(state);
	policy_costs(&c);
	assert_int_equal(c.fault, 12345);
	assert_int_equal(c.call, 0);
}

static void costs_are_measured_on_demand(void **state)
{
	unsigned seen;

	assert_true(batch_idle());
	policy_set_costs(&(struct policy_costs){0});
	assert_false(policy_has_costs());
	worker_measure();
	WAIT_FOR(policy_has_costs());
	/* Once. */
	idle_means_asleep(state);
	seen = atomic_load(&waits);
	worker_measure();
	for (unsigned i = 0; i < 100; i++)
		rest();
	assert_int_equal(atomic_load(&waits), seen);
}

static void what_is_pending_gets_flushed(void **state)
{
	(void)state;
	alloc_map(0, 0, 512);
	assert_int_equal(alloc_use(0, 0, 512), ENGINE_OK);
	fake_log_clear();
	assert_true(alloc_free(0, 0, 512));
	WAIT_FOR(batch_bytes_exact() == 0);
	assert_calls("dontneed 0.0+512", (const char *)NULL);
	idle_means_asleep(state);
}

static void much_is_flushed_before_it_is_old(void **state)
{
	uint64_t before = count_of(STAT_FLUSH_BYTES);

	(void)state;
	alloc_map(1, 0, 15 * 512);
	for (unsigned r = 1; r < 16; r++)
		assert_int_equal(alloc_use(r, 0, 512), ENGINE_OK);
	for (unsigned i = 0; i < 100 && count_of(STAT_FLUSH_BYTES) == before; i++)
		for (unsigned r = 1; r < 16; r++) {
			if (i)
				assert_int_equal(alloc_use(r, 0, 512), ENGINE_OK);
			assert_true(alloc_free(r, 0, 512));
		}
	WAIT_FOR(batch_bytes_exact() == 0);
	assert_int_equal(fake_violations(), 0);
}

static void pressure_flushes_and_stops_deferral(void **state)
{
	uint64_t before = count_of(STAT_FLUSH_PRESSURE), inlined;

	(void)state;
	assert_true(pressure_armed());
	assert_int_equal(alloc_use(0, 0, 512), ENGINE_OK);
	atomic_store(&pressed, true);
	/* The trigger is looked at while something is pending. */
	for (unsigned i = 0; i < 1000 && count_of(STAT_FLUSH_PRESSURE) == before; i++) {
		assert_true(alloc_free(0, 0, 100));
		rest();
		assert_int_equal(alloc_use(0, 0, 100), ENGINE_OK);
	}
	assert_true(count_of(STAT_FLUSH_PRESSURE) > before);
	inlined = count_of(STAT_FLUSH_INLINE);
	WAIT_FOR(batch_bytes_exact() == 0);
	assert_true(alloc_free(0, 100, 100));
	assert_int_equal(count_of(STAT_FLUSH_INLINE), inlined + 1);
	assert_int_equal(batch_bytes_exact(), 0);
}

static void the_kill_file_is_found(void **state)
{
	void *some = fake_addr(0, 300);

	(void)state;
	atomic_store(&killed, true);
	assert_true(alloc_free(0, 200, 100));
	WAIT_FOR(engine_paused());
	WAIT_FOR(batch_bytes_exact() == 0);
	fake_live(some, fake_pages(100), false);
	assert_true(engine_release(some, fake_pages(100)));
	assert_int_equal(batch_bytes_exact(), 0);
	assert_int_equal(engine_mode_in_force(), CONF_OFF);
	/* It goes, and things are as before, without anybody's doing. */
	atomic_store(&killed, false);
	WAIT_FOR(!engine_paused());
	assert_int_equal(alloc_use(0, 300, 100), ENGINE_OK);
	assert_true(alloc_free(0, 300, 100));
}

/* Switched off what is pending goes at once, whatever batch_ms says, also what comes late; switched on
 * again, regions that were emptied in pieces go as a whole. */
static void the_mode_is_followed(void **state)
{
	(void)state;
	WAIT_FOR(batch_bytes_exact() == 0);
	assert_true(worker_set_batch_ms(CONF_MS_MAX));
	alloc_map(3, 0, 512);
	assert_int_equal(alloc_use(3, 0, 512), ENGINE_OK);
	for (unsigned i = 0; i < 20; i++) {
		engine_set_mode(i % 2 ? CONF_OFF : CONF_OBSERVE);
		assert_int_equal(batch_bytes_exact(), 0);
		for (unsigned page = 0; page < 512; page += 8)
			assert_true(alloc_free(3, page, 8));
		assert_int_equal(batch_bytes_exact(), 0);
		fake_log_clear();
		engine_set_mode(CONF_ON);
		WAIT_FOR(batch_bytes_exact() == fake_pages(1));
		engine_flush();
		assert_calls("dontneed 3.0+512", NONE);
		assert_int_equal(alloc_use(3, 0, 512), ENGINE_OK);
	}
	assert_true(worker_set_batch_ms(20));
	assert_true(alloc_free(3, 0, 512));
	WAIT_FOR(batch_bytes_exact() == 0);
}

static _Atomic unsigned pages_written;

static void write_page(void)
{
	atomic_fetch_add(&pages_written, 1);
}

/* Written after what happened, and not while nothing does. */
static void the_page_follows_what_happens(void **state)
{
	unsigned before;

	(void)state;
	worker_set_page(write_page);
	WAIT_FOR(atomic_load(&pages_written) > 0);
	for (unsigned i = 0; i < 500; i++)
		rest();
	idle_means_asleep(state);
	before = atomic_load(&pages_written);
	worker_stir();
	WAIT_FOR(atomic_load(&pages_written) > before);
	before = atomic_load(&pages_written);
	assert_int_equal(alloc_use(3, 0, 100), ENGINE_OK);
	assert_true(alloc_free(3, 0, 100));
	WAIT_FOR(batch_bytes_exact() == 0 && atomic_load(&pages_written) > before);
	for (unsigned i = 0; i < 500; i++)
		rest();
	idle_means_asleep(state);
	worker_set_page(NULL);
}

/* However long it is until the next sweep: what becomes pending meanwhile does not wait for that. */
static void a_sweep_to_come_delays_no_flush(void **state)
{
	uint64_t swept = count_of(STAT_REGIONS_SWEPT);

	(void)state;
	WAIT_FOR(batch_idle());
	assert_true(worker_set_sweep_ms(CONF_MS_MAX));
	/* The first may be due. */
	for (unsigned i = 0; i < 2; i++) {
		WAIT_FOR(sweep_idle());
		assert_true(sweep_note(fake_page(5, 0), fake_page(5, 1), true, true));
		worker_kick();
	}
	for (unsigned i = 0; i < 50; i++)
		rest();
	assert_false(sweep_idle());
	assert_int_equal(alloc_use(1, 0, 512), ENGINE_OK);
	assert_true(alloc_free(1, 0, 512));
	WAIT_FOR(batch_bytes_exact() == 0);
	assert_false(sweep_idle());
	assert_true(worker_set_sweep_ms(20));
	WAIT_FOR(sweep_idle());
	assert_int_equal(count_of(STAT_REGIONS_SWEPT), swept + 2);
}

static void chores_end_when_they_say_so(void **state)
{
	(void)state;
	worker_set_chore(do_chore);
	WAIT_FOR(atomic_load(&chores) == 2);
	idle_means_asleep(state);
	assert_int_equal(atomic_load(&chores), 2);
}

/* Asleep for another duty's sake it hears of what is pending all the same: the chore here would let it
 * sleep for a second, and a report much longer. */
static bool lasting_chore(void)
{
	return true;
}

static void a_kick_is_heard_between_other_duties(void **state)
{
	unsigned seen;

	(void)state;
	worker_set_chore(lasting_chore);
	for (unsigned i = 0; i < 5; i++) {
		WAIT_FOR(batch_idle());
		for (unsigned k = 0; k < 30; k++)
			rest();
		/* It sleeps for the chore's sake: one wait, a long one. */
		seen = atomic_load(&waits);
		assert_int_equal(alloc_use(1, 0, 512), ENGINE_OK);
		assert_true(alloc_free(1, 0, 512));
		for (unsigned k = 0; k < 400 && batch_bytes_exact(); k++)
			rest();
		assert_int_equal(batch_bytes_exact(), 0);
		assert_true(atomic_load(&waits) > seen);
	}
	worker_set_chore(NULL);
	worker_kick();
}

static void reports_are_written(void **state)
{
	(void)state;
	worker_set_report(do_report);
	worker_kick();
	WAIT_FOR(atomic_load(&reports) > 3);
	worker_set_report(NULL);
}

/* Where the trigger is looked for. */
static const char *cgroup_text;

static ssize_t read_cgroup(const char *path, char *buf, size_t cap)
{
	assert_string_equal(path, "/proc/self/cgroup");
	return cgroup_text ? snprintf(buf, cap, "%s", cgroup_text) : -ENOENT;
}

static void the_own_cgroup_comes_first(void **state)
{
	(void)state;
	os.read_file = read_cgroup;
	cgroup_text = "0::/user.slice/a b\n";
	pressure_init();
	assert_string_equal(psi_path, "/sys/fs/cgroup/user.slice/a b/memory.pressure");
	cgroup_text = "4:memory:/x\n0::/\n";
	pressure_init();
	assert_string_equal(psi_path, "/proc/pressure/memory");
	cgroup_text = "4:memory:/x\n0::/refused\n";
	pressure_init();
	assert_string_equal(psi_path, "/proc/pressure/memory");
	cgroup_text = NULL;
	pressure_init();
	assert_string_equal(psi_path, "/proc/pressure/memory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(idle_means_asleep),
		cmocka_unit_test(costs_that_were_said_stay),
		cmocka_unit_test(costs_are_measured_on_demand),
		cmocka_unit_test(what_is_pending_gets_flushed),
		cmocka_unit_test(much_is_flushed_before_it_is_old),
		cmocka_unit_test(pressure_flushes_and_stops_deferral),
		cmocka_unit_test(the_kill_file_is_found),
		cmocka_unit_test(chores_end_when_they_say_so),
		cmocka_unit_test(a_sweep_to_come_delays_no_flush),
		cmocka_unit_test(a_kick_is_heard_between_other_duties),
		cmocka_unit_test(reports_are_written),
		cmocka_unit_test(the_mode_is_followed),
		cmocka_unit_test(the_page_follows_what_happens),
		cmocka_unit_test(the_own_cgroup_comes_first),
	};

	return cmocka_run_group_tests_name("worker", tests, start, NULL);
}
