/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * node - NUMA: which node's queue and memory a thread uses, and where the worker flushes from.
 *
 * What is pending waits in a queue of its node (batch), and records come from a pool of their node (pool). A
 * node is told by the processor that the thread is on, since asking where a page lies is a system call: the
 * queue's is that of the thread that queued the region, the pool's that of the thread that first used it.
 * On one node there is one of each and nothing is asked; nodes without processors have none.
 *
 * One worker serves all nodes, and moves to the node whose queue it flushes. One for each node would do no
 * better: a zap costs the kernel's work on page structs, page tables and free lists, which are of the node
 * either way, and the mmap and page table locks, which are of the process either way. It would cost a thread
 * and a stack for each, in every child after fork again, and as many wake-ups a period as the other makes
 * moves. Large amounts do not wait for it: the threads that release them flush their own node's.
 *
 * The worker is kept to the node's processors by libnuma, within those that it was given: numa_run_on_node()
 * would lead it out of taskset's. libnuma is loaded where there is more than one node, never linked: it reads
 * a dozen files of /sys as soon as it is loaded, and most processes are on one node. Without it, or where the
 * node cannot be told without a system call, all nodes share one queue.
 */
#ifndef PTR_NODE_H
#define PTR_NODE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "os.h"

/* Queues and pools at most. Nodes beyond, and such as are added while the process runs, count as node 0. */
#define NODE_MAX 64

/* How nodes are counted: of the highest that has processors, one more. 1: there is one, or all are one. */
extern _Atomic unsigned node_counted __attribute__((visibility("hidden")));

static inline unsigned node_count(void)
{
	return atomic_load_explicit(&node_counted, memory_order_relaxed);
}

/* The node that the calling thread is on, below node_count(). For hooks. */
static inline unsigned node_here(void)
{
	unsigned count = node_count(), n;

	if (__builtin_expect(count == 1, 1))
		return 0;
	n = (unsigned)os.node();
	return n < count ? n : 0;
}

/*
 * Count the nodes. Before the engine is started; not from a hook: may load libnuma, which allocates. What
 * keeps it from telling nodes apart is said in a line.
 */
void node_init(void (*say)(const char *line));

/* For the worker, when it starts: what to call before it flushes a node's queue. NULL: nothing. */
void (*node_worker(void))(unsigned node);

/* What of it libnuma does; tests put theirs in its place. */
struct node_mover {
	/* For these nodes, a bit each; false: it cannot be done. */
	bool (*open)(uint64_t nodes);
	/* The calling thread is the one that will move; where it may be is looked up anew. */
	void (*begin)(void);
	void (*enter)(unsigned node);
};

extern struct node_mover node_mover;

#endif
