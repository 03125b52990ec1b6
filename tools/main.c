// SPDX-License-Identifier: BSD-2-Clause
/* main - choose the subcommand. */
#include "cmd.h"

#include "config.h"
#include "os.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{"run", cmd_run},   {"floor", cmd_floor}, {"scan", cmd_scan},
	{"stat", cmd_stat}, {"probe", cmd_probe},
};

static const char help[] =
	"usage: ptreclaim run [-c CONF] [--] COMMAND [ARGS...]\n"
	"       ptreclaim floor [--json] PID\n"
	"       ptreclaim scan [--json] [-n N]\n"
	"       ptreclaim stat [--json] [-f] [-i SECONDS] [-n N] PID\n"
	"       ptreclaim probe [--json]\n"
	"\n"
	"  run    start COMMAND with libptreclaim preloaded, CONF in force\n"
	"  floor  what the page tables of PID cost, and the least they could cost\n"
	"  scan   the same for all processes, those that waste most first\n"
	"  stat   what the library does in PID, interval by interval\n"
	"  probe  what the running kernel can do\n"
	"\n"
	"  -c, --conf CONF  configuration, \"key:value,key:value\"; later keys win\n"
	"  -j, --json       print JSON\n"
	"  -n, --top N      scan: print the first N processes only\n"
	"  -n, --count N    stat: print N lines\n"
	"  -i, --interval SECONDS  stat: a line every so often\n"
	"  -f, --floor      stat: measure the page tables for each line\n"
	"  -h, --help       print this\n"
	"  -V, --version    print the version\n"
	"\n"
	"Sizes are in kB (1024 bytes). See ptreclaim(1).\n";

__attribute__((format(printf, 1, 0))) static void vcomplain(const char *fmt, va_list ap,
							    const char *tail)
{
	char text[1024];

	/* In one piece, so that lines of several processes do not mix. */
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	(void)fprintf(stderr, "ptreclaim: %s%s\n", text, tail);
}

void complain(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vcomplain(fmt, ap, "");
	va_end(ap);
}

int usage_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vcomplain(fmt, ap, " (see ptreclaim --help)");
	va_end(ap);
	return EXIT_USAGE;
}

int other_option(int c, char **argv)
{
	const char *arg = argv[optind - 1];

	if (c == 'h') {
		(void)fputs(help, stdout);
		return finish_output();
	}
	if (c == ':')
		return usage_error("option '%s' needs a value", arg);
	/* No optopt: a long option nobody knows. '=': one that takes no value. */
	if (!optopt || strchr(arg, '='))
		return usage_error("bad option '%s'", arg);
	return usage_error("unknown option '-%c'", optopt);
}

int parse_positive(const char *text)
{
	char *end;
	long n;

	/* strtol would accept blanks and signs. */
	if (*text < '0' || *text > '9')
		return 0;
	errno = 0;
	n = strtol(text, &end, 10);
	return errno || *end || n > INT_MAX ? 0 : (int)n;
}

int finish_output(void)
{
	if (!ferror(stdout) && !fflush(stdout))
		return EXIT_SUCCESS;
	complain("cannot write the output: %s", strerror(errno));
	return EXIT_FAILED;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	int c;

	os_init();
	/* '+': what follows the name of the subcommand is its own. */
	while ((c = getopt_long(argc, argv, "+:hV", options, NULL)) != -1) {
		if (c != 'V')
			return other_option(c, argv);
		(void)puts("ptreclaim " PACKAGE_VERSION);
		return finish_output();
	}
	if (optind == argc)
		return usage_error("no subcommand given");
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		if (strcmp(argv[optind], commands[i].name) != 0)
			continue;
		argc -= optind;
		argv += optind;
		optind = 0; /* start getopt over */
		return commands[i].run(argc, argv);
	}
	return usage_error("unknown subcommand '%s'", argv[optind]);
}
