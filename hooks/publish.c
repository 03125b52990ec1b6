// SPDX-License-Identifier: BSD-2-Clause
/* publish - see publish.h. */
#include "publish.h"

#include <stdatomic.h>
#include <string.h>

#include "engine.h"
#include "export.h"
#include "floor.h"
#include "os.h"
#include "ptreclaim.h"

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

static void render(bool (*how)(struct export_buf *, const struct export_input *),
		   struct export_buf *b, const struct floor_report *tables)
{
	struct stats_snapshot stats;
	struct engine_state state;

	stats_snapshot(&stats);
	engine_state(&state);
	how(b, &(struct export_input){
		       .stats = &stats,
		       .tables = tables,
		       .pending_bytes = state.pending_bytes,
		       .kept_bytes = state.kept_bytes,
		       .reclaimable_bytes = engine_reclaimable(),
		       .version = ptreclaim_version(),
		       .mode = conf_mode_name(engine_mode()),
		       .backend = engine_backend_name(),
		       .allocator = allocator,
		       .pid = os.getpid(),
		       .label_pid = strstr(conf->stats_file_pattern, "%p") != NULL,
	       });
}

void publish_print(void)
{
	static char text[EXPORT_CAP];
	struct floor_report tables;
	struct export_buf b;
	bool measured = floor_measure(0, &tables) == 0;

	export_init(&b, text, sizeof(text));
	render(export_text, &b, measured ? &tables : NULL);
	os.write_err(text, export_whole(&b) ? b.len : sizeof(text) - 1);
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
	struct floor_report tables;
	struct export_buf b;
	bool measured;

	/* At exit the worker may be at it: then that is the last file. */
	if (atomic_exchange(&busy, true))
		return;
	measured = measure_now_and_then(&tables);
	export_init(&b, text, sizeof(text));
	render(export_metrics, &b, measured ? &tables : NULL);
	/* A full disk or a missing folder is no reason to bother the program: next time, perhaps. */
	if (export_whole(&b))
		(void)os.replace_file(conf->stats_file, text, b.len);
	atomic_store(&busy, false);
}
