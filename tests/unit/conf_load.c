// SPDX-License-Identifier: BSD-2-Clause
/* The configuration's sources, the host's bucket, the program's names, the decision and its reason. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* After the four that it needs. */
#include <cmocka.h>

#include "conf_fixture.h"
#include "os.h"

static void test_sources_in_order(void **state)
{
	struct conf c;

	(void)state;
	add_file(CONF_FILE, "batch_ms:7,sweep_ms:8\n# more\nkeep_bytes:1M, bad:1\n");
	assert_true(conf_load(&c, false, say));
	assert_true(c.batch_ms == 7 && c.sweep_ms == 8 && c.keep_bytes == 1u << 20);
	assert_int_equal(c.errors, 1);
	assert_string_equal(lines[0], "/etc/ptreclaim.conf:3: \"bad:1\": unknown key");

	n_lines = 0;
	assert_int_equal(setenv(CONF_ENV, "sweep_ms:9,bad:2", 1), 0);
	assert_true(conf_load(&c, false, say));
	assert_true(c.batch_ms == 7 && c.sweep_ms == 9);
	assert_int_equal(c.errors, 2);
	assert_string_equal(lines[1], "PTRECLAIM_CONF: \"bad:2\": unknown key");

	/* A privileged program does not listen to whoever started it. */
	assert_true(conf_load(&c, true, say));
	assert_true(c.sweep_ms == 8);
	assert_int_equal(c.errors, 1);
	assert_int_equal(maps, 3);
	assert_int_equal(unmaps, 3);
}

static void test_abort_conf(void **state)
{
	struct conf c;

	(void)state;
	assert_int_equal(setenv(CONF_ENV, "abort_conf:true", 1), 0);
	assert_true(conf_load(&c, false, say));
	assert_int_equal(setenv(CONF_ENV, "x:y,abort_conf:true", 1), 0);
	assert_false(conf_load(&c, false, say));
	/* What counts is what is in force at the end. */
	add_file(CONF_FILE, "abort_conf:true,x:y");
	assert_int_equal(setenv(CONF_ENV, "abort_conf:false", 1), 0);
	assert_true(conf_load(&c, false, say));
	assert_true(conf_load(&c, false, NULL));
	assert_false(conf_load(&c, true, say));
}

static void test_file_trouble(void **state)
{
	const size_t len = CONF_FILE_MAX + 100;
	char *text = test_malloc(len);
	struct conf c;

	(void)state;
	add_file(CONF_FILE, "");
	files[0].error = -EACCES;
	assert_true(conf_load(&c, false, say));
	assert_int_equal(c.errors, 1);
	assert_string_equal(lines[0], "/etc/ptreclaim.conf: cannot be read, error 13");

	/* Too long: whole lines of its beginning count, and no half of a pair. */
	memset(text, '\n', len);
	memcpy(text, "batch_ms:7", 10);
	memcpy(text + CONF_FILE_MAX - 10, "sweep_ms:5555", 13);
	files[0] = (struct fake_file){CONF_FILE, text, len, 0};
	n_lines = 0;
	assert_true(conf_load(&c, false, say));
	assert_int_equal(c.errors, 1);
	assert_string_equal(lines[0],
			    "/etc/ptreclaim.conf: longer than 65536 bytes, the rest is skipped");
	assert_true(c.batch_ms == 7 && c.sweep_ms == 1000);
	files[0].len = CONF_FILE_MAX;
	assert_true(conf_load(&c, false, say));
	assert_int_equal(c.errors, 0);

	no_memory = true;
	n_lines = 0;
	assert_true(conf_load(&c, false, say));
	assert_string_equal(lines[0], "/etc/ptreclaim.conf: cannot be read, error 12");
	assert_true(c.batch_ms == 100);
	test_free(text);
}

/* Computed by another program from the formula in conf.h: they must never change. */
static void test_bucket_is_stable(void **state)
{
	(void)state;
	assert_int_equal(conf_bucket("", ""), 267);
	assert_int_equal(conf_bucket("4c3a1f0d2b5e46778899aabbccddeeff", ""), 12);
	assert_int_equal(conf_bucket("4c3a1f0d2b5e46778899aabbccddeeff", "canary"), 628);
	assert_int_equal(conf_bucket("", "canary"), 447);
	assert_int_equal(conf_bucket("web-01", ""), 356);
	assert_int_equal(conf_bucket("web-02", "2026"), 448);
}

