// SPDX-License-Identifier: BSD-2-Clause
/* churn - see churn.h. The order of the phases, and what is taken at the end. */
#include <stdio.h>
#include <sys/resource.h>

#include "churn.h"
#include "os.h"

static struct churn_opts opts = {.workload = &churn_workload,
				 .threads = 1,
				 .trough_ms = 1000,
				 .seed = 1,
				 .shift_ms = 3000,
				 .forks = 20};
static struct churn_result result;

/* Reading the clock twice in a row: the least of many, which is what a timed call has on top. */
static double clock_cost_ns(void)
{
	double least = 1e9;

	for (unsigned batch = 0; batch < 20; batch++) {
		uint64_t begun = now_ns();

		for (unsigned i = 0; i < 100; i++)
			(void)now_ns();
		double ns = (double)(now_ns() - begun) / 101;

		least = ns < least ? ns : least;
	}
	return least;
}

static void cycle(unsigned n)
{
	/* What a thread left over is freed by its neighbour: blocks cross threads, as they do. */
	gate_rotate(n);
	int64_t tlb = sample_tlb_shootdowns();

	gate_run(PHASE_GROW, 0);
	if (opts.workload->steady)
		opts.workload->steady(&opts, &result);
	else
		gate_run(PHASE_CHURN, opts.churn_ms);
	gate_run(PHASE_SHRINK, 0);
	if (tlb < 0)
		result.tlb_shootdowns = -1;
	else
		result.tlb_shootdowns += sample_tlb_shootdowns() - tlb;
	result.arenas = arenas_count(opts.threads, &result.arenas_created);
	trough_watch(&opts, result.arenas, &result.trough[result.troughs++]);
}

static void finish(void)
{
	struct rusage ru;

	gate_collect();
	result.rss_mean_kb = sample_rss_mean_kb();
	/* What the allocator and the library put off until the trough is theirs as well. */
	result.cpu_s =
		(double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - clock_ns(CLOCK_THREAD_CPUTIME_ID)) /
		1e9;
	result.peak_rss_kb = peak_rss_kb();
	getrusage(RUSAGE_SELF, &ru);
	result.minor_faults = (uint64_t)ru.ru_minflt;
	result.user_s = (double)ru.ru_utime.tv_sec + (double)ru.ru_utime.tv_usec / 1e6;
	result.system_s = (double)ru.ru_stime.tv_sec + (double)ru.ru_stime.tv_usec / 1e6;
	/* The survivors are verified too, outside of what is timed. */
	gate_end();
	if (opts.workload->figures)
		opts.workload->figures(&opts, &result);
}

int main(int argc, char **argv)
{
	static char buffer[65536];

	/* stdio must not malloc in the middle of the measurement. */
	setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
	os_init();
	options_parse(&opts, argc, argv);
	check_init(opts.pages);
	result.clock_ns = clock_cost_ns();
	if (opts.workload->prepare)
		opts.workload->prepare(&opts);
	gate_start(&opts, &result);
	for (unsigned i = 0; i < opts.cycles; i++)
		cycle(i);
	finish();
	if (opts.json)
		report_json(&opts, &result);
	else
		report_text(&opts, &result);
	return fflush(stdout) ? CHURN_FAILED : CHURN_OK;
}
