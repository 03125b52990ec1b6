// SPDX-License-Identifier: BSD-2-Clause
/*
 * NUMA nodes on the fake kernel: what is released on a node waits in that node's queue, is flushed by it and
 * counted there; in a child and after a refusal, too. Every test ends with a check that no live page was
 * destroyed, and every flush with one that it is of the node that was entered for it.
 */
#include "engine_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node.h"

static _Atomic int here;       /* the node that every thread is on */
static _Atomic unsigned asked; /* how often that was asked */
static const char *with_cpus;  /* what the kernel says; NULL: nothing */
static uint64_t opened;	       /* for which nodes */
static bool opens;	       /* there is a libnuma */
static char said[256];
static unsigned entered[64], entries;
static _Atomic unsigned begins;
static _Atomic int entered_by_thread = -1;

static int node(void)
{
	atomic_fetch_add(&asked, 1);
	return atomic_load(&here);
}

static ssize_t read_file(const char *path, char *buf, size_t cap)
{
	if (strcmp(path, "/sys/devices/system/node/has_cpu") != 0 || !with_cpus)
		return -ENOENT;
	return snprintf(buf, cap, "%s\n", with_cpus);
}

static void say(const char *line)
{
	(void)snprintf(said, sizeof(said), "%s", line);
}

static bool open_fake(uint64_t nodes)
{
	opened = nodes;
	return opens;
}

static void begin(void)
{
	atomic_fetch_add(&begins, 1);
}

static void enter(unsigned n)
{
	assert_in_range(n, 0, node_count() - 1);
	entered[entries++ % 64] = n;
}

static void start(const char *list)
{
	(void)fixture_setup(NULL);
	os.node = node;
	os.read_file = read_file;
	node_mover = (struct node_mover){.open = open_fake, .begin = begin, .enter = enter};
	opens = true;
	opened = 0;
	said[0] = '\0';
	entries = 0;
	atomic_store(&here, 0);
	atomic_store(&asked, 0);
	with_cpus = list;
	atomic_store(&node_counted, 1);
	node_init(say);
}

static int two_nodes(void **state)
{
	(void)state;
	start("0-1");
	return node_count() != 2;
}

static int four_nodes(void **state)
{
	(void)state;
	start("0-3");
	return node_count() != 4;
}

static int end(void **state)
{
	/* All queues are emptied while there are as many as there were. */
	region_reset();
	pool_reset();
	batch_after_fork();
	atomic_store(&node_counted, 1);
	return fixture_teardown(state);
}

static void on(int n)
{
	atomic_store(&here, n);
}

static struct flight new_flight(void)
{
	static struct iovec vec[BACKEND_VEC_MAX], ask[BACKEND_VEC_MAX];
	static uint8_t flag[BACKEND_VEC_MAX];

	return (struct flight){
		.cap = BACKEND_VEC_MAX, .vec = vec, .flag = flag, .ask = ask, .enter = enter};
}

static void tick_through(void)
{
	struct flight f = new_flight();

	batch_tick(&f);
	batch_tick(&f);
}

static struct engine_node figures(unsigned n)
{
	struct engine_node all[NODE_MAX];

	assert_in_range(n, 0, engine_nodes(all) - 1);
	return all[n];
}

static void assert_pending(unsigned n, unsigned pages)
{
	assert_int_equal(figures(n).pending_bytes, fake_pages(pages));
}

static void nodes_with_processors_are_counted(void **state)
{
	static const struct {
		const char *list;
		unsigned count;
		uint64_t nodes;
	} cases[] = {
		{NULL, 1, 0},	{"", 1, 0},	      {"0", 1, 0},
		{"1", 1, 0},	{"x", 1, 0},	      {"3-2", 1, 0},
		{"0-1", 2, 3},	{"0,2-3", 4, 13},     {"1-2", 3, 6},
		{"0,1", 2, 3},	{"0-200", 64, ~0ull}, {"0,63", 64, 1ull << 63 | 1},
		{"0,64", 1, 0}, {"0-0,1-1", 2, 3},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		start(cases[i].list);
		assert_int_equal(node_count(), cases[i].count);
		assert_int_equal(opened, cases[i].nodes);
		assert_string_equal(said, "");
		assert_int_equal(end(state), 0);
	}
}

