// SPDX-License-Identifier: BSD-2-Clause
/* compare_options - what the command line asks for: the settings, and lists for compare_configs.c. */
#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compare.h"
#include "compare_suites.h"

struct settings settings = {
	.allocator = {"libjemalloc.so.2", "libtcmalloc_minimal.so.4"},
	.syscalls = true,
	.series = true,
};

static const char usage_text[] =
	"usage: compare [OPTION]...\n"
	"Allocators side by side, run in turns: pairs, a stock one and the same with ptreclaim, "
	"of\n"
	"  --quick | --full      a set of configurations: twenty minutes | all of them, hours;\n"
	"                        of one allocator with --allocator\n"
	"or one configuration at a time out of comma-separated lists (all combinations):\n"
	"  --allocator LIST      jemalloc,tcmalloc (default jemalloc)\n"
	"  --profile LIST        mixed,small,large,burst (default mixed); pair: bench/pair\n"
	"  --touch LIST          dense,sparse (default dense)\n"
	"  --threads LIST        (default 1)\n"
	"  --decay LIST          jemalloc's dirty_decay_ms: a number, or default (default 0)\n"
	"  --background LIST     jemalloc's background_thread: off,on (default off)\n"
	"  --release LIST        tcmalloc: aggressive (TCMALLOC_AGGRESSIVE_DECOMMIT), a number\n"
	"                        (TCMALLOC_RELEASE_RATE), or default (default aggressive)\n"
	"  --backend LIST        auto,dontneed,remap,none,pt_reclaim (default auto)\n"
	"or suites, of many peers:\n"
	"  --suite LIST          "
	"dense,sparse,small,burst,fork,arena,cache,shift,latency,soak,policy,real,\n"
	"                        micro; goals: what the project promises, and no more; all\n"
	"  --peers LIST          only these: glibc,jemalloc-0,jemalloc,jemalloc-thp,jemalloc-hpa,\n"
	"                        tcmalloc-aggressive,tcmalloc,mimalloc; all but glibc also with\n"
	"                        +ptreclaim behind the name\n"
	"  --peer 'NAME=LIBRARY[;VAR=VALUE]...'   one more, a local build; repeatable\n"
	"  --base NAME           what the others are compared with (default: a row's first)\n"
	"  --minutes N           of the soak (default 30)\n"
	"  --no-series           do not watch page tables over time (saves a round)\n"
	"  --save[=DIR]          keep the results as DIR/<date>-<cpu>.json (default: the source's\n"
	"                        bench/results)\n"
	"  --report              the same, and a page with plots beside it\n"
	"and for each of them:\n"
	"  --repeats N           pairs or rounds (default 3; 5 with --full and --suite)\n"
	"  --seconds N           after about this long, no more than one each (default: no limit;\n"
	"                        1500 with --suite goals)\n"
	"  --cycles N            cycles of the churn (default 2; 1 with --suite)\n"
	"  --live BYTES          passed to churn\n"
	"  --conf KEY:VALUE,...  more for PTRECLAIM_CONF\n"
	"  --no-syscalls         do not count system calls (saves the runs under strace)\n"
	"  --library PATH        libptreclaim.so (default: the build tree's)\n"
	"  --jemalloc PATH       libjemalloc.so.2 (default: the system's)\n"
	"  --tcmalloc PATH       libtcmalloc_minimal.so.4 (default: the system's)\n"
	"  --json                the result as JSON; progress goes to stderr\n"
	"exit status: 0 every program ran to its end, whatever was measured; 1 one did not; 2 "
	"usage\n";

_Noreturn void options_bad(const char *what, const char *value)
{
	fprintf(stderr, "compare: bad %s: %s\n%s", what, value, usage_text);
	exit(2);
}

unsigned options_number(const char *what, const char *value, unsigned max)
{
	char *end;

	if (!value)
		options_bad(what, "(empty)");
	errno = 0;
	unsigned long n = strtoul(value, &end, 10);

	if (errno || end == value || *end || *value == '-' || n > max)
		options_bad(what, value);
	return (unsigned)n;
}

