// SPDX-License-Identifier: BSD-2-Clause
/* export_json - the statistics as one JSON object: see export.h and doc/ptreclaim-stats.schema.json. */
#include "export.h"

#include "engine.h"
#include "export_internal.h"
#include "floor.h"
#include "tune.h"

static void json_name(struct export_buf *b, const char *name)
{
	export_quoted(b, name);
	export_str(b, ": ");
}

static void json_string(struct export_buf *b, const char *name, const char *v)
{
	json_name(b, name);
	export_quoted(b, export_known(v));
	export_str(b, ",\n");
}

static void json_u64(struct export_buf *b, const char *name, uint64_t v, const char *after)
{
	json_name(b, name);
	export_u64(b, v);
	export_str(b, after);
}

/* A decay time: -1 is never, and below that it is not known. */
static void json_decay(struct export_buf *b, const char *name, int64_t ms)
{
	json_name(b, name);
	if (ms >= 0)
		export_u64(b, (uint64_t)ms);
	else
		export_str(b, ms == -1 ? "-1" : "null");
	export_str(b, ", ");
}

static void json_decision(struct export_buf *b, const struct export_input *in)
{
	json_string(b, "mode", in->mode);
	json_string(b, "configured_mode", in->configured_mode);
	json_name(b, "killed");
	export_str(b, in->killed ? "true,\n" : "false,\n");
	json_name(b, "rollout");
	export_str(b, "{");
	json_u64(b, "bucket", in->bucket, ", ");
	json_u64(b, "permille", in->permille, ", ");
	json_name(b, "rule");
	export_quoted(b, in->rule ? in->rule : "");
	export_str(b, ", ");
	json_name(b, "reason");
	export_quoted(b, in->reason ? in->reason : "");
	export_str(b, "},\n");
	json_name(b, "predicted");
	if (in->predicts) {
		export_str(b, "{");
		json_u64(b, "tables_bytes", in->predicted_tables_bytes, ", ");
		json_u64(b, "spared_calls", in->stats->counter[STAT_PREDICTED_SPARED], "},\n");
	} else {
		export_str(b, "null,\n");
	}
}

static void json_tables(struct export_buf *b, const struct floor_report *t)
{
	json_name(b, "tables");
	if (!t) {
		export_str(b, "null,\n");
		return;
	}
	export_str(b, "{");
	json_u64(b, "vmpte_kb", t->vmpte_kb, ", ");
	json_u64(b, "floor_kb", t->floor_kb, ", ");
	json_u64(b, "waste_kb", t->waste_kb, ", ");
	json_u64(b, "rss_kb", t->rss_kb, ", ");
	json_u64(b, "virt_kb", t->virt_kb, ", ");
	json_u64(b, "regions", t->regions, "},\n");
}

static void json_arenas(struct export_buf *b, const struct export_input *in)
{
	const char *before = "\n{";
	struct tune_arena a;

	json_name(b, "arenas");
	if (!in->arena) {
		export_str(b, "null,\n");
		return;
	}
	export_str(b, "[");
	for (unsigned i = 0; i < in->arenas; i++) {
		if (!in->arena(i, &a))
			continue;
		export_str(b, before);
		before = ",\n{";
		json_u64(b, "arena", i, ", ");
		json_u64(b, "purges", a.purges, ", ");
		json_u64(b, "purged_bytes", a.purged, ", ");
		json_u64(b, "purged_whole_bytes", a.purged_whole, ", ");
		json_u64(b, "taken_back_bytes", a.taken_back, ", ");
		json_decay(b, "dirty_decay_ms", a.dirty_decay_ms);
		json_decay(b, "muzzy_decay_ms", a.muzzy_decay_ms);
		json_decay(b, "advised_dirty_ms", a.advised_dirty_ms);
		json_decay(b, "advised_muzzy_ms", a.advised_muzzy_ms);
		json_name(b, "reason");
		export_quoted(b, a.reason ? a.reason : "");
		export_str(b, "}");
	}
	export_str(b, "],\n");
}

static void json_nodes(struct export_buf *b, const struct export_input *in)
{
	json_name(b, "nodes");
	if (!in->node) {
		export_str(b, "null,\n");
		return;
	}
	export_str(b, "[");
	for (unsigned i = 0; i < in->nodes; i++) {
		export_str(b, i ? ",\n{" : "\n{");
		json_u64(b, "node", i, ", ");
		json_u64(b, "pending_bytes", in->node[i].pending_bytes, ", ");
		json_u64(b, "zapped_bytes", in->node[i].zapped_bytes, ", ");
		json_u64(b, "flushes", in->node[i].flushes, ", ");
		json_u64(b, "own_bytes", in->node[i].own_bytes, "}");
	}
	export_str(b, "],\n");
}

/* Sampled calls that took [2^i, 2^(i+1)) ns, i the place in the array. */
static void json_histograms(struct export_buf *b, const struct export_input *in)
{
	json_name(b, "hook_ns_log2");
	if (in->no_histograms) {
		export_str(b, "null\n");
		return;
	}
	export_str(b, "{\n");
	for (unsigned h = 0; h < STAT_HOOKS; h++) {
		json_name(b, export_hook_names[h]);
		for (unsigned n = 0; n < STATS_BUCKETS; n++) {
			export_str(b, n ? "," : "[");
			export_u64(b, in->stats->hook_ns[h][n]);
		}
		export_str(b, h + 1 < STAT_HOOKS ? "],\n" : "]\n");
	}
	export_str(b, "}\n");
}

bool export_json(struct export_buf *b, const struct export_input *in)
{
	const struct stats_snapshot *s = in->stats;

	export_str(b, "{\n");
	json_u64(b, "schema_version", EXPORT_SCHEMA_VERSION, ",\n");
	json_string(b, "version", in->version);
	json_string(b, "program", in->program);
	json_decision(b, in);
	json_string(b, "backend", in->backend);
	json_string(b, "allocator", in->allocator);
	json_u64(b, "pid", (uint64_t)in->pid, ",\n");
	json_u64(b, "pending_bytes", in->pending_bytes, ",\n");
	json_u64(b, "kept_bytes", in->kept_bytes, ",\n");
	json_u64(b, "reclaimable_bytes", in->reclaimable_bytes, ",\n");
	json_tables(b, in->tables);
	export_str(b, "\"stats\": {\n");
	for (unsigned i = 0; i < STAT_COUNT; i++)
		json_u64(b, stats_name(i), s->counter[i], i + 1 < STAT_COUNT ? ",\n" : "\n},\n");
	json_nodes(b, in);
	json_arenas(b, in);
	json_u64(b, "hook_sample_every", STATS_SAMPLE_EVERY, ",\n");
	json_histograms(b, in);
	export_str(b, "}\n");
	return export_whole(b);
}
