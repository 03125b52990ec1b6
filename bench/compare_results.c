// SPDX-License-Identifier: BSD-2-Clause
/*
 * compare_results - the results file: the machine, the versions, the peers, every run as it reported itself,
 * and what was judged. bench/report and scripts/readme-figures read it (bench/results.jq).
 */
#include "config.h"
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "compare.h"
#include "compare_json.h"
#include "compare_suites.h"

#define SCHEMA 1

/* Of which package each library is, for its version. */
static const struct package {
	const char *library, *package;
} packages[] = {
	{"jemalloc", "libjemalloc2"},
	{"tcmalloc", "libtcmalloc-minimal4"},
	{"mimalloc", "libmimalloc2.0"},
	{"glibc", "libc6"},
};

/* What follows the colon of the first line of a file in /proc that begins with a name. */
static void proc_value(const char *path, const char *name, char *buf, size_t cap)
{
	FILE *f = fopen(path, "r");
	char line[512];

	snprintf(buf, cap, "unknown");
	while (f && fgets(line, sizeof(line), f)) {
		char *colon = strchr(line, ':');

		if (strncmp(line, name, strlen(name)) != 0 || !colon)
			continue;
		colon += 1 + strspn(colon + 1, " \t");
		colon[strcspn(colon, "\n")] = '\0';
		snprintf(buf, cap, "%s", colon);
		break;
	}
	if (f)
		(void)fclose(f);
}

/* "Intel(R) Xeon(R) Processor" -> "intel-xeon-processor". */
static void slug(const char *name, char *buf, size_t cap)
{
	size_t n = 0;

	for (const char *p = name; *p && n + 2 < cap; p++) {
		if (!strncmp(p, "(R)", 3) || !strncmp(p, "(r)", 3)) {
			p += 2;
		} else if (!strncmp(p, "(TM)", 4) || !strncmp(p, "(tm)", 4)) {
			p += 3;
		} else if (isalnum((unsigned char)*p)) {
			buf[n++] = (char)tolower((unsigned char)*p);
		} else if (n && buf[n - 1] != '-') {
			buf[n++] = '-';
		}
	}
	while (n && buf[n - 1] == '-')
		n--;
	buf[n] = '\0';
}

static void date(char *buf, size_t cap)
{
	time_t now = time(NULL);
	struct tm tm;

	if (!gmtime_r(&now, &tm) || !strftime(buf, cap, "%Y-%m-%d", &tm))
		snprintf(buf, cap, "undated");
}

static void write_member(FILE *f, const char *name, const char *value)
{
	json_write_string(f, name);
	fputs(": ", f);
	if (value[0])
		json_write_string(f, value);
	else
		fputs("null", f);
	fputs(",\n", f);
}

static void write_machine(FILE *f)
{
	static const char *const describe[] = {"git",	      "-C",	     BENCH_SOURCE,
					       "describe",    "--always",    "--dirty",
					       "--exclude=*", "--abbrev=12", NULL};
	char buf[512], today[32], cpu[256];
	struct utsname uts;

	date(today, sizeof(today));
	proc_value("/proc/cpuinfo", "model name", cpu, sizeof(cpu));
	write_member(f, "date", today);
	write_member(f, "cpu", cpu);
	fprintf(f, "\"cpus\": %ld,\n", sysconf(_SC_NPROCESSORS_ONLN));
	proc_value("/proc/meminfo", "MemTotal", buf, sizeof(buf));
	fprintf(f, "\"memory_kb\": %lu,\n", strtoul(buf, NULL, 10));
	write_member(f, "kernel", uname(&uts) ? "" : uts.release);
	/* Changes that are in no commit are said, too. */
	write_member(f, "commit", run_line(describe, buf, sizeof(buf)) ? buf : "");
}

static void write_versions(FILE *f)
{
	fputs("\"versions\": {\"ptreclaim\": \"" PACKAGE_VERSION "\"", f);
	for (size_t i = 0; i < sizeof(packages) / sizeof(packages[0]); i++) {
		const char *const query[] = {"dpkg-query",	  "-W", "-f", "${Version}",
					     packages[i].package, NULL};
		char version[128];

		if (!run_line(query, version, sizeof(version)))
			continue;
		fprintf(f, ", \"%s\": ", packages[i].library);
		json_write_string(f, version);
	}
	fputs("},\n", f);
}

/* Without the folders: they say where somebody's tree lies. */
static void write_preload(FILE *f, const char *preload)
{
	char text[sizeof(peers[0].preload)] = "", copy[sizeof(text)], *save = NULL;
	size_t used = 0;

	snprintf(copy, sizeof(copy), "%s", preload);
	for (char *p = strtok_r(copy, ":", &save); p; p = strtok_r(NULL, ":", &save)) {
		const char *slash = strrchr(p, '/');

		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", used ? ":" : "",
					 slash ? slash + 1 : p);
	}
	json_write_string(f, text);
}