static void what_keeps_nodes_together_is_said(void **state)
{
	(void)state;
	start(NULL);
	with_cpus = "0-1";
	opens = false;
	node_init(say);
	assert_int_equal(node_count(), 1);
	assert_string_equal(said, "all NUMA nodes share one queue: libnuma is not to be had");
	opens = true;
	on(-1);
	node_init(say);
	assert_int_equal(node_count(), 1);
	assert_string_equal(said, "all NUMA nodes share one queue: "
				  "a thread's node is not known without a system call");
}

static void one_node_is_never_asked_for(void **state)
{
	struct engine_node all[NODE_MAX];

	(void)state;
	start("0");
	on(1);
	use_region(0);
	assert_true(alloc_free(0, 0, 512));
	assert_int_equal(engine_nodes(all), 1);
	assert_int_equal(all[0].pending_bytes, os_region_size);
	assert_int_equal(all[0].own_bytes, pool_bytes());
	assert_true(pool_bytes() > 0);
	flush_all();
	assert_int_equal(engine_nodes(all), 1);
	assert_int_equal(all[0].pending_bytes, 0);
	assert_int_equal(all[0].zapped_bytes, os_region_size);
	assert_int_equal(all[0].flushes, 1);
	assert_int_equal(asked, 0);
	assert_null(node_worker());
	assert_int_equal(begins, 0);
}

static void what_is_released_on_a_node_is_flushed_by_it(void **state)
{
	(void)state;
	for (unsigned r = 0; r < 4; r++)
		use_region(r);
	fake_log_clear();
	on(1);
	assert_true(alloc_free(1, 0, 512));
	assert_true(alloc_free(2, 0, 512));
	on(0);
	assert_true(alloc_free(0, 0, 512));
	assert_true(alloc_free(3, 0, 10));
	assert_pending(0, 512 + 10);
	assert_pending(1, 2 * 512);
	tick_through();
	assert_int_equal(entries, 2);
	assert_int_equal(entered[0], 0);
	assert_int_equal(entered[1], 1);
	/* Neighbours of one node go together, others not. */
	assert_calls("vec-dontneed 0.0+512 3.0+10", "dontneed 1.0+1024", NONE);
	for (unsigned n = 0; n < 2; n++) {
		assert_pending(n, 0);
		assert_int_equal(figures(n).zapped_bytes, fake_pages(n ? 1024 : 522));
		assert_int_equal(figures(n).flushes, 1);
	}
	assert_int_equal(count_of(STAT_ZAPPED), fake_pages(1024 + 522));
	/* Nothing is entered for nothing. */
	tick_through();
	flush_all();
	assert_int_equal(entries, 2);
}

static void a_region_stays_on_its_queue(void **state)
{
	(void)state;
	use_region(0);
	on(1);
	assert_true(alloc_free(0, 0, 100));
	on(0);
	assert_true(alloc_free(0, 100, 412));
	assert_pending(1, 512);
	/* Pages that are taken back leave it as they came. */
	assert_int_equal(alloc_use(0, 0, 12), ENGINE_OK);
	assert_pending(1, 500);
	tick_through();
	assert_int_equal(figures(1).zapped_bytes, fake_pages(500));
	/* Flushed, it goes where it is given up next. */
	assert_true(alloc_free(0, 0, 12));
	assert_pending(0, 12);
	assert_pending(1, 0);
}

static void a_node_that_came_later_is_the_first(void **state)
{
	(void)state;
	use_region(0);
	on(7);
	assert_true(alloc_free(0, 0, 512));
	assert_pending(0, 512);
	assert_pending(1, 0);
}