struct list options_list(const char *what, char *text)
{
	struct list l = {.n = 0};
	char *save = NULL;

	for (char *w = text ? strtok_r(text, ",", &save) : NULL; w;
	     w = strtok_r(NULL, ",", &save)) {
		if (l.n == MAX_WORDS)
			options_bad(what, w);
		l.word[l.n++] = w;
	}
	if (!l.n)
		options_bad(what, "(empty)");
	return l;
}

/* Programs and library lie where this one does, in the build tree. */
static void find_build_tree(void)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n < 0) {
		perror("compare: /proc/self/exe");
		exit(1);
	}
	self[n] = '\0';
	snprintf(settings.bench, sizeof(settings.bench), "%s", dirname(self));
	if (!settings.library[0] && snprintf(settings.library, sizeof(settings.library),
					     "%s/../hooks/.libs/libptreclaim.so",
					     settings.bench) >= (int)sizeof(settings.library)) {
		fputs("compare: path too long\n", stderr);
		exit(1);
	}
	if (access(settings.library, R_OK)) {
		fprintf(stderr, "compare: %s: %s\n", settings.library, strerror(errno));
		exit(1);
	}
}

static bool on_path(const char *program)
{
	char *path = NULL, *save = NULL;
	const char *dirs = getenv("PATH");
	bool found = false;

	if (dirs)
		path = strdup(dirs);
	for (char *dir = path ? strtok_r(path, ":", &save) : NULL; dir && !found;
	     dir = strtok_r(NULL, ":", &save)) {
		char file[PATH_MAX];

		found = snprintf(file, sizeof(file), "%s/%s", dir, program) < (int)sizeof(file) &&
			!access(file, X_OK);
	}
	free(path);
	return found;
}

/* What only suites know. */
#define MAX_LOCALS 16

struct asked {
	struct list suites, peers;
	char *local[MAX_LOCALS];
	unsigned locals;
};

static void finish_suites(const struct asked *asked)
{
	bool with_goals = false;

	for (unsigned i = 0; i < asked->suites.n; i++)
		with_goals |= !strcmp(asked->suites.word[i], "goals");
	if (!settings.repeats)
		settings.repeats = 5;
	if (!settings.cycles)
		settings.cycles = 1;
	/* With others beside them it is for the caller to say how long is too long. */
	if (!settings.seconds && with_goals && asked->suites.n == 1)
		settings.seconds = 1500;
	if (settings.report && !settings.save)
		settings.save = BENCH_SOURCE "/results";
	suites_choose(&asked->suites);
	peers_choose(&asked->peers, asked->local, asked->locals);
	if (settings.base && !peer_find(settings.base))
		options_bad("base", settings.base);
}

