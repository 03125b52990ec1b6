// SPDX-License-Identifier: BSD-2-Clause
/*
 * tcfork - processes that come and go while tcmalloc is busy: tcfork WAY [COUNT]
 *
 *	busy     COUNT forks from 8 busy threads; children churn, fork again, exec, wait for the floor
 *	pending  fork with memory pending, which child, grandchild and parent all take into use again
 *	flight   COUNT forks while the flusher is at work; both sides take all of it into use again
 *	spawn    COUNT children from 8 busy threads by vfork and posix_spawn
 *	nothing  what children exec
 *
 * Exit status 3: a byte was lost. 5: anything else went wrong.
 */
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "floor.h"
#include "pattern.h"
#include "tcext.h"

#define THREADS 8
#define HELD	48

static _Atomic bool done;
static char *self;

static void check(bool good, const char *what)
{
	if (good)
		return;
	(void)fprintf(stderr, "tcfork: failed: %s, process %d\n", what, (int)getpid());
	_exit(5);
}

struct churner {
	uint64_t state;
	struct block held[HELD];
};

static struct churner churners[THREADS + 1];
static pthread_t threads[THREADS];

static void drop(struct block *b, const char *when)
{
	if (b->p)
		block_check(b, b->size, when);
	free(b->p);
	b->p = NULL;
}

static void churn(struct churner *c, unsigned ops)
{
	for (unsigned i = 0; i < ops && !atomic_load(&done); i++) {
		struct block *b = &c->held[next_random(&c->state) % HELD];

		drop(b, "at free");
		b->size = random_size(&c->state, (size_t)1 << 20);
		b->seed = next_random(&c->state) >> 3;
		b->p = b->seed & 4 ? calloc(1, b->size) : malloc(b->size);
		check(b->p != NULL, "memory");
		if (b->seed & 4)
			zero_check(b->p, b->size, "calloc");
		block_fill(b);
	}
}

static void let_go(struct churner *c)
{
	for (unsigned i = 0; i < HELD; i++)
		drop(&c->held[i], "at the end");
}

static void *busy(void *arg)
{
	struct churner *c = arg;

	while (!atomic_load(&done))
		churn(c, 64);
	let_go(c);
	return NULL;
}

static void start_threads(void)
{
	for (unsigned i = 0; i < THREADS; i++) {
		churners[i].state = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
		check(!pthread_create(&threads[i], NULL, busy, &churners[i]), "pthread_create");
	}
}

static void end_threads(void)
{
	atomic_store(&done, true);
	for (unsigned i = 0; i < THREADS; i++)
		check(!pthread_join(threads[i], NULL), "pthread_join");
}

static void reap(pid_t pid, const char *who)
{
	int st = 0;

	check(waitpid(pid, &st, 0) == pid, "waitpid");
	if (WIFEXITED(st) && WEXITSTATUS(st) == EXIT_LOST)
		_exit(EXIT_LOST);
	if (!WIFEXITED(st) || WEXITSTATUS(st))
		(void)fprintf(stderr, "tcfork: child's wait status %#x\n", (unsigned)st);
	check(WIFEXITED(st) && !WEXITSTATUS(st), who);
}

static pid_t forked(void)
{
	pid_t pid = fork();

	check(pid >= 0, "fork");
	return pid;
}

static void exec_nothing(void)
{
	(void)execl(self, self, "nothing", NULL);
	_exit(6);
}

/* The child has a flusher of its own: after a while nothing is left but the floor. */
static void wait_for_floor(void)
{
	struct floor_report r = {0};

	/* Not before what is pending has come of age. */
	(void)usleep(250000);
	for (unsigned i = 0; i < 100; i++) {
		check(!floor_measure(0, &r), "pagemap");
		if (r.waste_kb <= r.floor_kb / 20 + 64)
			return;
		(void)usleep(20000);
	}
	(void)fprintf(stderr, "tcfork: waste %lu kB above %lu kB\n", (unsigned long)r.waste_kb,
		      (unsigned long)r.floor_kb);
	check(false, "the child's waste does not go");
}

static void busy_child(unsigned n)
{
	struct churner *own = &churners[THREADS];

	own->state = (n + 99) * UINT64_C(0x9e3779b97f4a7c15);
	churn(own, 60);
	if (n % 4 == 0) {
		pid_t pid = forked();

		if (!pid) {
			churn(own, 40);
			let_go(own);
			_exit(0);
		}
		churn(own, 20);
		reap(pid, "the grandchild");
	}
	let_go(own);
	if (n % 10 == 1)
		exec_nothing();
	if (n % 20 == 2)
		wait_for_floor();
	/* Half of them leave without a word, as most children do. */
	if (n % 20 == 2 || n % 8 == 3)
		exit(0);
	_exit(0);
}

