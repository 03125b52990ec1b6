// SPDX-License-Identifier: BSD-2-Clause
/*
 * churn_report - the result for people and for programs.
 *
 * The JSON has one member a line: bench/compare reads it by line, without a JSON parser.
 */
#include <inttypes.h>
#include <math.h>
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

static double churn_ops_per_s(const struct churn_result *r)
{
	double s = r->phase_s[PHASE_CHURN];

	return s > 0 ? (double)r->churn_ops / s : 0;
}

void figure_add(struct churn_result *r, const char *name, double value)
{
	if (r->figures < CHURN_FIGURES)
		r->figure[r->figures++] = (struct figure){name, value};
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

static void json_latency(const char *name, const struct histogram *h)
{
	static const struct {
		const char *name;
		unsigned permil;
	} points[] = {{"p50", 500}, {"p99", 990}, {"p999", 999}, {"max", 1000}};

	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++)
		printf("  \"%s_%s_ns\": %" PRIu64 ",\n", name, points[i].name,
		       histogram_permil(h, points[i].permil));
	printf("  \"%s_timed\": %" PRIu64 ",\n", name, h->total);
}

/* On one line: its members have the names of others, which readers by line look for. */
static void json_series(void)
{
	size_t n;
	const struct sample *s = sample_series(&n);

	printf("  \"series\": [");
	for (size_t i = 0; i < n; i++) {
		printf("%s{\"t_ms\":%" PRIu64 ",\"rss_kb\":%" PRIu64 ",\"vmpte_kb\":%" PRIu64
		       ",\"floor_kb\":",
		       i ? "," : "", s[i].t_ms, s[i].rss_kb, s[i].vmpte_kb);
		if (s[i].floor_kb < 0)
			printf("null}");
		else
			printf("%" PRId64 "}", s[i].floor_kb);
	}
	printf("],\n");
}

/* What the workload has to say beside what all have in common. */
static void json_figures(const struct churn_opts *o, const struct churn_result *r)
{
	for (unsigned i = 0; i < r->figures; i++) {
		const struct figure *f = &r->figure[i];

		if (isnan(f->value))
			printf("  \"%s\": null,\n", f->name);
		else
			printf("  \"%s\": %.4f,\n", f->name, f->value);
	}
	if (o->workload->json)
		o->workload->json();
}

void report_json(const struct churn_opts *o, const struct churn_result *r)
{
	const struct trough *w = worst(r);

	printf("{\n  \"workload\": \"%s\",\n  \"profile\": \"%s\",\n  \"touch\": \"%s\",\n"
	       "  \"fill\": \"%s\",\n",
	       o->workload->name, o->profile->name, o->sparse ? "sparse" : "dense",
	       o->pages ? "pages" : "bytes");
	U64("threads", o->threads);
	U64("cycles", o->cycles);
	/* 0: time ended it. */
	U64("ops_per_thread", o->ops == UINT64_MAX ? 0 : o->ops);
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
	F64("churn_ops_per_s", churn_ops_per_s(r));
	F64("ops_per_cpu_s", ops_per_s(r, r->phase_cpu_s));
	json_latency("malloc", &r->latency->malloc);
	json_latency("free", &r->latency->free);
	U64("timed_every", o->timed_every);
	F64("clock_ns", r->clock_ns);
	F64("cpu_s", r->cpu_s);
	F64("user_s", r->user_s);
	F64("system_s", r->system_s);
	U64("minor_faults", r->minor_faults);
	if (r->tlb_shootdowns < 0)
		printf("  \"tlb_shootdowns\": null,\n");
	else
		U64("tlb_shootdowns", r->tlb_shootdowns);
	U64("peak_rss_kb", r->peak_rss_kb);
	U64("rss_mean_kb", r->rss_mean_kb);
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
	json_figures(o, r);
	json_series();
	printf("  \"troughs\": [\n");
	for (unsigned i = 0; i < r->troughs; i++)
		json_trough(&r->trough[i], i + 1 == r->troughs);
	printf("  ]\n}\n");
}

static void text_latency(const char *name, const struct histogram *h)
{
	printf("%-10s  p50 %" PRIu64 " ns, p99 %" PRIu64 " ns, p99.9 %" PRIu64 " ns, max %" PRIu64
	       " ns, of %" PRIu64 " calls timed\n",
	       name, histogram_permil(h, 500), histogram_permil(h, 990), histogram_permil(h, 999),
	       h->max, h->total);
}

void report_text(const struct churn_opts *o, const struct churn_result *r)
{
	printf("%s: %s %s, %u thread%s, %u cycle%s, %" PRIu64 " MiB live, seed %" PRIu64 "\n",
	       o->workload->name, o->profile->name, o->sparse ? "sparse" : "dense", o->threads,
	       o->threads > 1 ? "s" : "", o->cycles, o->cycles > 1 ? "s" : "", o->live >> 20,
	       o->seed);
	printf("operations  %" PRIu64
	       " in %.2f s (grow %.2f, churn %.2f, shrink %.2f): %.0f a second\n",
	       r->ops, work_s(r->phase_s), r->phase_s[PHASE_GROW], r->phase_s[PHASE_CHURN],
	       r->phase_s[PHASE_SHRINK], ops_per_s(r, r->phase_s));
	printf("steady      %" PRIu64 " operations, %.0f a second\n", r->churn_ops,
	       churn_ops_per_s(r));
	text_latency("malloc", &r->latency->malloc);
	text_latency("free", &r->latency->free);
	printf("checks      %" PRIu64 " blocks verified, none differs\n", r->checks);
	printf("CPU         %.2f s user, %.2f s system, %" PRIu64
	       " page faults; %.0f operations per CPU second\n",
	       r->user_s, r->system_s, r->minor_faults, ops_per_s(r, r->phase_cpu_s));
	printf("CPU net     %.2f s without the measuring", r->cpu_s);
	if (r->tlb_shootdowns >= 0)
		printf("; %" PRId64 " TLB shootdowns, of the whole machine", r->tlb_shootdowns);
	printf("\nmean RSS    %" PRIu64 " kB\n", r->rss_mean_kb);
	printf("peak RSS    %" PRIu64 " kB (sampled: %" PRIu64 " kB; %" PRIu64
	       " kB are churn's own)\n",
	       r->peak_rss_kb, r->sampled_rss_kb, r->metadata_kb);
	printf("peak VmPTE  %" PRIu64 " kB; %" PRIu64
	       " VMAs at the start; %u of %u arenas in use\n",
	       r->peak_vmpte_kb, r->vmas_start, r->arenas, r->arenas_created);
	for (unsigned i = 0; i < r->figures; i++)
		printf("%-28s %.3f\n", r->figure[i].name, r->figure[i].value);
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
