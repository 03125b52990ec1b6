// SPDX-License-Identifier: BSD-2-Clause
/* ptreclaim floor - one process. */
#include "cmd.h"
#include "report.h"

#include <getopt.h>
#include <stdio.h>

static int not_a_pid(const char *text)
{
	complain("floor: '%s' is not a process id", text);
	return EXIT_FAILED;
}

int cmd_floor(int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	bool json = false;
	struct process p;
	int c, err;

	/* A negative number is a bad pid and no option. */
	for (int i = 1; i < argc; i++)
		if (argv[i][0] == '-' && argv[i][1] >= '0' && argv[i][1] <= '9')
			return not_a_pid(argv[i]);
	while ((c = getopt_long(argc, argv, ":jh", options, NULL)) != -1) {
		if (c != 'j')
			return other_option(c, argv);
		json = true;
	}
	if (argc - optind != 1)
		return usage_error("floor: %s", argc == optind ? "no PID given" : "one PID only");
	p.pid = parse_positive(argv[optind]);
	if (!p.pid)
		return not_a_pid(argv[optind]);
	err = floor_measure(p.pid, &p.r);
	if (err) {
		complain("floor: %d: %s", (int)p.pid, report_error(err));
		return EXIT_FAILED;
	}
	if (json) {
		report_json(stdout, &p);
		(void)putchar('\n');
	} else {
		report_header();
		report_row(&p);
	}
	return finish_output();
}