static void way_busy(unsigned count)
{
	struct churner *own = &churners[THREADS];

	(void)printf("parent %d\n", (int)getpid());
	(void)fflush(stdout);
	start_threads();
	own->state = 4711;
	for (unsigned n = 0; n < count; n++) {
		pid_t pid = forked();

		if (!pid)
			busy_child(n);
		churn(own, 8);
		reap(pid, "a child");
	}
	end_threads();
	let_go(own);
}

#define BLOCKS	   24
#define BLOCK_SIZE ((size_t)700 << 10)

/* Fill them all wholly. */
static void take(struct block *b, uint64_t seed)
{
	for (unsigned i = 0; i < BLOCKS; i++) {
		b[i] = (struct block){malloc(BLOCK_SIZE), BLOCK_SIZE, (seed * BLOCKS + i) * 4};
		check(b[i].p != NULL, "memory");
		block_fill(&b[i]);
	}
}

static void give(struct block *b, const char *when)
{
	for (unsigned i = 0; i < BLOCKS; i++)
		drop(&b[i], when);
}

static size_t property(const char *name)
{
	size_t n = 0;

	return tcext_get(name, &n) ? n : 0;
}

/* Use what is pending, longer than anything stays pending, and look at it. */
static void use_again(struct block *b, uint64_t seed, const char *who)
{
	size_t pending = property("ptreclaim.stats.pending");
	size_t before = property("ptreclaim.stats.cancelled");

	take(b, seed);
	(void)printf("%s: pending %zu, taken back %zu\n", who, pending,
		     property("ptreclaim.stats.cancelled") - before);
	(void)fflush(stdout);
	(void)usleep(250000);
	give(b, who);
}

static void way_pending(void)
{
	static struct block b[BLOCKS];
	pid_t child, grandchild;

	take(b, 1);
	give(b, "before");
	child = forked();
	if (child) {
		use_again(b, 2, "parent");
		reap(child, "the child");
		return;
	}
	use_again(b, 3, "child");
	grandchild = forked();
	if (!grandchild) {
		use_again(b, 4, "grandchild");
		wait_for_floor();
		_exit(0);
	}
	take(b, 5);
	reap(grandchild, "the grandchild");
	give(b, "child, later");
	wait_for_floor();
	exit(0);
}

static void way_flight(unsigned count)
{
	static struct block b[BLOCKS];

	for (unsigned n = 0; n < count; n++) {
		pid_t child;

		take(b, n);
		give(b, "in flight");
		/* Up to 2 ms later: before, while and after it is flushed. */
		for (unsigned spin = 0; spin < n * 7919 % 200; spin++)
			(void)getppid();
		if (n % 3 == 0)
			(void)usleep(n * 131 % 2000);
		child = forked();
		take(b, n + 1000 + (uint64_t)!child);
		(void)usleep(2000);
		give(b, child ? "parent, flight" : "child, flight");
		if (!child)
			_exit(0);
		reap(child, "a child");
	}
}

static void way_spawn(unsigned count)
{
	extern char **environ;
	char nothing[] = "nothing", *argv[] = {self, nothing, NULL};

	start_threads();
	for (unsigned n = 0; n < count; n++) {
		pid_t pid = 0;

		if (n % 2) {
			check(!posix_spawn(&pid, self, NULL, NULL, argv, environ), "posix_spawn");
		} else {
			/* NOLINTNEXTLINE: vfork is what is tested */
			pid = vfork();
			check(pid >= 0, "vfork"); /* NOLINT: async-signal-safe in fact */
			if (!pid)
				exec_nothing();
		}
		reap(pid, "a child");
	}
	end_threads();
}

int main(int argc, char **argv)
{
	const char *way = argc > 1 ? argv[1] : "";
	unsigned count = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1;

	self = argv[0];
	check(tcext_find(), "there is no tcmalloc");
	if (!strcmp(way, "busy"))
		way_busy(count);
	else if (!strcmp(way, "pending"))
		way_pending();
	else if (!strcmp(way, "flight"))
		way_flight(count);
	else if (!strcmp(way, "spawn"))
		way_spawn(count);
	else
		check(!strcmp(way, "nothing"), "a way");
	if (strcmp(way, "nothing") != 0)
		(void)puts("intact");
	return 0;
}
