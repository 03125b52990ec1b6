// SPDX-License-Identifier: BSD-2-Clause
/*
 * The renderings of the statistics: right numbers, valid JSON, bounded memory. With the name of a
 * case as its argument the program prints that case's metrics instead, for tests/unit/promtool, or its
 * JSON if "json" is in front, for tests/unit/schema.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "export_test.h"
#include "tune.h"

struct stats_snapshot snap;
struct floor_report tables;
struct export_input in;
static char out[EXPORT_CAP], small[EXPORT_CAP];

static const struct tune_arena fake_arenas[] = {
	{.purges = 11,
	 .purged = 3 << 20,
	 .purged_whole = 2 << 20,
	 .taken_back = 4096,
	 .dirty_decay_ms = 10000,
	 .muzzy_decay_ms = 0,
	 .advised_dirty_ms = -1,
	 .advised_muzzy_ms = 0,
	 .reason = "it \"takes\" all of it back"},
	{0},
	{.purges = 5, .dirty_decay_ms = INT64_MIN, .advised_dirty_ms = INT64_MAX},
};

/* Of the second nothing is known. */
static bool fake_arena(unsigned i, struct tune_arena *arena)
{
	assert_true(i < 3);
	*arena = fake_arenas[i];
	return arena->purges;
}

static bool worst_arena(unsigned i, struct tune_arena *arena)
{
	(void)i;
	memset(arena, 0xff, sizeof(*arena));
	arena->dirty_decay_ms = arena->muzzy_decay_ms = -1;
	arena->advised_dirty_ms = arena->advised_muzzy_ms = INT64_MAX;
	arena->reason =
		"nothing is longer than what somebody writes who has to explain a number that "
		"nobody asked for, in one line";
	return true;
}

static int setup(void **state)
{
	(void)state;
	/* Every counter has a value that no other has. */
	for (unsigned i = 0; i < STAT_COUNT; i++)
		snap.counter[i] = 1000 + i;
	memset(snap.hook_ns, 0, sizeof(snap.hook_ns));
	tables = (struct floor_report){
		.vmpte_kb = 5764,
		.floor_kb = 508,
		.waste_kb = 5256,
		.rss_kb = 13000,
		.virt_kb = 99000,
		.regions = 77,
	};
	in = (struct export_input){
		.stats = &snap,
		.pending_bytes = 33554432,
		.kept_bytes = 12345,
		.reclaimable_bytes = 8192,
		.version = "0.1.0",
		.program = "redis-server",
		.mode = "on",
		.configured_mode = "observe",
		.bucket = 417,
		.permille = 500,
		.reason = "bucket 417 is below 500",
		.backend = "dontneed",
		.allocator = "jemalloc 5.3.0",
		.pid = 4242,
	};
	return 0;
}

void set_worst(void)
{
	memset(&tables, 0xff, sizeof(tables));
	in.tables = &tables;
	for (unsigned i = 0; i < STAT_COUNT; i++)
		snap.counter[i] = UINT64_MAX;
	for (unsigned h = 0; h < STAT_HOOKS; h++)
		for (unsigned b = 0; b < STATS_BUCKETS; b++)
			snap.hook_ns[h][b] = UINT64_MAX / STATS_BUCKETS;
	in.pending_bytes = in.kept_bytes = in.reclaimable_bytes = UINT64_MAX;
	in.allocator = "\"a\\b\n\t\x01\xff"
		       "c}";
	in.program = "a program whose name is as long as the kernel lets it be, or \"longer\"";
	in.reason = in.rule = in.program;
	in.pid = INT32_MAX;
	in.label_pid = true;
	in.killed = true;
	in.bucket = 999;
	in.permille = 1000;
	in.predicts = true;
	in.predicted_tables_bytes = UINT64_MAX;
}

void set_arenas(void)
{
	in.arena = fake_arena;
	in.arenas = 3;
}

void set_observing(void)
{
	in.mode = "observe";
	in.predicts = true;
	in.predicted_tables_bytes = 5382144;
	snap.counter[STAT_PREDICTED_SPARED] = 15534;
}

static const renderer renderers[] = {export_text, export_json, export_metrics};

