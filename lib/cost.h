/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cost - what page faults, zaps and the like cost on this machine, measured on a scratch mapping.
 *
 * They differ by machine, kernel, mitigations and cgroup by factors of several, and what pays off on one
 * does not on another. Takes a few hundred microseconds: for the worker's thread, not for a hook.
 */
#ifndef PTR_COST_H
#define PTR_COST_H

#include <stdbool.h>

#include "policy.h"

/* Measure: the least of several rounds each. False: no memory, or nothing was to be seen. */
bool cost_measure(struct policy_costs *out);

#endif
