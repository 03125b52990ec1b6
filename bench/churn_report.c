// SPDX-License-Identifier: BSD-2-Clause
/*
 * churn_report - the result for people and for programs.
 *
 * The JSON has one member a line: bench/compare reads it by line, without a JSON parser.
 */
#include <inttypes.h>
#include <stdio.h>

#include "churn.h"

static double work_s(const double phase[PHASES])
{
	return phase[PHASE_GROW] + phase[PHASE_CHURN] + phase[PHASE_SHRINK];
}

static double ops_per_s(const struct churn_result *r, const double phase[PHASES])
{
	double s = work_s(phase);

	return s > 0 ? (double)r->ops / s : 0;
}

/* The trough that counts: the one with the most waste at its end. */
static const struct trough *worst(const struct churn_result *r)
{
	const struct trough *w = &r->trough[0];

	for (unsigned i = 1; i < r->troughs; i++) {
		if (r->trough[i].at_end.waste_kb > w->at_end.waste_kb)
			w = &r->trough[i];
	}
	return w;
}

static uint64_t most_vmas(const struct churn_result *r)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < r->troughs; i++)
		n = r->trough[i].at_end.vmas > n ? r->trough[i].at_end.vmas : n;
	return n;
}

static unsigned troughs_within(const struct churn_result *r)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->troughs; i++)
		n += r->trough[i].reached_ms >= 0;
	return n;
}

static void json_trough(const struct trough *t, bool last)
{
	printf("    { \"vmpte_kb\": %" PRIu64 ", \"floor_kb\": %" PRIu64 ", \"waste_kb\": %" PRIu64
	       ", \"waste_at_start_kb\": %" PRIu64 ", \"target_kb\": %" PRIu64
	       ", \"reached_ms\": %" PRId64 ", \"rss_kb\": %" PRIu64 ", \"virt_kb\": %" PRIu64
	       ", \"vmas\": %" PRIu64
	       ", \"fork_ms\": %.3f, \"fork_cpu_ms\": %.3f, \"reclaimable_kb\": %" PRId64 " }%s\n",
	       t->at_end.vmpte_kb, t->at_end.floor_kb, t->at_end.waste_kb, t->at_start.waste_kb,
	       t->target_kb, t->reached_ms, t->at_end.rss_kb, t->at_end.virt_kb, t->at_end.vmas,
	       t->fork_ms, t->fork_cpu_ms, t->reclaimable_kb, last ? "" : ",");
}

#define U64(name, value) printf("  \"" name "\": %" PRIu64 ",\n", (uint64_t)(value))
#define F64(name, value) printf("  \"" name "\": %.4f,\n", (value))

void report_json(const struct churn_opts *o, const struct churn_result *r)
{
	const struct trough *w = worst(r);

	printf("{\n  \"profile\": \"%s\",\n  \"touch\": \"%s\",\n", o->profile->name,
	       o->sparse ? "sparse" : "dense");
	U64("threads", o->threads);
	U64("cycles", o->cycles);
	U64("ops_per_thread", o->ops);
	U64("live_bytes", o->live);
	U64("seed", o->seed);
	U64("arenas", r->arenas);
	U64("arenas_created", r->arenas_created);
	U64("ops", r->ops);
	U64("checks", r->checks);
	F64("grow_s", r->phase_s[PHASE_GROW]);
	F64("churn_s", r->phase_s[PHASE_CHURN]);
	F64("shrink_s", r->phase_s[PHASE_SHRINK]);
	F64("ops_per_s", ops_per_s(r, r->phase_s));
	F64("ops_per_cpu_s", ops_per_s(r, r->phase_cpu_s));
	F64("user_s", r->user_s);
	F64("system_s", r->system_s);
	U64("minor_faults", r->minor_faults);
	U64("peak_rss_kb", r->peak_rss_kb);
	U64("sampled_rss_kb", r->sampled_rss_kb);
	U64("peak_vmpte_kb", r->peak_vmpte_kb);
	U64("metadata_kb", r->metadata_kb);
	U64("vmas_start", r->vmas_start);
	U64("vmas", most_vmas(r));
	U64("vmpte_kb", w->at_end.vmpte_kb);
	U64("floor_kb", w->at_end.floor_kb);
	U64("waste_kb", w->at_end.waste_kb);
	U64("target_kb", w->target_kb);
	U64("trough_rss_kb", w->at_end.rss_kb);
	F64("fork_ms", w->fork_ms);
	F64("fork_cpu_ms", w->fork_cpu_ms);
	U64("troughs_within_target", troughs_within(r));
	printf("  \"troughs\": [\n");
	for (unsigned i = 0; i < r->troughs; i++)
		json_trough(&r->trough[i], i + 1 == r->troughs);
	printf("  ]\n}\n");
}

void report_text(const struct churn_opts *o, const struct churn_result *r)
{
	printf("churn: %s %s, %u thread%s, %u cycle%s, %" PRIu64 " MiB live, seed %" PRIu64 "\n",
	       o->profile->name, o->sparse ? "sparse" : "dense", o->threads,
	       o->threads > 1 ? "s" : "", o->cycles, o->cycles > 1 ? "s" : "", o->live >> 20,
	       o->seed);
	printf("operations  %" PRIu64
	       " in %.2f s (grow %.2f, churn %.2f, shrink %.2f): %.0f a second\n",
	       r->ops, work_s(r->phase_s), r->phase_s[PHASE_GROW], r->phase_s[PHASE_CHURN],
	       r->phase_s[PHASE_SHRINK], ops_per_s(r, r->phase_s));
	printf("checks      %" PRIu64 " blocks verified, none differs\n", r->checks);
	printf("CPU         %.2f s user, %.2f s system, %" PRIu64
	       " page faults; %.0f operations per CPU second\n",
	       r->user_s, r->system_s, r->minor_faults, ops_per_s(r, r->phase_cpu_s));
	printf("peak RSS    %" PRIu64 " kB (sampled: %" PRIu64 " kB; %" PRIu64
	       " kB are churn's own)\n",
	       r->peak_rss_kb, r->sampled_rss_kb, r->metadata_kb);
	printf("peak VmPTE  %" PRIu64 " kB; %" PRIu64
	       " VMAs at the start; %u of %u arenas in use\n",
	       r->peak_vmpte_kb, r->vmas_start, r->arenas, r->arenas_created);
	printf("\n%6s %9s %9s %9s %9s %10s %9s %6s %9s\n", "trough", "VmPTE kB", "floor kB",
	       "waste kB", "target kB", "reached ms", "RSS kB", "VMAs", "fork ms");
	for (unsigned i = 0; i < r->troughs; i++) {
		const struct trough *t = &r->trough[i];

		printf("%6u %9" PRIu64 " %9" PRIu64 " %9" PRIu64 " %9" PRIu64, i + 1,
		       t->at_end.vmpte_kb, t->at_end.floor_kb, t->at_end.waste_kb, t->target_kb);
		if (t->reached_ms < 0)
			printf(" %10s", "never");
		else
			printf(" %10" PRId64, t->reached_ms);
		printf(" %9" PRIu64 " %6" PRIu64 " %9.2f\n", t->at_end.rss_kb, t->at_end.vmas,
		       t->fork_ms);
	}
}