const char *render(renderer r)
{
	struct export_buf b;

	export_init(&b, out, sizeof(out));
	assert_true(r(&b, &in));
	assert_int_equal(b.len, strlen(out));
	return out;
}

void assert_has(const char *text, const char *what)
{
	if (!strstr(text, what))
		fail_msg("no \"%s\" in:\n%s", what, text);
}

void assert_lacks(const char *text, const char *what)
{
	if (strstr(text, what))
		fail_msg("\"%s\" in:\n%s", what, text);
}

/*
 * The buffer.
 */
static void test_buffer(void **state)
{
	char mem[8] = "xxxxxxx";
	struct export_buf b;

	(void)state;
	export_init(&b, mem, 6);
	assert_string_equal(mem, "");
	export_str(&b, "abc");
	assert_true(export_whole(&b));
	export_str(&b, "defg");
	assert_false(export_whole(&b));
	assert_string_equal(mem, "abcde");
	assert_int_equal(mem[6], 'x');
	assert_int_equal(b.len, 7);
	export_str(&b, "h");
	assert_string_equal(mem, "abcde");
	assert_int_equal(b.len, 8);

	/* Exactly full leaves no room for the NUL. */
	export_init(&b, mem, 3);
	export_str(&b, "ab");
	assert_true(export_whole(&b));
	export_init(&b, mem, 2);
	export_str(&b, "ab");
	assert_false(export_whole(&b));
	assert_string_equal(mem, "a");

	export_init(&b, NULL, 0);
	export_str(&b, "measure");
	assert_int_equal(b.len, 7);
}

static void test_numbers(void **state)
{
	static const struct {
		uint64_t v;
		const char *plain, *size, *time;
	} t[] = {
		{0, "0", "0 B", "0 ns"},
		{999, "999", "999 B", "999 ns"},
		{1000, "1000", "1000 B", "1.0 us"},
		{1023, "1023", "1023 B", "1.0 us"},
		{1024, "1024", "1.0 KiB", "1.0 us"},
		{1535, "1535", "1.4 KiB", "1.5 us"},
		{1536, "1536", "1.5 KiB", "1.5 us"},
		{1048575, "1048575", "1023.9 KiB", "1.0 ms"},
		{33554432, "33554432", "32.0 MiB", "33.5 ms"},
		{1999999999, "1999999999", "1.8 GiB", "1.9 s"},
		{UINT64_MAX, "18446744073709551615", "15.9 EiB", "18446744073.7 s"},
	};
	char text[64];
	struct export_buf b;

	(void)state;
	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		export_init(&b, text, sizeof(text));
		export_u64(&b, t[i].v);
		assert_string_equal(text, t[i].plain);
		export_init(&b, text, sizeof(text));
		export_size_pad(&b, t[i].v, 0);
		assert_string_equal(text, t[i].size);
		export_init(&b, text, sizeof(text));
		export_ns_pad(&b, t[i].v, 0);
		assert_string_equal(text, t[i].time);
	}
	export_init(&b, text, sizeof(text));
	export_u64_pad(&b, 12, 4);
	export_u64_pad(&b, 12345, 4);
	assert_string_equal(text, "  1212345");
}

/* At every size of the buffer: nothing beyond it, the beginning of the whole, the whole length. */
static void test_any_capacity(void **state)
{
	struct export_buf b;

	(void)state;
	for (unsigned r = 0; r < 3; r++) {
		size_t len = strlen(render(renderers[r]));

		for (size_t cap = 0; cap <= len + 1; cap += cap < 700 ? 1 : 97) {
			memset(small, '~', sizeof(small));
			export_init(&b, small, cap);
			assert_int_equal(renderers[r](&b, &in), cap > len);
			assert_int_equal(b.len, len);
			assert_int_equal(small[cap], '~');
			if (!cap)
				continue;
			assert_int_equal(strlen(small), cap - 1 < len ? cap - 1 : len);
			assert_memory_equal(small, out, cap - 1);
		}
	}
}

static void test_worst_case_fits(void **state)
{
	(void)state;
	set_worst();
	for (unsigned r = 0; r < 3; r++)
		(void)render(renderers[r]);
}

