// SPDX-License-Identifier: BSD-2-Clause
/* churn - see churn.h. Options, threads and the order of the phases. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "churn.h"
#include "os.h"

#define SAMPLE_MS 20

static struct churn_opts opts = {.threads = 1, .cycles = 2, .trough_ms = 1000, .seed = 1};
static struct churn_result result;
static struct worker workers[CHURN_MAX_THREADS];
static struct table tables[CHURN_MAX_THREADS];

/* The gate between the main thread, which times and samples, and the workers. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t begin, end;
	enum phase phase;
	unsigned generation, running;
	uint64_t ended_ns;
} gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .begin = PTHREAD_COND_INITIALIZER};

static const char usage_text[] =
	"usage: churn [OPTION]...\n"
	"  --profile mixed|small|large|burst   16 B to 2 MiB | to 8 KiB | 64 KiB to 4 MiB |\n"
	"                                      40 KiB to 1.25 MiB, all freed (default mixed)\n"
	"  --touch dense|sparse  of blocks from 16 KiB: all bytes | the first 8 KiB (default "
	"dense)\n"
	"  --threads N           (default 1)\n"
	"  --cycles N            growth, churn, shrink, trough (default 2)\n"
	"  --ops N               churn steps per thread and cycle (default by profile)\n"
	"  --live BYTES          live at the peak in the whole process; suffixes K M G\n"
	"  --trough-ms N         how long a trough is watched (default 1000)\n"
	"  --seed N              (default 1)\n"
	"  --verify-all          read every byte of every calloc, also where sparse would not\n"
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

static void parse(int argc, char **argv)
{
	enum {
		PROFILE = 1,
		TOUCH,
		THREADS,
		CYCLES,
		OPS,
		LIVE,
		TROUGH,
		SEED,
		VERIFY,
		ALIGNED,
		STATS,
		JSON,
		HELP
	};
	static const struct option longopts[] = {
		{"profile", required_argument, NULL, PROFILE},
		{"touch", required_argument, NULL, TOUCH},
		{"threads", required_argument, NULL, THREADS},
		{"cycles", required_argument, NULL, CYCLES},
		{"ops", required_argument, NULL, OPS},
		{"live", required_argument, NULL, LIVE},
		{"trough-ms", required_argument, NULL, TROUGH},
		{"seed", required_argument, NULL, SEED},
		{"verify-all", no_argument, NULL, VERIFY},
		{"no-aligned", no_argument, NULL, ALIGNED},
		{"stats-file", required_argument, NULL, STATS},
		{"json", no_argument, NULL, JSON},
		{"help", no_argument, NULL, HELP},
		{NULL, 0, NULL, 0},
	};
	int c, index = 0;

	opts.profile = profile_find("mixed");
	while ((c = getopt_long(argc, argv, "", longopts, &index)) != -1) {
		const char *name = longopts[index].name;

		switch (c) {
		case PROFILE:
			opts.profile = profile_find(optarg);
			if (!opts.profile)
				bad_usage(name, optarg);
			break;
		case TOUCH:
			opts.sparse = !strcmp(optarg, "sparse");
			if (!opts.sparse && strcmp(optarg, "dense") != 0)
				bad_usage(name, optarg);
			break;
		case THREADS:
			opts.threads = (unsigned)number(name, optarg, 1, CHURN_MAX_THREADS);
			break;
		case CYCLES:
			opts.cycles = (unsigned)number(name, optarg, 1, CHURN_MAX_CYCLES);
			break;
		case OPS:
			opts.ops = number(name, optarg, 1, UINT64_MAX);
			break;
		case LIVE:
			opts.live = number(name, optarg, 1, (uint64_t)1 << 46);
			break;
		case TROUGH:
			opts.trough_ms = (unsigned)number(name, optarg, 0, 3600000);
			break;
		case SEED:
			opts.seed = number(name, optarg, 0, UINT64_MAX);
			break;
		case VERIFY:
			opts.verify_all = true;
			break;
		case ALIGNED:
			opts.no_aligned = true;
			break;
		case STATS:
			opts.stats_file = optarg;
			break;
		case JSON:
			opts.json = true;
			break;
		case HELP:
			fputs(usage_text, stdout);
			exit(CHURN_OK);
		default:
			fputs(usage_text, stderr);
			exit(CHURN_USAGE);
		}
	}
	if (optind < argc)
		bad_usage("", argv[optind]);
	const struct profile *p = opts.profile;

	if (!p)
		bad_usage("profile", "none");
	if (!opts.live)
		opts.live = p->live;
	if (!opts.ops) {
		opts.ops = opts.sparse ? p->ops_sparse : p->ops_dense;
		opts.ops = (opts.ops + opts.threads - 1) / opts.threads;
	}
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	unsigned seen = 0;
	enum phase phase;

	do {
		pthread_mutex_lock(&gate.lock);
		while (gate.generation == seen)
			pthread_cond_wait(&gate.begin, &gate.lock);
		seen = gate.generation;
		phase = gate.phase;
		pthread_mutex_unlock(&gate.lock);

		worker_phase(w, phase);

		pthread_mutex_lock(&gate.lock);
		if (!--gate.running) {
			gate.ended_ns = now_ns();
			pthread_cond_signal(&gate.end);
		}
		pthread_mutex_unlock(&gate.lock);
	} while (phase != PHASE_QUIT);
	return NULL;
}

static void sample(void)
{
	struct floor_report r;

	if (floor_vm(0, &r))
		return;
	if (r.rss_kb > result.sampled_rss_kb)
		result.sampled_rss_kb = r.rss_kb;
	if (r.vmpte_kb > result.peak_vmpte_kb)
		result.peak_vmpte_kb = r.vmpte_kb;
}

/* Let every worker do one phase, and sample while they are at it. */
static void run_phase(enum phase phase)
{
	pthread_mutex_lock(&gate.lock);
	uint64_t start = now_ns(), cpu_start = clock_ns(CLOCK_PROCESS_CPUTIME_ID);

	gate.phase = phase;
	gate.running = opts.threads;
	gate.generation++;
	pthread_cond_broadcast(&gate.begin);
	while (gate.running) {
		struct timespec until;

		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += SAMPLE_MS * 1000000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		if (pthread_cond_timedwait(&gate.end, &gate.lock, &until) != ETIMEDOUT)
			continue;
		pthread_mutex_unlock(&gate.lock);
		sample();
		pthread_mutex_lock(&gate.lock);
	}
	result.phase_s[phase] += (double)(gate.ended_ns - start) / 1e9;
	result.phase_cpu_s[phase] += (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_start) / 1e9;
	pthread_mutex_unlock(&gate.lock);
}

