/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cmd - what the subcommands of ptreclaim(1) share.
 *
 * Each takes its own arguments, argv[0] being its name, and returns the exit status.
 */
#ifndef PTR_CMD_H
#define PTR_CMD_H

#include <stdbool.h>
#include <sys/types.h>

#define EXIT_FAILED	  1   /* it could not be done */
#define EXIT_USAGE	  2   /* it was not asked for properly */
#define EXIT_NO_LIBRARY	  125 /* run: the library is not there (as env(1) for its own failures) */
#define EXIT_NOT_RUNNABLE 126 /* run: the command is there and cannot be run */
#define EXIT_NOT_FOUND	  127 /* run: there is no such command */

int cmd_run(int argc, char **argv);
int cmd_floor(int argc, char **argv);
int cmd_scan(int argc, char **argv);
int cmd_stat(int argc, char **argv);
int cmd_probe(int argc, char **argv);

/* One line on stderr, "ptreclaim: ...". */
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The same with a hint to --help. Returns EXIT_USAGE. */
int usage_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * Deal with an option that is not the subcommand's own: c is what getopt_long returned, told to be
 * silent by a leading ':'. 'h' prints the help; the others are errors. Returns the exit status.
 */
int other_option(int c, char **argv);

/* A number from 1 to INT_MAX in decimal digits and nothing else; 0 if it is not. */
int parse_positive(const char *text);

/* Flush standard output: EXIT_SUCCESS, or EXIT_FAILED with a complaint if it cannot be written. */
int finish_output(void);

#endif
