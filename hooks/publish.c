// SPDX-License-Identifier: BSD-2-Clause
/* publish - see publish.h. */
#include "publish.h"

#include <stdatomic.h>
#include <string.h>

#include "engine.h"
#include "export.h"
#include "floor.h"
#include "os.h"
#include "page.h"
#include "ptreclaim.h"
#include "tune.h"
#include "worker.h"

static const struct conf *conf;
static const char *allocator;
static _Atomic bool busy; /* stats_file is being written */

void publish_init(const struct conf *c, const char *allocator_name)
{
	conf = c;
	allocator = allocator_name;
	atomic_store(&busy, false);
}

/* How much of the time may go into measuring the floor for stats_file: one part in so many. */
#define MEASURE_SHARE 100
/* Larger address spaces are not walked for it: on kernels without PAGEMAP_SCAN that takes minutes. */
#define MEASURE_VIRT_KB ((uint64_t)1 << 30)

/* What everybody is told; what takes time or room to find out is left to the caller. */
static void fill(struct export_input *in, struct stats_snapshot *stats, struct engine_node *node)
{
	struct engine_state state;

	stats_snapshot(stats);
	engine_state(&state);
	*in = (struct export_input){
		.stats = stats,
		.pending_bytes = state.pending_bytes,
		.kept_bytes = state.kept_bytes,
		.reclaimable_bytes = engine_reclaimable(),
		.version = ptreclaim_version(),
		.mode = conf_mode_name(engine_mode_in_force()),
		.killed = engine_paused(),
		.backend = engine_backend_name(),
		.allocator = allocator,
		.pid = os.getpid(),
		.predicts = engine_mode_in_force() == CONF_OBSERVE,
	};
	in->node = node;
	in->nodes = engine_nodes(node);
	/* What engine_predicted_tables() says, without looking at every region once more. */
	if (in->predicts)
		in->predicted_tables_bytes = in->reclaimable_bytes;
	if (!conf)
		return;
	in->program = conf->program;
	in->configured_mode = conf_mode_name(conf->mode);
	in->bucket = conf->bucket;
	in->permille = (unsigned)conf->rollout;
	in->rule = conf->rule;
	in->reason = conf->reason;
	in->label_pid = strstr(conf->stats_file_pattern, "%p") != NULL;
}

static void to_stderr(void *arg, const char *text)
{
	(void)arg;
	os.write_err(text, strlen(text));
}

void publish_stats(void (*write)(void *arg, const char *text), void *arg, const char *opts)
{
	size_t cap = EXPORT_CAP + TUNE_ARENAS * EXPORT_ARENA_CAP;
	struct stats_snapshot stats;
	struct floor_report tables;
	struct export_input in;
	struct engine_node node[NODE_MAX];
	struct export_buf b;
	/* Of its own for each call, so that threads do not meet; only what is written takes memory. */
	char *text = os.map(cap);

	if (!text)
		return;
	if (!opts)
		opts = "";
	fill(&in, &stats, node);
	if (!strchr(opts, 'f') && !floor_measure(0, &tables))
		in.tables = &tables;
	in.no_histograms = strchr(opts, 'h') != NULL;
	if (!strchr(opts, 'a')) {
		in.arena = tune_arena;
		in.arenas = tune_arenas();
	}
	export_init(&b, text, cap);
	(strchr(opts, 'J') ? export_json : export_text)(&b, &in);
	(write ? write : to_stderr)(arg, text);
	(void)os.unmap(text, cap);
}

/* The worker's tables: it has to be back soon for what is pending. */
static bool measure_now_and_then(struct floor_report *tables)
{
	static uint64_t not_before;
	uint64_t start = os.clock_ns();
	bool measured;

	if (start < not_before || floor_vm(0, tables) || tables->virt_kb > MEASURE_VIRT_KB)
		return false;
	measured = floor_measure(0, tables) == 0;
	not_before = start + MEASURE_SHARE * (os.clock_ns() - start);
	return measured;
}

void publish_file(void)
{
	static char text[EXPORT_CAP];
	struct stats_snapshot stats;
	struct floor_report tables;
	struct export_input in;
	struct engine_node node[NODE_MAX];
	struct export_buf b;
	bool measured;

	/* At exit the worker may be at it: then that is the last file. */
	if (atomic_exchange(&busy, true))
		return;
	measured = measure_now_and_then(&tables);
	export_init(&b, text, sizeof(text));
	fill(&in, &stats, node);
	in.tables = measured ? &tables : NULL;
	export_metrics(&b, &in);
	/* A full disk or a missing folder is no reason to bother the program: next time, perhaps. */
	if (export_whole(&b))
		(void)os.replace_file(conf->stats_file, text, b.len);
	atomic_store(&busy, false);
}

/* What is on the page besides the counters. */
#define PAGE_GAUGES 9
_Static_assert(STAT_COUNT + PAGE_GAUGES <= PAGE_VALUES, "all has to fit on the page");

void publish_page(void)
{
	struct stats_snapshot stats;
	struct engine_state state;
	struct page_image draft;

	stats_snapshot(&stats);
	engine_state(&state);
	page_draft(&draft);
	page_add_text(&draft, "version", ptreclaim_version());
	page_add_text(&draft, "allocator", allocator);
	page_add_text(&draft, "mode", conf_mode_name(engine_mode_in_force()));
	page_add_text(&draft, "backend", engine_backend_name());
	for (enum stat i = 0; i < STAT_COUNT; i++)
		page_add_value(&draft, stats_name(i), stats.counter[i]);
	page_add_value(&draft, "mode", engine_mode_in_force());
	page_add_value(&draft, "killed", engine_paused());
	page_add_value(&draft, "pending", state.pending_bytes);
	page_add_value(&draft, "kept_now", state.kept_bytes);
	page_add_value(&draft, "excess", state.excess_bytes);
	page_add_value(&draft, "own", state.own_bytes);
	page_add_value(&draft, "batch_bytes", engine_batch_bytes());
	page_add_value(&draft, "keep_bytes", engine_keep_bytes());
	page_add_value(&draft, "batch_ms", worker_batch_ms());
	(void)page_publish(&draft);
}
