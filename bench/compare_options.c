// SPDX-License-Identifier: BSD-2-Clause
/* compare_options - what the command line asks for: the settings and the list of configurations. */
#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compare.h"

struct settings settings = {.jemalloc = "libjemalloc.so.2", .cycles = 2, .syscalls = true};
struct config configs[MAX_CONFIGS];
size_t config_count;

static const char usage_text[] =
	"usage: compare [OPTION]...\n"
	"Stock jemalloc beside jemalloc with ptreclaim, run in turns.\n"
	"  --quick | --full      a set of configurations: some minutes | all of them, hours\n"
	"or one configuration at a time out of comma-separated lists (all combinations):\n"
	"  --profile LIST        mixed,small,large,burst (default mixed); pair: bench/pair\n"
	"  --touch LIST          dense,sparse (default dense)\n"
	"  --threads LIST        (default 1)\n"
	"  --decay LIST          dirty_decay_ms: a number, or default (default 0)\n"
	"  --background LIST     background_thread: off,on (default off)\n"
	"  --backend LIST        auto,dontneed,remap,none,pt_reclaim (default auto)\n"
	"and for each of them:\n"
	"  --repeats N           pairs of runs (default 3; 5 with --full)\n"
	"  --seconds N           after about this long, no more pairs than one each\n"
	"  --cycles N            cycles of the churn (default 2)\n"
	"  --live BYTES          passed to churn\n"
	"  --conf KEY:VALUE,...  more for PTRECLAIM_CONF\n"
	"  --no-syscalls         do not count system calls (saves the runs under strace)\n"
	"  --library PATH        libptreclaim.so (default: the build tree's)\n"
	"  --jemalloc PATH       libjemalloc.so.2 (default: the system's)\n"
	"  --json                the result as JSON; progress goes to stderr\n"
	"exit status: 0 every program ran to its end, whatever was measured; 1 one did not; 2 "
	"usage\n";

static _Noreturn void bad_usage(const char *what, const char *value)
{
	fprintf(stderr, "compare: bad %s: %s\n%s", what, value, usage_text);
	exit(2);
}

static unsigned number(const char *what, const char *value, unsigned max)
{
	char *end;

	errno = 0;
	unsigned long n = strtoul(value, &end, 10);

	if (errno || end == value || *end || *value == '-' || n > max)
		bad_usage(what, value);
	return (unsigned)n;
}

/* Words of a comma-separated list; the list is cut up in place. */
#define MAX_WORDS 8

struct list {
	const char *word[MAX_WORDS];
	unsigned n;
};

static struct list list_of(const char *what, char *text)
{
	struct list l = {.n = 0};
	char *save = NULL;

	for (char *w = strtok_r(text, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		if (l.n == MAX_WORDS)
			bad_usage(what, w);
		l.word[l.n++] = w;
	}
	if (!l.n)
		bad_usage(what, "(empty)");
	return l;
}

static void config_add(struct config c)
{
	if (config_count == MAX_CONFIGS)
		bad_usage("list", "too many configurations");
	configs[config_count++] = c;
}

enum { PROFILE, TOUCH, THREADS, DECAY, BACKGROUND, BACKEND, LISTS };

static void one_of(const char *what, const char *word, const char *const *words)
{
	while (*words && strcmp(*words, word) != 0)
		words++;
	if (!*words)
		bad_usage(what, word);
}

static struct config config_of(const char *const word[LISTS])
{
	static const char *const profiles[] = {"mixed", "small", "large", "burst", "pair", NULL};
	static const char *const touches[] = {"dense", "sparse", NULL};
	static const char *const switches[] = {"off", "on", NULL};
	static const char *const backends[] = {"auto", "dontneed",   "remap",
					       "none", "pt_reclaim", NULL};
	struct config c = {.profile = word[PROFILE], .touch = word[TOUCH]};

