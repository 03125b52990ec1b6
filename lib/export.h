/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * export - the statistics as text for people, as JSON and as metrics.
 *
 * Everything is rendered into memory that the caller owns: no allocation, no stdio, no system call,
 * so that it works at exit, in the flusher and behind mallctl alike. Thread-safe as long as no two
 * threads render into the same buffer.
 */
#ifndef PTR_EXPORT_H
#define PTR_EXPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct stats_snapshot;
struct floor_report;
struct tune_arena;
struct engine_node;

/*
 * Text in bounded memory. What does not fit is dropped, but len goes on counting: it is the length
 * the text needs, and the text is whole if and only if len < cap. buf always ends in NUL (cap > 0);
 * cap 0 with buf NULL only measures.
 */
struct export_buf {
	char *buf;
	size_t cap; /* bytes of buf, the NUL included */
	size_t len; /* bytes the text needs, without the NUL */
};

void export_init(struct export_buf *b, char *buf, size_t cap);
void export_put(struct export_buf *b, const char *s, size_t n);
void export_str(struct export_buf *b, const char *s);
void export_u64(struct export_buf *b, uint64_t v);

/* Filled with blanks on the left up to width. A size or a duration is shown in the largest unit
 * that leaves something before the point, and rounded down: "31.9 MiB", "1.0 us". */
void export_str_pad(struct export_buf *b, const char *s, size_t width);
void export_u64_pad(struct export_buf *b, uint64_t v, size_t width);
void export_size_pad(struct export_buf *b, uint64_t bytes, size_t width);
void export_ns_pad(struct export_buf *b, uint64_t ns, size_t width);

/* Did everything fit? */
static inline bool export_whole(const struct export_buf *b)
{
	return b->len < b->cap;
}

/* Enough for each of the renderings below whatever the counters are, with names of usual length and
 * without arenas; each arena takes so much more of a text. */
#define EXPORT_CAP	 (80u * 1024)
#define EXPORT_ARENA_CAP 768u

/* Of the JSON object: one more whenever a reader of the old one could get it wrong. */
#define EXPORT_SCHEMA_VERSION 1

struct export_input {
	const struct stats_snapshot *stats;
	/* A full floor_measure(), or NULL: a VmPTE is never shown without its floor. */
	const struct floor_report *tables;
	uint64_t pending_bytes;	    /* released and not yet zapped, now */
	uint64_t kept_bytes;	    /* kept and not yet released again, now */
	uint64_t reclaimable_bytes; /* of tables that are empty through zaps by others, now */
	/* NULL shows as "unknown". mode is the one in force. */
	const char *version, *program, *mode, *configured_mode, *backend, *allocator;
	pid_t pid;
	bool killed; /* the kill file is there, so the mode in force is off */
	/* How the mode in force came about. */
	unsigned bucket, permille;
	const char *rule, *reason; /* NULL or "": none */
	/* What mode on would have won, where only that is counted. */
	bool predicts;
	uint64_t predicted_tables_bytes; /* of waste that would not be there, now */
	/* tune_arena() and tune_arenas(); NULL: not asked for. Not in the metrics. */
	bool (*arena)(unsigned i, struct tune_arena *out);
	unsigned arenas;
	/* engine_nodes(); NULL: not asked for. Text and metrics do not show one that is alone. */
	const struct engine_node *node;
	unsigned nodes;
	bool no_histograms; /* leave them out of text and JSON */
	/* Metrics: put the pid on every sample. Needed where the files of several processes are
	 * collected together (stats_file with %p): their samples would collide otherwise. */
	bool label_pid;
};

/* Each appends to b and returns whether all of it fitted. */

/* For people, as stats_print shows it at exit. */
bool export_text(struct export_buf *b, const struct export_input *in);

/* One JSON object, as doc/ptreclaim-stats.schema.json says; "tables" is null if not measured. */
bool export_json(struct export_buf *b, const struct export_input *in);

/*
 * Metrics, closed by OpenMetrics' "# EOF". Where the two formats differ (the name on a counter's
 * TYPE line) this is the Prometheus text format, which promtool, node_exporter's textfile collector
 * and every scraper read; to them the closing line is a comment.
 */
bool export_metrics(struct export_buf *b, const struct export_input *in);

#endif
