// SPDX-License-Identifier: BSD-2-Clause
/*
 * Properties in mallctl's calling form: by name and by MIB, every type and every error.
 */
#include "engine_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctl.h"
#include "ctl_fixture.h"
#include "tune.h"

#define GUARD 0xa5

static const size_t sizes[] = {
	[CTL_BOOL] = sizeof(bool),	 [CTL_UNSIGNED] = sizeof(unsigned),
	[CTL_SIZE] = sizeof(size_t),	 [CTL_SSIZE] = sizeof(ssize_t),
	[CTL_UINT64] = sizeof(uint64_t), [CTL_STRING] = sizeof(const char *),
};

static struct conf conf;

/* The class of ranges of 16 pages, which is taught. */
#define CLASS 16u

static int setup(void **state)
{
	int r = fixture_setup(state);

	conf_defaults(&conf);
	ctl_describe(NULL, "");
	ctl_on_mode(NULL);
	tune_reset();
	tune_set_mode(CONF_TUNE_OFF);
	/* Something is known of arenas 0 to 2, and of 5. */
	policy_init(0);
	for (unsigned i = 0; i < 8; i++)
		policy_learn(CLASS, CLASS, CLASS / 2, CLASS / 2);
	for (unsigned i = 0; i < 6; i++)
		if (i < 3 || i == 5)
			tune_purged(i, fake_addr(0, 0), fake_pages(3));
	return r;
}

/* The name to ask for: an index in the place of "<i>", of an arena, of CLASS or of the only node. */
static const char *full(const char *name, unsigned arena)
{
	static char out[128];
	const char *index = strstr(name, "<i>");

	if (!index)
		(void)snprintf(out, sizeof(out), "ptreclaim.%s", name);
	else
		(void)snprintf(out, sizeof(out), "ptreclaim.%.*s%u%s", (int)(index - name), name,
			       name[0] == 'a'	? arena
			       : name[0] == 'p' ? CLASS
						: 0,
			       index + 3);
	return out;
}

static const char *string(const char *name)
{
	const char *value = NULL;
	size_t len = sizeof(value);

	if (ctl_byname(name, &value, &len, NULL, 0) || len != sizeof(value) || !value)
		fail_msg("%s cannot be read", name);
	return value;
}

static int write_string(const char *name, const char *value)
{
	return ctl_byname(name, NULL, NULL, &value, sizeof(value));
}

struct each {
	size_t i;
	struct ctl_description d;
};

#define FOR_PROPERTIES(p) for (struct each p = {0}; ctl_describe_property(p.i, &p.d); p.i++)

static void the_table_is_sound(void **state)
{
	const char *seen[256];
	size_t n = 0;

	(void)state;
	FOR_PROPERTIES(p)
	{
		size_t len = strlen(p.d.name);

		assert_true(p.d.help[0] && p.d.unit && p.d.type_name[0]);
		assert_true(len && p.d.name[len - 1] != '.' && !strstr(p.d.name, ".."));
		assert_true(!strchr(p.d.name, '<') || !strncmp(p.d.name, "arena.<i>.", 10) ||
			    !strncmp(p.d.name, "policy.class.<i>.", 17) ||
			    !strncmp(p.d.name, "stats.node.<i>.", 15));
		for (size_t i = 0; i < n; i++) {
			size_t other = strlen(seen[i]), shorter = len < other ? len : other;

			/* No two the same, and none is the beginning of another's path. */
			if (!strncmp(seen[i], p.d.name, shorter) &&
			    (len == other || (len < other ? seen[i][len] : p.d.name[other]) == '.'))
				fail_msg("%s and %s", seen[i], p.d.name);
		}
		/* Whatever shares a beginning stands together. */
		if (n && strchr(p.d.name, '.')) {
			size_t first = (size_t)(strchr(p.d.name, '.') - p.d.name) + 1;

			for (size_t i = 0; i + 1 < n; i++)
				if (!strncmp(seen[i], p.d.name, first))
					assert_int_equal(strncmp(seen[i + 1], p.d.name, first), 0);
		}
		assert_true(n < sizeof(seen) / sizeof(seen[0]));
		seen[n++] = p.d.name;
	}
	assert_true(n > STAT_COUNT + 30);
}

