// SPDX-License-Identifier: BSD-2-Clause
/* churn_options - the command line, and what it leaves open. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "churn.h"

#define MAX_SECONDS (7 * 86400)

static const struct workload *const workloads[] = {
	&churn_workload, &fork_workload,  &arena_workload,
	&cache_workload, &shift_workload, &soak_workload,
};

static const struct workload *workload_find(const char *name)
{
	for (size_t i = 0; i < sizeof(workloads) / sizeof(workloads[0]); i++) {
		if (!strcmp(workloads[i]->name, name))
			return workloads[i];
	}
	return NULL;
}

static const char usage_text[] =
	"usage: churn [OPTION]...\n"
	"  --workload churn|fork|arena|cache|shift|soak   (default churn; see bench/README.md)\n"
	"  --profile mixed|small|large|burst   16 B to 2 MiB | to 8 KiB | 64 KiB to 4 MiB |\n"
	"                                      40 KiB to 1.25 MiB, all freed (default mixed);\n"
	"                                      cache: 64 B to 256 KiB, that workload's default\n"
	"  --touch dense|sparse  of blocks from 16 KiB: all bytes | the first 8 KiB (default "
	"dense)\n"
	"  --fill bytes|pages    write and verify all touched bytes | the first word of each "
	"touched\n"
	"                        page: the work of allocator and kernel alone (default bytes)\n"
	"  --threads N           (default 1)\n"
	"  --cycles N            growth, churn, shrink, trough (default 2; 1 where time ends it)\n"
	"  --ops N               churn steps per thread and cycle (default by profile); workload\n"
	"                        churn only, as the others churn for a time\n"
	"  --seconds N           how long a cycle churns (default 10; shift 24, soak 30 minutes)\n"
	"  --minutes N           the same\n"
	"  --shift-ms N          workload shift: how long it stays dense, or sparse (default "
	"3000)\n"
	"  --forks N             workload fork: a second, over all threads (default 20)\n"
	"  --latency             time every call; without, of cheap ones (small, sparse) 1 of 16\n"
	"  --series              measure the floor every 250 ms while churning, too\n"
	"  --live BYTES          live at the peak in the whole process; suffixes K M G\n"
	"  --trough-ms N         how long a trough is watched (default 1000)\n"
	"  --seed N              (default 1)\n"
	"  --verify-all          read every byte of every calloc, also where sparse would not\n"
	"  --calls all|plain     of the kinds of calls there are | of malloc and free alone\n"
	"  --no-aligned          malloc instead of aligned_alloc: for allocators that get it "
	"wrong\n"
	"  --stats-file FILE     the library's stats_file: what it counts as reclaimable at each\n"
	"                        trough's end goes into the JSON\n"
	"  --json                the result as JSON\n"
	"exit status: 0 all blocks intact, 1 no memory or no floor, 2 usage, 3 a block was "
	"corrupt\n";

static _Noreturn void bad_usage(const char *name, const char *value)
{
	fprintf(stderr, "churn: bad value for --%s: %s\n%s", name, value, usage_text);
	exit(CHURN_USAGE);
}

static uint64_t number(const char *name, const char *value, uint64_t min, uint64_t max)
{
	char *end;

	errno = 0;
	unsigned long long n = strtoull(value, &end, 10);
	unsigned shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;

	if (shift)
		end++;
	if (errno || end == value || *end || *value == '-' || n > (UINT64_MAX >> shift))
		bad_usage(name, value);
	n <<= shift;
	if (n < min || n > max)
		bad_usage(name, value);
	return n;
}

enum churn_option {
	WORKLOAD = 1,
	PROFILE,
	TOUCH,
	FILL,
	THREADS,
	CYCLES,
	OPS,
	SECONDS,
	MINUTES,
	SHIFT,
	FORKS,
	LIVE,
	TROUGH,
	SEED,
	LATENCY,
	SERIES,
	VERIFY,
	ALIGNED,
	CALLS,
	STATS,
	JSON,
	HELP
};

static const struct option longopts[] = {
	{"workload", required_argument, NULL, WORKLOAD},
	{"profile", required_argument, NULL, PROFILE},
	{"touch", required_argument, NULL, TOUCH},
	{"fill", required_argument, NULL, FILL},
	{"threads", required_argument, NULL, THREADS},
	{"cycles", required_argument, NULL, CYCLES},
	{"ops", required_argument, NULL, OPS},
	{"seconds", required_argument, NULL, SECONDS},
	{"minutes", required_argument, NULL, MINUTES},
	{"shift-ms", required_argument, NULL, SHIFT},
	{"forks", required_argument, NULL, FORKS},
	{"live", required_argument, NULL, LIVE},
	{"trough-ms", required_argument, NULL, TROUGH},
	{"seed", required_argument, NULL, SEED},
	{"latency", no_argument, NULL, LATENCY},
	{"series", no_argument, NULL, SERIES},
	{"verify-all", no_argument, NULL, VERIFY},
	{"no-aligned", no_argument, NULL, ALIGNED},
	{"calls", required_argument, NULL, CALLS},
	{"stats-file", required_argument, NULL, STATS},
	{"json", no_argument, NULL, JSON},
	{"help", no_argument, NULL, HELP},
	{NULL, 0, NULL, 0},
};

/* Which of two words was given; true: the second. */
static bool second_of(const char *name, const char *value, const char *first, const char *second)
{
	if (strcmp(value, first) != 0 && strcmp(value, second) != 0)
		bad_usage(name, value);
	return !strcmp(value, second);
}

