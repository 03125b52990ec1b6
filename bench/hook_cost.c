// SPDX-License-Identifier: BSD-2-Clause
/*
 * hook-cost - what counting costs on the path of a hook: ns for a release that is deferred and the reuse
 * that cancels it, with no system call in between, and what part of that is for the statistics.
 *
 *	hook-cost [--runs N] [--once]
 *
 * Built twice: hook-cost-bare is the same on a library compiled without counters. The two are run in
 * turns; of each the fastest batch counts, as nothing but the path itself makes a batch faster.
 * --once: measure this build, print ns and no more.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "conf.h"
#include "engine.h"
#include "os.h"
#include "worker.h"

#define EXTENTS 32
#define LOOPS	20000
#define BATCHES 40

static const size_t sizes[] = {16 << 10, 64 << 10, 1 << 20};

#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static void die(const char *what)
{
	(void)fprintf(stderr, "hook-cost: %s\n", what);
	exit(1);
}

static double batch(char *space, size_t size)
{
	double start = now_ns();

	for (unsigned i = 0; i < LOOPS; i++) {
		char *p = space + i % EXTENTS * ((size_t)2 << 20);

		if (!engine_release(p, size) || engine_reuse(p, size, false) != ENGINE_OK)
			die("the engine does not take what it is given");
	}
	return (now_ns() - start) / LOOPS;
}

static void measure(void)
{
	size_t len = (EXTENTS + 1) * os_region_size;
	char *space = os.map(len);
	struct conf c;

	conf_defaults(&c);
	/* Nothing is to be flushed in between. */
	c.batch_ms = CONF_MS_MAX;
	c.batch_bytes = (uint64_t)1 << 30;
	c.keep_bytes = (uint64_t)1 << 40;
	c.kill_file[0] = '\0';
	if (!space || engine_init(&c) != CONF_ON || worker_start(&c))
		die("cannot start");
	space += os_region_size - ((size_t)space & (os_region_size - 1));
	if (!engine_map(space, EXTENTS * os_region_size, true) ||
	    engine_reuse(space, EXTENTS * os_region_size, false) != ENGINE_OK)
		die("no memory");
	memset(space, 1, EXTENTS * os_region_size);
	for (unsigned s = 0; s < SIZES; s++) {
		double least = 0;

		for (unsigned i = 0; i < BATCHES; i++) {
			double ns = batch(space, sizes[s]);

			if (!i || ns < least)
				least = ns;
		}
		(void)printf("%.2f ", least);
	}
	(void)printf("\n");
}

/* What `program --once` says, in text. */
static void ask(const char *program, char *text, size_t cap)
{
	int fd[2], status;
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	if (pipe(fd))
		die(strerror(errno));
	pid = fork();
	if (!pid) {
		(void)dup2(fd[1], STDOUT_FILENO);
		(void)execl(program, program, "--once", (char *)NULL);
		_exit(127);
	}
	(void)close(fd[1]);
	while (pid > 0 && (n = read(fd[0], text + len, cap - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	(void)close(fd[0]);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		die("a run has failed");
}

static void run(const char *program, double *least)
{
	char text[256], *at = text, *end;

	ask(program, text, sizeof(text));
	for (unsigned s = 0; s < SIZES; s++, at = end) {
		double ns = strtod(at, &end);

		if (end == at)
			die("no figure");
		if (least[s] <= 0 || ns < least[s])
			least[s] = ns;
	}
}

int main(int argc, char **argv)
{
	double with[SIZES] = {0}, bare[SIZES] = {0};
	unsigned runs = 15;
	char other[4096];

	os_init();
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--once")) {
			measure();
			return 0;
		}
		if (strcmp(argv[i], "--runs") || i + 1 == argc ||
		    !(runs = (unsigned)strtoul(argv[++i], NULL, 10))) {
			(void)fprintf(stderr, "usage: hook-cost [--runs N] [--once]\n");
			return 2;
		}
	}
	(void)snprintf(other, sizeof(other), "%s-bare", argv[0]);
	for (unsigned i = 0; i < runs; i++) {
		run(argv[0], with);
		run(other, bare);
	}
	(void)printf("release and reuse, fastest of %d batches in %u runs each\n", BATCHES, runs);
	for (unsigned s = 0; s < SIZES; s++)
		(void)printf("%5zu KiB  with counters %7.1f ns  without %7.1f ns  x %.3f\n",
			     sizes[s] >> 10, with[s], bare[s], with[s] / bare[s]);
	return 0;
}
