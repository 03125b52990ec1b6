// SPDX-License-Identifier: BSD-2-Clause
/* gbench - benches that do what the shim promises to pass on, for tests/integration/micro.sh. */
#include <stdatomic.h>
#include <stddef.h>

#include "gbench.h"

static _Atomic int set_up, torn_down, running;
static unsigned loops;

/* Says in numbers what it was given. */
static void run_plain(struct gb_state *s)
{
	unsigned long n = 0;

	while (gb_next(s))
		n++;
	gb_items(s, 3);
	gb_counter(s, "loops", (double)n, GB_PLAIN);
	gb_counter(s, "per_iteration", (double)n * 5, GB_PER_ITERATION);
	gb_counter(s, "sum", (double)(gb_arg(s, 0) + gb_arg(s, 1)), GB_PLAIN);
	gb_label(s, "a word");
}

static void setup(struct gb_state *s)
{
	(void)s;
	atomic_fetch_add(&set_up, 1);
}

static void teardown(struct gb_state *s)
{
	if (atomic_load(&running))
		gb_fail(s, "torn down while a loop runs");
	atomic_fetch_add(&torn_down, 1);
}

static void run_threads(struct gb_state *s)
{
	unsigned long n = 0;
	bool first = true;

	while (gb_next(s)) {
		if (first && !atomic_load(&set_up))
			gb_fail(s, "not set up");
		if (first)
			atomic_fetch_add(&running, 1);
		first = false;
		if (++n == 1000)
			atomic_fetch_sub(&running, 1);
	}
	gb_counter(s, "threads_seen", 1, GB_PLAIN);
	gb_counter(s, "numbers", gb_thread(s), GB_PLAIN);
	gb_counter(s, "rate", (double)n, GB_RATE);
	gb_counter(s, "rate_per_thread", (double)n, GB_RATE_PER_THREAD);
	if (!gb_thread(s))
		gb_counter(s, "told", gb_thread_count(s), GB_PLAIN);
}

/* 1000 iterations, refilled every 64: 16 times. */
static void run_refill(struct gb_state *s)
{
	unsigned refills = 0, wrong = 0, expected = 0;

	while (gb_next(s)) {
		if (gb_refill(s, 64)) {
			refills++;
			expected = 0;
			gb_resume(s);
		}
		wrong += gb_round(s, 64) != expected++;
	}
	gb_counter(s, "refills", refills, GB_PLAIN);
	gb_counter(s, "wrong", wrong, GB_PLAIN);
}

static void run_skip(struct gb_state *s)
{
	gb_skip(s, "not here");
}

/* The loop has to end there and then. */
static void run_fail(struct gb_state *s)
{
	while (gb_next(s)) {
		loops++;
		if (loops == 10)
			gb_fail(s, "on purpose");
	}
	if (loops != 10)
		gb_fail(s, "the loop went on");
}

int main(int argc, char **argv)
{
	static const char *const names[] = {"a", "b"};
	struct gb_bench *b = gb_add("plain", run_plain);

	gb_arg_names(b, names, 2);
	gb_args(b, (const int64_t[]){1, 2}, 2);
	gb_args(b, (const int64_t[]){40, 2}, 2);
	gb_iterations(b, 1000);
	gb_unit(b, GB_US);

	b = gb_add("threads", run_threads);
	gb_threads(b, 4);
	gb_iterations(b, 1000);
	gb_real_time(b);
	gb_around(b, setup, teardown);

	gb_iterations(gb_add("refill", run_refill), 1000);
	gb_range(gb_add("range", run_skip), 1, 64);
	gb_iterations(gb_add("fail", run_fail), 1000);
	gb_context("who", "gbench");
	return gb_main(argc, argv);
}
