// SPDX-License-Identifier: BSD-2-Clause
/* predict - see predict.h. */
#include "predict.h"

#include <stdatomic.h>

#include "batch.h"
#include "stats.h"

static _Atomic uint64_t calls, bytes; /* gathered, to go out together */
static _Atomic uint64_t most;	      /* bytes that do; 0: nothing is deferred */

void predict_init(uint64_t batch_bytes)
{
	atomic_store(&most, batch_flush_piece(batch_bytes));
}

void predict_tick(void)
{
	uint64_t n = atomic_exchange_explicit(&calls, 0, memory_order_relaxed);

	atomic_store_explicit(&bytes, 0, memory_order_relaxed);
	if (n)
		stats_add(STAT_PREDICTED_SPARED, n - (n + FLIGHT_SMALL - 1) / FLIGHT_SMALL);
}

void predict_release(size_t len)
{
	uint64_t full = atomic_load_explicit(&most, memory_order_relaxed);

	if (!full)
		return;
	atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed);
	if (atomic_fetch_add_explicit(&bytes, len, memory_order_relaxed) + len >= full)
		predict_tick();
}

void predict_after_fork(void)
{
	atomic_store(&calls, 0);
	atomic_store(&bytes, 0);
}
