// SPDX-License-Identifier: BSD-2-Clause
/* ptreclaim run - start a program with the library preloaded. */
#include "cmd.h"

#include "conf.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIBRARY	    "libptreclaim.so"
#define LIBRARY_ENV "PTRECLAIM_LIB"

/*
 * The library of the build tree this command was built in, if it still sits there: in tools/, or in
 * tools/.libs/ behind a wrapper of libtool. False if it does not.
 */
static bool find_beside(char *path, size_t cap)
{
	static const char tail[] = "/hooks/.libs/" LIBRARY;
	ssize_t n = readlink("/proc/self/exe", path, cap - 1);
	char *dir;

	if (n <= 0)
		return false;
	path[n] = '\0';
	dir = strrchr(path, '/');
	if (!dir)
		return false;
	*dir = '\0';
	dir = strrchr(path, '/');
	if (dir && !strcmp(dir, "/.libs")) {
		*dir = '\0';
		dir = strrchr(path, '/');
	}
	if (!dir || strcmp(dir, "/tools") != 0 || (size_t)(dir - path) + sizeof(tail) > cap)
		return false;
	memcpy(dir, tail, sizeof(tail));
	return !access(path, R_OK);
}

/* Where the library is, in order of precedence; NULL with a complaint if it is nowhere. */
static const char *find_library(char *path, size_t cap)
{
	static const char installed[] = PTR_LIBDIR "/" LIBRARY ".0";
	const char *lib = getenv(LIBRARY_ENV);

	if (!lib || !*lib)
		lib = find_beside(path, cap) ? path : installed;
	if (access(lib, R_OK)) {
		complain("run: the library %s: %s (" LIBRARY_ENV " names another)", lib,
			 strerror(errno));
		return NULL;
	}
	if (*lib != '/') {
		/* A bare name would be searched for, and the program may change directory. */
		lib = realpath(lib, path);
		if (!lib) {
			complain("run: %s: %s", getenv(LIBRARY_ENV), strerror(errno));
			return NULL;
		}
	}
	if (strpbrk(lib, " :")) {
		complain("run: a library whose path has a blank or a colon cannot be preloaded: %s",
			 lib);
		return NULL;
	}
	return lib;
}

/* Add value behind what the variable holds. */
static int append_env(const char *name, char separator, const char *value)
{
	const char *old = getenv(name);
	char *both;
	int r;

	if (!old || !*old)
		return setenv(name, value, 1);
	if (asprintf(&both, "%s%c%s", old, separator, value) < 0)
		return -1;
	r = setenv(name, both, 1);
	free(both);
	return r;
}

int cmd_run(int argc, char **argv)
{
	static const struct option options[] = {
		{"conf", required_argument, NULL, 'c'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	const char *conf = NULL, *lib;
	char path[PATH_MAX];
	int c;

	/* '+': the first argument that is no option is the command, and the rest is its own. */
	while ((c = getopt_long(argc, argv, "+:c:h", options, NULL)) != -1) {
		if (c != 'c')
			return other_option(c, argv);
		conf = optarg;
	}
	if (optind == argc)
		return usage_error("run: no command given");
	lib = find_library(path, sizeof(path));
	if (!lib)
		return EXIT_NO_LIBRARY;
	if (append_env("LD_PRELOAD", ':', lib) || (conf && append_env(CONF_ENV, ',', conf))) {
		complain("run: %s", strerror(errno));
		return EXIT_NO_LIBRARY;
	}
	(void)execvp(argv[optind], argv + optind);
	c = errno;
	complain("run: %s: %s", argv[optind], strerror(c));
	return c == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_RUNNABLE;
}