static void parse_one(struct churn_opts *o, enum churn_option option, const char *name,
		      const char *value)
{
	switch (option) {
	case WORKLOAD:
		o->workload = workload_find(value);
		if (!o->workload)
			bad_usage(name, value);
		break;
	case PROFILE:
		o->profile = profile_find(value);
		if (!o->profile)
			bad_usage(name, value);
		break;
	case TOUCH:
		o->sparse = second_of(name, value, "dense", "sparse");
		break;
	case FILL:
		o->pages = second_of(name, value, "bytes", "pages");
		break;
	case THREADS:
		o->threads = (unsigned)number(name, value, 1, CHURN_MAX_THREADS);
		break;
	case CYCLES:
		o->cycles = (unsigned)number(name, value, 1, CHURN_MAX_CYCLES);
		break;
	case OPS:
		o->ops = number(name, value, 1, UINT64_MAX);
		break;
	case SECONDS:
		o->churn_ms = (unsigned)number(name, value, 1, MAX_SECONDS) * 1000;
		break;
	case MINUTES:
		o->churn_ms = (unsigned)number(name, value, 1, MAX_SECONDS / 60) * 60000;
		break;
	case SHIFT:
		o->shift_ms = (unsigned)number(name, value, 1, 3600000);
		break;
	case FORKS:
		o->forks = (unsigned)number(name, value, 1, 100000);
		break;
	case LIVE:
		o->live = number(name, value, 1, (uint64_t)1 << 46);
		break;
	case TROUGH:
		o->trough_ms = (unsigned)number(name, value, 0, 3600000);
		break;
	case SEED:
		o->seed = number(name, value, 0, UINT64_MAX);
		break;
	case LATENCY:
		o->latency = true;
		break;
	case SERIES:
		o->series = true;
		break;
	case VERIFY:
		o->verify_all = true;
		break;
	case CALLS:
		o->plain = !strcmp(optarg, "plain");
		if (!o->plain && strcmp(optarg, "all") != 0)
			bad_usage(name, optarg);
		break;
	case ALIGNED:
		o->no_aligned = true;
		break;
	case STATS:
		o->stats_file = value;
		break;
	case JSON:
		o->json = true;
		break;
	case HELP:
		fputs(usage_text, stdout);
		exit(CHURN_OK);
	default:
		fputs(usage_text, stderr);
		exit(CHURN_USAGE);
	}
}

/* What was not given comes from the workload, and else from the profile. */
static void complete(struct churn_opts *o)
{
	const struct workload *w = o->workload;

	if (o->ops && w->churn_ms)
		bad_usage("ops", "this workload churns for a time (--seconds)");
	/* Its samples are of one heap. */
	if (w == &soak_workload && o->cycles > 1)
		bad_usage("cycles", "one soak is one cycle");
	if (!o->profile)
		o->profile = profile_find(w->profile ? w->profile : "mixed");
	const struct profile *p = o->profile;

	if (!p)
		bad_usage("profile", "none");
	if (!o->live)
		o->live = w->live ? w->live : p->live;
	if (!o->cycles)
		o->cycles = w->cycles ? w->cycles : 2;
	if (!o->churn_ms)
		o->churn_ms = w->churn_ms;
	if (!o->ops && o->churn_ms) {
		o->ops = UINT64_MAX;
	} else if (!o->ops) {
		o->ops = o->sparse ? p->ops_sparse : p->ops_dense;
		o->ops = (o->ops + o->threads - 1) / o->threads;
	}
	/* A clock read before and after must not be seen in the throughput. */
	bool slow = !o->sparse && w != &shift_workload && profile_mean(p) >= CHURN_TIMED_MEAN;

	o->timed_every = o->latency || slow ? 1 : CHURN_TIMED_EVERY;
}

void options_parse(struct churn_opts *o, int argc, char **argv)
{
	int c, index = 0;

	while ((c = getopt_long(argc, argv, "", longopts, &index)) != -1)
		parse_one(o, (enum churn_option)c, longopts[index].name, optarg);
	if (optind < argc)
		bad_usage("", argv[optind]);
	complete(o);
}
