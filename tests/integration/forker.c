// SPDX-License-Identifier: BSD-2-Clause
/*
 * forker - processes that come and go while the allocator is busy: forker WAY [COUNT]
 *
 *	fork      COUNT forks from 8 busy threads; children churn, wait, fork again, exec
 *	daemon    daemon(3), then churn in the daemon, which writes "intact" to file descriptor 3
 *	vfork     COUNT children that exec at once
 *	raw       fork without handlers, by the system call; such a child may only use what needs no
 *	          thread
 *	mainexit  the main thread ends by pthread_exit while others work
 *	nothing   what children exec
 *
 * Exit status 3: a byte was lost. 5: anything else went wrong.
 */
#include <jemalloc/jemalloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "floor.h"
#include "pattern.h"

#define THREADS 8
#define HELD	48

static _Atomic bool done;

static void check(bool good, const char *what)
{
	if (good)
		return;
	(void)fprintf(stderr, "forker: failed: %s, process %d\n", what, (int)getpid());
	_exit(5);
}

struct churner {
	uint64_t state;
	size_t max;
	struct block held[HELD];
};

/* Everything that is held was checked when it is let go; calloc reads zero wholly. */
static void churn(struct churner *c, unsigned ops)
{
	for (unsigned i = 0; i < ops && !atomic_load(&done); i++) {
		struct block *b = &c->held[next_random(&c->state) % HELD];

		if (b->p) {
			block_check(b, b->size, "at free");
			free(b->p);
		}
		b->size = random_size(&c->state, c->max);
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
	for (unsigned i = 0; i < HELD; i++) {
		if (c->held[i].p)
			block_check(&c->held[i], c->held[i].size, "at the end");
		free(c->held[i].p);
		c->held[i].p = NULL;
	}
}

static void *busy(void *arg)
{
	struct churner *c = arg;

	while (!atomic_load(&done))
		churn(c, 64);
	atomic_store(&done, false);
	let_go(c);
	atomic_store(&done, true);
	return NULL;
}

static struct churner churners[THREADS + 1];
static pthread_t threads[THREADS];

static void start_threads(void)
{
	for (unsigned i = 0; i < THREADS; i++) {
		churners[i].state = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
		churners[i].max = 1 << 20;
		check(!pthread_create(&threads[i], NULL, busy, &churners[i]), "pthread_create");
	}
}

static void reap(pid_t pid, const char *who)
{
	int st = 0;

	check(waitpid(pid, &st, 0) == pid, "waitpid");
	if (WIFEXITED(st) && WEXITSTATUS(st) == EXIT_LOST)
		_exit(EXIT_LOST);
	check(WIFEXITED(st) && !WEXITSTATUS(st), who);
}

/* Not /proc/self/exe: where a loader was told to start this program that is the loader. */
static const char *self;

static void exec_nothing(void)
{
	(void)execl(self, "forker", "nothing", NULL);
	_exit(6);
}

/* The child has a flusher of its own: after a while nothing is left but the floor. */
static void wait_for_floor(void)
{
	struct floor_report r = {0};
	unsigned arenas = 1;
	size_t len = sizeof(arenas);

	(void)mallctl("arenas.narenas", &arenas, &len, NULL, 0);
	for (unsigned i = 0; i < 100; i++) {
		check(!floor_measure(0, &r), "pagemap");
		if (r.waste_kb <= r.floor_kb / 20 + 64 + 8 * (uint64_t)arenas)
			return;
		(void)usleep(20000);
	}
	(void)fprintf(stderr, "forker: waste %lu kB above %lu kB\n", (unsigned long)r.waste_kb,
		      (unsigned long)r.floor_kb);
	check(false, "the child's waste does not go");
}

/* What the parent's threads held stays as it was for the child, too: they changed nothing here. */
static void child(unsigned n)
{
	struct churner *own = &churners[THREADS];

	own->state = (n + 99) * UINT64_C(0x9e3779b97f4a7c15);
	own->max = (size_t)2 << 20;
	churn(own, 60);
	if (n % 4 == 0) {
		pid_t pid = fork();

		check(pid >= 0, "the child's fork");
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

static void way_fork(unsigned count)
{
	struct churner *own = &churners[THREADS];

	(void)printf("parent %d\n", (int)getpid());
	(void)fflush(stdout);
	start_threads();
	own->state = 4711;
	own->max = 1 << 20;
	for (unsigned n = 0; n < count; n++) {
		pid_t pid = fork();

		check(pid >= 0, "fork");
		if (!pid)
			child(n);
		churn(own, 8);
		reap(pid, "a child");
	}
	atomic_store(&done, true);
	for (unsigned i = 0; i < THREADS; i++)
		check(!pthread_join(threads[i], NULL), "pthread_join");
	atomic_store(&done, false);
	let_go(own);
}

static void way_vfork(unsigned count)
{
	start_threads();
	for (unsigned n = 0; n < count; n++) {
		/* NOLINTNEXTLINE: vfork is what is tested */
		pid_t pid = vfork();

		check(pid >= 0, "vfork"); /* NOLINT: async-signal-safe in fact */
		if (!pid) {
			(void)execl(self, "forker", "nothing", NULL);
			_exit(6);
		}
		reap(pid, "a child");
	}
	atomic_store(&done, true);
	for (unsigned i = 0; i < THREADS; i++)
		check(!pthread_join(threads[i], NULL), "pthread_join");
}

static void way_raw(unsigned count)
{
	static struct churner own;

	own.state = 17;
	own.max = (size_t)2 << 20;
	for (unsigned n = 0; n < count; n++) {
		churn(&own, 100);
		pid_t pid = (pid_t)syscall(SYS_fork);

		check(pid >= 0, "the system call");
		if (!pid) {
			churn(&own, 100);
			let_go(&own);
			_exit(0);
		}
		reap(pid, "a child");
	}
	let_go(&own);
}

static void way_daemon(void)
{
	static struct churner own;

	own.state = 23;
	own.max = (size_t)2 << 20;
	churn(&own, 500);
	check(!daemon(1, 1), "daemon");
	churn(&own, 2000);
	let_go(&own);
	wait_for_floor();
	check(write(3, "intact\n", 7) == 7, "write");
}

static void *last_thread(void *arg)
{
	(void)arg;
	(void)usleep(300000);
	atomic_store(&done, true);
	for (unsigned i = 0; i < THREADS; i++)
		check(!pthread_join(threads[i], NULL), "pthread_join");
	atomic_store(&done, false);
	wait_for_floor();
	(void)puts("intact");
	exit(0);
}

static void way_mainexit(void)
{
	pthread_t last;

	start_threads();
	check(!pthread_create(&last, NULL, last_thread, NULL), "pthread_create");
	pthread_exit(NULL);
}

int main(int argc, char **argv)
{
	const char *way = argc > 1 ? argv[1] : "";
	unsigned count = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1;

	self = argv[0];
	if (!strcmp(way, "fork"))
		way_fork(count);
	else if (!strcmp(way, "vfork"))
		way_vfork(count);
	else if (!strcmp(way, "raw"))
		way_raw(count);
	else if (!strcmp(way, "daemon"))
		way_daemon();
	else if (!strcmp(way, "mainexit"))
		way_mainexit();
	else
		check(!strcmp(way, "nothing"), "a way");
	(void)puts("intact");
	return 0;
}
