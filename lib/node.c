// SPDX-License-Identifier: BSD-2-Clause
/* node - see node.h. */
#include "node.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "stats.h"

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

_Atomic unsigned node_counted = 1;

/* As "0-1,4": only threads make queues, and only processors have threads. */
#define NODES_WITH_CPUS "/sys/devices/system/node/has_cpu"

/* The nodes of a list, a bit each. */
static uint64_t parse_list(const char *s)
{
	uint64_t nodes = 0;

	while (*s >= '0' && *s <= '9') {
		char *end;
		unsigned long from = strtoul(s, &end, 10), to = from;

		if (*end == '-')
			to = strtoul(end + 1, &end, 10);
		for (unsigned long n = from; n <= to && n < NODE_MAX; n++)
			nodes |= UINT64_C(1) << n;
		s = *end == ',' ? end + 1 : end;
	}
	return nodes;
}

void node_init(void (*say)(const char *line))
{
	char list[512], line[128];
	const char *why;
	uint64_t nodes;

	if (os.read_file(NODES_WITH_CPUS, list, sizeof(list)) <= 0)
		return;
	nodes = parse_list(list);
	if (!(nodes & (nodes - 1)))
		return;
	if (os.node() < 0) {
		why = "a thread's node is not known without a system call";
	} else if (!node_mover.open(nodes)) {
		why = "libnuma is not to be had";
	} else {
		atomic_store(&node_counted, NODE_MAX - (unsigned)__builtin_clzll(nodes));
		return;
	}
	(void)snprintf(line, sizeof(line), "all NUMA nodes share one queue: %s", why);
	say(line);
}

void (*node_worker(void))(unsigned node)
{
	if (node_count() == 1)
		return NULL;
	node_mover.begin();
	return node_mover.enter;
}

#ifdef HAVE_NUMA
#include <numa.h>

#define LIBNUMA "libnuma.so.1"

/* The version of each that is the default today, and in this header. */
#define FUNCTIONS(X)                                                                               \
	X(numa_available)                                                                          \
	X(numa_allocate_cpumask)                                                                   \
	X(numa_bitmask_equal)                                                                      \
	X(numa_bitmask_weight)                                                                     \
	X(numa_node_to_cpus)                                                                       \
	X(numa_sched_getaffinity)                                                                  \
	X(numa_sched_setaffinity)                                                                  \
	X(copy_bitmask_to_bitmask)

static struct {
#define X(name) __typeof__(&(name)) name;
	FUNCTIONS(X)
#undef X
} lib;

/* All of it is the worker's, once it is there. */
static struct bitmask *cpus[NODE_MAX]; /* NULL: none are known */
static struct bitmask *given;	       /* where the worker may be */
static struct bitmask *last;	       /* where it was put; nowhere yet: no bit is set */
static struct bitmask *now, *wanted;
static unsigned at; /* of which node that is, or NODE_MAX */
static bool stuck;  /* the kernel does not let it move */

static bool load(void)
{
	void *h = dlopen(LIBNUMA, RTLD_NOW | RTLD_LOCAL);

	if (!h)
		return false;
#define X(name)                                                                                    \
	*(void **)&lib.name = dlsym(h, #name);                                                     \
	if (!lib.name)                                                                             \
		return false;
	FUNCTIONS(X)
#undef X
	return lib.numa_available() >= 0;
}

static bool open_library(uint64_t nodes)
{
	if (!load())
		return false;
	given = lib.numa_allocate_cpumask();
	last = lib.numa_allocate_cpumask();
	now = lib.numa_allocate_cpumask();
	wanted = lib.numa_allocate_cpumask();
	if (!given || !last || !now || !wanted)
		return false;
	for (unsigned n = 0; n < NODE_MAX; n++) {
		struct bitmask *mask = nodes >> n & 1 ? lib.numa_allocate_cpumask() : NULL;

		if (mask && !lib.numa_node_to_cpus((int)n, mask))
			cpus[n] = mask;
	}
	return true;
}

static void begin(void)
{
	for (unsigned long i = 0; i < last->size / (8 * sizeof(long)); i++)
		last->maskp[i] = 0;
	at = NODE_MAX;
	stuck = false;
}

static void enter(unsigned node)
{
	if (node == at || stuck || !cpus[node])
		return;
	stats_add(STAT_SYS_OTHER, 1);
	stuck = lib.numa_sched_getaffinity(0, now) < 0;
	if (stuck)
		return;
	/* The first time; and somebody else may have put it elsewhere since: that holds from now on. */
	if (!lib.numa_bitmask_equal(now, last))
		lib.copy_bitmask_to_bitmask(now, given);
	for (unsigned long i = 0; i < wanted->size / (8 * sizeof(long)); i++)
		wanted->maskp[i] = given->maskp[i] & cpus[node]->maskp[i];
	if (!lib.numa_bitmask_weight(wanted))
		return;
	stats_add(STAT_SYS_OTHER, 1);
	stuck = lib.numa_sched_setaffinity(0, wanted) < 0;
	if (stuck)
		return;
	lib.copy_bitmask_to_bitmask(wanted, last);
	at = node;
}

#else

static bool open_library(uint64_t nodes)
{
	(void)nodes;
	return false;
}

static void begin(void)
{
}

static void enter(unsigned node)
{
	(void)node;
}

#endif

struct node_mover node_mover = {.open = open_library, .begin = begin, .enter = enter};
