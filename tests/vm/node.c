// SPDX-License-Identifier: BSD-2-Clause
/*
 * node - the engine on several NUMA nodes: pages and records lie on the node of the thread that used them,
 * what a node's threads release is queued, flushed and counted there to the byte, in a child after fork too,
 * and the worker goes where it flushes, but never out of the processors it was given.
 *
 *	node             on all processors
 *	node confined    started on those of the first node only, as by taskset
 */
#include "vm.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf.h"
#include "engine.h"
#include "node.h"
#include "region.h"
#include "worker.h"

#define MAX_NODES 4
#define REGIONS	  4   /* of each thread */
#define CHURNS	  800 /* of each thread */
#define WAIT_S	  120

enum order { NOTHING, TAKE, RELEASE, CHURN, END };

struct member {
	pthread_t thread;
	unsigned node, seed;
	char *base;
	uint64_t released;
	bool used[REGIONS * 8];
	int failed; /* a line */
};

static struct member members[MAX_NODES];
static unsigned nodes;
static char cpus[MAX_NODES][256]; /* as /sys has them */
static pthread_barrier_t barrier;
static enum order order;
static unsigned of; /* the node that it is for, or `nodes`: all */
static pid_t worker;

static size_t all_bytes(void)
{
	return REGIONS * os_region_size;
}

static void rest(void)
{
	(void)usleep(10000);
}

/* The node of each page, -ENOENT for one that is not there: how many are on `node`. */
static unsigned pages_on(const void *addr, unsigned n, int node)
{
	unsigned found = 0;

	for (unsigned i = 0; i < n; i++) {
		void *page = (void *)(((uintptr_t)addr & ~(os_page_size - 1)) + i * os_page_size);
		int status = -1;

		if (syscall(SYS_move_pages, 0, 1ul, &page, NULL, &status, 0))
			vm_die("move_pages");
		found += status == node;
	}
	return found;
}

static void run_on(pid_t tid, const char *list)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(strtoul(list, NULL, 10), &set);
	if (sched_setaffinity(tid, sizeof(set), &set))
		vm_die("sched_setaffinity");
}

#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition) && !m->failed)                                                    \
			m->failed = __LINE__;                                                      \
	} while (0)

static void take(struct member *m, char *p, size_t len)
{
	enum engine_reuse r = engine_reuse(p, len, true);

	/* Under emulation a zap may take longer than anybody waits for. */
	for (unsigned i = 0; r == ENGINE_BUSY && i < 1000; i++)
		r = engine_reuse(p, len, true);
	MUST(r == ENGINE_OK);
	for (size_t i = 0; i < len; i += os_page_size) {
		MUST(!p[i]);
		p[i] = 1;
	}
}

static void release(struct member *m, char *p, size_t len)
{
	MUST(engine_release(p, len));
	m->released += len;
}

static void churn(struct member *m)
{
	size_t piece = os_region_size / 8;

	for (unsigned i = 0; i < CHURNS; i++) {
		unsigned k = (unsigned)rand_r(&m->seed) % (REGIONS * 8);

		if (m->used[k])
			release(m, m->base + k * piece, piece);
		else
			take(m, m->base + k * piece, piece);
		m->used[k] = !m->used[k];
	}
	for (unsigned k = 0; k < REGIONS * 8; k++)
		if (m->used[k])
			release(m, m->base + k * piece, piece);
	memset(m->used, 0, sizeof(m->used));
}

static void *member_main(void *arg)
{
	struct member *m = arg;
	enum order todo = NOTHING;

	run_on(0, cpus[m->node]);
	m->base = vm_map(REGIONS, os_region_size);
	MUST(engine_map(m->base, all_bytes(), true));
	while (todo != END) {
		(void)pthread_barrier_wait(&barrier);
		todo = of == nodes || of == m->node ? order : NOTHING;
		if (order == END)
			todo = END;
		if (todo == TAKE)
			take(m, m->base, all_bytes());
		else if (todo == RELEASE)
			for (unsigned k = 0; k < REGIONS * 2; k++)
				release(m, m->base + k * os_region_size / 2, os_region_size / 2);
		else if (todo == CHURN)
			churn(m);
		(void)pthread_barrier_wait(&barrier);
	}
	return NULL;
}

static void have(enum order what, unsigned whose)
{
	order = what;
	of = whose;
	(void)pthread_barrier_wait(&barrier);
	(void)pthread_barrier_wait(&barrier);
	for (unsigned n = 0; n < nodes; n++)
		if (members[n].failed) {
			vm_check(false, "the engine", "line %d on node %u", members[n].failed, n);
			exit(1);
		}
}

static uint64_t pending(void)
{
	struct engine_state s;

	engine_state(&s);
	return s.pending_bytes;
}

