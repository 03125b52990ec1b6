// SPDX-License-Identifier: BSD-2-Clause
/* The library's own memory: nothing is handed out twice, and what threads get lies apart. */
/* cmocka wants these first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "fake_os.h"
#include "node.h"
#include "os.h"
#include "pool.h"
#include "stats.h"

#define EACH	2000
#define THREADS 6
#define PAGE	4096

/* What a thread has been given. */
struct got {
	char *at[EACH];
	size_t size[EACH];
	unsigned seed;
};

static struct got got[THREADS];

static int setup(void **state)
{
	(void)state;
	os_init_sizes(4096);
	fake_install(4096);
	os.map = os_linux.map;
	os.unmap = os_linux.unmap;
	pool_reset();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pool_reset();
	atomic_store(&node_counted, 1);
	return 0;
}

static void *take(void *arg)
{
	struct got *g = arg;

	for (unsigned i = 0; i < EACH; i++) {
		g->size[i] = i % 100 == 99 ? 16 * 1024 + 8 : 2 + (size_t)rand_r(&g->seed) % 600;
		g->at[i] = pool_alloc(g->size[i]);
		if (!g->at[i])
			break;
		for (size_t b = 0; b < g->size[i]; b++)
			if (g->at[i][b])
				return "it is not zeroed, or somebody else's";
		memset(g->at[i], 1, g->size[i]);
	}
	return NULL;
}

static int by_address(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Each has a shard of its own. */
static void nothing_is_given_twice(void **state)
{
	static char *all[2 * THREADS * EACH];
	pthread_t thread[THREADS];
	size_t n = 0;

	(void)state;
	for (unsigned t = 0; t < THREADS; t++) {
		got[t].seed = t;
		assert_int_equal(pthread_create(&thread[t], NULL, take, &got[t]), 0);
	}
	for (unsigned t = 0; t < THREADS; t++) {
		void *wrong;

		pthread_join(thread[t], &wrong);
		assert_ptr_equal(wrong, NULL);
		for (unsigned i = 0; i < EACH; i++) {
			assert_non_null(got[t].at[i]);
			assert_int_equal((uintptr_t)got[t].at[i] % 128, 0);
			all[n++] = got[t].at[i];
			all[n++] = got[t].at[i] + got[t].size[i] - 1;
		}
	}
	qsort(all, n, sizeof(all[0]), by_address);
	/* Between the first byte of one and its last there is none of another. */
	for (unsigned t = 0; t < THREADS; t++)
		for (unsigned i = 0; i < EACH; i++) {
			char **p = bsearch(&got[t].at[i], all, n, sizeof(all[0]), by_address);

			assert_int_equal((size_t)(p - all) % 2, 0);
		}
}

static void *take_one(void *arg)
{
	(void)arg;
	return pool_alloc(200);
}

static void threads_have_pages_of_their_own(void **state)
{
	char *mine = pool_alloc(200), *other;
	pthread_t thread;
	void *theirs;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, take_one, NULL), 0);
	pthread_join(thread, &theirs);
	other = theirs;
	assert_true((uintptr_t)mine / PAGE != (uintptr_t)other / PAGE);
	assert_ptr_equal(pool_alloc(200), mine + 256);
}

/* A piece is used up to its end, and what does not fit begins the next. */
static void little_is_wasted(void **state)
{
	char *first = pool_alloc(256), *p;

	(void)state;
	assert_int_equal((uintptr_t)first % PAGE, 0);
	for (unsigned i = 1; i < PAGE / 256; i++) {
		p = pool_alloc(256);
		assert_ptr_equal(p, first + (size_t)i * 256);
	}
	p = pool_alloc(384);
	assert_int_equal((uintptr_t)p % PAGE, 0);
	/* Large ones come from elsewhere. */
	assert_non_null(pool_alloc(20000));
	assert_ptr_equal(pool_alloc(1), p + 384);
}

static __thread int here; /* the node that a thread is on */

static int node(void)
{
	return here;
}

/* Threads who have their turns, one by one. */
#define ON_NODES 40
static pthread_barrier_t turn;

static void *take_in_turn(void *arg)
{
	const unsigned *me = arg;

	here = (int)(*me % 2);
	for (unsigned i = 0; i < 16 * ON_NODES; i++) {
		pthread_barrier_wait(&turn);
		/* Each in a shard of its own. */
		if (i % ON_NODES == *me && !pool_alloc(256))
			return "there is no memory";
	}
	return NULL;
}

/* However threads and nodes meet: who is next to ask does not have a piece thrown away. */
static void little_is_wasted_on_nodes(void **state)
{
	pthread_t thread[ON_NODES];
	unsigned me[ON_NODES];

	(void)state;
	os.node = node;
	atomic_store(&node_counted, 2);
	pthread_barrier_init(&turn, NULL, ON_NODES);
	for (unsigned t = 0; t < ON_NODES; t++) {
		me[t] = t;
		assert_int_equal(pthread_create(&thread[t], NULL, take_in_turn, &me[t]), 0);
	}
	for (unsigned t = 0; t < ON_NODES; t++) {
		void *wrong;

		pthread_join(thread[t], &wrong);
		assert_ptr_equal(wrong, NULL);
	}
	pthread_barrier_destroy(&turn);
	/* 160 KiB are asked for, of chunks of 256 on each node. */
	assert_in_range(pool_bytes(), 16 * 256 * ON_NODES, 1 << 20);
}

static void *none(size_t len)
{
	(void)len;
	return NULL;
}

static void no_memory_is_said(void **state)
{
	(void)state;
	os.map = none;
	assert_null(pool_alloc(100));
	assert_null(pool_alloc(100000));
	os.map = os_linux.map;
	assert_non_null(pool_alloc(100));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_is_given_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(threads_have_pages_of_their_own, setup, teardown),
		cmocka_unit_test_setup_teardown(little_is_wasted, setup, teardown),
		cmocka_unit_test_setup_teardown(little_is_wasted_on_nodes, setup, teardown),
		cmocka_unit_test_setup_teardown(no_memory_is_said, setup, teardown),
	};

	stats_init();
	return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
