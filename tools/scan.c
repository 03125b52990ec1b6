// SPDX-License-Identifier: BSD-2-Clause
/* ptreclaim scan - all processes of the host, those that waste most first. */
#include "cmd.h"
#include "json.h"
#include "report.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How many unreadable processes the closing line names; JSON names all. */
#define NAMED 20

struct unread {
	pid_t pid;
	int err;
	char comm[sizeof(((struct floor_report *)0)->comm)];
};

struct scan {
	struct process *seen;
	struct unread *unread;
	size_t n, n_unread;
};

/* An array that doubles at each power of two; ends the program when there is no memory. */
static void *grow(void *array, size_t n, size_t size)
{
	if (n & (n - 1))
		return array;
	array = reallocarray(array, n ? 2 * n : 1, size);
	if (!array) {
		complain("scan: %s", strerror(ENOMEM));
		exit(EXIT_FAILED);
	}
	return array;
}

static void scan_one(struct scan *s, pid_t pid)
{
	struct process p = {.pid = pid};
	int err = floor_measure(pid, &p.r);

	/* Gone in the meantime, a zombie or a kernel thread. */
	if (err == -ESRCH)
		return;
	if (!err) {
		s->seen = grow(s->seen, s->n, sizeof(*s->seen));
		s->seen[s->n++] = p;
		return;
	}
	s->unread = grow(s->unread, s->n_unread, sizeof(*s->unread));
	struct unread *u = &s->unread[s->n_unread++];

	u->pid = pid;
	u->err = err;
	if (floor_vm(pid, &p.r))
		(void)strcpy(p.r.comm, "?");
	memcpy(u->comm, p.r.comm, sizeof(u->comm));
}

static int scan_all(struct scan *s)
{
	DIR *proc = opendir("/proc");
	const struct dirent *e;

	if (!proc) {
		complain("scan: /proc: %s", strerror(errno));
		return -1;
	}
	while ((e = readdir(proc))) {
		pid_t pid = parse_positive(e->d_name);

		if (pid)
			scan_one(s, pid);
	}
	(void)closedir(proc);
	return 0;
}

static int by_waste(const void *a, const void *b)
{
	const struct process *p = a, *q = b;

	if (p->r.waste_kb != q->r.waste_kb)
		return p->r.waste_kb < q->r.waste_kb ? 1 : -1;
	return p->pid < q->pid ? -1 : p->pid > q->pid;
}

static struct floor_report add_up(const struct scan *s)
{
	struct floor_report t = {0};

	for (size_t i = 0; i < s->n; i++) {
		const struct floor_report *r = &s->seen[i].r;

		t.virt_kb += r->virt_kb;
		t.rss_kb += r->rss_kb;
		t.vmpte_kb += r->vmpte_kb;
		t.floor_kb += r->floor_kb;
		t.waste_kb += r->waste_kb;
	}
	return t;
}

static void print_json(const struct scan *s, size_t top)
{
	struct floor_report t = add_up(s);

	(void)printf("{\"processes\": [");
	for (size_t i = 0; i < top; i++) {
		(void)printf(i ? ",\n  " : "\n  ");
		report_json(stdout, &s->seen[i]);
	}
	(void)printf("],\n \"totals\": {\"processes\": %zu, \"virt_kb\": %" PRIu64
		     ", \"rss_kb\": %" PRIu64 ", \"vmpte_kb\": %" PRIu64 ", \"floor_kb\": %" PRIu64
		     ", \"waste_kb\": %" PRIu64 "},\n \"unreadable\": [",
		     s->n, t.virt_kb, t.rss_kb, t.vmpte_kb, t.floor_kb, t.waste_kb);
	for (size_t i = 0; i < s->n_unread; i++) {
		(void)printf("%s\n  {\"pid\": %d, \"comm\": ", i ? "," : "", (int)s->unread[i].pid);
		json_string(stdout, s->unread[i].comm);
		(void)printf(", \"error\": ");
		json_string(stdout, report_error(s->unread[i].err));
		(void)printf("}");
	}
	(void)printf("]}\n");
}

static void print_table(const struct scan *s, size_t top)
{
	struct floor_report t = add_up(s);

	report_header();
	for (size_t i = 0; i < top; i++)
		report_row(&s->seen[i]);
	report_totals(s->n, &t);
}

/* "3 processes could not be read: 12 (a), 15 (b), 19 (c)" */
static void print_unread(const struct scan *s)
{
	if (!s->n_unread)
		return;
	(void)fprintf(stderr, "ptreclaim: scan: %zu process%s could not be read: ", s->n_unread,
		      s->n_unread == 1 ? "" : "es");
	for (size_t i = 0; i < s->n_unread && i < NAMED; i++) {
		char comm[sizeof(s->unread->comm)];

		plain_string(comm, sizeof(comm), s->unread[i].comm);
		(void)fprintf(stderr, "%s%d (%s)", i ? ", " : "", (int)s->unread[i].pid, comm);
	}
	if (s->n_unread > NAMED)
		(void)fprintf(stderr, " and %zu more", s->n_unread - NAMED);
	(void)fprintf(stderr, "\n");
}

int cmd_scan(int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{"top", required_argument, NULL, 'n'},
		{0},
	};
	struct scan s = {0};
	size_t top = SIZE_MAX;
	bool json = false;
	int c, status;

	while ((c = getopt_long(argc, argv, ":jhn:", options, NULL)) != -1) {
		switch (c) {
		case 'j':
			json = true;
			break;
		case 'n':
			top = (size_t)parse_positive(optarg);
			if (!top)
				return usage_error("scan: '%s' is not a number of processes",
						   optarg);
			break;
		default:
			return other_option(c, argv);
		}
	}
	if (optind != argc)
		return usage_error("scan: unexpected argument '%s'", argv[optind]);
	if (scan_all(&s))
		return EXIT_FAILED;
	if (s.n)
		qsort(s.seen, s.n, sizeof(*s.seen), by_waste);
	if (top > s.n)
		top = s.n;
	if (json)
		print_json(&s, top);
	else
		print_table(&s, top);
	status = finish_output();
	print_unread(&s);
	free(s.seen);
	free(s.unread);
	return status;
}