static void flushed(const char *what)
{
	for (unsigned i = 0; pending() && i < WAIT_S * 100; i++)
		rest();
	if (pending())
		vm_check(false, what, "%llu bytes stay pending", (unsigned long long)pending());
}

/* The node's own part of both, against what its thread did. */
static void check_figures(const char *what, const uint64_t *waiting, const uint64_t *zapped)
{
	struct engine_node f[NODE_MAX] = {0};
	unsigned counted = engine_nodes(f);
	bool good = counted == nodes;

	for (unsigned n = 0; n < nodes; n++)
		good &= f[n].pending_bytes == waiting[n] && f[n].zapped_bytes == zapped[n];
	vm_check(good, what, "pending %llu and %llu kB, zapped %llu and %llu kB",
		 (unsigned long long)f[0].pending_bytes >> 10,
		 (unsigned long long)f[1].pending_bytes >> 10,
		 (unsigned long long)f[0].zapped_bytes >> 10,
		 (unsigned long long)f[1].zapped_bytes >> 10);
}

/* Cpus_allowed_list of the worker. */
static void allowed(char *list, size_t cap)
{
	char path[64], text[4096], *p;

	(void)snprintf(path, sizeof(path), "/proc/self/task/%d/status", worker);
	if (os.read_file(path, text, sizeof(text)) <= 0)
		vm_die("the worker's status");
	p = strstr(text, "Cpus_allowed_list:\t");
	(void)snprintf(list, cap, "%.*s", p ? (int)strcspn(p + 19, "\n") : 0, p ? p + 19 : "");
}

static void check_worker(const char *what, unsigned node, const char *where)
{
	char list[256];

	have(TAKE, node);
	have(RELEASE, node);
	flushed(what);
	allowed(list, sizeof(list));
	vm_check(!strcmp(list, where), what, "it may run on %s, and has flushed node %u", list,
		 node);
}

static void say(const char *text)
{
	(void)printf("%s\n", text);
}

/* The only other thread by now. */
static void find_worker(void)
{
	pid_t tid = gettid();

	for (pid_t t = tid + 1; t < tid + 64 && !worker; t++)
		if (!syscall(SYS_tgkill, getpid(), t, 0))
			worker = t;
	if (!worker)
		vm_die("no worker");
}

static struct conf start(void)
{
	struct conf c;

	vm_init();
	node_init(say);
	nodes = node_count();
	if (nodes < 2 || nodes > MAX_NODES) {
		vm_skip("nodes", "they are %u", nodes);
		exit(vm_done());
	}
	for (unsigned n = 0; n < nodes; n++) {
		char path[64];

		(void)snprintf(path, sizeof(path), "/sys/devices/system/node/node%u/cpulist", n);
		if (os.read_file(path, cpus[n], sizeof(cpus[n])) <= 0)
			vm_die(path);
		cpus[n][strcspn(cpus[n], "\n")] = '\0';
	}
	conf_defaults(&c);
	c.batch_bytes = (uint64_t)1 << 30;
	c.batch_ms = CONF_MS_MAX;
	c.kill_file[0] = '\0';
	if (engine_init(&c) != CONF_ON || worker_start(&c))
		vm_die("the engine");
	find_worker();
	if (pthread_barrier_init(&barrier, NULL, nodes + 1))
		vm_die("pthread_barrier_init");
	for (unsigned n = 0; n < nodes; n++) {
		members[n].node = n;
		members[n].seed = n + 1;
		if (pthread_create(&members[n].thread, NULL, member_main, &members[n]))
			vm_die("pthread_create");
	}
	return c;
}

static void finish(void)
{
	have(END, nodes);
	for (unsigned n = 0; n < nodes; n++)
		(void)pthread_join(members[n].thread, NULL);
}

static void check_pages(void)
{
	unsigned pages = (unsigned)(all_bytes() >> os_page_shift);

	for (unsigned n = 0; n < nodes; n++) {
		unsigned on = pages_on(members[n].base, pages, (int)n);

		vm_check(on == pages, "pages by node", "%u of %u on node %u", on, pages, n);
	}
}

/* Regions that were used whole got theirs when they were given up. */
static void check_records(void)
{
	for (unsigned n = 0; n < nodes; n++) {
		struct member *m = &members[n];
		unsigned records = 0;

		for (unsigned i = 0; i < REGIONS; i++)
			records += pages_on(region_find((uintptr_t)m->base + i * os_region_size), 1,
					    (int)n);
		vm_check(records == REGIONS, "records by node", "%u of %u on node %u", records,
			 REGIONS, n);
	}
}

