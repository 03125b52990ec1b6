/* SPDX-License-Identifier: BSD-2-Clause */
/* scratch - try on memory of our own which way of freeing page tables this kernel has. */
#ifndef PTR_SCRATCH_H
#define PTR_SCRATCH_H

#include "conf.h"

#include <stdbool.h>

/* Whether this backend does its job: VmPTE falls, and data beside it is left alone. */
bool backend_probe(enum conf_backend which);

#endif
