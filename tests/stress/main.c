// SPDX-License-Identifier: BSD-2-Clause
/*
 * reclaim-stress - see stress.h.
 *
 *	--seconds N  how long (120)		--seed N     of everything random (1)
 *	--workers N  in each process (4)	--procs N    processes (1)
 *	--hang N     seconds without progress that are a failure (120)
 *	--tune       khugepaged, KSM and NUMA balancing at speed while it runs (root)
 *	--sysrq      let the kernel log who hangs
 *	--dir DIR    shared mappings also of files there
 *	--require A,B  these operations must not be unavailable
 *
 * To test the test: --advice N, another number than 26; --inject lose|stray|fill|hang, an error that
 * has to be found. Exit status: 0 well; 1 something is wrong; 2 usage; 77 well, but the kernel does
 * not know the advice.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stress.h"

#define MADV_PT_RECLAIM 26
#define NS		1000000000ull

struct options opts = {.seconds = 120,
		       .workers = 4,
		       .procs = 1,
		       .hang = 120,
		       .seed = 1,
		       .advice = MADV_PT_RECLAIM};
struct shared *shared;
size_t page_size, page_words, region_pages;
bool supported;

static pid_t pids[MAX_PROCS + 2];
static size_t alive;
static bool bad;

static unsigned long number(const char *text, unsigned long least, unsigned long most)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (!*text || *end || n < least || n > most) {
		(void)fprintf(stderr, "reclaim-stress: '%s' is not a number from %lu to %lu\n",
			      text, least, most);
		exit(2);
	}
	return n;
}

static enum inject inject_name(const char *text)
{
	static const char *const names[] = {"none", "lose", "stray", "fill", "hang"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (!strcmp(text, names[i]))
			return (enum inject)i;
	}
	(void)fprintf(stderr, "reclaim-stress: no error is called '%s'\n", text);
	exit(2);
}

static void parse(int argc, char **argv)
{
	static const struct option longs[] = {
		{"seconds", 1, NULL, 's'}, {"seed", 1, NULL, 'S'},   {"workers", 1, NULL, 'w'},
		{"procs", 1, NULL, 'p'},   {"hang", 1, NULL, 'h'},   {"tune", 0, NULL, 't'},
		{"sysrq", 0, NULL, 'q'},   {"dir", 1, NULL, 'd'},    {"require", 1, NULL, 'r'},
		{"advice", 1, NULL, 'a'},  {"inject", 1, NULL, 'i'}, {NULL, 0, NULL, 0}};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 's':
			opts.seconds = (unsigned)number(optarg, 1, 1000000);
			break;
		case 'S':
			opts.seed = number(optarg, 0, ~0ul);
			break;
		case 'w':
			opts.workers = (unsigned)number(optarg, 1, MAX_WORKERS);
			break;
		case 'p':
			opts.procs = (unsigned)number(optarg, 1, MAX_PROCS);
			break;
		case 'h':
			opts.hang = (unsigned)number(optarg, 1, 100000);
			break;
		case 't':
			opts.tune = true;
			break;
		case 'q':
			opts.sysrq = true;
			break;
		case 'r':
			opts.require = optarg;
			break;
		case 'd':
			opts.dir = optarg;
			break;
		case 'a':
			opts.advice = (int)number(optarg, 0, 1000);
			break;
		case 'i':
			opts.inject = inject_name(optarg);
			break;
		default:
			exit(2);
		}
	}
	if (optind < argc) {
		(void)fprintf(stderr, "reclaim-stress: what is '%s'?\n", argv[optind]);
		exit(2);
	}
}

static bool child(void)
{
	pids[alive] = fork();
	need(pids[alive] >= 0, "fork");
	return !pids[alive++];
}

static void start(void)
{
	for (unsigned i = 0; i < opts.procs; i++) {
		atomic_store(&shared->busy[i], opts.workers);
		if (child())
			stress_process(i);
	}
	if (supported && child())
		remote_process(pids);
	if (opts.tune && child())
		prod_process();
}

/* Did one end? All of them do, after the stop. */
static size_t reap(void)
{
	size_t left = 0;

	for (size_t i = 0; i < alive; i++) {
		int status;

		if (!pids[i])
			continue;
		if (waitpid(pids[i], &status, WNOHANG) != pids[i]) {
			left++;
			continue;
		}
		pids[i] = 0;
		if (WIFSIGNALED(status)) {
			printf("process %zu was killed by signal %d\n", i, WTERMSIG(status));
			bad = true;
		} else if (WEXITSTATUS(status) || !shared->stop) {
			printf("process %zu ended with status %d\n", i, WEXITSTATUS(status));
			bad = true;
		}
	}
	return left;
}

static void kill_all(void)
{
	for (size_t i = 0; i < alive; i++) {
		if (pids[i])
			kill(pids[i], SIGKILL);
	}
	for (unsigned i = 0; i < 100 && reap(); i++)
		usleep(100000);
}

/*
 * How long this machine's processors have run or been idle. One that is emulated on a busy host may get
 * next to nothing in a minute, and that is no hang.
 */
static double machine_seconds(void)
{
	char line[512] = "", *p = line + 3;
	double ticks = 0;
	FILE *file = fopen("/proc/stat", "re");

	if (file && !fgets(line, sizeof(line), file))
		*line = '\0';
	if (file)
		(void)fclose(file);
	/* user, nice, system, idle, iowait, irq, softirq; then what was stolen */
	for (int i = 0; *line && i < 7; i++)
		ticks += (double)strtoull(p, &p, 10);
	return ticks / (double)sysconf(_SC_CLK_TCK) / (double)sysconf(_SC_NPROCESSORS_ONLN);
}