/* Reads of too little and too much, by whatever way: nothing beyond *oldlenp is ever written. */
static void check_lengths(const size_t *mib, size_t miblen, const char *name, size_t size)
{
	unsigned char right[8], got[32];
	size_t len = size;

	assert_int_equal(ctl_byname(name, right, &len, NULL, 0), 0);
	assert_int_equal(len, size);
	for (size_t room = 0; room <= 24; room++) {
		size_t fits = room < size ? room : size;

		memset(got, GUARD, sizeof(got));
		len = room;
		assert_int_equal(ctl_bymib(mib, miblen, got, &len, NULL, 0),
				 room == size ? 0 : EINVAL);
		assert_int_equal(len, fits);
		assert_memory_equal(got, right, fits);
		for (size_t i = fits; i < sizeof(got); i++)
			assert_int_equal(got[i], GUARD);
	}
	/* Nothing to put it into, or no length: nothing is read, and that is right. */
	len = size;
	assert_int_equal(ctl_byname(name, NULL, &len, NULL, 0), 0);
	assert_int_equal(ctl_byname(name, got, NULL, NULL, 0), 0);
	assert_int_equal(ctl_byname(name, NULL, NULL, NULL, 0), 0);
}

static void every_property_is_read_by_name_and_by_mib(void **state)
{
	(void)state;
	FOR_PROPERTIES(p)
	{
		const char *name = full(p.d.name, 2);
		size_t mib[CTL_DEPTH], miblen = CTL_DEPTH, components = 1;
		uint64_t value = 0;
		size_t len = sizeof(value);

		for (const char *s = name; (s = strchr(s, '.')); s++)
			components++;
		assert_int_equal(ctl_nametomib(name, mib, &miblen), 0);
		assert_int_equal(miblen, components);
		assert_int_equal(mib[0], CTL_MIB_ROOT);
		if (p.d.type == CTL_VOID) {
			/* As arena.<i>.purge: neither read nor written. */
			assert_int_equal(ctl_byname(name, &value, &len, NULL, 0), EPERM);
			assert_int_equal(ctl_byname(name, NULL, &len, NULL, 0), EPERM);
			assert_int_equal(ctl_byname(name, NULL, NULL, &value, 8), EPERM);
			assert_int_equal(ctl_byname(name, NULL, NULL, NULL, 8), EPERM);
			assert_int_equal(ctl_byname(name, NULL, NULL, NULL, 0), 0);
			assert_int_equal(ctl_bymib(mib, miblen, NULL, NULL, NULL, 0), 0);
			continue;
		}
		check_lengths(mib, miblen, name, sizes[p.d.type]);
		if (!strcmp(p.d.access, "rw"))
			continue;
		assert_string_equal(p.d.access, "r");
		memset(&value, 0, sizeof(value));
		assert_int_equal(ctl_byname(name, NULL, NULL, &value, sizes[p.d.type]), EPERM);
		assert_int_equal(ctl_byname(name, NULL, NULL, &value, 0), EPERM);
		assert_int_equal(ctl_byname(name, NULL, NULL, NULL, 1), EPERM);
		assert_int_equal(ctl_bymib(mib, miblen, NULL, NULL, &value, 8), EPERM);
		/* A call that would write what it may not does not read either. */
		len = sizes[p.d.type];
		value = 0x5a5a5a5a5a5a5a5a;
		assert_int_equal(ctl_byname(name, &value, &len, &value, len), EPERM);
		assert_int_equal(value, 0x5a5a5a5a5a5a5a5a);
	}
}

