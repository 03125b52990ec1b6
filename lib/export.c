// SPDX-License-Identifier: BSD-2-Clause
/* export - see export.h. */
#include "export.h"

#include <string.h>

#include "engine.h"
#include "export_internal.h"
#include "floor.h"
#include "tune.h"

/* Durations from here on share the last bucket: it has no upper bound. */
#define LAST_BUCKET (STATS_BUCKETS - 1)

const char *const export_hook_names[STAT_HOOKS] = {
	[STAT_HOOK_RELEASE] = "release",
	[STAT_HOOK_REUSE] = "reuse",
	[STAT_HOOK_MAP] = "map",
	[STAT_HOOK_UNMAP] = "unmap",
};

static bool is_kind(enum stat s, const char *kind)
{
	return !strcmp(stats_kind(s), kind);
}

/* The name without a prefix that its group already says. */
static const char *bare_name(enum stat s, const char *prefix)
{
	const char *name = stats_name(s);
	size_t n = strlen(prefix);

	return strncmp(name, prefix, n) ? name : name + n;
}

/*
 * Text.
 */
static void str_left(struct export_buf *b, const char *s, size_t width)
{
	export_str(b, s);
	for (size_t have = strlen(s); have < width; have++)
		export_str(b, " ");
}

/* What is known of a duration in bucket n: its bound. */
static void put_bucket(struct export_buf *b, unsigned n, size_t width)
{
	export_str(b, n == LAST_BUCKET ? ">=" : "< ");
	export_ns_pad(b, 1ull << (n == LAST_BUCKET ? n : n + 1), width);
}

static uint64_t hook_samples(const uint64_t *hist)
{
	uint64_t sum = 0;

	for (unsigned n = 0; n < STATS_BUCKETS; n++)
		sum += hist[n];
	return sum;
}

/* The bucket of the sample that percent of all samples do not exceed. */
static unsigned percentile(const uint64_t *hist, uint64_t samples, unsigned percent)
{
	/* Rounded up, and split so that it cannot overflow. */
	uint64_t rank = samples / 100 * percent + (samples % 100 * percent + 99) / 100;
	uint64_t sum = 0;

	for (unsigned n = 0; n < STATS_BUCKETS; n++) {
		sum += hist[n];
		if (sum >= rank)
			return n;
	}
	return LAST_BUCKET;
}

static void text_line(struct export_buf *b, const char *name, uint64_t v, const char *help)
{
	export_str(b, "  ");
	str_left(b, name, 22);
	export_u64_pad(b, v, 16);
	export_str(b, "  ");
	export_str(b, help);
	export_str(b, "\n");
}

static void text_bytes(struct export_buf *b, const char *name, uint64_t v, const char *help)
{
	export_str(b, "  ");
	str_left(b, name, 18);
	export_size_pad(b, v, 12);
	export_u64_pad(b, v, 22);
	export_str(b, "  ");
	export_str(b, help);
	export_str(b, "\n");
}

static void text_group(struct export_buf *b, const struct stats_snapshot *s, const char *title,
		       const char *kind, const char *prefix)
{
	export_str(b, title);
	for (unsigned i = 0; i < STAT_COUNT; i++)
		if (is_kind(i, kind))
			text_line(b, bare_name(i, prefix), s->counter[i], stats_help(i));
}