static void test_bucket_is_uniform(void **state)
{
	static const char *const salts[] = {"", "canary", "x"};

	(void)state;
	for (unsigned s = 0; s < 3; s++) {
		unsigned decile[10] = {0};
		long chi2 = 0;

		for (unsigned i = 0; i < 10000; i++) {
			char id[33];
			unsigned b;

			(void)snprintf(id, sizeof(id), "%032x", i);
			b = conf_bucket(id, salts[s]);
			assert_true(b < 1000);
			decile[b / 100]++;
		}
		for (unsigned d = 0; d < 10; d++)
			chi2 += ((long)decile[d] - 1000) * ((long)decile[d] - 1000);
		/* Nine degrees of freedom: 27.9 is exceeded by chance once in a thousand. */
		assert_true(chi2 < 27900);
	}
}

static void test_host_id(void **state)
{
	struct conf c;

	(void)state;
	add_file("/proc/sys/kernel/hostname", "web-01\n");
	assert_true(conf_load(&c, false, say));
	assert_int_equal(c.bucket, 356);
	add_file("/var/lib/dbus/machine-id", "4c3a1f0d2b5e46778899aabbccddeeff\n");
	assert_true(conf_load(&c, false, say));
	assert_int_equal(c.bucket, 12);
	/* Not known yet, empty: the next is asked. */
	add_file("/etc/machine-id", "uninitialized\n");
	assert_true(conf_load(&c, false, say));
	assert_int_equal(c.bucket, 12);
	files[2].len = 0;
	assert_true(conf_load(&c, false, say));
	assert_int_equal(c.bucket, 12);
	files[2] = (struct fake_file){"/etc/machine-id", "web-02", 6, 0};
	assert_int_equal(setenv(CONF_ENV, "rollout_salt:2026", 1), 0);
	assert_true(conf_load(&c, false, say));
	assert_int_equal(c.bucket, 448);
	assert_int_equal(n_lines, 0);
}

static void test_rollout(void **state)
{
	struct conf c;

	(void)state;
	add_file("/etc/machine-id", "web-01\n");
	assert_int_equal(setenv(CONF_ENV, "mode:observe,rollout:356", 1), 0);
	assert_true(conf_load(&c, false, say));
	assert_false(c.rolled_out);
	assert_int_equal(conf_effective_mode(&c), CONF_OFF);
	assert_int_equal(setenv(CONF_ENV, "mode:observe,rollout:357", 1), 0);
	assert_true(conf_load(&c, false, say));
	assert_true(c.rolled_out);
	assert_int_equal(conf_effective_mode(&c), CONF_OBSERVE);
	assert_int_equal(setenv(CONF_ENV, "rollout:0", 1), 0);
	assert_true(conf_load(&c, false, say));
	assert_false(c.rolled_out);
	assert_int_equal(n_lines, 0);

	/* Nothing tells the host: said only where it matters, and no error. */
	memset(files, 0, sizeof(files));
	add_file("/proc/sys/kernel/hostname", "(none)\n");
	assert_true(conf_load(&c, false, say));
	assert_int_equal(n_lines, 0);
	assert_int_equal(setenv(CONF_ENV, "rollout:500,abort_conf:true", 1), 0);
	assert_true(conf_load(&c, false, say));
	assert_int_equal(c.bucket, 267);
	assert_int_equal(n_lines, 1);
	assert_int_equal(c.errors, 0);
}

/* The name of the executable, and the one it was run by if that is another. */
static void test_names_of_the_program(void **state)
{
	static const struct {
		const char *exe, *invoked, *program, *started_as;
	} cases[] = {
		{"/usr/bin/prog", "prog", "prog", ""},
		/* Debian's redis-server is a link. */
		{"/usr/bin/redis-check-rdb", "redis-server", "redis-check-rdb", "redis-server"},
		{"/opt/a (deleted)", "a", "a", ""},
		{"/opt/a (deleted) (deleted)", "a", "a (deleted)", "a"},
		{"/opt/a (deleted)b", "", "a (deleted)b", ""},
		{"/ (deleted)", "x", "x", ""},
		{"/memfd:j it (deleted)", "jit", "memfd:j it", "jit"},
		{NULL, "prog", "prog", ""},
		{"", "prog", "prog", ""},
		{"/", "", "", ""},
		{NULL, "", "", ""},
		{"no-slash", "s", "no-slash", "s"},
		/* Of long names as much as fits. */
		{"/0123456789012345678901234567890123456789012345678901234567890123456789", "p",
		 "012345678901234567890123456789012345678901234567890123456789012", "p"},
	};
	struct conf c;

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fake_exe = cases[i].exe;
		set_invoked(cases[i].invoked);
		assert_true(conf_load(&c, false, say));
		assert_string_equal(c.program, cases[i].program);
		assert_string_equal(c.started_as, cases[i].started_as);
	}
	/* argv[0] is whatever the caller of a privileged program wants. */
	fake_exe = "/usr/bin/su";
	set_invoked("redis-server");
	assert_true(conf_load(&c, true, say));
	assert_string_equal(c.program, "su");
	assert_string_equal(c.started_as, "");
	fake_exe = NULL;
	assert_true(conf_load(&c, true, say));
	assert_string_equal(c.program, "");
	assert_int_equal(n_lines, 0);
}

