// SPDX-License-Identifier: BSD-2-Clause
/* compare_run - start one program with one side's environment, and read what it reports. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compare.h"

#define MAX_ARGS 40
#define TEXT	 65536

struct command {
	char *argv[MAX_ARGS];
	unsigned n;
	char text[8192]; /* what argv points into */
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

static void add_preload(struct command *cmd, const char *first, const char *second)
{
	char buf[8192];

	snprintf(buf, sizeof(buf), "%s:%s", first, second);
	add(cmd, "LD_PRELOAD=", buf);
}

static void add_jemalloc(struct command *cmd, const struct config *c)
{
	char buf[128], decay[64] = "";

	if (c->setting != SETTING_DEFAULT)
		snprintf(decay, sizeof(decay), "dirty_decay_ms:%d,", c->setting);
	snprintf(buf, sizeof(buf), "%sbackground_thread:%s", decay,
		 c->background ? "true" : "false");
	add(cmd, "MALLOC_CONF=", buf);
}

static void add_tcmalloc(struct command *cmd, const struct config *c)
{
	char rate[16];

	/* The caller's own would make something else of the default. */
	add(cmd, "--unset=TCMALLOC_AGGRESSIVE_DECOMMIT", "");
	add(cmd, "--unset=TCMALLOC_RELEASE_RATE", "");
	snprintf(rate, sizeof(rate), "%d", c->setting);
	if (c->setting == SETTING_AGGRESSIVE)
		add(cmd, "TCMALLOC_AGGRESSIVE_DECOMMIT=1", "");
	else if (c->setting != SETTING_DEFAULT)
		add(cmd, "TCMALLOC_RELEASE_RATE=", rate);
}

/* Environment goes through env(1) and not through ours: strace must not be preloaded itself. */
static void add_environment(struct command *cmd, const struct settings *s, const struct config *c,
			    enum side side)
{
	const char *allocator = s->allocator[c->allocator];
	char buf[8192];

	add(cmd, "env", "");
	if (c->allocator == TCMALLOC)
		add_tcmalloc(cmd, c);
	else
		add_jemalloc(cmd, c);
	if (side == STOCK)
		add(cmd, "LD_PRELOAD=", allocator);
	else if (c->allocator == TCMALLOC)
		/* The library takes tcmalloc's place at its functions by coming before it. */
		add_preload(cmd, s->library, allocator);
	else
		add_preload(cmd, allocator, s->library);
	snprintf(buf, sizeof(buf), "stats_print:true%s%s%s%s", c->backend ? ",backend:" : "",
		 c->backend ? c->backend : "", s->conf ? "," : "", s->conf ? s->conf : "");
	add(cmd, "PTRECLAIM_CONF=", buf);
}

static void add_program(struct command *cmd, const struct settings *s, const struct config *c)
{
	add(cmd, s->bench, c->pair ? "/pair" : "/churn");
	add(cmd, "--json", "");
	if (c->pair)
		return;
	add(cmd, "--profile", "");
	add(cmd, c->profile, "");
	add(cmd, "--touch", "");
	add(cmd, c->touch, "");
	add_number(cmd, "--threads", c->threads);
	add_number(cmd, "--cycles", s->cycles);
	if (s->live) {
		add(cmd, "--live", "");
		add(cmd, s->live, "");
	}
}

static void slurp(FILE *f, char *buf, size_t cap)
{
	rewind(f);
	buf[fread(buf, 1, cap - 1, f)] = '\0';
}

/* Run to its end: its wait status. What it wrote comes back in out and err, each of TEXT bytes. */
static int start(struct command *cmd, char *out, char *err)
{
	FILE *fout = tmpfile(), *ferr = tmpfile();
	int status = -1;

	if (!fout || !ferr) {
		perror("compare: tmpfile");
		exit(1);
	}
	pid_t pid = fork();

	if (!pid) {
		dup2(fileno(fout), STDOUT_FILENO);
		dup2(fileno(ferr), STDERR_FILENO);
		execvp(cmd->argv[0], cmd->argv);
		_exit(127);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	slurp(fout, out, TEXT);
	slurp(ferr, err, TEXT);
	fclose(fout);
	fclose(ferr);
	/* ld.so only warns, and another malloc would be measured under the allocator's name. */
	return strstr(err, "cannot be preloaded") ? -1 : status;
}

static bool execute(struct command *cmd, char *out, char *err)
{
	int status = start(cmd, out, err);

	if (!status)
		return true;
	fprintf(stderr, "compare: failed with %s %d:", WIFSIGNALED(status) ? "signal" : "status",
		WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	for (unsigned i = 0; i < cmd->n; i++)
		fprintf(stderr, " %s", cmd->argv[i]);
	fprintf(stderr, "\n%s", err);
	return false;
}

/*
 * The number that follows a name in text or JSON, on the same line: `name: 12`, `"name": 12`,
 * `name ........ 12`. NAN if the name is not there as a whole word.
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

static void values_clear(struct values *v)
{
	for (unsigned i = 0; i < METRIC_COUNT; i++)
		v->v[i] = NAN;
}

/*
 * The library's own counters (lib/stats.h), printed on stderr at exit. None at all say nothing: they
 * do not show what an allocator zaps that the library does not serve.
 */
static void read_counters(const char *err, struct values *out)
{
	static const char *const every[] = {
		"sys_madvise",
		"sys_madvise_reuse",
		"sys_process_madvise",
		"sys_process_madvise_reuse",
		"sys_populate",
		"sys_mincore",
		"sys_remap",
		"sys_map",
		"sys_futex",
		"sys_other",
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
	static char text[TEXT], err[TEXT];
	struct command cmd = {.n = 0};

	add(&cmd, "env", "");
	add(&cmd, "LD_PRELOAD=", library);
	add(&cmd, "true", "");
	return !start(&cmd, text, err);
}

bool run_once(const struct settings *s, const struct config *c, enum side side, struct values *out)
{
	static char text[TEXT], err[TEXT];
	struct command cmd = {.n = 0};

	add_environment(&cmd, s, c, side);
	add_program(&cmd, s, c);
	values_clear(out);
	if (!execute(&cmd, text, err))
		return false;
	for (unsigned i = 0; i < METRIC_COUNT; i++) {
		if (metric_info[i].member)
			out->v[i] = number_after(text, metric_info[i].member);
	}
	if (side == OURS)
		read_counters(err, out);
	return true;
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

bool run_strace(const struct settings *s, const struct config *c, enum side side,
		struct values *out)
{
	static char text[TEXT], err[TEXT];
	static const char *const beside[] = {"mincore", "mmap", "munmap", "futex", "poll", "ppoll"};
	struct command cmd = {.n = 0};
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
	add_environment(&cmd, s, c, side);
	add_program(&cmd, s, c);
	bool ok = execute(&cmd, text, err);

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
