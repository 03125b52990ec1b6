// SPDX-License-Identifier: BSD-2-Clause
/*
 * churn_soak - the same churn for a long time: does the waste grow?
 *
 * Every few seconds all threads stop, and VmPTE and floor are measured a moment later, when what was
 * pending is flushed. The slope of waste over time is what is asked for; its error says what it is worth.
 */
#include <math.h>

#include "churn.h"
#include "slope.h"

#define STEP_MS	    5000 /* churn between two samples */
#define MIN_STEPS   40	 /* a short soak has shorter steps */
#define MAX_SAMPLES 8192
#define PAUSE_MS    200 /* twice the default of batch_ms */
#define WARM_PART   10	/* the first tenth is not counted: the heap still settles */

static struct {
	double *minutes, *waste_kb; /* mapped */
	size_t n;
} soak;

static void soak_prepare(const struct churn_opts *o)
{
	(void)o;
	soak.minutes = gate_map(MAX_SAMPLES * sizeof(*soak.minutes));
	soak.waste_kb = gate_map(MAX_SAMPLES * sizeof(*soak.waste_kb));
}

static unsigned step_ms(unsigned churn_ms)
{
	unsigned ms = churn_ms / MIN_STEPS < STEP_MS ? churn_ms / MIN_STEPS : STEP_MS;

	/* However long it soaks, the samples have to fit. */
	if (churn_ms / MAX_SAMPLES >= ms)
		ms = churn_ms / MAX_SAMPLES + 1;
	return ms ? ms : 1;
}

static void soak_sample(double minutes, unsigned pause_ms)
{
	struct floor_report r;

	sleep_until(now_ns() + pause_ms * (uint64_t)1000000);
	floor_look(&r);
	sample_note(&r);
	if (soak.n == MAX_SAMPLES)
		return;
	soak.minutes[soak.n] = minutes;
	soak.waste_kb[soak.n++] = (double)r.waste_kb;
}

static void soak_steady(struct churn_opts *o, struct churn_result *r)
{
	unsigned step = step_ms(o->churn_ms);
	unsigned pause = step < 4 * PAUSE_MS ? step / 4 : PAUSE_MS;
	double churned_ms = 0;

	(void)r;
	/* Time is what was churned: a pause adds nothing to the waste. */
	while (churned_ms < o->churn_ms) {
		churned_ms += gate_run(PHASE_CHURN, step).s * 1000;
		soak_sample(churned_ms / 60000, pause);
	}
}

static void soak_figures(const struct churn_opts *o, struct churn_result *r)
{
	size_t warm = soak.n / WARM_PART;
	struct slope s = {NAN, NAN};
	double mean = 0;

	(void)o;
	slope_fit(soak.minutes + warm, soak.waste_kb + warm, soak.n - warm, &s);
	for (size_t i = warm; i < soak.n; i++)
		mean += soak.waste_kb[i] / (double)(soak.n - warm);
	figure_add(r, "waste_slope_kb_per_min", s.slope);
	figure_add(r, "waste_slope_error_kb_per_min", s.error);
	figure_add(r, "soak_waste_mean_kb", mean);
	figure_add(r, "soak_samples", (double)(soak.n - warm));
	figure_add(r, "soak_minutes", soak.n ? soak.minutes[soak.n - 1] : 0);
}

const struct workload soak_workload = {
	.name = "soak",
	.profile = "mixed",
	.live = (uint64_t)512 << 20,
	.churn_ms = 30 * 60000,
	.cycles = 1,
	.own_series = true,
	.prepare = soak_prepare,
	.steady = soak_steady,
	.figures = soak_figures,
};