static void text_hook(struct export_buf *b, const char *name, const uint64_t *hist)
{
	uint64_t samples = hook_samples(hist), most = 0;
	unsigned first = STATS_BUCKETS, last = 0;

	export_str(b, "  ");
	str_left(b, name, 8);
	export_u64(b, samples);
	export_str(b, samples == 1 ? " sample" : " samples");
	if (samples) {
		export_str(b, ", p50 ");
		put_bucket(b, percentile(hist, samples, 50), 0);
		export_str(b, ", p99 ");
		put_bucket(b, percentile(hist, samples, 99), 0);
		export_str(b, ", max ");
		put_bucket(b, percentile(hist, samples, 100), 0);
	}
	export_str(b, "\n");
	for (unsigned n = 0; n < STATS_BUCKETS; n++) {
		if (!hist[n])
			continue;
		if (first == STATS_BUCKETS)
			first = n;
		last = n;
		if (hist[n] > most)
			most = hist[n];
	}
	uint64_t each = most / 40 + 1;

	for (unsigned n = first; n <= last && n < STATS_BUCKETS; n++) {
		export_str(b, "    ");
		put_bucket(b, n, 9);
		export_u64_pad(b, hist[n], 21);
		export_str(b, hist[n] ? "  " : "");
		/* At most 40 wide, and at least 1 for what is not zero. */
		for (uint64_t bar = hist[n]; bar; bar -= bar < each ? bar : each)
			export_str(b, "#");
		export_str(b, "\n");
	}
}

/* A program may be called anything, and a report may end on a terminal. */
static char clean(char c)
{
	return c < ' ' || c > '~' ? '?' : c;
}

static void str_clean(struct export_buf *b, const char *s)
{
	for (; *s; s++) {
		const char c = clean(*s);

		export_put(b, &c, 1);
	}
}

static void text_decision(struct export_buf *b, const struct export_input *in)
{
	export_str(b, "\nProgram ");
	str_clean(b, export_known(in->program));
	export_str(b, ", configured mode ");
	export_str(b, export_known(in->configured_mode));
	export_str(b, ", rollout ");
	export_u64(b, in->permille);
	export_str(b, " per mille, bucket ");
	export_u64(b, in->bucket);
	if (in->rule && *in->rule) {
		export_str(b, ", rule ");
		export_str(b, in->rule);
	}
	if (in->reason && *in->reason) {
		export_str(b, "\nReason: ");
		export_str(b, in->reason);
	}
	if (in->killed)
		export_str(b, "\nSwitched off: the kill file is there");
}

/* A decay time, in its column. */
static void text_decay(struct export_buf *b, int64_t ms, size_t width)
{
	if (ms < 0)
		export_str_pad(b, ms == -1 ? "never" : "?", width);
	else
		export_u64_pad(b, (uint64_t)ms, width);
}

static void text_arenas(struct export_buf *b, const struct export_input *in)
{
	struct tune_arena a;

	export_str(b, "Arenas, and the decay times in ms that they have and should have\n");
	export_str(b, "  arena      purges      purged  whole regions  taken back"
		      "        dirty        muzzy\n");
	for (unsigned i = 0; i < in->arenas; i++) {
		if (!in->arena(i, &a))
			continue;
		export_u64_pad(b, i, 7);
		export_u64_pad(b, a.purges, 12);
		export_size_pad(b, a.purged, 12);
		export_size_pad(b, a.purged_whole, 15);
		export_size_pad(b, a.taken_back, 12);
		text_decay(b, a.dirty_decay_ms, 7);
		text_decay(b, a.advised_dirty_ms, 6);
		text_decay(b, a.muzzy_decay_ms, 7);
		text_decay(b, a.advised_muzzy_ms, 6);
		export_str(b, "\n");
		if (a.reason && *a.reason) {
			export_str(b, "          ");
			export_str(b, a.reason);
			export_str(b, "\n");
		}
	}
}

static void text_nodes(struct export_buf *b, const struct export_input *in)
{
	export_str(b,
		   "NUMA nodes\n   node     pending      zapped             flushes  own memory\n");
	for (unsigned i = 0; i < in->nodes; i++) {
		export_u64_pad(b, i, 7);
		export_size_pad(b, in->node[i].pending_bytes, 12);
		export_size_pad(b, in->node[i].zapped_bytes, 12);
		export_u64_pad(b, in->node[i].flushes, 20);
		export_size_pad(b, in->node[i].own_bytes, 12);
		export_str(b, "\n");
	}
}

/* Where there is one, it has all, and that is shown already. */
static bool several_nodes(const struct export_input *in)
{
	return in->node && in->nodes > 1;
}

