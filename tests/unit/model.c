// SPDX-License-Identifier: BSD-2-Clause
/*
 * Random allocators on the engine, against a model of every page: alone, with a kernel that fails now
 * and then, for several page sizes; and in threads, with flushers beside them.
 */
#include "engine_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* So that what is gone is populated. */
static const struct policy_costs populating = {
	.fault = 1000, .populate = 500, .zap = 80, .zero = 100, .call = 300};

static uint64_t rnd(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* Extents tile the window: each is used or not, as an allocator's would be. */
struct extent {
	unsigned start, pages; /* pages from the start of the window */
	bool used;
};

static void *extent_addr(const struct extent *e)
{
	return (void *)(FAKE_BASE + (uintptr_t)e->start * os_page_size);
}

/* Without zero the pages may hold anything, and an owner may leave it there. */
static bool take(struct extent *e, bool zero, size_t written)
{
	size_t len = fake_pages(e->pages);
	enum engine_reuse r = engine_reuse(extent_addr(e), len, zero);

	if (r == ENGINE_BUSY)
		return false;
	assert_int_equal(r, ENGINE_OK);
	if (zero)
		assert_true(fake_reads_zero(extent_addr(e), len));
	fake_live(extent_addr(e), len, true);
	fake_write(extent_addr(e), fake_pages((unsigned)written));
	e->used = true;
	return true;
}

/* False: it was declined, as a kernel that refuses much brings about, and stays in use. */
static bool give(struct extent *e)
{
	fake_live(extent_addr(e), fake_pages(e->pages), false);
	e->used = !engine_release(extent_addr(e), fake_pages(e->pages));
	if (e->used)
		fake_live(extent_addr(e), fake_pages(e->pages), true);
	return !e->used;
}

static unsigned cut(struct extent *e, unsigned max, unsigned total, unsigned longest,
		    uint64_t *seed)
{
	unsigned n = 0, at = 0;

	if (!longest || !max)
		abort();
	while (at < total && n < max) {
		unsigned len = 1 + (unsigned)(rnd(seed) % longest);

		if (rnd(seed) % 4)
			len = 1 + len / 16;
		if (len > total - at || n == max - 1)
			len = total - at;
		e[n++] = (struct extent){.start = at, .pages = len};
		at += len;
	}
	return n;
}

static void random_failure(uint64_t *seed)
{
	static const char *const names[] = {"dontneed", "vec-dontneed", "mincore", "remap"};
	static const int errors[] = {EINVAL, ENOMEM, EAGAIN};

	if (rnd(seed) % 8)
		return;
	fake_fail(names[rnd(seed) % 4], errors[rnd(seed) % 3], (unsigned)(1 + rnd(seed) % 3));
	fake_short_vectors(rnd(seed) % 2 ? -1 : (int)(rnd(seed) % 5));
}

/* Which owners want zeroes, and which write all of what they get. */
enum owners { ALL_ZERO, NONE_ZERO, SOME_ZERO };

struct model {
	enum conf_backend backend;
	uint64_t batch, keep;
	size_t page_size;
	enum owners owners;
	uint64_t seed;
};

static bool take_as(struct extent *x, enum owners owners, uint64_t *seed)
{
	uint64_t r = rnd(seed);
	bool zero = owners == ALL_ZERO || (owners == SOME_ZERO && r & 64);
	/* Owners of a size are alike, so that there is something to learn; and some are sparse. */
	bool sparse = owners != ALL_ZERO && (x->pages % 3 == 0 || r % 8 == 0);

	return take(x, zero, sparse ? x->pages / 4 : x->pages);
}

/* The limits are changed while all goes on; between times they hold. */
static void change_batch(const struct model *m, uint64_t *seed)
{
	engine_set_batch_bytes(rnd(seed) % 2 ? m->batch : m->batch >> rnd(seed) % 12);
}

/* Off, observe, on, the kill file, in any order; the worker's part is done sooner or later. */
static void change_mode(uint64_t *seed)
{
	uint64_t r = rnd(seed);

	if (r & 8)
		engine_pause(r & 1);
	else
		engine_set_mode((enum conf_mode)(r % 3));
	if (r & 16)
		engine_catch_up();
}

static void switch_on(void)
{
	engine_pause(false);
	engine_set_mode(CONF_ON);
	engine_catch_up();
}

static void follow_model(const struct model *m)
{
	enum conf_backend backend = m->backend;
	uint64_t batch = m->batch, seed = m->seed;
	size_t page_size = m->page_size;

	static struct extent e[20000];
	unsigned per_region, n, total;
	uint64_t used = 0;
	bool all_written = m->owners == ALL_ZERO;
	FLIGHT_ON_STACK(f, FLIGHT_SMALL);

	os_init_sizes(page_size);
	fixture_start(backend, batch);
	policy_set_costs(&populating);
	engine_set_keep_bytes(m->keep);
	per_region = region_pages();
	total = 6 * per_region;
	n = cut(e, 20000, total, per_region * 3 / 2, &seed);
	if (!n)
		abort();
	assert_true(engine_map((void *)FAKE_BASE, fake_pages(total), seed & 1));
	for (unsigned i = 0; i < (all_written ? 20000 : 8000); i++) {
		struct extent *x = &e[rnd(&seed) % n];

		random_failure(&seed);
		if (x->used) {
			if (give(x))
				used -= x->pages;
		} else if (take_as(x, m->owners, &seed)) {
			used += x->pages;
		}
		switch (rnd(&seed) % 64) {
		case 0:
			batch_tick(&f);
			break;
		case 1:
			batch_flush_all(STAT_FLUSH_REQUEST, &f);
			break;
		case 2:
			batch_flush_some(batch / 8, STAT_FLUSH_BYTES, &f);
			break;
		case 3: /* a child goes on from here */
			fake_wiped[0] = 0;
			engine_after_fork();
			break;
		case 4:
			change_batch(m, &seed);
			break;
		case 5:
			change_mode(&seed);
			break;
		case 6:
			switch_on();
			break;
		default:
			break;
		}
		assert_int_equal(fake_violations(), 0);
		assert_true(engine_pending_most() >= batch_bytes_exact());
		assert_true(policy_excess_bytes() <= m->keep);
		fake_log_clear();
	}
	/* With a kernel that does as it is told, nothing stays behind. */
	fake_fail("", 0, 0);
	fake_short_vectors(-1);
	switch_on();
	batch_retry();
	batch_flush_all(STAT_FLUSH_REQUEST, &f);
	assert_int_equal(batch_bytes_exact(), 0);
	if (all_written)
		assert_true(fake_resident((void *)FAKE_BASE, fake_pages(total)) >= used);
	for (unsigned i = 0; i < n; i++)
		if (e[i].used)
			assert_true(give(&e[i]));
	batch_flush_all(STAT_FLUSH_REQUEST, &f);
	assert_int_equal(fake_resident((void *)FAKE_BASE, fake_pages(total)), 0);
	assert_int_equal(policy_kept_pages(), 0);
}

static void random_sequences(void **state)
{
	static const enum conf_backend backends[] = {CONF_BACKEND_NONE, CONF_BACKEND_DONTNEED,
						     CONF_BACKEND_REMAP, CONF_BACKEND_PT_RECLAIM};

	(void)state;
	for (unsigned b = 0; b < 4; b++)
		for (uint64_t seed = 1; seed <= 6; seed++)
			follow_model(&(struct model){
				.backend = backends[b],
				.batch = seed % 3 * 8 * MIB,
				.keep = 32 * MIB,
				.page_size = 4096,
				.seed = seed * 7919 + b,
			});
}

/* As tcmalloc takes pages back, which never wants zeroes; and beside others that do. */
static void without_zero(void **state)
{
	static const enum conf_backend backends[] = {CONF_BACKEND_NONE, CONF_BACKEND_DONTNEED,
						     CONF_BACKEND_REMAP, CONF_BACKEND_PT_RECLAIM};
	static const uint64_t keeps[] = {0, MIB / 2, 4 * MIB, 32 * MIB};

	(void)state;
	for (unsigned b = 0; b < 4; b++)
		for (unsigned k = 0; k < 4; k++)
			for (enum owners o = NONE_ZERO; o <= SOME_ZERO; o++)
				follow_model(&(struct model){
					.backend = backends[b],
					.batch = (k + b) % 3 * 8 * MIB,
					.keep = keeps[k],
					.page_size = 4096,
					.owners = o,
					.seed = (b * 4 + k) * 104729 + o,
				});
}

static void other_page_sizes(void **state)
{
	(void)state;
	for (enum owners o = ALL_ZERO; o <= SOME_ZERO; o++) {
		follow_model(&(struct model){
			.backend = CONF_BACKEND_DONTNEED,
			.batch = 32 * MIB,
			.keep = 32 * MIB,
			.page_size = 16384,
			.owners = o,
			.seed = 11,
		});
		follow_model(&(struct model){
			.backend = CONF_BACKEND_DONTNEED,
			.batch = 512 * MIB,
			.keep = 128 * MIB,
			.page_size = 65536,
			.owners = o,
			.seed = 12,
		});
	}
}

/*
 * Threads. Each owns extents strewn over all regions, so that every word of every region is worked
 * on by several threads at once; two flushers and a pressure switch run beside them.
 */
#define THREADS 4
#define EACH	8
#define ROUNDS	100000

static _Atomic bool stop;

static bool met_whole_and_partial(unsigned round)
{
	static _Atomic bool met;

	/* Adding the counters up is work: now and then. */
	if (round % 1024 == 0 && count_of(STAT_REGIONS_FREED) > 100 &&
	    count_of(STAT_REGIONS_PARTIAL) > 100)
		atomic_store(&met, true);
	return atomic_load(&met);
}

static void *owner(void *arg)
{
	struct extent *mine = arg;
	uint64_t seed = (uintptr_t)arg | 1;

	/* Under valgrind one thread runs at a time, and long: then it takes more to meet. */
	for (unsigned i = 0; i < ROUNDS || (i < 100 * ROUNDS && !met_whole_and_partial(i)); i++) {
		struct extent *x = &mine[rnd(&seed) % EACH];

		if (x->used)
			(void)give(x);
		else if (take(x, rnd(&seed) & 1, x->pages) && rnd(&seed) % 16)
			/* Seldom held, so that regions are whole, and just so are taken from. */
			(void)give(x);
	}
	return NULL;
}

static void *flusher(void *arg)
{
	FLIGHT_ON_STACK(f, FLIGHT_SMALL);
	uint64_t seed = (uintptr_t)arg | 1;

	while (!atomic_load(&stop)) {
		switch (rnd(&seed) % 3) {
		case 0:
			batch_flush_all(STAT_FLUSH_REQUEST, &f);
			break;
		case 1:
			batch_flush_some(MIB / 8, STAT_FLUSH_BYTES, &f);
			break;
		default:
			batch_tick(&f);
			break;
		}
		engine_pressure(rnd(&seed) % 8 == 0);
		if (rnd(&seed) % 32 == 0)
			change_mode(&seed);
		else if (rnd(&seed) % 8 == 0)
			switch_on();
		sched_yield();
	}
	switch_on();
	return NULL;
}

static void threads_in_shared_regions(void **state)
{
	static struct extent e[THREADS][EACH];
	pthread_t owners[THREADS], flushers[2];

	(void)state;
	fixture_start(CONF_BACKEND_DONTNEED, 4 * MIB);
	policy_set_costs(&populating);
	/* The real futexes and clock: here time is what the machine makes of it. */
	os.futex_wait = os_linux.futex_wait;
	os.futex_wake = os_linux.futex_wake;
	os.clock_ns = os_linux.clock_ns;
	fake_log_mincore(false);
	assert_true(engine_map((void *)FAKE_BASE, 2 * os_region_size, true));
	for (unsigned k = 0; k < THREADS * EACH; k++)
		e[k % THREADS][k / THREADS] = (struct extent){.start = k * 32, .pages = 32};
	atomic_store(&stop, false);
	for (uintptr_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&flushers[i], NULL, flusher, (void *)(i + 1)), 0);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&owners[i], NULL, owner, e[i]), 0);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(owners[i], NULL);
	atomic_store(&stop, true);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(flushers[i], NULL);
	for (unsigned k = 0; k < THREADS * EACH; k++)
		if (e[k % THREADS][k / THREADS].used)
			assert_true(give(&e[k % THREADS][k / THREADS]));
	flush_all();
	/* It did come to whole regions, and to others. */
	assert_true(count_of(STAT_REGIONS_FREED) > 100);
	assert_true(count_of(STAT_REGIONS_PARTIAL) > 100);
	assert_int_equal(fake_violations(), 0);
	assert_int_equal(batch_bytes_exact(), 0);
	assert_int_equal(fake_resident((void *)FAKE_BASE, 2 * os_region_size), 0);
	assert_int_equal(policy_kept_pages(), 0);
	fake_log_mincore(true);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(random_sequences),
		TEST(without_zero),
		TEST(other_page_sizes),
		TEST(threads_in_shared_regions),
	};

	return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
