/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl_internal - what the files of ctl share; nobody else includes it. */
#ifndef PTR_CTL_INTERNAL_H
#define PTR_CTL_INTERNAL_H

#include "ctl.h"
#include "engine.h"
#include "stats.h"

/* How a property is asked for. */
struct ctl_call {
	size_t index; /* behind "<i>" */
	bool live;    /* statistics of the moment, not of the snapshot */
};

struct ctl_value {
	uint64_t n; /* -1 and the like as two's complement */
	const char *text;
};

/*
 * One property. How it is read: `get` or `text` for the plain ones, else `read`, which answers 0 or an
 * errno value. None of them: it cannot be read. Numbers of `labels` are shown as their names.
 */
struct ctl_property {
	const char *name; /* without the prefix */
	const char *unit;
	const char *help;
	uint64_t (*get)(void);
	const char *(*text)(void);
	int (*read)(const struct ctl_property *p, const struct ctl_call *call, struct ctl_value *v);
	size_t at; /* for read: where in struct ctl_sample or struct tune_arena */
	/* 0 or an errno value; NULL: it cannot be written. */
	int (*write)(uint64_t value);
	bool (*may_write)(void);	   /* NULL: always */
	const char *(*labels)(unsigned n); /* NULL past the last */
	enum ctl_type type;
	bool written_first; /* a call that does both reads what it has written */
};

extern const struct ctl_property ctl_properties[];
extern const size_t ctl_property_count;

/* All of one moment, as far as threads that go on meanwhile allow: gauges first, then the counters as
 * stats_snapshot() orders them. */
struct ctl_sample {
	uint64_t epoch; /* how many were taken */
	struct stats_snapshot stats;
	struct engine_state state;
	uint64_t nodes; /* of the following, so many are there */
	struct engine_node node[NODE_MAX];
};

/* One for the caller, without the nodes: these are more work. */
void ctl_sample_take(struct ctl_sample *s);
void ctl_sample_take_nodes(struct ctl_sample *s);
/* A word of the snapshot that all share. EAGAIN: see ctl.h. */
int ctl_sample_read(size_t at, uint64_t *value);
/* engine_reclaimable() belongs to it, but is expensive: it is taken by the first that asks for it. */
int ctl_sample_reclaimable(uint64_t *value);
/* Take it anew. */
int ctl_sample_refresh(void);

#endif