static void check_child(const struct conf *c)
{
	uint64_t half[MAX_NODES] = {0}, none[MAX_NODES] = {0};
	int status;
	pid_t pid;

	have(TAKE, nodes);
	have(RELEASE, nodes);
	(void)fflush(stdout);
	pid = fork();
	if (pid < 0)
		vm_die("fork");
	if (!pid) {
		stats_fork_child();
		engine_fork_child();
		engine_after_fork();
		for (unsigned n = 0; n < nodes; n++)
			half[n] = all_bytes();
		check_figures("a child's queues", half, none);
		(void)worker_set_batch_ms(50);
		if (worker_start(c))
			vm_die("the child's worker");
		flushed("a child's queues");
		check_figures("a child's flushes", none, half);
		_exit(vm_done());
	}
	if (waitpid(pid, &status, 0) != pid)
		vm_die("waitpid");
	vm_check(WIFEXITED(status) && !WEXITSTATUS(status), "a child", "status %#x", status);
}

static void check_churn(void)
{
	struct stats_snapshot before, after;
	struct engine_node was[NODE_MAX], is[NODE_MAX];
	uint64_t sum = 0, released = 0, zapped, cancelled;
	bool bounded = true;
	unsigned strangers = 0;

	engine_set_batch_bytes((uint64_t)4 << 20);
	(void)worker_set_batch_ms(20);
	flushed("churn");
	stats_snapshot(&before);
	(void)engine_nodes(was);
	for (unsigned n = 0; n < nodes; n++)
		members[n].released = 0;
	have(CHURN, nodes);
	flushed("churn");
	/* The last flight is counted before it is taken off what is pending. */
	stats_snapshot(&after);
	(void)engine_nodes(is);
	for (unsigned n = 0; n < nodes; n++) {
		uint64_t z = is[n].zapped_bytes - was[n].zapped_bytes;

		sum += z;
		released += members[n].released;
		bounded &= z && z <= members[n].released;
		for (unsigned i = 0; i < REGIONS; i++)
			strangers += atomic_load(&region_find((uintptr_t)members[n].base +
							      i * os_region_size)
							  ->node) != n;
	}
	zapped = after.counter[STAT_ZAPPED] - before.counter[STAT_ZAPPED];
	cancelled = after.counter[STAT_CANCELLED] - before.counter[STAT_CANCELLED];
	vm_check(!strangers, "churn: regions on their node's queue", "%u were not", strangers);
	vm_check(bounded && sum == zapped && zapped + cancelled == released, "churn: by node",
		 "%llu kB released, %llu cancelled, %llu zapped, %llu of them on node 0",
		 (unsigned long long)released >> 10, (unsigned long long)cancelled >> 10,
		 (unsigned long long)zapped >> 10,
		 (unsigned long long)(is[0].zapped_bytes - was[0].zapped_bytes) >> 10);
	vm_check(after.counter[STAT_FLUSH_BYTES] > before.counter[STAT_FLUSH_BYTES],
		 "churn: made room", "%llu times",
		 (unsigned long long)(after.counter[STAT_FLUSH_BYTES] -
				      before.counter[STAT_FLUSH_BYTES]));
}

static int everything(void)
{
	uint64_t none[MAX_NODES] = {0}, one[MAX_NODES] = {0}, whole[MAX_NODES] = {0};
	struct conf c = start();

	one[1] = all_bytes();
	for (unsigned n = 0; n < nodes; n++)
		whole[n] = all_bytes();
	have(TAKE, nodes);
	check_pages();
	have(RELEASE, 1);
	check_figures("one has released", one, none);
	have(RELEASE, 0);
	for (unsigned n = 2; n < nodes; n++)
		have(RELEASE, n);
	check_figures("all have released", whole, none);
	check_records();
	(void)worker_set_batch_ms(50);
	flushed("by age");
	check_figures("flushed by age", none, whole);
	for (unsigned n = 0; n < nodes; n++)
		vm_check(!pages_on(members[n].base, (unsigned)(all_bytes() >> os_page_shift),
				   (int)n),
			 "zapped pages are gone", "on node %u", n);
	check_worker("the worker goes there", 0, cpus[0]);
	check_worker("the worker goes there", 1, cpus[1]);
	check_worker("the worker goes back", 0, cpus[0]);
	run_on(worker, cpus[1]);
	check_worker("the worker stays where it was put", 1, cpus[1]);
	check_worker("the worker stays where it was put", 0, cpus[1]);
	check_churn();
	engine_set_batch_bytes((uint64_t)1 << 30);
	(void)worker_set_batch_ms(CONF_MS_MAX);
	check_child(&c);
	finish();
	return vm_done();
}

static int confined(void)
{
	(void)start();
	(void)worker_set_batch_ms(50);
	check_worker("the worker stays within its processors", 1, cpus[0]);
	check_worker("the worker stays within its processors", 0, cpus[0]);
	finish();
	return vm_done();
}

int main(int argc, char **argv)
{
	return argc > 1 && !strcmp(argv[1], "confined") ? confined() : everything();
}