static void names_end_where_properties_do(void **state)
{
	static const char *const names[] = {
		"ptreclaim.",
		"ptreclaim.stats",
		"ptreclaim.stats.",
		"ptreclaim.mode.x",
		"ptreclaim.mode.",
		"ptreclaim..mode",
		"ptreclaim.arena",
		"ptreclaim.arena.2",
		"ptreclaim.arena.2.",
		"ptreclaim.arena..purges",
		"ptreclaim.arena.-1.purges",
		"ptreclaim.arena.2x.purges",
		"ptreclaim.arena.<i>.purges",
		"ptreclaim.arena.+2.purges",
		"ptreclaim.arena. 2.purges",
		"ptreclaim.arena.1024.purges",
		"ptreclaim.arena.18446744073709551618.purges",
		"ptreclaim.arena.2.purges.x",
		"ptreclaim.arena.2.2.purges",
		"ptreclaim.stats.node",
		"ptreclaim.stats.node.0",
		"ptreclaim.stats.node.x.zapped",
		"ptreclaim.stats.node.1.zapped",
		"ptreclaim.stats.nodes.0.zapped",
		"ptreclaim.tune",
		"ptreclaim.Mode",
		"ptreclaim",
		"",
		"ptreclaimxmode",
		"pt",
		"epoch",
	};
	size_t len;
	char out[8];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		len = sizeof(out);
		if (ctl_byname(names[i], out, &len, NULL, 0) != ENOENT)
			fail_msg("%s", names[i]);
		assert_int_equal(len, sizeof(out));
	}
	assert_int_equal(ctl_byname(NULL, out, &len, NULL, 0), ENOENT);
	/* An arena that nothing is known of, and one that is: leading zeroes do not count. */
	assert_int_equal(ctl_byname("ptreclaim.arena.3.purges", out, &len, NULL, 0), ENOENT);
	assert_int_equal(ctl_byname("ptreclaim.arena.3.reason", NULL, NULL, NULL, 0), ENOENT);
	assert_int_equal(ctl_byname("ptreclaim.arena.0000000002.purges", out, &len, NULL, 0), 0);
}

static void a_mib_is_as_long_as_there_is_room(void **state)
{
	size_t whole[CTL_DEPTH], mib[CTL_DEPTH + 1], len = CTL_DEPTH;

	(void)state;
	assert_int_equal(ctl_nametomib("ptreclaim.arena.2.purges", whole, &len), 0);
	assert_int_equal(len, 4);
	for (size_t room = 0; room <= CTL_DEPTH + 1; room++) {
		size_t want = room < 4 ? room : 4;

		memset(mib, GUARD, sizeof(mib));
		len = room;
		assert_int_equal(ctl_nametomib("ptreclaim.arena.2.purges", mib, &len), 0);
		assert_int_equal(len, want);
		assert_memory_equal(mib, whole, want * sizeof(mib[0]));
		for (size_t i = want; i <= CTL_DEPTH; i++)
			assert_int_equal(mib[i], (size_t)0xa5a5a5a5a5a5a5a5);
	}
	/* Where the room ends, the rest of the name is not looked at. */
	len = 2;
	assert_int_equal(ctl_nametomib("ptreclaim.arena.x.y.z", mib, &len), 0);
	len = 3;
	assert_int_equal(ctl_nametomib("ptreclaim.arena.x.y.z", mib, &len), ENOENT);
	/* Beginnings have a MIB, which is none of a property. */
	len = CTL_DEPTH;
	assert_int_equal(ctl_nametomib("ptreclaim.stats", mib, &len), 0);
	assert_int_equal(len, 2);
	assert_int_equal(ctl_bymib(mib, len, NULL, NULL, NULL, 0), ENOENT);
	len = CTL_DEPTH;
	assert_int_equal(ctl_nametomib("ptreclaim.mode.x", mib, &len), ENOENT);
	assert_int_equal(ctl_nametomib("ptreclaim.nonesuch", mib, &len), ENOENT);
	assert_int_equal(ctl_nametomib("epoch", mib, &len), ENOENT);
}

static void only_true_mibs_are_properties(void **state)
{
	size_t mib[CTL_DEPTH + 1], len = CTL_DEPTH, found = 0, all = 0;

	(void)state;
	/* Of all that are two or three numbers, there are exactly as many as there are properties. */
	mib[0] = CTL_MIB_ROOT;
	for (mib[1] = 0; mib[1] < 300; mib[1]++) {
		found += ctl_bymib(mib, 2, NULL, NULL, NULL, 0) != ENOENT;
		for (mib[2] = 0; mib[2] < 300; mib[2]++)
			found += ctl_bymib(mib, 3, NULL, NULL, NULL, 0) != ENOENT;
	}
	FOR_PROPERTIES(p)
	all += !strchr(p.d.name, '<');
	assert_int_equal(found, all);
	assert_int_equal(ctl_bymib(mib, 0, NULL, NULL, NULL, 0), ENOENT);
	assert_int_equal(ctl_bymib(NULL, 0, NULL, NULL, NULL, 0), ENOENT);
	assert_int_equal(ctl_bymib(mib, 1, NULL, NULL, NULL, 0), ENOENT);

	/* The index may be changed. */
	assert_int_equal(ctl_nametomib("ptreclaim.arena.0.purges", mib, &len), 0);
	for (mib[2] = 0; mib[2] < 300; mib[2]++)
		assert_int_equal(ctl_bymib(mib, len, NULL, NULL, NULL, 0),
				 mib[2] < 3 || mib[2] == 5 ? 0 : ENOENT);
	mib[2] = SIZE_MAX;
	assert_int_equal(ctl_bymib(mib, len, NULL, NULL, NULL, 0), ENOENT);
	mib[2] = 0;
	mib[len] = 0;
	assert_int_equal(ctl_bymib(mib, len + 1, NULL, NULL, NULL, 0), ENOENT);
	mib[0]++;
	assert_int_equal(ctl_bymib(mib, len, NULL, NULL, NULL, 0), ENOENT);
}

