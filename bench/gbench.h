/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gbench - Google Benchmark for C.
 *
 * A program registers benches and hands its arguments to gb_main(), which chooses by
 * --benchmark_filter, repeats, and reports as text, JSON or CSV (--benchmark_format, --help). A bench is a
 * function that prepares, loops, and cleans up; only the loop is timed:
 *
 *	static void run(struct gb_state *s)
 *	{
 *		size_t pages = (size_t)gb_arg(s, 0);
 *
 *		while (gb_next(s))
 *			work(pages);
 *		gb_items(s, 1);
 *	}
 *
 * Registration is for the main thread, before gb_main(). A state belongs to the thread that was given
 * it, and lives as long as the call.
 */
#ifndef PTR_GBENCH_H
#define PTR_GBENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct gb_bench;

/*
 * One run in one thread. `left` is read by gb_next() only: it spares the loop a call into the library,
 * which is told of all iterations at once.
 */
struct gb_state {
	uint64_t left;	/* iterations that are still to be handed out */
	void *state;	/* benchmark::State */
	uint32_t batch; /* of gb_refill(): rounds since the last */
};

typedef void (*gb_fn)(struct gb_state *s);

enum gb_unit { GB_NS, GB_US, GB_MS };

enum gb_kind {
	GB_PLAIN,	    /* as it is; summed over the threads */
	GB_RATE,	    /* divided by the time: summed over the threads */
	GB_RATE_PER_THREAD, /* the same, averaged over them */
	GB_PER_ITERATION,   /* divided by the iterations */
};

/**
 * @brief **gb_add()** registers a bench.
 * @param name what filters and reports call it; copied
 * @param run is called in every thread of every run
 * @return a handle for the functions below, owned by this module; it stays until the program ends
 *
 * Without arguments it is run once, in one thread.
 */
struct gb_bench *gb_add(const char *name, gb_fn run);

/**
 * @brief **gb_args()** adds a run with these arguments, after those added before.
 * @param args n values; copied
 * @param n the same for all runs of one bench, at most 4
 */
void gb_args(struct gb_bench *b, const int64_t *args, size_t n);
/** @brief **gb_range()** adds runs with one argument: from, from x 8, ... to. */
void gb_range(struct gb_bench *b, int64_t from, int64_t to);
/** @brief **gb_arg_names()** names the n arguments in reports; the strings are copied. */
void gb_arg_names(struct gb_bench *b, const char *const *names, size_t n);
/** @brief **gb_threads()** repeats each run in 1, 2, 4 ... most threads at once. */
void gb_threads(struct gb_bench *b, int most);
/**
 * @brief **gb_around()** adds what the first thread does before and after a run.
 * @param setup is called before the loops of all threads begin; NULL: nothing
 * @param teardown is called once the loops of all threads have ended; NULL: nothing
 *
 * Another thread that prepares something before its loop does so at the same time as `setup`.
 */
void gb_around(struct gb_bench *b, gb_fn setup, gb_fn teardown);
/** @brief **gb_unit()** sets the unit of time in reports; nanoseconds without it. */
void gb_unit(struct gb_bench *b, enum gb_unit unit);
/** @brief **gb_real_time()** lets elapsed time decide how long it runs and what rates are of, not the
 * CPU's. */
void gb_real_time(struct gb_bench *b);
/** @brief **gb_iterations()** fixes how many iterations each thread makes, whatever time it takes. */
void gb_iterations(struct gb_bench *b, uint64_t n);

/** @brief **gb_more()** is what gb_next() calls at the beginning and at the end of the loop. */
bool gb_more(struct gb_state *s);

/**
 * @brief **gb_next()** begins the next iteration.
 * @return false once there are no more, and after gb_skip() and gb_fail(): the loop has to end
 */
static inline bool gb_next(struct gb_state *s)
{
	if (__builtin_expect(!s->left, 0))
		return gb_more(s);
	s->left--;
	return true;
}

/** @brief **gb_arg()** is the i-th argument of this run. */
int64_t gb_arg(const struct gb_state *s, size_t i);
/** @brief **gb_thread()** is the number of this thread, from 0. */
int gb_thread(const struct gb_state *s);
/** @brief **gb_thread_count()** is how many threads there are in this run. */
int gb_thread_count(const struct gb_state *s);

/**
 * @brief **gb_pause()** stops the clock of this thread, within the loop.
 *
 * Stopping and starting reads clocks by system calls, and a part of that is in the result: see gb_refill().
 */
void gb_pause(struct gb_state *s);
/** @brief **gb_resume()** starts it again. */
void gb_resume(struct gb_state *s);

/**
 * @brief **gb_refill()** stops the clock at the first of every `rounds` iterations.
 * @return true with the clock stopped: prepare the next `rounds` iterations, then call gb_resume()
 *
 * For an operation that uses something up: it is undone for many iterations at once.
 */
static inline bool gb_refill(struct gb_state *s, uint32_t rounds)
{
	if (__builtin_expect(s->batch++ % rounds, 1))
		return false;
	gb_pause(s);
	return true;
}
/** @brief **gb_round()** is the number of this iteration among those of gb_refill(), from 0. */
static inline uint32_t gb_round(const struct gb_state *s, uint32_t rounds)
{
	return (s->batch - 1) % rounds;
}

/** @brief **gb_counter()** reports a number of this thread's. */
void gb_counter(struct gb_state *s, const char *name, double value, enum gb_kind kind);
/** @brief **gb_items()** reports items_per_second, from what one iteration deals with. After the loop. */
void gb_items(struct gb_state *s, uint64_t per_iteration);
/** @brief **gb_label()** adds a text to the report of this run. */
void gb_label(struct gb_state *s, const char *text);
/** @brief **gb_skip()** ends this run: it cannot be made here, for this reason. Reported as an error whose
 * message begins with "SKIP: ", which is all that the library knows for it. */
void gb_skip(struct gb_state *s, const char *why);
/** @brief **gb_fail()** ends this run: something is wrong. gb_main() will not answer 0. */
void gb_fail(struct gb_state *s, const char *what);

/** @brief **gb_context()** adds a word about the machine or the build to the head of the report. */
void gb_context(const char *key, const char *value);

/**
 * @brief **gb_main()** runs what the command line asks for.
 * @return the program's exit status: 0; 1 if a run has failed; 2 for an argument that is not known
 */
int gb_main(int argc, char **argv);

#ifdef __cplusplus
}
#endif

#endif
