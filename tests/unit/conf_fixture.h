/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf_fixture - what the tests of the configuration share: complaints are recorded; files, the
 * executable's path and the pid are fakes.
 */
#ifndef PTR_CONF_FIXTURE_H
#define PTR_CONF_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "conf.h"

/* What was said. */
#define LINES_MAX 64
extern char lines[LINES_MAX][CONF_LINE_MAX];
extern unsigned n_lines;
void say(const char *line);

/* Files that exist; error is what reading one gives instead. */
struct fake_file {
	const char *path, *text;
	size_t len;
	int error;
};

#define FILES_MAX 8
extern struct fake_file files[FILES_MAX];
void add_file(const char *path, const char *text);

/* What /proc/self/exe says, NULL if it cannot be read; and argv[0] without its folders. */
extern const char *fake_exe;
void set_invoked(const char *name);

extern unsigned maps, unmaps;
extern bool no_memory; /* os.map gives none */
extern pid_t fake_pid;

/* For cmocka: no file, no environment, nothing said, /usr/bin/prog run as prog. */
int conf_setup(void **state);

/* Defaults with text on top, complaints from scratch. The file's way knows sections. */
unsigned parse(struct conf *c, const char *text);
unsigned parse_file(struct conf *c, const char *program, const char *text);

/* Is every key the same? */
void assert_same(const struct conf *a, const struct conf *b);

#endif