static void test_nothing_known(void **state)
{
	(void)state;
	in.version = in.program = in.mode = in.configured_mode = in.backend = NULL;
	in.reason = NULL;
	in.allocator = "";
	assert_has(render(export_text),
		   "ptreclaim unknown, process 4242: mode unknown, backend unknown, "
		   "allocator unknown\n");
	assert_has(render(export_json), "\"allocator\": \"unknown\"");
	assert_has(render(export_metrics),
		   "ptreclaim_info{version=\"unknown\",mode=\"unknown\",backend=\"unknown\","
		   "allocator=\"unknown\",program=\"unknown\",pid=\"4242\"} 1\n");
}

/*
 * Text.
 */
static void test_text(void **state)
{
	const char *t;
	uint64_t calls = 0;
	char want[128];

	(void)state;
	snap.counter[STAT_ZAPPED] = 33554433;
	t = render(export_text);
	assert_has(t, "ptreclaim 0.1.0, process 4242: mode on, backend dontneed, "
		      "allocator jemalloc 5.3.0\n");
	assert_has(t, "  zapped                32.0 MiB              33554433  pages zapped");
	assert_has(t, "  pending               32.0 MiB              33554432  released and");
	assert_has(t, "  kept                  12.0 KiB                 12345  kept and");
	/* Every counter is there, in its words. */
	for (unsigned i = 0; i < STAT_COUNT; i++) {
		if (i != STAT_ZAPPED) {
			(void)snprintf(want, sizeof(want), " %" PRIu64 "  %s\n", snap.counter[i],
				       stats_help(i));
			assert_has(t, want);
		}
		if (!strcmp(stats_kind(i), "calls"))
			calls += snap.counter[i];
	}
	(void)snprintf(want, sizeof(want), "  total             %20" PRIu64 "  ", calls);
	assert_has(t, want);
	/* No VmPTE without its floor. */
	assert_lacks(t, "VmPTE");
	in.tables = &tables;
	t = render(export_text);
	assert_has(t, "  VmPTE                  5.6 MiB               5902336  ");
	assert_has(t, "  floor                508.0 KiB                520192  ");
	assert_has(t, "  waste                  5.1 MiB               5382144  ");
	/* Wide enough for a terminal that is not small. */
	for (const char *s = t, *e; (e = strchr(s, '\n')); s = e + 1)
		assert_true(e - s <= 100);
}

static void test_text_histogram(void **state)
{
	uint64_t *hist = snap.hook_ns[STAT_HOOK_REUSE];
	const char *t;

	(void)state;
	t = render(export_text);
	assert_has(t, "one call in 256 is timed");
	assert_has(t, "  reuse   0 samples\n  map ");

	hist[7] = 1;
	assert_has(render(export_text),
		   "  reuse   1 sample, p50 < 256 ns, p99 < 256 ns, max < 256 ns\n");

	/* 98 + 1 + 1: the 99th of a hundred is p99. */
	hist[7] = 98;
	hist[9] = 1;
	hist[31] = 1;
	t = render(export_text);
	assert_has(t, "  reuse   100 samples, p50 < 256 ns, p99 < 1.0 us, max >=2.1 s\n");
	assert_has(t, "    <    256 ns                   98  #################################\n");
	assert_has(t, "    <    512 ns                    0\n");
	assert_has(t, "    >=    2.1 s                    1  #\n");
	assert_lacks(t, "    <    128 ns");

	/* The 50th of a hundred is still in the first half. */
	hist[7] = 50;
	hist[8] = 50;
	hist[9] = hist[31] = 0;
	assert_has(render(export_text), "100 samples, p50 < 256 ns, p99 < 512 ns, max < 512 ns\n");
	hist[7] = 49;
	assert_has(render(export_text), "99 samples, p50 < 512 ns, p99 < 512 ns, max < 512 ns\n");
}

