// SPDX-License-Identifier: BSD-2-Clause
/* ptreclaim stat - what the library does in a process, interval by interval, as vmstat(8) shows it. */
#include "cmd.h"
#include "json.h"
#include "remote.h"
#include "report.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NS	     1e9
#define LINES	     20 /* from header to header */
#define INTERVAL_MAX 86400.0

static struct {
	double interval; /* seconds; 0: none was given */
	int count;	 /* 0: until the process ends */
	bool json, floor;
} opts;

struct sample {
	struct page_image page;
	uint64_t at_ns;
	bool measured; /* tables is filled */
	struct floor_report tables;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint64_t value(const struct page_image *p, const char *name)
{
	uint64_t v = 0;

	(void)page_value(p, name, &v);
	return v;
}

static const char *text(const struct page_image *p, const char *name)
{
	const char *s = page_text(p, name);

	return s && *s ? s : "unknown";
}

static const char *mode(const struct page_image *p)
{
	return value(p, "killed") ? "killed" : text(p, "mode");
}

/* Calls that zap pages, on behalf of flushes and of reuses. */
static uint64_t zapping_calls(const struct page_image *p)
{
	return value(p, "sys_madvise") + value(p, "sys_madvise_reuse") +
	       value(p, "sys_process_madvise") + value(p, "sys_process_madvise_reuse") +
	       value(p, "sys_remap");
}

static double per_second(uint64_t from, uint64_t to, double seconds)
{
	return to > from && seconds > 0 ? (double)(to - from) / seconds : 0;
}

static void print_header(void)
{
	(void)printf(
		"------- ---- kB now ---- ------------ kB per second ------------ - per second "
		"- - kB -%s\n",
		opts.floor ? " ------ kB now -------" : "");
	(void)printf("%-7s %8s %8s %9s %9s %9s %9s %7s %7s %7s%s\n", "mode", "pending", "kept",
		     "released", "deferred", "cancelled", "zapped", "freed", "calls", "failed",
		     opts.floor ? "   VmPTE   floor   waste" : "");
}

static void print_row(const struct sample *s, const struct page_image *before, double seconds)
{
	static const char *const kb_rates[] = {"released", "deferred", "cancelled", "zapped"};
	const struct page_image *p = &s->page;
	char shown[8];

	plain_string(shown, sizeof(shown), mode(p));
	(void)printf("%-7s %8" PRIu64 " %8" PRIu64, shown, value(p, "pending") / 1024,
		     value(p, "kept_now") / 1024);
	for (unsigned i = 0; i < sizeof(kb_rates) / sizeof(kb_rates[0]); i++)
		(void)printf(" %9.0f", per_second(value(before, kb_rates[i]), value(p, kb_rates[i]),
						  seconds) /
					       1024);
	(void)printf(" %7.0f %7.0f %7" PRIu64,
		     per_second(value(before, "regions_freed"), value(p, "regions_freed"), seconds),
		     per_second(zapping_calls(before), zapping_calls(p), seconds),
		     (value(p, "failed") - value(before, "failed")) / 1024);
	if (s->measured)
		(void)printf(" %7" PRIu64 " %7" PRIu64 " %7" PRIu64, s->tables.vmpte_kb,
			     s->tables.floor_kb, s->tables.waste_kb);
	(void)putchar('\n');
}

static void print_json(pid_t pid, const struct sample *s, double seconds)
{
	static const char *const texts[] = {"version", "allocator", "mode", "backend"};
	const struct page_image *p = &s->page;

	(void)printf("{\"pid\": %d, \"interval_s\": %.6f", (int)pid, seconds);
	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		(void)printf(", \"%s\": ", texts[i]);
		json_string(stdout, text(p, texts[i]));
	}
	(void)printf(", \"killed\": %s, \"writes\": %" PRIu64 ", \"values\": {",
		     value(p, "killed") ? "true" : "false", p->seq / 2);
	for (uint64_t i = 0; i < p->values; i++) {
		(void)fputs(i ? ", " : "", stdout);
		json_string(stdout, p->value[i].name);
		(void)printf(": %" PRIu64, p->value[i].value);
	}
	(void)fputs("}, \"tables\": ", stdout);
	if (s->measured)
		(void)printf("{\"vmpte_kb\": %" PRIu64 ", \"floor_kb\": %" PRIu64
			     ", \"waste_kb\": %" PRIu64 "}",
			     s->tables.vmpte_kb, s->tables.floor_kb, s->tables.waste_kb);
	else
		(void)fputs("null", stdout);
	(void)puts("}");
}

/* Seconds that a line is about: since the line before, or since counting began. */
static double period(const struct sample *s, const struct sample *before)
{
	const struct page_image *p = &s->page;
	uint64_t end = p->written_ns;

	if (before)
		return (double)(s->at_ns - before->at_ns) / NS;
	/* Its clock is ours, unless it is in a time namespace of its own. */
	if (s->at_ns > end)
		end = s->at_ns;
	return end > p->since_ns ? (double)(end - p->since_ns) / NS : 0;
}