bool export_text(struct export_buf *b, const struct export_input *in)
{
	const struct stats_snapshot *s = in->stats;
	uint64_t calls = 0;

	export_str(b, "ptreclaim ");
	export_str(b, export_known(in->version));
	export_str(b, ", process ");
	export_u64(b, (uint64_t)in->pid);
	export_str(b, ": mode ");
	export_str(b, export_known(in->mode));
	export_str(b, ", backend ");
	export_str(b, export_known(in->backend));
	export_str(b, ", allocator ");
	export_str(b, export_known(in->allocator));
	text_decision(b, in);

	export_str(b, "\nMemory since the start, in bytes\n");
	for (unsigned i = 0; i < STAT_COUNT; i++)
		if (is_kind(i, "bytes"))
			text_bytes(b, stats_name(i), s->counter[i], stats_help(i));
	export_str(b, "Memory now, in bytes\n");
	text_bytes(b, "pending", in->pending_bytes, "released and not yet zapped");
	text_bytes(b, "kept", in->kept_bytes, "kept and not yet released again");
	text_bytes(b, "reclaimable", in->reclaimable_bytes, "tables MADV_PT_RECLAIM would free");

	if (several_nodes(in))
		text_nodes(b, in);
	if (in->tables) {
		export_str(b, "Page tables now, in bytes\n");
		text_bytes(b, "VmPTE", in->tables->vmpte_kb * 1024, "what they take");
		text_bytes(b, "floor", in->tables->floor_kb * 1024,
			   "the least for the pages present");
		text_bytes(b, "waste", in->tables->waste_kb * 1024, "VmPTE above the floor");
	}
	if (in->predicts) {
		export_str(b, "What mode on would have won\n");
		text_bytes(b, "less waste", in->predicted_tables_bytes, "page tables, now");
		text_line(b, "spared calls", s->counter[STAT_PREDICTED_SPARED],
			  "zapping system calls");
	}
	text_group(b, s, "Regions, each the span of one page table\n", "regions", "");
	text_group(b, s, "Flushes of pending pages, by cause\n", "flushes", "flush_");
	text_group(b, s, "Events\n", "events", "");
	/* Their whole names: programs look for these. */
	text_group(b, s, "System calls made by ptreclaim\n", "calls", "");
	for (unsigned i = 0; i < STAT_COUNT; i++)
		if (is_kind(i, "calls"))
			calls += s->counter[i];
	text_line(b, "total", calls, "all of the above");

	if (!in->no_histograms) {
		export_str(b, "Time in hooks: one call in ");
		export_u64(b, STATS_SAMPLE_EVERY);
		export_str(b, " is timed, and counted by powers of two\n");
		for (unsigned h = 0; h < STAT_HOOKS; h++)
			text_hook(b, export_hook_names[h], s->hook_ns[h]);
	}
	if (in->arena)
		text_arenas(b, in);
	return export_whole(b);
}

/*
 * Metrics. Strings come from the process's surroundings, so they are cleaned. Bytes above
 * ASCII may be no UTF-8, which spoils the whole document for strict readers; they are replaced.
 */
void export_quoted(struct export_buf *b, const char *s)
{
	export_str(b, "\"");
	for (; *s; s++) {
		const char c = clean(*s);

		if (c == '"' || c == '\\')
			export_str(b, "\\");
		export_put(b, &c, 1);
	}
	export_str(b, "\"");
}

struct family {
	const char *name, *unit; /* ptreclaim_NAME_UNIT_total; unit NULL: none */
	bool counter;
};

static void family_name(struct export_buf *b, const struct family *f)
{
	export_str(b, "ptreclaim_");
	export_str(b, f->name);
	if (f->unit) {
		export_str(b, "_");
		export_str(b, f->unit);
	}
	if (f->counter)
		export_str(b, "_total");
}

static void family_head(struct export_buf *b, const struct family *f, const char *help)
{
	export_str(b, "# HELP ");
	family_name(b, f);
	export_str(b, " ");
	export_str(b, help);
	export_str(b, ".\n# TYPE ");
	family_name(b, f);
	export_str(b, f->counter ? " counter\n" : " gauge\n");
}

