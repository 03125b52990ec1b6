/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * jemalloc_tune - jemalloc's decay settings, read and written for lib/tune.h.
 *
 * Through jemalloc's mallctl, about once a second, by the worker: never in a hook. With tune:off there
 * is nothing to poll and nothing is woken.
 */
#ifndef PTR_HOOKS_JEMALLOC_TUNE_H
#define PTR_HOOKS_JEMALLOC_TUNE_H

#include <stdbool.h>

#include "conf.h"

/* Once, when the hooks are installed. `arenas_to_come`: what jemalloc_install answered; those are looked
 * for by the same chore of the worker. */
void jemalloc_tune_start(enum conf_tune mode, bool arenas_to_come);

#endif