static void table_create(struct table *t)
{
	/* The sum of the sizes ends the growth, not the number: room for four times the mean. */
	t->cap = (size_t)(opts.live / opts.threads) / profile_mean(opts.profile) * 4 + 4096;
	t->slots = mmap(NULL, t->cap * sizeof(*t->slots), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (t->slots == MAP_FAILED) {
		perror("churn: mmap");
		exit(CHURN_FAILED);
	}
}

static void start_workers(void)
{
	pthread_condattr_t attr;
	struct floor_report r;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&gate.end, &attr);
	for (unsigned i = 0; i < opts.threads; i++) {
		struct worker *w = &workers[i];

		table_create(&tables[i]);
		w->id = i;
		w->opts = &opts;
		w->rng = opts.seed * 1000003 + i;
		w->serial = (uint64_t)i << 48;
		int err = pthread_create(&w->thread, NULL, worker_main, w);

		if (err) {
			fprintf(stderr, "churn: pthread_create: %s\n", strerror(err));
			exit(CHURN_FAILED);
		}
	}
	if (!floor_measure(0, &r))
		result.vmas_start = r.vmas;
}

static void cycle(unsigned n)
{
	uint64_t slots = 0;

	/* What a thread left over is freed by its neighbour: blocks cross threads, as they do. */
	for (unsigned i = 0; i < opts.threads; i++)
		workers[i].table = &tables[(i + n) % opts.threads];
	run_phase(PHASE_GROW);
	for (unsigned i = 0; i < opts.threads; i++)
		slots += tables[i].n;
	uint64_t metadata = slots * sizeof(struct slot) / 1024;

	if (metadata > result.metadata_kb)
		result.metadata_kb = metadata;
	run_phase(PHASE_CHURN);
	run_phase(PHASE_SHRINK);
	result.arenas = arenas_count(opts.threads, &result.arenas_created);
	trough_watch(&opts, result.arenas, &result.trough[result.troughs++]);
}

static void finish(void)
{
	struct rusage ru;

	for (unsigned i = 0; i < opts.threads; i++)
		result.ops += workers[i].ops;
	result.peak_rss_kb = peak_rss_kb();
	getrusage(RUSAGE_SELF, &ru);
	result.minor_faults = (uint64_t)ru.ru_minflt;
	result.user_s = (double)ru.ru_utime.tv_sec + (double)ru.ru_utime.tv_usec / 1e6;
	result.system_s = (double)ru.ru_stime.tv_sec + (double)ru.ru_stime.tv_usec / 1e6;
	/* The survivors are verified too, outside of what is timed. */
	run_phase(PHASE_FINISH);
	run_phase(PHASE_QUIT);
	for (unsigned i = 0; i < opts.threads; i++) {
		pthread_join(workers[i].thread, NULL);
		result.checks += workers[i].checks;
	}
}

int main(int argc, char **argv)
{
	static char buffer[65536];

	/* stdio must not malloc in the middle of the measurement. */
	setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
	os_init();
	parse(argc, argv);
	start_workers();
	for (unsigned i = 0; i < opts.cycles; i++)
		cycle(i);
	finish();
	if (opts.json)
		report_json(&opts, &result);
	else
		report_text(&opts, &result);
	return fflush(stdout) ? CHURN_FAILED : CHURN_OK;
}