/* label and value NULL: none. */
static void put_labels(struct export_buf *b, const struct export_input *in, const char *label,
		       const char *value)
{
	if (label && value) {
		export_str(b, "{");
		export_str(b, label);
		export_str(b, "=");
		export_quoted(b, value);
	}
	if (in->label_pid) {
		export_str(b, label ? ",pid=\"" : "{pid=\"");
		export_u64(b, (uint64_t)in->pid);
		export_str(b, "\"");
	}
	if (label || in->label_pid)
		export_str(b, "}");
}

static void sample(struct export_buf *b, const struct export_input *in, const struct family *f,
		   const char *label, const char *value, uint64_t v)
{
	family_name(b, f);
	put_labels(b, in, label, value);
	export_str(b, " ");
	export_u64(b, v);
	export_str(b, "\n");
}

static void gauge(struct export_buf *b, const struct export_input *in, const char *name,
		  const char *unit, uint64_t v, const char *help)
{
	struct family f = {name, unit, false};

	family_head(b, &f, help);
	sample(b, in, &f, NULL, NULL, v);
}

/* Counters of one kind as one family, told apart by a label: their sum means something. */
static void labelled(struct export_buf *b, const struct export_input *in, const char *kind,
		     const char *prefix, const char *name, const char *label, const char *help)
{
	struct family f = {name, NULL, true};

	family_head(b, &f, help);
	for (unsigned i = 0; i < STAT_COUNT; i++)
		if (is_kind(i, kind))
			sample(b, in, &f, label, bare_name(i, prefix), in->stats->counter[i]);
}

static void info(struct export_buf *b, const struct export_input *in)
{
	struct family f = {"info", NULL, false};

	family_head(b, &f, "What runs in this process");
	export_str(b, "ptreclaim_info{version=");
	export_quoted(b, export_known(in->version));
	export_str(b, ",mode=");
	export_quoted(b, export_known(in->mode));
	export_str(b, ",backend=");
	export_quoted(b, export_known(in->backend));
	export_str(b, ",allocator=");
	export_quoted(b, export_known(in->allocator));
	export_str(b, ",program=");
	export_quoted(b, export_known(in->program));
	export_str(b, ",pid=\"");
	export_u64(b, (uint64_t)in->pid);
	export_str(b, "\"} 1\n");
}

/* ns as seconds, exactly. */
static void put_seconds(struct export_buf *b, uint64_t ns)
{
	char frac[10];
	uint64_t rest = ns % 1000000000u;

	for (unsigned i = 9; i; i--, rest /= 10)
		frac[i] = (char)('0' + rest % 10);
	frac[0] = '.';
	export_u64(b, ns / 1000000000u);
	export_put(b, frac, sizeof(frac));
}

static void hook_series(struct export_buf *b, const struct export_input *in, unsigned h)
{
	const uint64_t *hist = in->stats->hook_ns[h];
	uint64_t sum = 0;

	for (unsigned n = 0; n < STATS_BUCKETS; n++) {
		sum += hist[n];
		export_str(b, "ptreclaim_hook_seconds_bucket{le=\"");
		if (n < LAST_BUCKET)
			put_seconds(b, 1ull << (n + 1));
		else
			export_str(b, "+Inf");
		export_str(b, "\",hook=");
		export_quoted(b, export_hook_names[h]);
		if (in->label_pid) {
			export_str(b, ",pid=\"");
			export_u64(b, (uint64_t)in->pid);
			export_str(b, "\"");
		}
		export_str(b, "} ");
		export_u64(b, sum);
		export_str(b, "\n");
	}
	/* No _sum: durations are known by bucket only. */
	export_str(b, "ptreclaim_hook_seconds_count");
	put_labels(b, in, "hook", export_hook_names[h]);
	export_str(b, " ");
	export_u64(b, sum);
	export_str(b, "\n");
}

