/* SPDX-License-Identifier: BSD-2-Clause */
/* report - how a process's page tables are shown, in a row or as JSON. */
#ifndef PTR_REPORT_H
#define PTR_REPORT_H

#include "floor.h"

#include <stdio.h>

struct process {
	pid_t pid;
	struct floor_report r;
};

void report_header(void);
void report_row(const struct process *p);
void report_totals(size_t processes, const struct floor_report *t);

/* One JSON object without a line break after it. */
void report_json(FILE *f, const struct process *p);

/* Why a process could not be measured: err is what floor_measure returned. */
const char *report_error(int err);

#endif
