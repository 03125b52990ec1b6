// SPDX-License-Identifier: BSD-2-Clause
/* compare_run - start one program with a peer's environment, and read what it reports. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compare.h"
#include "compare_json.h"

#define MAX_ARGS  64
#define CHUNK	  65536 /* bytes read at once */
#define EXIT_SKIP 77

struct command {
	char *argv[MAX_ARGS];
	unsigned n;
	char text[16384]; /* what argv points into */
	size_t used;
};

static void add(struct command *c, const char *a, const char *b)
{
	size_t left = sizeof(c->text) - c->used;
	int len = snprintf(c->text + c->used, left, "%s%s", a, b);

	if (len < 0 || (size_t)len >= left || c->n + 1 >= MAX_ARGS) {
		fputs("compare: command line too long\n", stderr);
		exit(1);
	}
	c->argv[c->n++] = c->text + c->used;
	c->argv[c->n] = NULL;
	c->used += (size_t)len + 1;
}

static void add_number(struct command *c, const char *option, unsigned n)
{
	char digits[16];

	snprintf(digits, sizeof(digits), "%u", n);
	add(c, option, "");
	add(c, digits, "");
}

/* Of the caller's: they would make something else of a peer's settings. */
static const char *const foreign[] = {
	"LD_PRELOAD",
	"PTRECLAIM_CONF",
	"MALLOC_CONF",
	"GLIBC_TUNABLES",
	"TCMALLOC_AGGRESSIVE_DECOMMIT",
	"TCMALLOC_RELEASE_RATE",
	"MIMALLOC_PURGE_DELAY",
	"MIMALLOC_RESET_DELAY",
};

/* Environment goes through env(1) and not through ours: strace must not be preloaded itself. */
static void add_environment(struct command *cmd, const struct peer *p)
{
	add(cmd, "env", "");
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		add(cmd, "--unset=", foreign[i]);
	if (!p)
		return;
	for (unsigned i = 0; i < p->var_count; i++)
		add(cmd, p->vars[i], "");
	if (p->preload[0])
		add(cmd, "LD_PRELOAD=", p->preload);
}

static void add_option(struct command *cmd, const char *name, const char *value)
{
	if (!value)
		return;
	add(cmd, name, "");
	add(cmd, value, "");
}

static void add_churn(struct command *cmd, const struct work *w)
{
	bool soak = w->workload && !strcmp(w->workload, "soak");

	add(cmd, settings.bench, "/churn");
	add(cmd, "--json", "");
	/* What is the default is not said: it need not be known. */
	add_option(cmd, "--workload", w->workload);
	add_option(cmd, "--profile", w->profile);
	add_option(cmd, "--touch", w->touch);
	add_option(cmd, "--fill", w->fill);
	add_option(cmd, "--calls", w->calls);
	add_number(cmd, "--threads", w->threads);
	if (!w->workload)
		add_number(cmd, "--cycles", settings.cycles);
	if (soak && settings.minutes)
		add_number(cmd, "--minutes", settings.minutes);
	add_option(cmd, "--live", settings.live);
	if (w->latency)
		add(cmd, "--latency", "");
	if (w->series)
		add(cmd, "--series", "");
	if (w->no_aligned)
		add(cmd, "--no-aligned", "");
}

/* A script of the source tree: what it starts gets the environment, it itself does not. */
static void add_real(struct command *cmd, const struct peer *p, const struct work *w)
{
	add_environment(cmd, NULL);
	add(cmd, BENCH_SOURCE, "/real");
	add(cmd, w->workload, "");
	add(cmd, "--build", "");
	add(cmd, settings.bench, "/..");
	for (unsigned i = 0; i < p->var_count; i++)
		add_option(cmd, "--env", p->vars[i]);
	if (p->preload[0]) {
		add(cmd, "--env", "");
		add(cmd, "LD_PRELOAD=", p->preload);
	}
}

static void add_program(struct command *cmd, const struct peer *p, const struct work *w)
{
	if (w->program == RUN_REAL && p) {
		add_real(cmd, p, w);
		return;
	}
	add_environment(cmd, p);
	switch (w->program) {
	case RUN_PAIR:
		add(cmd, settings.bench, "/pair");
		add(cmd, "--json", "");
		break;
	case RUN_IDLE:
		add(cmd, settings.bench, "/idle");
		break;
	case RUN_MICRO:
		add(cmd, settings.bench, "/micro");
		add(cmd, "--benchmark_format=json", "");
		if (w->workload) {
			/* Some, to be compared: in turns, so that the machine is the same for all. */
			add(cmd, "--benchmark_filter=", w->workload);
			add(cmd, "--benchmark_repetitions=9", "");
			add(cmd, "--benchmark_enable_random_interleaving=true", "");
			add(cmd, "--benchmark_report_aggregates_only=true", "");
		}
		break;
	case RUN_INSTRUCTIONS:
		add(cmd, BENCH_SOURCE, "/instructions");
		add(cmd, "--json", "");
		add(cmd, "--build", "");
		add(cmd, settings.bench, "/..");
		break;
	case RUN_CHURN:
	case RUN_REAL:
		add_churn(cmd, w);
		break;
	}
}