static void decision(struct export_buf *b, const struct export_input *in)
{
	gauge(b, in, "killed", NULL, in->killed, "1 while the kill file switches the library off");
	gauge(b, in, "rollout_bucket_number", NULL, in->bucket, "Bucket of this host, 0 to 999");
	gauge(b, in, "rollout_permille", NULL, in->permille,
	      "Share of the hosts in which the mode applies, per mille");
	/* The calls that it would have spared are a counter, in every mode. */
	if (in->predicts)
		gauge(b, in, "predicted_tables", "bytes", in->predicted_tables_bytes,
		      "Page tables that mode on would free");
}

/* A figure of each node as one family. */
static void by_node(struct export_buf *b, const struct export_input *in, struct family f, size_t at,
		    const char *help)
{
	family_head(b, &f, help);
	for (unsigned i = 0; i < in->nodes; i++) {
		char text[4] = {0};
		struct export_buf number;
		uint64_t v;

		export_init(&number, text, sizeof(text));
		export_u64(&number, i);
		memcpy(&v, (const char *)&in->node[i] + at, sizeof(v));
		sample(b, in, &f, "node", text, v);
	}
}

static void nodes(struct export_buf *b, const struct export_input *in)
{
	by_node(b, in, (struct family){"node_pending", "bytes", false},
		offsetof(struct engine_node, pending_bytes),
		"Pages released and not yet zapped, by NUMA node");
	by_node(b, in, (struct family){"node_zapped", "bytes", true},
		offsetof(struct engine_node, zapped_bytes),
		"Pages zapped by a flush, by NUMA node");
	by_node(b, in, (struct family){"node_flushes", NULL, true},
		offsetof(struct engine_node, flushes), "Flushes of the queue of a NUMA node");
	by_node(b, in, (struct family){"node_own", "bytes", false},
		offsetof(struct engine_node, own_bytes),
		"Memory of the library's own, by NUMA node");
}

bool export_metrics(struct export_buf *b, const struct export_input *in)
{
	info(b, in);
	decision(b, in);
	for (unsigned i = 0; i < STAT_COUNT; i++) {
		struct family f = {stats_name(i), is_kind(i, "bytes") ? "bytes" : NULL, true};

		if (is_kind(i, "flushes") || is_kind(i, "calls"))
			continue;
		family_head(b, &f, stats_help(i));
		sample(b, in, &f, NULL, NULL, in->stats->counter[i]);
	}
	labelled(b, in, "flushes", "flush_", "flushes", "cause",
		 "Flushes of pending pages by cause");
	labelled(b, in, "calls", "sys_", "system_calls", "call", "System calls made by ptreclaim");
	gauge(b, in, "pending", "bytes", in->pending_bytes, "Pages released and not yet zapped");
	/* Not kept_bytes: OpenMetrics reserves that name for the counter kept_bytes_total. */
	gauge(b, in, "kept_now", "bytes", in->kept_bytes, "Pages kept and not yet released again");
	gauge(b, in, "reclaimable", "bytes", in->reclaimable_bytes,
	      "Page tables left empty by zaps of others, which MADV_PT_RECLAIM would free");
	if (several_nodes(in))
		nodes(b, in);
	if (in->tables) {
		gauge(b, in, "vmpte", "bytes", in->tables->vmpte_kb * 1024,
		      "Memory that page tables take");
		gauge(b, in, "floor", "bytes", in->tables->floor_kb * 1024,
		      "Least memory that page tables could take for the pages present");
		gauge(b, in, "waste", "bytes", in->tables->waste_kb * 1024,
		      "Memory that page tables take above the floor");
		gauge(b, in, "used_regions", NULL, in->tables->regions,
		      "Regions with at least one page present or swapped");
	}
	export_str(b, "# HELP ptreclaim_hook_seconds Time in hooks; one call in ");
	export_u64(b, STATS_SAMPLE_EVERY);
	export_str(b, " is sampled.\n# TYPE ptreclaim_hook_seconds histogram\n");
	for (unsigned h = 0; h < STAT_HOOKS; h++)
		hook_series(b, in, h);
	export_str(b, "# EOF\n");
	return export_whole(b);
}