static void test_text_decision(void **state)
{
	const char *t;

	(void)state;
	t = render(export_text);
	assert_has(t, "\nProgram redis-server, configured mode observe, rollout 500 per mille, "
		      "bucket 417\nReason: bucket 417 is below 500\nMemory since");
	assert_lacks(t, "would have won");
	in.killed = true;
	in.rule = "[redis-*]";
	set_observing();
	t = render(export_text);
	assert_has(t, ", bucket 417, rule [redis-*]\n");
	assert_has(t, "\nSwitched off: the kill file is there\n");
	assert_has(t, "  spared calls                     15534  ");
	assert_has(t, "  less waste             5.1 MiB               5382144  ");
}

static void test_text_arenas(void **state)
{
	const char *t;

	(void)state;
	assert_lacks(render(export_text), "Arenas");
	set_arenas();
	in.no_histograms = true;
	t = render(export_text);
	assert_has(t,
		   "\n      0          11     3.0 MiB        2.0 MiB     4.0 KiB"
		   "  10000 never      0     0\n          it \"takes\" all of it back\n      2 ");
	assert_lacks(t, "\n      1 ");
	assert_lacks(t, "Time in hooks");
}

/* As many as are counted, all at their worst. */
static void test_many_arenas_fit(void **state)
{
	static char large[EXPORT_CAP + TUNE_ARENAS * EXPORT_ARENA_CAP];
	struct export_buf b;

	(void)state;
	set_worst();
	in.arena = worst_arena;
	in.arenas = TUNE_ARENAS;
	for (unsigned r = 0; r < 3; r++) {
		export_init(&b, large, sizeof(large));
		assert_true(renderers[r](&b, &in));
	}
}

/*
 * Metrics. Their grammar is promtool's business; here: names, values and the histogram.
 */
static void test_metrics(void **state)
{
	char line[128];
	const char *t;

	(void)state;
	t = render(export_metrics);
	assert_has(t, "# HELP ptreclaim_zapped_bytes_total pages zapped by a flush.\n"
		      "# TYPE ptreclaim_zapped_bytes_total counter\n"
		      "ptreclaim_zapped_bytes_total 1012\n");
	assert_has(t, "\nptreclaim_regions_freed_total 1015\n");
	assert_has(t, "\nptreclaim_flushes_total{cause=\"bytes\"} 1020\n");
	snprintf(line, sizeof(line),
		 "\nptreclaim_system_calls_total{call=\"process_madvise\"} %u\n",
		 1000u + STAT_SYS_PROCESS_MADVISE);
	assert_has(t, line);
	assert_has(t, "\n# TYPE ptreclaim_pending_bytes gauge\nptreclaim_pending_bytes 33554432\n");
	assert_has(t, "\nptreclaim_reclaimable_bytes 8192\n");
	assert_has(t, "\nptreclaim_kept_now_bytes 12345\n");
	assert_has(t, "ptreclaim_info{version=\"0.1.0\",mode=\"on\",backend=\"dontneed\","
		      "allocator=\"jemalloc 5.3.0\",program=\"redis-server\",pid=\"4242\"} 1\n");
	assert_lacks(t, "vmpte");
	/* What has a label is not there by its own name as well. */
	assert_lacks(t, "ptreclaim_sys_");
	assert_lacks(t, "ptreclaim_flush_");
	assert_string_equal(t + strlen(t) - 7, "\n# EOF\n");
	assert_has(t, "\nptreclaim_killed 0\n");
	assert_has(t, "\nptreclaim_rollout_bucket_number 417\n");
	assert_has(t, "\nptreclaim_rollout_permille 500\n");
	assert_lacks(t, "predicted_tables");
	set_observing();
	t = render(export_metrics);
	assert_has(t, "\nptreclaim_predicted_tables_bytes 5382144\n");
	assert_has(t, "\nptreclaim_predicted_spared_calls_total 15534\n");
	in.tables = &tables;
	t = render(export_metrics);
	assert_has(t, "\nptreclaim_vmpte_bytes 5902336\n");
	assert_has(t, "\nptreclaim_floor_bytes 520192\n");
	assert_has(t, "\nptreclaim_waste_bytes 5382144\n");
	assert_has(t, "\nptreclaim_used_regions 77\n");
}