/* All of a file, never NULL; the caller's to free. */
static char *slurp(FILE *f)
{
	char *buf = NULL;
	size_t used = 0;

	rewind(f);
	do {
		char *more = realloc(buf, used + CHUNK + 1);

		if (!more) {
			perror("compare");
			exit(1);
		}
		buf = more;
		used += fread(buf + used, 1, CHUNK, f);
	} while (!feof(f) && !ferror(f));
	buf[used] = '\0';
	return buf;
}

/* What a program printed on its two outputs. */
struct printed {
	char *out, *err;
};

static void printed_free(struct printed *p)
{
	free(p->out);
	free(p->err);
}

/* Run to its end: its wait status. */
static int start(struct command *cmd, struct printed *printed)
{
	FILE *fout = tmpfile(), *ferr = tmpfile();
	int status = -1;

	if (!fout || !ferr) {
		perror("compare: tmpfile");
		exit(1);
	}
	/* The child would print again what is still in our buffer. */
	(void)fflush(NULL);
	pid_t pid = fork();

	if (!pid) {
		dup2(fileno(fout), STDOUT_FILENO);
		dup2(fileno(ferr), STDERR_FILENO);
		execvp(cmd->argv[0], cmd->argv);
		_exit(127);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	printed->out = slurp(fout);
	printed->err = slurp(ferr);
	(void)fclose(fout);
	(void)fclose(ferr);
	/* ld.so only warns, and another malloc would be measured under the allocator's name. */
	return strstr(printed->err, "cannot be preloaded") ? -1 : status;
}

/* The last line that says something, without its line break. */
static const char *last_line(char *text)
{
	char *last = text, *save = NULL;

	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		last = l;
	return last;
}

/* The length of the first ones. */
static size_t few_lines(const char *text)
{
	const char *end = text;

	for (unsigned i = 0; i < 6 && *end; i++) {
		end += strcspn(end, "\n");
		end += *end != '\0';
	}
	return (size_t)(end - text);
}

static bool execute(struct command *cmd, struct printed *printed)
{
	int status = start(cmd, printed);

	if (!status)
		return true;
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIP) {
		char *said = printed->out[0] ? printed->out : printed->err;

		fprintf(stderr, "compare: left out: %s\n", last_line(said));
		return false;
	}
	fprintf(stderr, "compare: failed with %s %d:", WIFSIGNALED(status) ? "signal" : "status",
		WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	for (unsigned i = 0; i < cmd->n; i++)
		fprintf(stderr, " %s", cmd->argv[i]);
	/* The library's statistics may follow what matters. */
	fprintf(stderr, "\n%.*s", (int)few_lines(printed->err), printed->err);
	return false;
}

/*
 * The number that follows a name in text, on the same line. NAN if the name is not there as a whole word.
 */
static double number_after(const char *text, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = text; (p = strstr(p, name)); p += len) {
		const char *q = p + len;

		if ((p > text && (isalnum((unsigned char)p[-1]) || p[-1] == '_')) ||
		    isalnum((unsigned char)*q) || *q == '_')
			continue;
		while (*q && *q != '\n' && !isdigit((unsigned char)*q) && *q != '-')
			q++;
		if (isdigit((unsigned char)*q) || *q == '-')
			return strtod(q, NULL);
	}
	return NAN;
}

/*
 * The library's own counters (lib/stats.h), printed on stderr at exit. None at all say nothing: they
 * do not show what an allocator zaps that the library does not serve.
 */
static void read_counters(const char *err, struct values *out)
{
	static const char *const every[] = {
		"sys_madvise",	       "sys_madvise_reuse",
		"sys_process_madvise", "sys_process_madvise_reuse",
		"sys_populate",	       "sys_mincore",
		"sys_remap",	       "sys_map",
		"sys_futex",	       "sys_other",
	};
	double all = 0, zaps = fmax(0, number_after(err, "sys_madvise"));

	zaps += fmax(0, number_after(err, "sys_process_madvise"));
	zaps += fmax(0, number_after(err, "sys_remap"));
	if (zaps <= 0)
		return;
	for (size_t i = 0; i < sizeof(every) / sizeof(every[0]); i++)
		all += fmax(0, number_after(err, every[i]));
	out->v[M_ZAPS] = zaps;
	out->v[M_COMMIT_ZAPS] = number_after(err, "sys_madvise_reuse") +
				fmax(0, number_after(err, "sys_process_madvise_reuse"));
	out->v[M_CALLS] = all;
}

bool run_preloadable(const char *library)
{
	struct command cmd = {.n = 0};
	struct printed printed;

	add(&cmd, "env", "");
	add(&cmd, "LD_PRELOAD=", library);
	add(&cmd, "true", "");
	int status = start(&cmd, &printed);

	printed_free(&printed);
	return !status;
}