static void own_pages_make_room_first(void **state)
{
	struct flight f = new_flight();

	(void)state;
	for (unsigned r = 0; r < 8; r++) {
		on((int)(r % 4));
		use_region(r);
		assert_true(alloc_free(r, 0, 512));
	}
	fake_log_clear();
	on(2);
	assert_int_equal(batch_flush_some(1, STAT_FLUSH_BYTES, &f), os_region_size);
	assert_calls("dontneed 2.0+512", NONE);
	/* What is left there, and then from the next node on. */
	assert_int_equal(batch_flush_some(2 * os_region_size, STAT_FLUSH_BYTES, &f),
			 2 * os_region_size);
	assert_calls("dontneed 6.0+512", "dontneed 3.0+512", NONE);
	assert_int_equal(count_of(STAT_FLUSH_BYTES), 2);
	on(1);
	assert_int_equal(batch_flush_some(UINT64_MAX, STAT_FLUSH_BYTES, &f), 5 * os_region_size);
	assert_calls("vec-dontneed 1.0+512 5.0+512", "dontneed 7.0+512",
		     "vec-dontneed 0.0+512 4.0+512", NONE);
	assert_true(batch_idle());
	assert_int_equal(batch_flush_some(1, STAT_FLUSH_BYTES, &f), 0);
	assert_int_equal(count_of(STAT_FLUSH_BYTES), 3);
}

/* The same through the engine: over the limit, the others' are not touched as long as there are own. */
static void a_release_makes_room_among_its_own(void **state)
{
	(void)state;
	for (unsigned r = 0; r < 16; r++)
		use_region(r);
	batch_limit(20 * MIB);
	on(0);
	for (unsigned r = 0; r < 4; r++)
		assert_true(alloc_free(r, 0, 512));
	on(1);
	for (unsigned r = 4; r < 16; r++)
		assert_true(alloc_free(r, 0, 512));
	assert_true(count_of(STAT_FLUSH_BYTES) > 0);
	assert_int_equal(figures(0).zapped_bytes, 0);
	assert_int_equal(figures(0).flushes, 0);
	assert_pending(0, 4 * 512);
	assert_int_equal(figures(1).zapped_bytes + figures(1).pending_bytes, 12 * os_region_size);
	assert_in_range(batch_bytes_exact(), 0, 20 * MIB);
}

static void a_flight_is_filled_from_one_queue(void **state)
{
	struct flight f = new_flight();

	(void)state;
	for (unsigned r = 0; r < 4; r++) {
		on((int)(r % 2));
		use_region(r);
		assert_true(alloc_free(r, 0, 512));
	}
	fake_log_clear();
	/* From that of what is on board already, or else from the caller's. */
	batch_flush_region(region_find(fake_page(0, 0)), &f);
	batch_fill(&f);
	assert_calls("vec-dontneed 0.0+512 2.0+512", NONE);
	assert_pending(0, 0);
	assert_pending(1, 2 * 512);
	assert_true(alloc_use(0, 0, 512) == ENGINE_OK && alloc_use(2, 0, 512) == ENGINE_OK);
	on(0);
	assert_true(alloc_free(0, 0, 512));
	on(1);
	fake_log_clear();
	batch_fill(&f);
	assert_calls("vec-dontneed 1.0+512 3.0+512", NONE);
	assert_pending(0, 512);
	assert_false(batch_idle());
	/* On board with others, a region of another node takes a flight of its own. */
	batch_flush_region(region_find(fake_page(0, 0)), &f);
	assert_true(alloc_use(1, 0, 512) == ENGINE_OK && alloc_free(1, 0, 512));
	fake_log_clear();
	batch_flush_region(region_find(fake_page(1, 0)), &f);
	assert_calls("dontneed 0.0+512", NONE);
	batch_issue(&f);
	assert_calls("dontneed 1.0+512", NONE);
	assert_int_equal(figures(0).zapped_bytes, 3 * os_region_size);
	assert_int_equal(figures(1).zapped_bytes, 3 * os_region_size);
}

