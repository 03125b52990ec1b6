// SPDX-License-Identifier: BSD-2-Clause
/* engine_fixture - see engine_fixture.h. */
#include "engine_fixture.h"

#include <string.h>

static struct iovec vec[BACKEND_VEC_MAX], ask[BACKEND_VEC_MAX];
static uint8_t flag[BACKEND_VEC_MAX];

static struct flight new_flight(void)
{
	return (struct flight){.cap = BACKEND_VEC_MAX, .vec = vec, .flag = flag, .ask = ask};
}

void fixture_start(enum conf_backend backend, uint64_t batch_bytes)
{
	struct conf c;
	bool known = backend == CONF_BACKEND_PT_RECLAIM;

	conf_defaults(&c);
	c.backend = backend;
	c.batch_bytes = batch_bytes;
	c.rolled_out = true;
	region_reset();
	pool_reset();
	stats_reset();
	fake_install(os_page_size ? os_page_size : 4096);
	fake_know_reclaim(known);
	batch_after_fork(); /* these empty the queues */
	sweep_after_fork();
	backend_after_fork();
	engine_pause(false);
	engine_init(&c);
	/* Where populating is not what is tested, nothing is. */
	policy_set_costs(
		&(struct policy_costs){.fault = 1000, .zap = 80, .zero = 100, .call = 300});
	fake_wiped[1] = 1; /* worker_running() */
	fake_log_clear();
}

int fixture_setup(void **state)
{
	(void)state;
	os_init_sizes(4096);
	fixture_start(CONF_BACKEND_DONTNEED, 32 * MIB);
	return 0;
}

int fixture_teardown(void **state)
{
	(void)state;
	return fake_violations() ? -1 : 0;
}

void alloc_map(unsigned region, unsigned page, unsigned pages)
{
	assert_true(engine_map(fake_addr(region, page), fake_pages(pages), true));
}

enum engine_reuse alloc_use(unsigned region, unsigned page, unsigned pages)
{
	void *addr = fake_addr(region, page);
	enum engine_reuse r;

	/* What earlier owners touch may be looked at. */
	fake_log_mincore(false);
	r = engine_reuse(addr, fake_pages(pages), true);
	fake_log_mincore(true);
	if (r != ENGINE_OK)
		return r;
	assert_true(fake_reads_zero(addr, fake_pages(pages)));
	fake_live(addr, fake_pages(pages), true);
	fake_write(addr, fake_pages(pages));
	return r;
}

bool alloc_free(unsigned region, unsigned page, unsigned pages)
{
	void *addr = fake_addr(region, page);

	bool taken;

	fake_live(addr, fake_pages(pages), false);
	fake_log_mincore(false);
	taken = engine_release(addr, fake_pages(pages));
	fake_log_mincore(true);
	return taken;
}

void use_region(unsigned region)
{
	alloc_map(region, 0, 512);
	assert_int_equal(alloc_use(region, 0, 512), ENGINE_OK);
}

void teach(unsigned pages, unsigned touched)
{
	for (unsigned i = 0; i < 10; i++)
		policy_learn(pages, pages, touched, touched);
}

void tick_twice(void)
{
	struct flight f = new_flight();

	batch_tick(&f);
	batch_tick(&f);
}

void flush_all(void)
{
	struct flight f = new_flight();

	batch_flush_all(STAT_FLUSH_REQUEST, &f);
}

void assert_calls(const char *call, ...)
{
	unsigned i = 0;
	va_list ap;

	va_start(ap, call);
	for (; call; call = va_arg(ap, const char *))
		assert_string_equal(fake_log(i++), call);
	va_end(ap);
	assert_string_equal(fake_log(i), "");
	fake_log_clear();
}

uint64_t count_of(enum stat s)
{
	struct stats_snapshot snap;

	stats_snapshot(&snap);
	return snap.counter[s];
}
