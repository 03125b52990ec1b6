// SPDX-License-Identifier: BSD-2-Clause
/*
 * micro_backend - what freeing a table costs, by each backend that works on this kernel: zaps over whole
 * regions of which one page is resident, and MADV_PT_RECLAIM where the backend asks for it. `none` is the
 * zaps alone.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/uio.h>

#include "backend.h"
#include "conf.h"
#include "drive.h"
#include "gbench.h"
#include "micro.h"

#define TABLES 64

static const enum conf_backend kinds[] = {
	CONF_BACKEND_PT_RECLAIM,
	CONF_BACKEND_DONTNEED,
	CONF_BACKEND_REMAP,
	CONF_BACKEND_NONE,
};

struct tables {
	struct iovec zap[TABLES], ask[TABLES];
	uint8_t flag[TABLES];
};

/* Regions with one between them, so that nothing is merged. Only where the zap is to free the table does it
 * cover the region: a piece frees none. */
static void aim(struct tables *t, char *space, enum conf_backend kind)
{
	bool whole = kind == CONF_BACKEND_DONTNEED || kind == CONF_BACKEND_REMAP;
	size_t len = os_region_size - (whole ? 0 : os_page_size);

	for (size_t i = 0; i < TABLES; i++) {
		char *p = space + 2 * i * os_region_size;

		t->zap[i] = (struct iovec){p, len};
		t->ask[i] = (struct iovec){p, os_region_size};
		t->flag[i] = kind == CONF_BACKEND_REMAP ? BACKEND_REMAP : 0;
	}
}

static void fill(const struct tables *t)
{
	for (size_t i = 0; i < TABLES; i++)
		drive_touch(t->zap[i].iov_base, os_page_size);
}

static bool free_tables(struct tables *t)
{
	unsigned failed = backend_zap(t->zap, t->flag, TABLES, BACKEND_FOR_FLUSH);

	backend_ask(t->ask, TABLES);
	return !failed;
}

static void run(struct gb_state *s)
{
	enum conf_backend kind = kinds[gb_arg(s, 0)];
	struct tables t;
	char *space, text[96];
	long before;

	gb_label(s, conf_backend_name(kind));
	if (backend_choose(kind) != kind) {
		(void)backend_choose(CONF_BACKEND_AUTO);
		(void)snprintf(text, sizeof(text), "%s frees no table on this kernel",
			       conf_backend_name(kind));
		gb_skip(s, text);
		return;
	}
	space = drive_space(2 * TABLES);
	aim(&t, space, kind);
	while (gb_next(s)) {
		gb_pause(s);
		fill(&t);
		gb_resume(s);
		if (!free_tables(&t))
			gb_fail(s, "the kernel refuses to zap");
	}
	gb_items(s, TABLES);
	fill(&t);
	before = backend_vmpte_kb();
	(void)free_tables(&t);
	gb_counter(s, "vmpte_freed_kb", (double)(before - backend_vmpte_kb()), GB_PLAIN);
	drive_space_free(space, 2 * TABLES);
	(void)backend_choose(CONF_BACKEND_AUTO);
}

void micro_backend(void)
{
	static const char *const names[] = {"kind"};
	struct gb_bench *b = gb_add("backend/64_tables", run);

	gb_arg_names(b, names, 1);
	gb_unit(b, GB_US);
	for (int64_t i = 0; i < (int64_t)(sizeof(kinds) / sizeof(kinds[0])); i++)
		gb_args(b, &i, 1);
}