static void write_peer(FILE *f, const struct peer *p)
{
	fputs("  {\"name\": ", f);
	json_write_string(f, p->name);
	fputs(", \"allocator\": ", f);
	json_write_string(f, p->allocator);
	fputs(", \"setting\": ", f);
	json_write_string(f, p->setting);
	fprintf(f, ", \"ptreclaim\": %s, \"environment\": {", p->ours ? "true" : "false");
	for (unsigned i = 0; i < p->var_count; i++) {
		char var[sizeof(p->vars[0])];

		snprintf(var, sizeof(var), "%s", p->vars[i]);
		char *value = strchr(var, '=');

		if (value)
			*value++ = '\0';
		fputs(i ? ", " : "", f);
		json_write_string(f, var);
		fputs(": ", f);
		json_write_string(f, value ? value : "");
	}
	fputs("}, \"preload\": ", f);
	write_preload(f, p->preload);
	fputc('}', f);
}

/* What the run says itself is not said for it. */
static void write_own(FILE *f, const char *text, const char *name, const char *value)
{
	if (json_member(text, name))
		return;
	fprintf(f, ", \"%s\": ", name);
	if (value)
		json_write_string(f, value);
	else
		fputs("null", f);
}

static void write_counted(FILE *f, const char *name, double v)
{
	if (isnan(v))
		return;
	fprintf(f, ", \"%s\": ", name);
	json_write_number(f, v);
}

static bool is_soak(const struct work *w)
{
	return w->workload && !strcmp(w->workload, "soak");
}

static void write_run(FILE *f, const struct run *r)
{
	static const char *const suite[] = {"churn", "pair",  "idle",
					    "real",  "micro", "instructions"};
	const struct work *w = &r->row->work;
	const char *text = r->text ? r->text : "{}";

	fprintf(f, "  {\"suite\": \"%s\", \"part\": \"%s\"", suite[w->program], row_part(r->row));
	fputs(", \"peer\": ", f);
	if (r->peer)
		json_write_string(f, r->peer->name);
	else
		fputs("null", f);
	fprintf(f, ", \"repeat\": %u, \"timed\": %s, \"latency\": %s", r->repeat,
		r->timed ? "true" : "false", w->latency ? "true" : "false");
	write_own(f, text, "workload",
		  w->workload		    ? w->workload
		  : w->program == RUN_CHURN ? "churn"
					    : suite[w->program]);
	if (w->program == RUN_CHURN) {
		write_own(f, text, "profile", w->profile);
		write_own(f, text, "touch", w->touch);
		write_own(f, text, "fill", w->fill ? w->fill : "bytes");
		write_own(f, text, "calls", w->calls ? w->calls : "all");
		if (!json_member(text, "threads"))
			fprintf(f, ", \"threads\": %u", w->threads);
	}
	write_counted(f, "zap_calls", r->v.v[M_ZAPS]);
	write_counted(f, "reuse_zap_calls", r->v.v[M_COMMIT_ZAPS]);
	write_counted(f, "library_calls", r->v.v[M_CALLS]);
	/* An object without members has no comma before it. */
	if (strchr(text, '"')) {
		fputs(", ", f);
		/* Where time counts nobody looked at the floor: that series is of no use. */
		json_write_members(f, text, r->timed && !is_soak(w) ? "series" : NULL);
	}
	fputc('}', f);
}

static void write_goal(FILE *f, const struct target *t)
{
	fputs("  {\"name\": ", f);
	json_write_string(f, t->name);
	fputs(", \"value\": ", f);
	json_write_number(f, t->value);
	fputs(", \"limit\": ", f);
	json_write_number(f, t->limit);
	fprintf(f, ", \"at_least\": %s, \"met\": %s, \"note\": ", t->at_least ? "true" : "false",
		t->met ? "true" : "false");
	json_write_string(f, t->note);
	fputc('}', f);
}

void results_write(FILE *f)
{
	fprintf(f, "{\n\"schema\": %d,\n", SCHEMA);
	write_machine(f);
	write_versions(f);
	fputs("\"peers\": [\n", f);
	for (unsigned i = 0; i < peer_count; i++) {
		fputs(i ? ",\n" : "", f);
		write_peer(f, &peers[i]);
	}
	fputs("\n],\n\"runs\": [\n", f);
	for (size_t i = 0; i < run_count; i++) {
		fputs(i ? ",\n" : "", f);
		write_run(f, &runs[i]);
	}
	fputs("\n],\n\"goals\": [\n", f);
	for (unsigned i = 0; i < goal_count; i++) {
		fputs(i ? ",\n" : "", f);
		write_goal(f, &goals[i]);
	}
	fputs("\n]\n}\n", f);
}

bool results_save(const char *dir, bool report)
{
	char today[32], cpu[256], name[256], path[4096 + 320], line[256];

	date(today, sizeof(today));
	proc_value("/proc/cpuinfo", "model name", cpu, sizeof(cpu));
	slug(cpu, name, sizeof(name));
	snprintf(path, sizeof(path), "%.4095s/%s-%s.json", dir, today, name);
	if (mkdir(dir, 0777) && errno != EEXIST) {
		fprintf(stderr, "compare: %s: %s\n", dir, strerror(errno));
		return false;
	}
	FILE *f = fopen(path, "w");

	if (f)
		results_write(f);
	if (!f || fclose(f)) {
		fprintf(stderr, "compare: %s: %s\n", path, strerror(errno));
		return false;
	}
	fprintf(stderr, "compare: %s\n", path);
	if (!report)
		return true;
	const char *const make_page[] = {BENCH_SOURCE "/report", path, NULL};
	bool made = run_line(make_page, line, sizeof(line));

	fprintf(stderr, "%s\n", line);
	return made;
}