	one_of("profile", word[PROFILE], profiles);
	one_of("touch", word[TOUCH], touches);
	one_of("background", word[BACKGROUND], switches);
	one_of("backend", word[BACKEND], backends);
	c.pair = !strcmp(c.profile, "pair");
	c.threads = number("threads", word[THREADS], 256);
	c.decay_ms = DECAY_DEFAULT;
	if (!c.pair && strcmp(word[DECAY], "default") != 0)
		c.decay_ms = (int)number("decay", word[DECAY], INT_MAX);
	c.background = !strcmp(word[BACKGROUND], "on");
	if (strcmp(word[BACKEND], "auto") != 0)
		c.backend = word[BACKEND];
	return c;
}

/* Every combination; small blocks are touched whole either way, and the pair knows no variants. */
static void config_product(const struct list list[LISTS])
{
	unsigned at[LISTS] = {0};
	int i;

	do {
		const char *word[LISTS];
		struct config c;

		for (i = 0; i < LISTS; i++)
			word[i] = list[i].word[at[i]];
		c = config_of(word);
		if (!((c.pair || !strcmp(c.profile, "small")) && at[TOUCH]) &&
		    !(c.pair && (at[THREADS] || at[DECAY] || at[BACKGROUND])))
			config_add(c);
		/* Count up, the last list fastest. */
		for (i = LISTS - 1; i >= 0 && ++at[i] == list[i].n; i--)
			at[i] = 0;
	} while (i >= 0);
}

static void config_quick(void)
{
	static const struct config set[] = {
		{.profile = "mixed", .touch = "dense", .threads = 1, .decay_ms = 0},
		{.profile = "mixed", .touch = "sparse", .threads = 1, .decay_ms = 0},
		{.profile = "mixed", .touch = "sparse", .threads = 8, .decay_ms = 0},
		{.profile = "small", .touch = "dense", .threads = 1, .decay_ms = 0},
		{.profile = "large", .touch = "dense", .threads = 1, .decay_ms = 0},
		{.profile = "burst",
		 .touch = "dense",
		 .threads = 8,
		 .decay_ms = 100,
		 .background = true},
		{.profile = "mixed", .touch = "dense", .threads = 1, .decay_ms = DECAY_DEFAULT},
		{.profile = "mixed",
		 .touch = "sparse",
		 .threads = 1,
		 .decay_ms = 0,
		 .backend = "remap"},
		{.pair = true, .profile = "pair", .touch = "dense", .decay_ms = DECAY_DEFAULT},
	};

	for (size_t i = 0; i < sizeof(set) / sizeof(set[0]); i++)
		config_add(set[i]);
}

static void config_full(void)
{
	static const struct list every[LISTS] = {
		[PROFILE] = {{"mixed", "small", "large", "burst", "pair"}, 5},
		[TOUCH] = {{"dense", "sparse"}, 2},
		[THREADS] = {{"1", "8"}, 2},
		[DECAY] = {{"0", "100", "default"}, 3},
		[BACKGROUND] = {{"off", "on"}, 2},
		[BACKEND] = {{"auto"}, 1},
	};
	static const struct list remap[LISTS] = {
		[PROFILE] = {{"mixed", "burst"}, 2}, [TOUCH] = {{"dense", "sparse"}, 2},
		[THREADS] = {{"1", "8"}, 2},	     [DECAY] = {{"0"}, 1},
		[BACKGROUND] = {{"off"}, 1},	     [BACKEND] = {{"remap"}, 1},
	};

	config_product(every);
	config_product(remap);
}

/* Programs and library lie where this one does, in the build tree. */
void options_find_build_tree(void)
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
		JEMALLOC,
		JSON,
		HELP
	};
	static const struct option longopts[] = {
		{"profile", required_argument, NULL, PROFILE},
		{"touch", required_argument, NULL, TOUCH},
		{"threads", required_argument, NULL, THREADS},
		{"decay", required_argument, NULL, DECAY},
		{"background", required_argument, NULL, BACKGROUND},
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
		{"jemalloc", required_argument, NULL, JEMALLOC},
		{"json", no_argument, NULL, JSON},
		{"help", no_argument, NULL, HELP},
		{NULL, 0, NULL, 0},
	};
	struct list list[LISTS] = {
		[PROFILE] = {{"mixed"}, 1}, [TOUCH] = {{"dense"}, 1},	 [THREADS] = {{"1"}, 1},
		[DECAY] = {{"0"}, 1},	    [BACKGROUND] = {{"off"}, 1}, [BACKEND] = {{"auto"}, 1},
	};
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
			settings.repeats = number("--repeats", optarg, MAX_REPEATS);
			break;
		case SECONDS:
			settings.seconds = number("--seconds", optarg, INT_MAX);
			break;
		case CYCLES:
			settings.cycles = number("--cycles", optarg, 64);
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
		case JEMALLOC:
			settings.jemalloc = optarg;
			break;
		case JSON:
			settings.json = true;
			break;
		case HELP:
			fputs(usage_text, stdout);
			exit(0);
		default:
			if (c < 0 || c >= LISTS)
				bad_usage("option", argv[optind - 1]);
			list[c] = list_of(longopts[index].name, optarg);
			break;
		}
	}
	if (optind < argc)
		bad_usage("operand", argv[optind]);
	if (!settings.repeats)
		settings.repeats = full ? 5 : 3;
	if (settings.syscalls && !on_path("strace")) {
		fputs("compare: strace is missing: system calls are not counted\n", stderr);
		settings.syscalls = false;
	}
	if (full)
		config_full();
	else if (quick)
		config_quick();
	else
		config_product(list);
}