/* Every sample line, once: what a scraper refuses is a name with its labels twice. */
static void assert_samples(const char *t, bool pid)
{
	for (const char *s = t, *e; (e = strchr(s, '\n')); s = e + 1) {
		char key[256];
		size_t n;

		if (*s == '#')
			continue;
		n = (size_t)(e - s);
		while (s[n - 1] != ' ')
			n--;
		assert_true(n + 1 < sizeof(key));
		key[0] = '\n';
		memcpy(key + 1, s, n);
		key[n + 1] = '\0';
		assert_null(strstr(s, key));
		if (strncmp(s, "ptreclaim_info", 14))
			assert_int_equal(strstr(key, "pid=\"4242\"}") != NULL, pid);
	}
}

static void test_metrics_pid(void **state)
{
	(void)state;
	in.tables = &tables;
	assert_samples(render(export_metrics), false);
	in.label_pid = true;
	assert_samples(render(export_metrics), true);
	assert_has(out, "\nptreclaim_zapped_bytes_total{pid=\"4242\"} 1012\n");
	assert_has(out, "\nptreclaim_flushes_total{cause=\"age\",pid=\"4242\"} 1019\n");
}

static void test_metrics_histogram(void **state)
{
	uint64_t *hist = snap.hook_ns[STAT_HOOK_RELEASE];
	const char *t;

	(void)state;
	hist[0] = 1;
	hist[2] = 10;
	hist[30] = 100;
	hist[31] = 1000;
	t = render(export_metrics);
	assert_has(t, "# TYPE ptreclaim_hook_seconds histogram\n"
		      "ptreclaim_hook_seconds_bucket{le=\"0.000000002\",hook=\"release\"} 1\n"
		      "ptreclaim_hook_seconds_bucket{le=\"0.000000004\",hook=\"release\"} 1\n"
		      "ptreclaim_hook_seconds_bucket{le=\"0.000000008\",hook=\"release\"} 11\n");
	assert_has(t, "ptreclaim_hook_seconds_bucket{le=\"1.073741824\",hook=\"release\"} 11\n"
		      "ptreclaim_hook_seconds_bucket{le=\"2.147483648\",hook=\"release\"} 111\n"
		      "ptreclaim_hook_seconds_bucket{le=\"+Inf\",hook=\"release\"} 1111\n"
		      "ptreclaim_hook_seconds_count{hook=\"release\"} 1111\n");
}

static int print(renderer how, const char *name)
{
	struct export_buf b;

	(void)setup(NULL);
	snap.hook_ns[STAT_HOOK_MAP][9] = 5;
	if (!strcmp(name, "tables"))
		in.tables = &tables;
	else if (!strcmp(name, "label"))
		in.label_pid = true;
	else if (!strcmp(name, "worst"))
		set_worst();
	else if (!strcmp(name, "observe"))
		set_observing();
	else if (!strcmp(name, "arenas")) {
		set_arenas();
		/* The least that is valid. */
		in.arenas = 1;
	} else if (!strcmp(name, "unknown"))
		in.program = in.configured_mode = in.reason = NULL;
	else if (strcmp(name, "plain"))
		return 2;
	export_init(&b, out, sizeof(out));
	return !how(&b, &in) || fputs(out, stdout) == EOF;
}

/* A report may end on a terminal, and its lines are read by programs. */
static void test_text_of_any_name(void **state)
{
	const char *t;

	(void)state;
	in.program = "evil\033[31m\n  VmPTE\x80";
	t = render(export_text);
	assert_has(t, "\nProgram evil?[31m?  VmPTE?, configured");
	assert_lacks(t, "\033");
}

int main(int argc, char **argv)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		T(test_buffer),		 T(test_numbers),	  T(test_any_capacity),
		T(test_worst_case_fits), T(test_nothing_known),	  T(test_text),
		T(test_text_histogram),	 T(test_text_decision),	  T(test_text_of_any_name),
		T(test_text_arenas),	 T(test_many_arenas_fit), T(test_json),
		T(test_metrics),	 T(test_metrics_pid),	  T(test_metrics_histogram),
	};
#undef T
	if (argc > 2 && !strcmp(argv[1], "json"))
		return print(export_json, argv[2]);
	if (argc > 1)
		return print(export_metrics, argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
