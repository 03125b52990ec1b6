// SPDX-License-Identifier: BSD-2-Clause
/* gbench - see gbench.h. The one place that speaks C++: what C cannot call is wrapped, no more. */
#include "gbench.h"

#include <cstring>
#include <benchmark/benchmark.h>

#include <atomic>
#include <deque>
#include <string>
#include <vector>

struct gb_bench {
	benchmark::internal::Benchmark *self;
	gb_fn run, setup, teardown;

	void operator()(benchmark::State &state) const;
};

namespace
{

/* Their addresses are handed out: a deque does not move them. */
std::deque<gb_bench> benches;
std::atomic<bool> failed{false};

benchmark::State &state_of(const struct gb_state *s)
{
	return *static_cast<benchmark::State *>(s->state);
}

} // namespace

void gb_bench::operator()(benchmark::State &state) const
{
	struct gb_state s = {0, &state, 0};

	/* The library's barrier at the start of the loops comes after this, that at their end before the
	 * teardown. */
	if (setup && state.thread_index() == 0)
		setup(&s);
	run(&s);
	if (teardown && state.thread_index() == 0)
		teardown(&s);
}

struct gb_bench *gb_add(const char *name, gb_fn run)
{
	benches.push_back({nullptr, run, nullptr, nullptr});
	struct gb_bench *b = &benches.back();

	b->self = benchmark::RegisterBenchmark(name, [b](benchmark::State &state) { (*b)(state); });
	return b;
}

void gb_args(struct gb_bench *b, const int64_t *args, size_t n)
{
	b->self->Args(std::vector<int64_t>(args, args + n));
}

void gb_range(struct gb_bench *b, int64_t from, int64_t to)
{
	b->self->Range(from, to);
}

void gb_arg_names(struct gb_bench *b, const char *const *names, size_t n)
{
	b->self->ArgNames(std::vector<std::string>(names, names + n));
}

void gb_threads(struct gb_bench *b, int most)
{
	b->self->ThreadRange(1, most);
}

void gb_around(struct gb_bench *b, gb_fn setup, gb_fn teardown)
{
	b->setup = setup;
	b->teardown = teardown;
}

void gb_unit(struct gb_bench *b, enum gb_unit unit)
{
	b->self->Unit(unit == GB_NS   ? benchmark::kNanosecond
		      : unit == GB_US ? benchmark::kMicrosecond
				      : benchmark::kMillisecond);
}

void gb_real_time(struct gb_bench *b)
{
	b->self->UseRealTime();
}

void gb_iterations(struct gb_bench *b, uint64_t n)
{
	b->self->Iterations(static_cast<benchmark::IterationCount>(n));
}

bool gb_more(struct gb_state *s)
{
	benchmark::State &state = state_of(s);

	/* All of them in one batch; asked again, it ends the loop. */
	if (!state.KeepRunningBatch(state.max_iterations))
		return false;
	s->left = static_cast<uint64_t>(state.max_iterations) - 1;
	return true;
}

int64_t gb_arg(const struct gb_state *s, size_t i)
{
	return state_of(s).range(i);
}

int gb_thread(const struct gb_state *s)
{
	return state_of(s).thread_index();
}

int gb_thread_count(const struct gb_state *s)
{
	return state_of(s).threads();
}

void gb_pause(struct gb_state *s)
{
	state_of(s).PauseTiming();
}

void gb_resume(struct gb_state *s)
{
	state_of(s).ResumeTiming();
}

void gb_counter(struct gb_state *s, const char *name, double value, enum gb_kind kind)
{
	benchmark::Counter::Flags flags =
		kind == GB_RATE		     ? benchmark::Counter::kIsRate
		: kind == GB_RATE_PER_THREAD ? benchmark::Counter::kAvgThreadsRate
		: kind == GB_PER_ITERATION   ? benchmark::Counter::kAvgIterations
					     : benchmark::Counter::kDefaults;

	state_of(s).counters[name] = benchmark::Counter(value, flags);
}

void gb_items(struct gb_state *s, uint64_t per_iteration)
{
	benchmark::State &state = state_of(s);

	state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(per_iteration));
}

void gb_label(struct gb_state *s, const char *text)
{
	state_of(s).SetLabel(text);
}

static void stop(struct gb_state *s, const std::string &message)
{
	s->left = 0;
	state_of(s).SkipWithError(message.c_str());
}

void gb_skip(struct gb_state *s, const char *why)
{
	stop(s, std::string("SKIP: ") + why);
}

void gb_fail(struct gb_state *s, const char *what)
{
	failed = true;
	stop(s, what);
}

void gb_context(const char *key, const char *value)
{
	benchmark::AddCustomContext(key, value);
}

int gb_main(int argc, char **argv)
{
	/* Its report names the program; where it lies is nobody's business. */
	if (argc > 0 && std::strrchr(argv[0], '/'))
		argv[0] = std::strrchr(argv[0], '/') + 1;
	benchmark::Initialize(&argc, argv);
	if (benchmark::ReportUnrecognizedArguments(argc, argv))
		return 2;
	benchmark::RunSpecifiedBenchmarks();
	benchmark::Shutdown();
	return failed ? 1 : 0;
}