static int refuse(pid_t pid, int err, const struct page_image *image)
{
	static const struct {
		int err;
		const char *why;
	} known[] = {
		{-ENOENT, "libptreclaim is not in this process"},
		{-ENODATA,
		 "libptreclaim is in this process and keeps no statistics page: its mode is "
		 "off, or there is nothing for it to do"},
		{-ESTALE, "the only statistics page in this process is that of another one: of its "
			  "parent's, if nothing has happened since the fork"},
		{-EAGAIN, "its statistics page is always being written"},
		{-EPERM, "not allowed to look: it takes the right to trace the process"},
		{-EACCES, "not allowed to look: it takes the right to trace the process"},
	};

	if (err == -EPROTONOSUPPORT) {
		complain("stat: %d: its libptreclaim is newer than this command (page layout "
			 "%" PRIu64 ", known up to %d)",
			 (int)pid, image->layout, PAGE_LAYOUT);
		return EXIT_FAILED;
	}
	for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (known[i].err != err)
			continue;
		complain("stat: %d: %s", (int)pid, known[i].why);
		return EXIT_FAILED;
	}
	complain("stat: %d: %s", (int)pid, report_error(err));
	return EXIT_FAILED;
}

/* Wait for the process to end, until a time. pidfd -1: it cannot be waited for. */
static bool ends_before(int pidfd, uint64_t until)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};
	uint64_t now = now_ns(), left = until > now ? until - now : 0;
	struct timespec ts = {
		.tv_sec = (time_t)(left / 1000000000u),
		.tv_nsec = (long)(left % 1000000000u),
	};

	return ppoll(&p, 1, &ts, NULL) > 0;
}

/* A page that is gone since the last look: the process has executed another program. Its page is there
 * when the dynamic linker is through with it. */
static int find_again(struct remote *r, struct sample *s, int pidfd)
{
	int err = -ENOENT;

	for (unsigned i = 0; i < 100; i++) {
		err = remote_find(r, &s->page);
		if (err != -ENOENT && err != -ENODATA && err != -ESTALE)
			break;
		if (ends_before(pidfd, now_ns() + 10000000))
			return -ESRCH;
	}
	return err;
}

static int look(struct remote *r, struct sample *s, int pidfd)
{
	int err = r->at ? remote_read(r, &s->page) : remote_find(r, &s->page);

	if (err == -ENOMSG || err == -EFAULT)
		err = find_again(r, s, pidfd);
	s->at_ns = now_ns();
	s->measured = !err && opts.floor && !floor_measure(r->pid, &s->tables);
	return err;
}

static int ended(pid_t pid)
{
	int status = finish_output();

	complain("stat: process %d has ended", (int)pid);
	return status;
}

static int watch(pid_t pid)
{
	static struct sample samples[2];
	static const struct page_image nothing;
	struct remote r = {.pid = pid};
	/* Before anything else: from here on the pid cannot come to mean another process unnoticed. */
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	const struct sample *before = NULL;
	uint64_t start = now_ns();

	for (int n = 0; !opts.count || n < opts.count; n++) {
		struct sample *s = &samples[n % 2];
		int err;

		if (n) {
			uint64_t step = (uint64_t)(opts.interval * NS);

			/* On time however long a line took, and none in a row to catch up. */
			start += step;
			if (start <= now_ns())
				start = now_ns() + step;
			if (ends_before(pidfd, start))
				return ended(pid);
		}
		err = look(&r, s, pidfd);
		if (err && n && (err == -ESRCH || ends_before(pidfd, 0)))
			return ended(pid);
		if (err)
			return refuse(pid, err, &s->page);
		/* Another page, with counters that began anew. */
		if (before && before->page.since_ns != s->page.since_ns)
			before = NULL;
		if (opts.json) {
			print_json(pid, s, period(s, before));
		} else {
			if (n % LINES == 0)
				print_header();
			print_row(s, before ? &before->page : &nothing, period(s, before));
		}
		/* Whoever reads a pipe wants each line when it is true. */
		if (fflush(stdout))
			return finish_output();
		before = s;
	}
	return finish_output();
}

static double parse_seconds(const char *s)
{
	char *end;
	double v;

	/* strtod would accept blanks, signs, hexadecimals and infinity. */
	if (strspn(s, "0123456789.") != strlen(s))
		return 0;
	v = strtod(s, &end);
	return end == s || *end || v < 0.001 || v > INTERVAL_MAX ? 0 : v;
}

int cmd_stat(int argc, char **argv)
{
	static const struct option options[] = {
		{"interval", required_argument, NULL, 'i'}, {"count", required_argument, NULL, 'n'},
		{"floor", no_argument, NULL, 'f'},	    {"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},	    {0},
	};
	pid_t pid;
	int c;

	while ((c = getopt_long(argc, argv, ":i:n:fjh", options, NULL)) != -1) {
		switch (c) {
		case 'i':
			opts.interval = parse_seconds(optarg);
			if (opts.interval == 0)
				return usage_error("stat: '%s' is not an interval in seconds",
						   optarg);
			break;
		case 'n':
			opts.count = parse_positive(optarg);
			if (!opts.count)
				return usage_error("stat: '%s' is not a number of lines", optarg);
			break;
		case 'f':
			opts.floor = true;
			break;
		case 'j':
			opts.json = true;
			break;
		default:
			return other_option(c, argv);
		}
	}
	if (argc - optind != 1)
		return usage_error("stat: %s", argc == optind ? "no PID given" : "one PID only");
	pid = parse_positive(argv[optind]);
	if (!pid) {
		complain("stat: '%s' is not a process id", argv[optind]);
		return EXIT_FAILED;
	}
	/* As vmstat: one line since the start, unless more is asked for. */
	if (opts.interval == 0 && !opts.count)
		opts.count = 1;
	if (opts.interval == 0)
		opts.interval = 1;
	return watch(pid);
}