static void test_rollout_id(void **state)
{
	struct conf c;

	(void)state;
	add_file("/etc/machine-id", "4c3a1f0d2b5e46778899aabbccddeeff\n");
	assert_int_equal(setenv(CONF_ENV, "rollout_id:web-01", 1), 0);
	assert_true(conf_load(&c, false, say));
	assert_int_equal(c.bucket, 356);
	assert_int_equal(setenv(CONF_ENV, "rollout_id:web-02,rollout_salt:2026", 1), 0);
	assert_true(conf_load(&c, false, say));
	assert_int_equal(c.bucket, 448);
	/* Empty again. */
	assert_int_equal(setenv(CONF_ENV, "rollout_id:", 1), 0);
	assert_true(conf_load(&c, false, say));
	assert_int_equal(c.bucket, 12);
	/* Where nothing else tells the host it is enough. */
	memset(files, 0, sizeof(files));
	assert_int_equal(setenv(CONF_ENV, "rollout_id:web-01,rollout:500", 1), 0);
	assert_true(conf_load(&c, false, say));
	assert_int_equal(c.bucket, 356);
	assert_int_equal(n_lines, 0);
}

static void test_rollout_others(void **state)
{
	static const enum conf_mode want[3][2] = {
		/* rollout_others: off, observe */
		[CONF_OFF] = {CONF_OFF, CONF_OFF},
		[CONF_OBSERVE] = {CONF_OFF, CONF_OBSERVE},
		[CONF_ON] = {CONF_OFF, CONF_OBSERVE},
	};
	char text[128];
	struct conf c;

	(void)state;
	add_file("/etc/machine-id", "web-01\n");
	for (unsigned mode = CONF_OFF; mode <= CONF_ON; mode++) {
		for (unsigned others = CONF_OFF; others <= CONF_OBSERVE; others++) {
			for (unsigned rollout = 356; rollout <= 357; rollout++) {
				(void)snprintf(
					text, sizeof(text), "mode:%s,rollout_others:%s,rollout:%u",
					conf_mode_name(mode), conf_mode_name(others), rollout);
				assert_int_equal(setenv(CONF_ENV, text, 1), 0);
				assert_true(conf_load(&c, false, say));
				assert_int_equal(conf_effective_mode(&c),
						 rollout == 357 ? mode : want[mode][others]);
			}
		}
	}
	assert_int_equal(n_lines, 0);
}

/* Half of the hosts are about half of the hosts, whatever their IDs look like. */
static void test_rollout_share(void **state)
{
	static const struct {
		const char *before, *behind;
	} forms[] = {{"web-", ""}, {"000000000000000000000000000", ""}, {"node-", ".example.org"}};
	char text[128];
	struct conf c;

	(void)state;
	for (unsigned f = 0; f < 3; f++) {
		unsigned in = 0;

		for (unsigned i = 0; i < 1000; i++) {
			(void)snprintf(text, sizeof(text), "rollout:500,rollout_id:%s%u%s",
				       forms[f].before, i, forms[f].behind);
			assert_int_equal(setenv(CONF_ENV, text, 1), 0);
			assert_true(conf_load(&c, false, say));
			in += conf_effective_mode(&c) == CONF_ON;
		}
		assert_in_range(in, 300, 700);
	}
	assert_int_equal(n_lines, 0);
}

