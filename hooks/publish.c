// SPDX-License-Identifier: BSD-2-Clause
/* publish - see publish.h. */
#include "publish.h"

#include <string.h>

#include "engine.h"
#include "export.h"
#include "floor.h"
#include "os.h"
#include "ptreclaim.h"

static const struct conf *conf;
static const char *allocator;

void publish_init(const struct conf *c, const char *allocator_name)
{
	conf = c;
	allocator = allocator_name;
}

static void render(bool (*how)(struct export_buf *, const struct export_input *),
		   struct export_buf *b)
{
	struct stats_snapshot stats;
	struct floor_report tables;
	struct engine_state state;
	bool measured = floor_measure(0, &tables) == 0;

	stats_snapshot(&stats);
	engine_state(&state);
	how(b, &(struct export_input){
		       .stats = &stats,
		       .tables = measured ? &tables : NULL,
		       .pending_bytes = state.pending_bytes,
		       .kept_bytes = state.kept_bytes,
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
	struct export_buf b;

	export_init(&b, text, sizeof(text));
	render(export_text, &b);
	os.write_err(text, export_whole(&b) ? b.len : sizeof(text) - 1);
}

void publish_file(void)
{
	static char text[EXPORT_CAP];
	struct export_buf b;

	export_init(&b, text, sizeof(text));
	render(export_metrics, &b);
	/* A full disk or a missing folder is no reason to bother the program: next time, perhaps. */
	if (export_whole(&b))
		(void)os.replace_file(conf->stats_file, text, b.len);
}