static void arenas_are_told_apart(void **state)
{
	size_t mib[CTL_DEPTH], len = CTL_DEPTH, vlen = sizeof(uint64_t);
	uint64_t before[3], value;
	unsigned count = 0;

	(void)state;
	assert_int_equal(ctl_nametomib("ptreclaim.arena.0.purged", mib, &len), 0);
	for (mib[2] = 0; mib[2] < 3; mib[2]++)
		assert_int_equal(ctl_bymib(mib, len, &before[mib[2]], &vlen, NULL, 0), 0);
	tune_purged(1, fake_addr(3, 0), fake_pages(5));
	tune_taken_back(1, fake_pages(2));
	for (mib[2] = 0; mib[2] < 3; mib[2]++) {
		assert_int_equal(ctl_bymib(mib, len, &value, &vlen, NULL, 0), 0);
		assert_int_equal(value, before[mib[2]] + (mib[2] == 1 ? fake_pages(5) : 0));
	}
	vlen = sizeof(count);
	assert_int_equal(ctl_byname("ptreclaim.arenas", &count, &vlen, NULL, 0), 0);
	assert_int_equal(count, tune_arenas());
	assert_true(string("ptreclaim.arena.1.reason")[0]);
	assert_true(string("ptreclaim.tune.reason")[0]);
}

static void strings_say_what_is(void **state)
{
	(void)state;
	assert_string_equal(string("ptreclaim.mode"), "on");
	assert_string_equal(string("ptreclaim.mode_in_force"), "on");
	assert_string_equal(string("ptreclaim.backend"), "dontneed");
	assert_true(string("ptreclaim.version")[0] >= '0');
	assert_string_equal(string("ptreclaim.allocator"), "");
	assert_string_equal(string("ptreclaim.rollout.salt"), "");
	assert_string_equal(string("ptreclaim.tune.mode"), "off");
	engine_pause(true);
	assert_string_equal(string("ptreclaim.mode"), "on");
	assert_string_equal(string("ptreclaim.mode_in_force"), "off");
	engine_pause(false);

	conf.bucket = 356;
	conf.rollout = 500;
	(void)snprintf(conf.rollout_salt, sizeof(conf.rollout_salt), "pepper");
	ctl_describe(&conf, "jemalloc 5.3.0");
	assert_string_equal(string("ptreclaim.allocator"), "jemalloc 5.3.0");
	assert_string_equal(string("ptreclaim.rollout.salt"), "pepper");
	{
		unsigned value;
		size_t len = sizeof(value);

		assert_int_equal(ctl_byname("ptreclaim.rollout.bucket", &value, &len, NULL, 0), 0);
		assert_int_equal(value, 356);
		assert_int_equal(ctl_byname("ptreclaim.rollout.permille", &value, &len, NULL, 0),
				 0);
		assert_int_equal(value, 500);
	}
}

static void killed_is_a_boolean(void **state)
{
	unsigned char value[2] = {GUARD, GUARD};
	size_t len = sizeof(bool);

	(void)state;
	assert_int_equal(ctl_byname("ptreclaim.killed", value, &len, NULL, 0), 0);
	assert_int_equal(value[0], 0);
	engine_pause(true);
	assert_int_equal(ctl_byname("ptreclaim.killed", value, &len, NULL, 0), 0);
	engine_pause(false);
	assert_int_equal(value[0], 1);
	assert_int_equal(value[1], GUARD);
}