static void test_reasons(void **state)
{
	static const struct {
		const char *file, *env, *reason;
	} cases[] = {
		{"", "", "mode:on by default, rollout 1000"},
		{"", "mode:off", "mode:off in PTRECLAIM_CONF"},
		{"", "mode:off,rollout:0,rollout_others:observe", "mode:off in PTRECLAIM_CONF"},
		{"mode:observe", "", "mode:observe in /etc/ptreclaim.conf, rollout 1000"},
		{"mode:observe", "mode:on", "mode:on in PTRECLAIM_CONF, rollout 1000"},
		{"mode:off\n[prog]\nmode:on\nrollout:500", "",
		 "mode:on in /etc/ptreclaim.conf [prog], bucket 356 is within rollout 500"},
		{"mode:off\n[prog]\nmode:on\nrollout:500", "mode:off",
		 "mode:off in PTRECLAIM_CONF"},
		{"mode:off\n[prog]\nbatch_ms:7", "", "mode:off in /etc/ptreclaim.conf"},
		{"[prog]\nmode:off\n[*g x]\nbatch_ms:7", "",
		 "mode:off in /etc/ptreclaim.conf [prog]"},
		{"[prog]\nmode:off\n[*g x] mode:observe", "",
		 "mode:observe in /etc/ptreclaim.conf [*g x], rollout 1000"},
		{"[prog]\nmode:off,mode:sideways", "", "mode:off in /etc/ptreclaim.conf [prog]"},
		{"", "rollout:356", "bucket 356 is out of rollout 356: rollout_others:off"},
		{"", "rollout:357", "mode:on by default, bucket 356 is within rollout 357"},
		{"rollout_others:observe", "rollout:0",
		 "bucket 356 is out of rollout 0: rollout_others:observe"},
		/* Any bytes may be in the file, and more than there is room for. */
		{"[\xc3\xa4\x1b[31m* prog]\nmode:off", "",
		 "mode:off in /etc/ptreclaim.conf [???[31m* prog]"},
		{"[prog 01234567890123456789012345678901234567890123456789012345678901234567]\n"
		 "mode:off",
		 "",
		 "mode:off in /etc/ptreclaim.conf "
		 "[prog 012345678901234567890123456789012345678901234567890123..."},
	};
	struct conf c;

	(void)state;
	add_file("/etc/machine-id", "web-01\n");
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		files[1] = (struct fake_file){CONF_FILE, cases[i].file, strlen(cases[i].file), 0};
		assert_int_equal(setenv(CONF_ENV, cases[i].env, 1), 0);
		assert_true(conf_load(&c, false, say));
		assert_string_equal(c.reason, cases[i].reason);
	}
}

/* The whole way: the host's file, a program by either of its names, the environment on top. */
static void test_sections_of_the_file(void **state)
{
	struct conf c;

	(void)state;
	add_file(CONF_FILE, "mode:off,batch_ms:7\n[redis-server]\nmode:observe\nsweep_ms:8\n"
			    "[other]\nno such pair\n");
	fake_exe = "/usr/bin/redis-check-rdb";
	set_invoked("redis-server");
	assert_true(conf_load(&c, false, say));
	assert_int_equal(c.mode, CONF_OBSERVE);
	assert_string_equal(c.rule, "[redis-server]");
	assert_true(c.batch_ms == 7 && c.sweep_ms == 8);
	assert_true(conf_load(&c, true, say));
	assert_int_equal(c.mode, CONF_OFF);
	assert_string_equal(c.rule, "");
	assert_int_equal(setenv(CONF_ENV, "mode:on", 1), 0);
	assert_true(conf_load(&c, false, say));
	assert_int_equal(c.mode, CONF_ON);
	assert_string_equal(c.rule, "");
	assert_true(c.sweep_ms == 8);
	assert_int_equal(n_lines, 0);
	/* The environment is for one program, and has none. */
	assert_int_equal(setenv(CONF_ENV, "[redis-server]\nmode:on", 1), 0);
	assert_true(conf_load(&c, false, say));
	assert_int_equal(c.mode, CONF_OBSERVE);
	assert_int_equal(c.errors, 1);
	assert_string_equal(lines[0], "PTRECLAIM_CONF:1: \"[redis-server]\": sections are not "
				      "supported, skipped from here on");
}

static void test_errno_is_kept(void **state)
{
	struct conf c;

	(void)state;
	os = os_linux;
	os_init();
	assert_int_equal(setenv(CONF_ENV, "mode:what,stats_file:/tmp/%p", 1), 0);
	errno = 77;
	(void)conf_load(&c, false, NULL);
	assert_int_equal(errno, 77);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, conf_setup)
	const struct CMUnitTest tests[] = {
		T(test_sources_in_order),
		T(test_abort_conf),
		T(test_file_trouble),
		T(test_bucket_is_stable),
		T(test_bucket_is_uniform),
		T(test_host_id),
		T(test_rollout),
		T(test_names_of_the_program),
		T(test_rollout_id),
		T(test_rollout_others),
		T(test_rollout_share),
		T(test_reasons),
		T(test_sections_of_the_file),
		T(test_errno_is_kept),
	};
#undef T
	return cmocka_run_group_tests(tests, NULL, NULL);
}