static void what_is_refused_stays_with_its_node(void **state)
{
	struct flight f = new_flight();

	(void)state;
	use_region(0);
	use_region(2);
	on(1);
	assert_true(alloc_free(0, 0, 512));
	on(0);
	assert_true(alloc_free(2, 0, 512));
	fake_fail("dontneed", EAGAIN, 100);
	tick_through();
	fake_fail("dontneed", EAGAIN, 0);
	assert_true(batch_refused() && batch_idle());
	assert_pending(0, 512);
	assert_pending(1, 512);
	assert_int_equal(figures(1).flushes, 0);
	batch_retry();
	assert_false(batch_refused());
	on(1);
	fake_log_clear();
	batch_flush_some(1, STAT_FLUSH_BYTES, &f);
	assert_calls("dontneed 0.0+512", NONE);
	assert_pending(0, 512);
	tick_through();
	assert_calls("dontneed 2.0+512", NONE);
	assert_int_equal(batch_bytes_exact(), 0);
}

static void a_child_keeps_the_nodes(void **state)
{
	struct region *r;
	unsigned n;
	REGION_SET(set);

	(void)state;
	use_region(0);
	use_region(1);
	use_region(2);
	on(1);
	assert_true(alloc_free(0, 0, 512));
	assert_true(alloc_free(2, 0, 512));
	on(0);
	assert_true(alloc_free(1, 0, 512));
	/* The parent's flusher has one in flight, and one that it took off the queue. */
	r = region_get(fake_page(0, 0));
	assert_int_equal(region_claim(r, set, &n), REGION_WHOLE);
	fake_wiped[0] = fake_wiped[1] = 0;
	on(0);
	engine_after_fork();
	fake_log_clear();
	assert_pending(0, 512);
	assert_pending(1, 2 * 512);
	assert_int_equal(figures(1).zapped_bytes + figures(1).flushes, 0);
	tick_through();
	assert_calls("dontneed 1.0+512", "vec-dontneed 0.0+512 2.0+512", NONE);
	assert_int_equal(batch_bytes_exact(), 0);
	assert_int_equal(figures(1).zapped_bytes, 2 * os_region_size);
}

static void records_are_on_the_node_that_used_them_first(void **state)
{
	char *a, *b, *c;

	(void)state;
	pool_reset();
	on(0);
	a = pool_alloc(64);
	on(1);
	b = pool_alloc(64);
	on(0);
	c = pool_alloc(64);
	assert_true(c == a + 128);
	/* No page is shared. */
	assert_true((uintptr_t)a / os_page_size != (uintptr_t)b / os_page_size);
	assert_true(figures(0).own_bytes > 0 && figures(1).own_bytes > 0);
	assert_int_equal(figures(0).own_bytes + figures(1).own_bytes, pool_bytes());
	on(1);
	assert_ptr_equal(pool_alloc(64), b + 128);
}

/* Every range of a destructive call is of the node that was entered last. */
static void of_the_node_entered(void)
{
	const char *s = strchr(fake_log(fake_log_count() - 1), ' ');

	for (; s && entries; s = strchr(s + 1, ' ')) {
		unsigned r = (unsigned)strtoul(s + 1, NULL, 10);

		assert_int_equal(atomic_load(&region_find(fake_page(r, 0))->node),
				 entered[(entries - 1) % 64]);
	}
}

static unsigned dice(void)
{
	static uint64_t seed = 1;

	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (unsigned)(seed >> 33);
}