bool run_line(const char *const *argv, char *line, size_t cap)
{
	struct command cmd = {.n = 0};
	struct printed printed;

	while (*argv)
		add(&cmd, *argv++, "");
	int status = start(&cmd, &printed);

	snprintf(line, cap, "%.*s", (int)strcspn(printed.out, "\n"), printed.out);
	if (!line[0])
		snprintf(line, cap, "%.*s", (int)strcspn(printed.err, "\n"), printed.err);
	printed_free(&printed);
	return !status;
}

static void read_members(const char *text, struct values *out)
{
	for (unsigned i = 0; i < METRIC_COUNT; i++) {
		if (metric_info[i].member)
			out->v[i] = json_number(text, metric_info[i].member);
	}
	if (isnan(out->v[M_CPU]))
		out->v[M_CPU] = out->v[M_USER] + out->v[M_SYSTEM];
}

/* Benches that stand on what is not on every machine; the others are there as this one is. */
static bool is_built(const struct work *w)
{
	char path[sizeof(settings.bench) + 16];

	switch (w->program) {
	case RUN_REAL:
		snprintf(path, sizeof(path), BENCH_SOURCE "/real");
		break;
	case RUN_INSTRUCTIONS:
		snprintf(path, sizeof(path), BENCH_SOURCE "/instructions");
		break;
	case RUN_MICRO:
		snprintf(path, sizeof(path), "%s/micro", settings.bench);
		break;
	default:
		return true;
	}
	if (!access(path, X_OK))
		return true;
	fprintf(stderr, "compare: left out: %s: %s\n", path, strerror(errno));
	return false;
}

/* Lines of one object each become the elements of one member. */
static char *list_of_lines(const char *lines)
{
	static const char head[] = "{\"events\": [", tail[] = "]}\n";
	size_t cap = strlen(lines) + sizeof(head) + sizeof(tail), n;
	char *text = malloc(cap);

	if (!text) {
		perror("compare");
		exit(1);
	}
	n = (size_t)snprintf(text, cap, "%s", head);
	for (const char *p = lines; *p; p++) {
		/* The last break ends the list. */
		if (*p != '\n')
			text[n++] = *p;
		else if (p[1])
			text[n++] = ',';
	}
	snprintf(text + n, cap - n, "%s", tail);
	return text;
}

bool run_once(const struct peer *p, const struct work *w, struct values *out, char **text)
{
	struct command cmd = {.n = 0};
	struct printed printed;

	values_clear(out);
	if (!is_built(w))
		return false;
	add_program(&cmd, p, w);
	bool ok = execute(&cmd, &printed);

	if (ok) {
		read_members(printed.out, out);
		if (p && p->ours)
			read_counters(printed.err, out);
		if (text && w->program == RUN_INSTRUCTIONS) {
			*text = list_of_lines(printed.out);
		} else if (text) {
			*text = printed.out;
			printed.out = NULL;
		}
	}
	printed_free(&printed);
	return ok;
}

/* The line of strace -c's table: `% time, seconds, usecs/call, calls, [errors,] syscall`. */
static double strace_line(char *line, const char *name)
{
	const char *word[6] = {NULL};
	char *save = NULL;
	unsigned n = 0;

	for (char *w = strtok_r(line, " \n", &save); w && n < 6; w = strtok_r(NULL, " \n", &save))
		word[n++] = w;
	return n >= 5 && !strcmp(word[n - 1], name) ? strtod(word[3], NULL) : 0;
}

static double strace_calls(const char *path, const char *name)
{
	FILE *f = fopen(path, "r");
	char line[256];
	double calls = 0;

	while (f && fgets(line, sizeof(line), f))
		calls += strace_line(line, name);
	if (f)
		(void)fclose(f);
	return calls;
}

bool run_strace(const struct peer *p, const struct work *w, struct values *out)
{
	static const char *const beside[] = {"mincore", "mmap", "munmap", "futex", "poll", "ppoll"};
	struct command cmd = {.n = 0};
	struct printed printed;
	char path[] = "/tmp/ptreclaim-compare-XXXXXX";
	int fd = mkstemp(path);

	values_clear(out);
	if (fd < 0) {
		perror("compare: mkstemp");
		return false;
	}
	close(fd);
	add(&cmd, "strace", "");
	add(&cmd, "-f", "");
	/* Stop only at what is counted; all else runs at full speed. */
	add(&cmd, "--seccomp-bpf", "");
	add(&cmd, "-c", "");
	add(&cmd, "-o", "");
	add(&cmd, path, "");
	add(&cmd, "-e", "");
	add(&cmd, "trace=madvise,process_madvise,mincore,mmap,munmap,futex,poll,ppoll", "");
	add_program(&cmd, p, w);
	bool ok = execute(&cmd, &printed);

	printed_free(&printed);
	if (ok) {
		out->v[M_ZAPS] =
			strace_calls(path, "madvise") + strace_calls(path, "process_madvise");
		out->v[M_CALLS] = out->v[M_ZAPS];
		for (size_t i = 0; i < sizeof(beside) / sizeof(beside[0]); i++)
			out->v[M_CALLS] += strace_calls(path, beside[i]);
	}
	unlink(path);
	return ok;
}