void options_parse(int argc, char **argv)
{
	enum {
		QUICK = LISTS,
		FULL,
		REPEATS,
		SECONDS,
		CYCLES,
		LIVE,
		CONF,
		CALLS,
		LIBRARY,
		JEMALLOC_PATH,
		TCMALLOC_PATH,
		JSON,
		SUITE,
		PEERS,
		PEER,
		BASE,
		MINUTES,
		SERIES,
		SAVE,
		REPORT,
		HELP
	};
	static const struct option longopts[] = {
		{"allocator", required_argument, NULL, ALLOCATOR},
		{"profile", required_argument, NULL, PROFILE},
		{"touch", required_argument, NULL, TOUCH},
		{"threads", required_argument, NULL, THREADS},
		{"decay", required_argument, NULL, DECAY},
		{"background", required_argument, NULL, BACKGROUND},
		{"release", required_argument, NULL, RELEASE},
		{"backend", required_argument, NULL, BACKEND},
		{"quick", no_argument, NULL, QUICK},
		{"full", no_argument, NULL, FULL},
		{"repeats", required_argument, NULL, REPEATS},
		{"seconds", required_argument, NULL, SECONDS},
		{"cycles", required_argument, NULL, CYCLES},
		{"live", required_argument, NULL, LIVE},
		{"conf", required_argument, NULL, CONF},
		{"no-syscalls", no_argument, NULL, CALLS},
		{"library", required_argument, NULL, LIBRARY},
		{"jemalloc", required_argument, NULL, JEMALLOC_PATH},
		{"tcmalloc", required_argument, NULL, TCMALLOC_PATH},
		{"json", no_argument, NULL, JSON},
		{"suite", required_argument, NULL, SUITE},
		{"peers", required_argument, NULL, PEERS},
		{"peer", required_argument, NULL, PEER},
		{"base", required_argument, NULL, BASE},
		{"minutes", required_argument, NULL, MINUTES},
		{"no-series", no_argument, NULL, SERIES},
		{"save", optional_argument, NULL, SAVE},
		{"report", no_argument, NULL, REPORT},
		{"help", no_argument, NULL, HELP},
		{NULL, 0, NULL, 0},
	};
	struct list list[LISTS] = {{.n = 0}};
	static struct asked asked;
	bool quick = false, full = false;
	int c, index = 0;

	while ((c = getopt_long(argc, argv, "", longopts, &index)) != -1) {
		switch (c) {
		case QUICK:
			quick = true;
			break;
		case FULL:
			full = true;
			break;
		case REPEATS:
			settings.repeats = options_number("--repeats", optarg, MAX_REPEATS);
			break;
		case SECONDS:
			settings.seconds = options_number("--seconds", optarg, INT_MAX);
			break;
		case CYCLES:
			settings.cycles = options_number("--cycles", optarg, 64);
			break;
		case LIVE:
			settings.live = optarg;
			break;
		case CONF:
			settings.conf = optarg;
			break;
		case CALLS:
			settings.syscalls = false;
			break;
		case LIBRARY:
			snprintf(settings.library, sizeof(settings.library), "%s", optarg);
			break;
		case JEMALLOC_PATH:
			settings.allocator[JEMALLOC] = optarg;
			break;
		case TCMALLOC_PATH:
			settings.allocator[TCMALLOC] = optarg;
			break;
		case JSON:
			settings.json = true;
			break;
		case SUITE:
			asked.suites = options_list("suite", optarg);
			break;
		case PEERS:
			asked.peers = options_list("peers", optarg);
			break;
		case PEER:
			if (asked.locals == MAX_LOCALS)
				options_bad("peer, too many", optarg);
			asked.local[asked.locals++] = optarg;
			break;
		case BASE:
			settings.base = optarg;
			break;
		case MINUTES:
			settings.minutes = options_number("--minutes", optarg, 10000);
			break;
		case SERIES:
			settings.series = false;
			break;
		case SAVE:
			settings.save = optarg ? optarg : BENCH_SOURCE "/results";
			break;
		case REPORT:
			settings.report = true;
			break;
		case HELP:
			fputs(usage_text, stdout);
			exit(0);
		default:
			if (c < 0 || c >= LISTS)
				options_bad("option", argv[optind - 1]);
			list[c] = options_list(longopts[index].name, optarg);
			break;
		}
	}
	if (optind < argc)
		options_bad("operand", argv[optind]);
	find_build_tree();
	if (settings.syscalls && !on_path("strace")) {
		fputs("compare: strace is missing: system calls are not counted\n", stderr);
		settings.syscalls = false;
	}
	if (asked.suites.n) {
		finish_suites(&asked);
		return;
	}
	if (asked.peers.n || asked.locals || settings.save || settings.report)
		options_bad("option", "peers and results are of suites: --suite is wanted");
	if (!settings.repeats)
		settings.repeats = full ? 5 : 3;
	if (!settings.cycles)
		settings.cycles = 2;
	if (full)
		configs_full(&list[ALLOCATOR]);
	else if (quick)
		configs_quick(&list[ALLOCATOR]);
	else
		configs_product(list);
}
