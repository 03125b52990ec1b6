/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine - the five verbs: the only door into lib/ for hooks/.
 *
 * A hook translates its allocator's vocabulary into these and does nothing else. They may be called
 * from any thread, also with the allocator's locks held: they allocate nothing, take no lock, keep
 * errno, and the longest they ever wait is BATCH_WAIT_NS for a zap in flight. Ranges are in
 * bytes, page-aligned; a range belongs to its caller for the time of the call.
 */
#ifndef PTR_ENGINE_H
#define PTR_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "conf.h"
#include "node.h"
#include "stats.h"

enum engine_reuse {
	ENGINE_OK,	  /* all of it was ours to give; it reads zero if that was asked for */
	ENGINE_STRANGERS, /* the same, but for pages that were never released to the engine */
	ENGINE_BUSY,	  /* a zap in flight did not end in time: nothing was taken */
};

/*
 * Start with a configuration: choose a backend. Call once, before any hook is installed. Does not start
 * the worker. Returns the mode; in mode off nothing was started.
 */
enum conf_mode engine_init(const struct conf *c);

/*
 * The mode as it was set, and as it is in force: off while the kill file exists.
 *
 * From the first time that it is on, the engine keeps account of what it is told in every mode, so that
 * going back to on is exact. In the other modes what is released is zapped at once, as the allocator
 * would have it, and no table is reclaimed. Before that time it takes no page.
 */
enum conf_mode engine_mode(void);
enum conf_mode engine_mode_in_force(void);
/* Has engine_init() started anything? */
bool engine_started(void);
/* Change it while running: from on, what is pending is flushed before this returns. After engine_init
 * has started something; any thread, not from a hook. */
void engine_set_mode(enum conf_mode mode);
/* Is account kept? */
bool engine_accounts(void);
/* A name for reports: that of the backend. */
const char *engine_backend_name(void);

/* Fresh address space, never touched, reads zero. `ours`: private anonymous memory of no special
 * attributes, which may be mapped anew. False: not recorded; its pages count as in use. */
bool engine_map(void *addr, size_t len, bool ours);
/* The same of memory that is in use already, or may come to be without our being told. */
bool engine_own(void *addr, size_t len);
/* Bytes of padding follow a mapping that ends at `end`, and are to be unmapped with it. */
void engine_pad(void *end);
/* The padding behind `end`, in bytes; asking forgets it. */
size_t engine_take_pad(void *end);

/* The allocator gives pages up; the zap may be deferred. False: the engine did not take them, and
 * the allocator should do what it always did. */
bool engine_release(void *addr, size_t len);

/* How pages are taken back. */
#define ENGINE_ZERO   1u /* they must read zero on return */
#define ENGINE_SHARED 2u /* others may be waiting for a lock that the caller holds: be short */

/* The allocator takes pages back. Those of which an owner is expected to touch most may be there on
 * return, whatever they were before. */
enum engine_reuse engine_reuse(void *addr, size_t len, unsigned how);

/* The allocator wants a range that it has to read zero, for an owner to come: zeroed where such owners
 * touch it, zapped elsewhere. Only for private anonymous memory. */
void engine_zero(void *addr, size_t len);
/* Is all of the range known to be private anonymous memory (engine_map with `ours`)? */
bool engine_is_ours(void *addr, size_t len);

/* The range is about to leave the allocator: forget it. Call before munmap. False: a zap in flight
 * did not end in time, so it must not be unmapped now. */
bool engine_unmap(void *addr, size_t len);

/* Somebody already zapped it, and we may not know of its reuse. `dropped`: its pages are gone, and
 * not only free to be taken (MADV_FREE). */
void engine_zapped(void *addr, size_t len, bool dropped);
/* The range is about to leave the address space, and is not in our account: forget zaps in it. */
void engine_gone(void *addr, size_t len);
/* It has been moved, not copied: zaps in it are remembered where it is now. */
void engine_moved(void *from, void *to, size_t len);
/* Bytes of page tables that are empty because of such zaps, and that MADV_PT_RECLAIM would free. Looks
 * at each of those regions: for reports. */
uint64_t engine_reclaimable(void);
/* The same while observing, where it tells what mode on would have freed by now; 0 in other modes. */
uint64_t engine_predicted_tables(void);
/* Is what others zap swept, on this kernel and in this mode? */
bool engine_sweeps(void);
/* Sweep now, in the calling thread, if there is anything: where no worker runs. */
void engine_sweep(void);

/* Flush everything that is pending, now, in the calling thread. */
void engine_flush(void);
/* Flush the oldest of what is pending, as much as this at least. */
void engine_trim(uint64_t bytes);
/* Bytes that are pending: not less than there are, and more by a sixteenth of batch_bytes at most. */
uint64_t engine_pending_most(void);

/* As configured, and changed while running: any thread, not from a hook. */
uint64_t engine_batch_bytes(void);
void engine_set_batch_bytes(uint64_t bytes);
uint64_t engine_keep_bytes(void);
void engine_set_keep_bytes(uint64_t bytes);

/*
 * Does what is released come back soon? It does where the allocator gives up at once what is freed (jemalloc's
 * decay 0, tcmalloc's aggressive decommit): its callers trade time for memory. What is pending is warm then,
 * and worth keeping for long, and the page faults to come are worth sparing where memory is handed out.
 * Where it gives up what has rested for seconds, the default, a malloc is expected to take no time and a free
 * no more than the zap of what it gives up. Soon, until it is said. Any thread.
 */
void engine_expect_returns(bool soon);

/* For the worker. */
void engine_pause(bool paused); /* the kill switch */
bool engine_paused(void);
/* Does it defer and reclaim, now? *pauses: how often it has stopped to; what was zapped meanwhile is
 * made up for by engine_catch_up(). */
bool engine_acting(uint32_t *pauses);
void engine_catch_up(void);
void engine_pressure(bool high); /* under memory pressure nothing is deferred and nothing kept */

/* In the child after fork: put the account right, if that has not been done. Every verb does so
 * itself; the worker does it for what the parent left pending. */
void engine_after_fork(void);
/* For the fork handler of a child, before it has threads: where the kernel cannot tell a child
 * (no MADV_WIPEONFORK) the account is put right here. */
void engine_fork_child(void);

struct engine_state {
	uint64_t pending_bytes, kept_bytes, excess_bytes, own_bytes;
};

void engine_state(struct engine_state *out);

/* The same by NUMA node, and what was done since the start. Looks at every record: for reports. Returns how
 * many nodes are told apart, 1 at least. */
struct engine_node {
	uint64_t pending_bytes, zapped_bytes, flushes, own_bytes;
};
unsigned engine_nodes(struct engine_node out[NODE_MAX]);

#endif