static enum conf_mode asked;
static int verdict;

static int change_mode(enum conf_mode mode)
{
	if (!verdict)
		asked = mode;
	return verdict;
}

static void modes_are_changed_by_name(void **state)
{
	static const char *const wrong[] = {"", "On", "on ", "of", "?", "auto"};
	const char *value = "observe", *old = NULL;
	size_t len = sizeof(old);

	(void)state;
	/* Nobody to do it. */
	assert_int_equal(write_string("ptreclaim.mode", "on"), EPERM);
	assert_int_equal(ctl_write("ptreclaim.mode", 1), EPERM);
	ctl_on_mode(change_mode);
	verdict = 0;
	asked = CONF_OFF;
	assert_int_equal(ctl_byname("ptreclaim.mode", &old, &len, &value, sizeof(value)), 0);
	assert_string_equal(old, "on");
	assert_int_equal(asked, CONF_OBSERVE);
	assert_int_equal(write_string("ptreclaim.mode", "on"), 0);
	assert_int_equal(asked, CONF_ON);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(write_string("ptreclaim.mode", wrong[i]), EINVAL);
	assert_int_equal(write_string("ptreclaim.mode", NULL), EINVAL);
	value = "off";
	for (size_t size = 0; size < 32; size++)
		if (size != sizeof(value))
			assert_int_equal(ctl_byname("ptreclaim.mode", NULL, NULL, &value, size),
					 EINVAL);
	/* The old value cannot be handed out: nothing is written. */
	len = 1;
	assert_int_equal(ctl_byname("ptreclaim.mode", &old, &len, &value, sizeof(value)), EINVAL);
	assert_int_equal(asked, CONF_ON);
	/* No newp: nothing to write, whatever its length. */
	assert_int_equal(ctl_byname("ptreclaim.mode", NULL, NULL, NULL, sizeof(value)), 0);
	verdict = EAGAIN;
	assert_int_equal(write_string("ptreclaim.mode", "off"), EAGAIN);
	verdict = 0;

	/* As numbers, for MallocExtension. */
	assert_int_equal(ctl_write("ptreclaim.mode", CONF_OBSERVE), 0);
	assert_int_equal(asked, CONF_OBSERVE);
	assert_int_equal(ctl_write("ptreclaim.mode", 3), EINVAL);
	assert_int_equal(ctl_write("ptreclaim.mode", UINT64_MAX), EINVAL);

	assert_int_equal(write_string("ptreclaim.tune.mode", "apply"), 0);
	assert_string_equal(string("ptreclaim.tune.mode"), "apply");
	assert_int_equal(ctl_write("ptreclaim.tune.mode", CONF_TUNE_ADVISE), 0);
	assert_string_equal(string("ptreclaim.tune.mode"), "advise");
	assert_int_equal(ctl_write("ptreclaim.tune.mode", 3), EINVAL);
	assert_int_equal(write_string("ptreclaim.tune.mode", "on"), EINVAL);
}

static void limits_are_written_in_their_type(void **state)
{
	static const char *const names[] = {"ptreclaim.batch_bytes", "ptreclaim.keep_bytes",
					    "ptreclaim.batch_ms", "ptreclaim.sweep_ms"};
	uint64_t value = 77, old = 0;
	size_t len = sizeof(old);

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(write_number(names[i], 4096), 0);
		len = sizeof(old);
		assert_int_equal(ctl_byname(names[i], &old, &len, &value, sizeof(value)), 0);
		assert_int_equal(old, 4096);
		assert_int_equal(number(names[i]), 77);
		for (size_t size = 0; size < 24; size++)
			if (size != sizeof(value))
				assert_int_equal(ctl_byname(names[i], NULL, NULL, &value, size),
						 EINVAL);
		len = 7;
		assert_int_equal(ctl_byname(names[i], &old, &len, &old, sizeof(old)), EINVAL);
		assert_int_equal(number(names[i]), 77);
	}
	assert_int_equal(write_number("ptreclaim.batch_ms", 0), EINVAL);
	assert_int_equal(write_number("ptreclaim.sweep_ms", CONF_MS_MAX + UINT64_C(1)), EINVAL);
	assert_int_equal(number("ptreclaim.batch_ms"), 77);
}

