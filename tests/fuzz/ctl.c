// SPDX-License-Identifier: BSD-2-Clause
/*
 * Properties asked for with any names, MIBs, lengths and values: never a byte beyond what the caller gave,
 * and by name and by MIB the same answer. The engine is not started; modes and limits are changed all the
 * same. Built by tests/fuzz/run.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "ctl.h"
#include "os.h"
#include "tune.h"

#define CHECK(what)                                                                                \
	do {                                                                                       \
		if (!(what))                                                                       \
			abort();                                                                   \
	} while (0)

#define ROOM  24
#define GUARD 0xa5

struct input {
	const uint8_t *data;
	size_t size;
};

/* A number of up to eight bytes; 0 where the input ends. */
static uint64_t take(struct input *in, size_t bytes)
{
	uint64_t n = 0;
	size_t have = in->size < bytes ? in->size : bytes;

	memcpy(&n, in->data, have);
	in->data += have;
	in->size -= have;
	return n;
}

static int change_mode(enum conf_mode mode)
{
	CHECK(mode <= CONF_ON);
	return 0;
}

static pid_t fake_getpid(void)
{
	return 4711;
}

static void start(void)
{
	static struct conf conf;

	conf_defaults(&conf);
	conf.rolled_out = true;
	os_init();
	os.getpid = fake_getpid;
	ctl_describe(&conf, "fuzz");
	ctl_on_mode(change_mode);
	tune_purged(3, NULL, 4096);
}

/* What is asked for besides the name or MIB. */
struct request {
	void *newp;
	size_t newlen, room;
	bool reads, no_length;
	uint64_t value;
	const char *text;
};

static struct request make_request(struct input *in)
{
	static const char *const texts[] = {"on", "off", "observe", "apply", "", NULL};
	static struct request r;
	uint8_t how = (uint8_t)take(in, 1);

	r = (struct request){.reads = how & 1, .no_length = (how & 6) == 6};
	r.room = take(in, 1) % (ROOM + 1);
	/* A string has to be one; numbers may be anything. */
	r.text = texts[take(in, 1) % 6];
	if (how & 8) {
		r.newp = &r.text;
		r.newlen = sizeof(r.text);
	}
	if (how & 16)
		r.newlen = take(in, 1);
	return r;
}

static int ask(const struct request *r, const char *name, const size_t *mib, size_t miblen)
{
	/* Of its own each time, so that the sanitizer sees its end. */
	unsigned char *out = malloc(r->room ? r->room : 1);
	size_t len = r->room, *lenp = r->no_length ? NULL : &len;
	void *oldp = r->reads ? out : NULL;
	int result;

	CHECK(out != NULL);
	memset(out, GUARD, r->room);
	result = name ? ctl_byname(name, oldp, lenp, r->newp, r->newlen)
		      : ctl_bymib(mib, miblen, oldp, lenp, r->newp, r->newlen);
	CHECK(result == 0 || result == ENOENT || result == EPERM || result == EINVAL);
	CHECK(len <= r->room);
	for (size_t i = len; i < r->room; i++)
		CHECK(out[i] == GUARD);
	free(out);
	return result;
}

static void ask_numbers(const char *name, uint64_t value)
{
	uint64_t read = GUARD;

	if (ctl_read(name, &read))
		CHECK(read == GUARD);
	(void)ctl_write(name, value);
}

static void ask_name(struct input *in)
{
	size_t mib[CTL_DEPTH], *few, room = take(in, 1) % (CTL_DEPTH + 2), miblen = room, whole;
	struct request r = make_request(in);
	uint64_t value = take(in, 8);
	char *name = malloc(in->size + sizeof(CTL_PREFIX));
	bool prefix = value & 1;
	int by_name, by_mib;

	CHECK(name != NULL);
	/* Most of what matters comes behind the prefix. */
	if (prefix)
		memcpy(name, CTL_PREFIX, sizeof(CTL_PREFIX) - 1);
	memcpy(name + (prefix ? sizeof(CTL_PREFIX) - 1 : 0), in->data, in->size);
	name[in->size + (prefix ? sizeof(CTL_PREFIX) - 1 : 0)] = '\0';

	few = malloc((room ? room : 1) * sizeof(*few));
	CHECK(few != NULL);
	(void)ctl_nametomib(name, few, &miblen);
	CHECK(miblen <= room);
	free(few);

	by_name = ask(&r, name, NULL, 0);
	whole = CTL_DEPTH;
	if (!ctl_nametomib(name, mib, &whole)) {
		CHECK(whole >= 1 && whole <= CTL_DEPTH && mib[0] == CTL_MIB_ROOT);
		by_mib = ask(&r, NULL, mib, whole);
		CHECK(by_mib == by_name);
	} else {
		CHECK(by_name == ENOENT);
	}
	ask_numbers(name, value);
	free(name);
}

static void ask_mib(struct input *in)
{
	size_t miblen = take(in, 1) % 8, *mib;
	struct request r = make_request(in);

	mib = malloc((miblen ? miblen : 1) * sizeof(*mib));
	CHECK(mib != NULL);
	for (size_t i = 0; i < miblen; i++) {
		uint8_t how = (uint8_t)take(in, 1);

		if (!i && how < 250)
			mib[i] = CTL_MIB_ROOT;
		else
			mib[i] = how < 250 ? how : take(in, 8);
	}
	(void)ask(&r, NULL, mib, miblen);
	free(mib);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	static bool started;

	if (!started)
		start();
	started = true;
	if (take(&in, 1) & 1)
		ask_mib(&in);
	else
		ask_name(&in);
	return 0;
}
