// SPDX-License-Identifier: BSD-2-Clause
/*
 * churn_sample - what is looked at from outside while the threads work.
 *
 * RSS and VmPTE cost some 10 us and are read every 20 ms, as before there was a series. The floor
 * costs a walk over all that is mapped, with the lock of the address space held for reading: while
 * threads work it is measured only if asked for, and rarely.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "churn.h"
#include "os.h"

#define SERIES	      512
#define INTERVAL_MS   100
#define FLOOR_STEP_MS 250

static struct {
	bool floors, noted_only, thinned;
	uint64_t began_ns, noted_ns, floor_ns;
	uint64_t interval_ns;	       /* of the series: doubled when it is full */
	uint64_t last_ns, last_rss_kb; /* last_ns 0: the last sample is not of this phase */
	double rss_kb_ns, ns;
	size_t n;
	struct sample series[SERIES];
} samples;

void sample_start(bool floors, bool noted_only)
{
	samples.floors = floors;
	samples.noted_only = noted_only;
	samples.began_ns = now_ns();
	samples.interval_ns = (floors ? FLOOR_STEP_MS : INTERVAL_MS) * (uint64_t)1000000;
}

void sample_skip(void)
{
	samples.last_ns = 0;
}

/* Every second point goes; what stays still covers the whole time. */
static void series_thin(void)
{
	for (size_t i = 0; i < SERIES / 2; i++)
		samples.series[i] = samples.series[2 * i];
	samples.n = SERIES / 2;
	samples.interval_ns *= 2;
	samples.thinned = true;
}

static void series_add(const struct floor_report *r, bool floor, bool noted)
{
	uint64_t now = now_ns();

	/* What was measured anyway is too good to drop, as long as there is room. */
	if (samples.n && now - samples.noted_ns < samples.interval_ns &&
	    !(noted && !samples.thinned))
		return;
	if (samples.n == SERIES)
		series_thin();
	samples.noted_ns = now;
	samples.series[samples.n++] = (struct sample){
		.t_ms = (now - samples.began_ns) / 1000000,
		.rss_kb = r->rss_kb,
		.vmpte_kb = r->vmpte_kb,
		.floor_kb = floor ? (int64_t)r->floor_kb : -1,
	};
}

void sample_note(const struct floor_report *report)
{
	series_add(report, true, true);
}

static void mean_add(uint64_t rss_kb)
{
	uint64_t now = now_ns();

	if (samples.last_ns) {
		double ns = (double)(now - samples.last_ns);

		samples.rss_kb_ns += (double)(samples.last_rss_kb + rss_kb) / 2 * ns;
		samples.ns += ns;
	}
	samples.last_ns = now;
	samples.last_rss_kb = rss_kb;
}

void sample_take(struct churn_result *r)
{
	bool floor =
		samples.floors && now_ns() - samples.floor_ns >= FLOOR_STEP_MS * (uint64_t)1000000;
	struct floor_report report;

	if (floor)
		floor_look(&report);
	else if (floor_vm(0, &report))
		return;
	if (floor)
		samples.floor_ns = now_ns();
	mean_add(report.rss_kb);
	/* With floors, points without one would only fill the series. */
	if (floor || !(samples.floors || samples.noted_only))
		series_add(&report, floor, false);
	if (report.rss_kb > r->sampled_rss_kb)
		r->sampled_rss_kb = report.rss_kb;
	if (report.vmpte_kb > r->peak_vmpte_kb)
		r->peak_vmpte_kb = report.vmpte_kb;
}

uint64_t sample_rss_mean_kb(void)
{
	return samples.ns > 0 ? (uint64_t)(samples.rss_kb_ns / samples.ns) : 0;
}

const struct sample *sample_series(size_t *n)
{
	*n = samples.n;
	return samples.series;
}

/* The sum of the numbers in a line such as "TLB:  74032334   74340969   TLB shootdowns". */
static int64_t line_sum(const char *line)
{
	int64_t sum = 0;
	char *end;

	for (;;) {
		long long n = strtoll(line, &end, 10);

		if (end == line)
			return sum;
		sum += n;
		line = end;
	}
}

int64_t sample_tlb_shootdowns(void)
{
	/* A line has 11 bytes a processor, and there are some hundreds of them on large machines. */
	static char text[4 << 20];

	if (os.read_file("/proc/interrupts", text, sizeof(text)) < 0)
		return -1;
	const char *line = strstr(text, "\n TLB:");

	if (!line)
		line = strstr(text, "\nTLB:");
	return line ? line_sum(strchr(line, ':') + 1) : -1;
}
