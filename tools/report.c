// SPDX-License-Identifier: BSD-2-Clause
/* report - see report.h. */
#include "report.h"

#include "json.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

void report_header(void)
{
	(void)printf("%8s %-15s %12s %11s %9s %9s %9s\n", "PID", "COMM", "VIRT", "RSS", "VmPTE",
		     "floor", "waste");
}

static void row(const char *id, const char *comm, const struct floor_report *r)
{
	(void)printf("%8s %-15s %12" PRIu64 " %11" PRIu64 " %9" PRIu64 " %9" PRIu64 " %9" PRIu64
		     "\n",
		     id, comm, r->virt_kb, r->rss_kb, r->vmpte_kb, r->floor_kb, r->waste_kb);
}

void report_row(const struct process *p)
{
	char pid[16], comm[sizeof(p->r.comm)];

	(void)snprintf(pid, sizeof(pid), "%d", (int)p->pid);
	plain_string(comm, sizeof(comm), p->r.comm);
	row(pid, comm, &p->r);
}

void report_totals(size_t processes, const struct floor_report *t)
{
	char comm[32];

	(void)snprintf(comm, sizeof(comm), "%zu processes", processes);
	row("total", comm, t);
}

void report_json(FILE *f, const struct process *p)
{
	const struct floor_report *r = &p->r;

	(void)fprintf(f, "{\"pid\": %d, \"comm\": ", (int)p->pid);
	json_string(f, r->comm);
	(void)fprintf(f,
		      ", \"virt_kb\": %" PRIu64 ", \"rss_kb\": %" PRIu64 ", \"vmpte_kb\": %" PRIu64
		      ", \"floor_kb\": %" PRIu64 ", \"waste_kb\": %" PRIu64
		      ", \"regions\": %" PRIu64 ", \"pmd_tables\": %" PRIu64
		      ", \"pud_tables\": %" PRIu64 ", \"vmas\": %" PRIu64 "}",
		      r->virt_kb, r->rss_kb, r->vmpte_kb, r->floor_kb, r->waste_kb, r->regions,
		      r->pmd_tables, r->pud_tables, r->vmas);
}

const char *report_error(int err)
{
	if (err == -ESRCH)
		return "no such process, or it has no address space";
	if (err == -EACCES || err == -EPERM)
		return "not allowed to look";
	return strerror(-err);
}
