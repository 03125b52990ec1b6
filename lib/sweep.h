/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sweep - regions in which somebody else has zapped, of whose use nothing is known.
 *
 * The one thing that may be done to them is to ask the kernel whether their table is empty
 * (MADV_PT_RECLAIM): that destroys nothing, whoever has taken the pages meanwhile. Regions are
 * remembered when they are zapped and swept by vectors, so a sweep costs in proportion to what was
 * zapped since the last. Where the kernel does not know that advice nothing is done to them, and what
 * it would free can be counted.
 *
 * All functions are safe in any thread, take no lock and do not allocate but for a region's record.
 */
#ifndef PTR_SWEEP_H
#define PTR_SWEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "batch.h"

/* Of a call that covers this many regions or more no records are made: a reservation of which little
 * was used would cost more than it has tables. The kernel is asked about them at once. */
#define SWEEP_MANY 512

/*
 * Pages of [addr, end) were zapped by one call. `dropped`: they are gone (and not only free to be
 * taken), so where the kernel frees the table of a region that one call covers, that is gone as well.
 * `ask`: the kernel may be asked about them. True if there was nothing for the next sweep to do, and now
 * there is: the worker has to be told.
 */
bool sweep_note(uintptr_t addr, uintptr_t end, bool dropped, bool ask);

/* The range is being unmapped, or mapped anew: whole regions in it have no table any more. */
void sweep_forget(uintptr_t addr, uintptr_t end);

/* Pages and tables of [addr, addr + len) were moved to `to`, and nothing is left where they were: so go
 * the notes. True as for sweep_note. */
bool sweep_moved(uintptr_t addr, uintptr_t to, size_t len, bool ask);

/* Ask about all that were noted. f: empty, of the caller; it is issued. */
void sweep_run(struct flight *f);
/* Has sweep_run() nothing to do? */
bool sweep_idle(void);

/*
 * Bytes of page tables that MADV_PT_RECLAIM would free now: those of remembered regions that are still
 * mapped, wholly or in part, and have no page. Looks at each (a few system calls a region): for
 * reports, never for a hook.
 */
uint64_t sweep_reclaimable(void);

/* Empty the queue, and ask about none. What was noted stays noted. */
void sweep_put_off(void);
/* Queue anew what was noted while nothing was to be asked. Any thread; looks at every record. */
void sweep_requeue(void);
/* The same for one of them. True as for sweep_note. */
bool sweep_requeue_region(struct region *r);

/* The child after fork, alone: rebuild the queue from the records. After batch_after_fork. */
void sweep_after_fork(void);

#endif