/* Has every worker moved since the last time? */
static bool hangs(uint64_t now)
{
	static struct {
		uint64_t progress, when;
		double machine;
	} seen[MAX_PROCS][MAX_WORKERS];
	double machine = machine_seconds();

	for (unsigned p = 0; p < opts.procs; p++) {
		for (unsigned w = 0; w < opts.workers && shared->busy[p]; w++) {
			uint64_t progress = shared->progress[p][w];

			if (!seen[p][w].when || progress != seen[p][w].progress) {
				seen[p][w].progress = progress;
				seen[p][w].when = now;
				seen[p][w].machine = machine;
			} else if (now - seen[p][w].when > opts.hang * NS &&
				   machine - seen[p][w].machine > opts.hang / 2.0) {
				printf("HANG: worker %u of process %u (%d) has done nothing for %u "
				       "s\n",
				       w, p, (int)pids[p], opts.hang);
				return true;
			}
		}
	}
	return false;
}

static void say_progress(uint64_t left)
{
	uint64_t done = 0, calls = 0;

	for (enum op op = 0; op < OP_COUNT; op++)
		*(op >= OP_reclaim_page ? &calls : &done) += shared->ops[op].ok;
	printf("... %llu s left; %llu operations, %llu calls of the advice, this machine ran %.0f "
	       "s\n",
	       (unsigned long long)left, (unsigned long long)done, (unsigned long long)calls,
	       machine_seconds());
}

static void watch(void)
{
	uint64_t end = now_ns() + opts.seconds * NS, next = now_ns() + 30 * NS, now;

	while (reap() && !bad) {
		usleep(200000);
		now = now_ns();
		if (shared->failed) {
			/* Let the one that found it say so. */
			for (unsigned i = 0; i < 100 && !shared->said; i++)
				usleep(100000);
			bad = true;
			break;
		}
		if (hangs(now)) {
			dump_stacks(pids, alive);
			bad = true;
			break;
		}
		if (now > end && !shared->stop) {
			shared->stop = true;
			end = now;
		}
		if (now > next && !shared->stop) {
			next += 30 * NS;
			say_progress(now < end ? (end - now) / NS : 0);
			(void)fflush(stdout);
		}
	}
	kill_all();
	if (!bad)
		printf("the last look at every page took %.1f s\n", (double)(now_ns() - end) / NS);
}

static bool required(const char *name)
{
	size_t len = strlen(name);
	const char *p = opts.require;

	while (p && *p) {
		if (!strncmp(p, name, len) && (p[len] == ',' || !p[len]))
			return true;
		p = strchr(p, ',');
		p = p ? p + 1 : NULL;
	}
	return false;
}

static bool expected_to_run(enum op op)
{
	if (op >= OP_reclaim_page)
		return supported;
	if (op >= OP_lru_gen_age && op <= OP_compact_memory)
		return opts.tune;
	return true;
}

/* Every operation has run, or the kernel said why not. */
static void table(void)
{
	printf("%-18s %10s %10s\n", "operation", "done", "refused");
	for (enum op op = 0; op < OP_COUNT; op++) {
		const struct op_count *c = &shared->ops[op];
		const char *why = c->err ? strerror(c->last_errno) : "";
		const char *verdict = "";

		if (!expected_to_run(op))
			continue;
		if (!c->ok && c->err && !required(op_names[op])) {
			verdict = "unavailable: ";
		} else if (!c->ok) {
			verdict = "NEVER DONE ";
			bad = true;
		}
		printf("%-18s %10llu %10llu  %s%s\n", op_names[op], (unsigned long long)c->ok,
		       (unsigned long long)c->err, verdict, why);
	}
}

int main(int argc, char **argv)
{
	uint64_t freed, scanned;

	parse(argc, argv);
	page_size = (size_t)sysconf(_SC_PAGESIZE);
	page_words = page_size / sizeof(uint64_t);
	region_pages = page_size / sizeof(uint64_t);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		return 1;
	/* When memory runs out, others are to go. */
	write_file("/proc/self/oom_score_adj", "-900");
	supported = advice_works();
	freed = vmstat("pt_reclaim_freed");
	scanned = vmstat("pt_reclaim_scanned");
	printf("%u s, %u processes of %u workers, seed %llu, advice %d %s\n", opts.seconds,
	       opts.procs, opts.workers, (unsigned long long)opts.seed, opts.advice,
	       supported ? "works" : "is unknown to this kernel");
	if (opts.tune)
		tune();
	(void)fflush(stdout);
	start();
	watch();
	if (opts.tune)
		untune();
	if (bad) {
		printf("FAIL: reclaim-stress: see above\n");
		return 1;
	}
	table();
	freed = vmstat("pt_reclaim_freed") - freed;
	scanned = vmstat("pt_reclaim_scanned") - scanned;
	printf("page tables: %llu examined, %llu freed\n", (unsigned long long)scanned,
	       (unsigned long long)freed);
	if (supported && !freed) {
		printf("no page table was freed\n");
		bad = true;
	}
	if (bad) {
		printf("FAIL: reclaim-stress: see above\n");
		return 1;
	}
	if (!supported) {
		printf("SKIP: reclaim-stress: this kernel does not know the advice; the rest ran "
		       "well\n");
		return 77;
	}
	printf("PASS: reclaim-stress\n");
	return 0;
}