static void no_queue_holds_a_region_of_another_node(void **state)
{
	static bool used[FAKE_REGIONS][8];
	struct flight f = new_flight();
	uint64_t zapped = 0;

	(void)state;
	memset(used, 0, sizeof(used));
	for (unsigned r = 0; r < FAKE_REGIONS; r++)
		alloc_map(r, 0, 512);
	for (unsigned i = 0; i < 20000; i++) {
		unsigned r = dice() % FAKE_REGIONS, p = dice() % 8;
		uint64_t pending = 0;

		on((int)(dice() % 4));
		/* Flushes by hooks are not announced: they are of one node each all the same. */
		entries = 0;
		if (!used[r][p])
			assert_int_equal(alloc_use(r, 64 * p, 64), ENGINE_OK);
		else
			assert_true(alloc_free(r, 64 * p, 64));
		used[r][p] = !used[r][p];
		fake_during(of_the_node_entered);
		if (dice() % 4 == 0)
			fake_fail("dontneed", EAGAIN, 100);
		if (dice() % 20 == 0)
			batch_tick(&f);
		fake_fail("dontneed", EAGAIN, 0);
		if (dice() % 100 == 0)
			batch_retry();
		if (dice() % 200 == 0)
			batch_flush_all(STAT_FLUSH_REQUEST, &f);
		fake_during(NULL);
		fake_log_clear();
		for (unsigned n = 0; n < 4; n++)
			pending += figures(n).pending_bytes;
		assert_int_equal(pending, batch_bytes_exact());
	}
	assert_true(count_of(STAT_FAILED) > 0);
	batch_retry();
	batch_flush_all(STAT_FLUSH_REQUEST, &f);
	for (unsigned n = 0; n < 4; n++) {
		assert_int_equal(figures(n).pending_bytes, 0);
		assert_true(figures(n).zapped_bytes > 0);
		zapped += figures(n).zapped_bytes;
	}
	assert_int_equal(zapped, count_of(STAT_ZAPPED));
	assert_int_equal(batch_bytes_exact(), 0);
}

static pthread_t main_thread;

static void enter_as_worker(unsigned n)
{
	if (!pthread_equal(pthread_self(), main_thread))
		atomic_store(&entered_by_thread, (int)n);
}

/* Last: the thread has no end. */
static void the_worker_moves_to_the_queue(void **state)
{
	static uint32_t word;
	struct conf c;

	(void)state;
	main_thread = pthread_self();
	node_mover.enter = enter_as_worker;
	atomic_store(&begins, 0);
	os.clock_ns = os_linux.clock_ns;
	os.futex_wait = os_linux.futex_wait;
	os.futex_wake = os_linux.futex_wake;
	conf_defaults(&c);
	c.batch_ms = 20;
	c.kill_file[0] = '\0';
	assert_int_equal(worker_start(&c), 0);
	for (int n = 1; n >= 0; n--) {
		use_region((unsigned)n);
		on(n);
		assert_true(alloc_free((unsigned)n, 0, 512));
		for (unsigned i = 0; i < 20000 && batch_bytes_exact(); i++)
			os_linux.futex_wait(&word, 0, 1000000);
		assert_int_equal(batch_bytes_exact(), 0);
		assert_int_equal(figures((unsigned)n).zapped_bytes, os_region_size);
		assert_int_equal(entered_by_thread, n);
	}
	assert_int_equal(begins, 1);
}

#define TWO(name)  cmocka_unit_test_setup_teardown(name, two_nodes, end)
#define FOUR(name) cmocka_unit_test_setup_teardown(name, four_nodes, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nodes_with_processors_are_counted),
		cmocka_unit_test_teardown(what_keeps_nodes_together_is_said, end),
		cmocka_unit_test_teardown(one_node_is_never_asked_for, end),
		TWO(what_is_released_on_a_node_is_flushed_by_it),
		TWO(a_region_stays_on_its_queue),
		TWO(a_node_that_came_later_is_the_first),
		FOUR(own_pages_make_room_first),
		TWO(a_release_makes_room_among_its_own),
		TWO(a_flight_is_filled_from_one_queue),
		TWO(what_is_refused_stays_with_its_node),
		TWO(a_child_keeps_the_nodes),
		TWO(records_are_on_the_node_that_used_them_first),
		FOUR(no_queue_holds_a_region_of_another_node),
		cmocka_unit_test_setup(the_worker_moves_to_the_queue, two_nodes),
	};

	return cmocka_run_group_tests_name("node", tests, NULL, NULL);
}