static void costs_are_written(void **state)
{
	static const char *const names[] = {
		"ptreclaim.policy.populate_ns", "ptreclaim.policy.zap_ns",
		"ptreclaim.policy.zero_ns",	"ptreclaim.policy.call_ns",
		"ptreclaim.policy.fault_ns",
	};
	struct policy_costs before, c;

	(void)state;
	policy_costs(&before);
	for (uint64_t i = 0; i < 5; i++) {
		assert_int_equal(write_number(names[i], 100 + i), 0);
		assert_int_equal(write_number(names[i], UINT64_C(1) << 32), EINVAL);
	}
	for (uint64_t i = 0; i < 5; i++)
		assert_int_equal(number(names[i]), 100 + i);
	policy_costs(&c);
	assert_int_equal(c.populate, 100);
	assert_int_equal(c.zap, 101);
	assert_int_equal(c.zero, 102);
	assert_int_equal(c.call, 103);
	assert_int_equal(c.fault, 104);
	policy_set_costs(&before);
}

/* What nothing runs by yet is what it will start with. */
static void limits_wait_for_a_start(void **state)
{
	(void)state;
	engine_init(&(struct conf){.mode = CONF_OFF, .rolled_out = true});
	conf.batch_bytes = 5 * MIB;
	ctl_describe(&conf, "");
	assert_string_equal(string("ptreclaim.mode"), "off");
	assert_int_equal(number("ptreclaim.batch_bytes"), 5 * MIB);
	assert_int_equal(write_number("ptreclaim.batch_bytes", 6 * MIB), 0);
	assert_int_equal(write_number("ptreclaim.keep_bytes", 7 * MIB), 0);
	assert_int_equal(number("ptreclaim.batch_bytes"), 6 * MIB);
	assert_int_equal(conf.batch_bytes, 6 * MIB);
	assert_int_equal(conf.keep_bytes, 7 * MIB);
	assert_int_equal(write_number("ptreclaim.batch_ms", 5), 0);
	assert_int_equal(conf.batch_ms, 5);
	assert_int_equal(ctl_byname("ptreclaim.flush", NULL, NULL, NULL, 0), 0);
	assert_int_equal(number("ptreclaim.stats.reclaimable"), 0);
	FOR_PROPERTIES(p)
	assert_int_equal(ctl_byname(full(p.d.name, 2), NULL, NULL, NULL, 0), 0);
}

static void strings_are_no_numbers(void **state)
{
	uint64_t value = 4711;

	(void)state;
	assert_int_equal(ctl_read("ptreclaim.version", &value), EPERM);
	assert_int_equal(ctl_read("ptreclaim.allocator", &value), EPERM);
	assert_int_equal(ctl_read("ptreclaim.arena.1.reason", &value), EPERM);
	assert_int_equal(ctl_write("ptreclaim.rollout.salt", 1), EPERM);
	assert_int_equal(value, 4711);
	FOR_PROPERTIES(p)
	if (p.d.numeric && p.d.type != CTL_VOID)
		assert_int_equal(ctl_read(full(p.d.name, 1), &value), 0);
	assert_int_equal(ctl_read("ptreclaim.mode", &value), 0);
	assert_int_equal(value, CONF_ON);
	assert_int_equal(ctl_read("ptreclaim.arena.9.purges", &value), ENOENT);
}

static void errno_is_kept(void **state)
{
	(void)state;
	errno = 4711;
	FOR_PROPERTIES(p)
	(void)ctl_byname(full(p.d.name, 1), NULL, NULL, NULL, 0);
	assert_int_equal(errno, 4711);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_table_is_sound),
		TEST(every_property_is_read_by_name_and_by_mib),
		TEST(names_end_where_properties_do),
		TEST(a_mib_is_as_long_as_there_is_room),
		TEST(only_true_mibs_are_properties),
		TEST(arenas_are_told_apart),
		TEST(strings_say_what_is),
		TEST(killed_is_a_boolean),
		TEST(modes_are_changed_by_name),
		TEST(limits_are_written_in_their_type),
		TEST(costs_are_written),
		TEST(limits_wait_for_a_start),
		TEST(strings_are_no_numbers),
		TEST(errno_is_kept),
	};

	return cmocka_run_group_tests_name("properties", tests, NULL, NULL);
}
