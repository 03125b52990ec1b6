// SPDX-License-Identifier: BSD-2-Clause
/* export_json - the statistics as JSON: valid, and all there. Part of t-export. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "export_test.h"

/*
 * JSON: a reader of its grammar that shares nothing with the writer.
 */
static const char *json_value(const char *s);

static const char *json_blank(const char *s)
{
	return s ? s + strspn(s, " \t\r\n") : NULL;
}

static const char *json_text(const char *s)
{
	if (*s++ != '"')
		return NULL;
	for (; *s != '"'; s++) {
		if (*s < ' ' || *s > '~')
			return NULL;
		if (*s == '\\' && !strchr("\"\\/bfnrt", *++s))
			return NULL;
	}
	return s + 1;
}

static const char *json_list(const char *s, char close, bool named)
{
	s = json_blank(s + 1);
	if (*s == close)
		return s + 1;
	for (;;) {
		if (named) {
			s = json_blank(json_text(s));
			if (!s || *s++ != ':')
				return NULL;
			s = json_blank(s);
		}
		s = json_blank(json_value(s));
		if (!s || (*s != ',' && *s != close))
			return NULL;
		if (*s++ == close)
			return s;
		s = json_blank(s);
	}
}

static const char *json_value(const char *s)
{
	size_t n;

	if (*s == '{')
		return json_list(s, '}', true);
	if (*s == '[')
		return json_list(s, ']', false);
	if (*s == '"')
		return json_text(s);
	if (!strncmp(s, "null", 4) || !strncmp(s, "true", 4))
		return s + 4;
	if (!strncmp(s, "false", 5))
		return s + 5;
	s += *s == '-';
	n = strspn(s, "0123456789");
	if (!n || (n > 1 && *s == '0'))
		return NULL;
	return s + n;
}

static void assert_json(const char *s)
{
	const char *end = *s == '{' ? json_blank(json_value(s)) : NULL;

	if (!end || *end)
		fail_msg("not one JSON object:\n%s", s);
}

void test_json(void **state)
{
	char want[128];
	const char *t;

	(void)state;
	snap.hook_ns[STAT_HOOK_UNMAP][2] = 9;
	t = render(export_json);
	assert_json(t);
	assert_has(t, "\"version\": \"0.1.0\"");
	assert_has(t, "\"allocator\": \"jemalloc 5.3.0\"");
	assert_has(t, "\"pid\": 4242,");
	assert_has(t, "\"pending_bytes\": 33554432,");
	assert_has(t, "\"kept_bytes\": 12345,");
	assert_has(t, "\"reclaimable_bytes\": 8192,");
	assert_has(t, "\"tables\": null,");
	assert_has(t, "\"hook_sample_every\": 256,");
	assert_has(t, "\"unmap\": [0,0,9,0,");
	for (unsigned i = 0; i < STAT_COUNT; i++) {
		(void)snprintf(want, sizeof(want), "\"%s\": %" PRIu64, stats_name(i),
			       snap.counter[i]);
		assert_has(t, want);
	}
	in.tables = &tables;
	t = render(export_json);
	assert_json(t);
	assert_has(t, "\"tables\": {\"vmpte_kb\": 5764, \"floor_kb\": 508, \"waste_kb\": 5256, ");
	assert_has(t, "\"predicted\": null,");
	assert_has(t, "\"arenas\": null,");
	assert_has(t, "\"nodes\": null,");
	set_arenas();
	set_observing();
	in.no_histograms = true;
	t = render(export_json);
	assert_json(t);
	assert_has(t, "\"schema_version\": 1,");
	assert_has(t, "\"killed\": false,");
	assert_has(t, "\"rollout\": {\"bucket\": 417, \"permille\": 500, \"rule\": \"\", "
		      "\"reason\": \"bucket 417 is below 500\"},");
	assert_has(t, "\"predicted\": {\"tables_bytes\": 5382144, \"spared_calls\": 15534},");
	assert_has(t, "{\"arena\": 0, \"purges\": 11, \"purged_bytes\": 3145728, ");
	assert_has(t, "\"advised_dirty_ms\": -1, \"advised_muzzy_ms\": 0, "
		      "\"reason\": \"it \\\"takes\\\" all of it back\"},\n{\"arena\": 2, ");
	assert_has(t, "\"dirty_decay_ms\": null, ");
	assert_has(t, "\"hook_ns_log2\": null");
	set_worst();
	t = render(export_json);
	assert_json(t);
	assert_has(t, "\"killed\": true,");
	assert_has(t, "\"allocator\": \"\\\"a\\\\b????c}\"");
}
