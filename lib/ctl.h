/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ctl - properties by name: what can be read and changed while the program runs.
 *
 * All of them are numbers. Any thread; not from a hook. Reading ptreclaim.stats.reclaimable costs a few
 * system calls for each region that was zapped in by others, the rest are cheap.
 */
#ifndef PTR_CTL_H
#define PTR_CTL_H

#include <stdbool.h>
#include <stdint.h>

#include "conf.h"

/* Does the name begin like one of ours, whether there is such a property or not? */
bool ctl_is_ours(const char *name);

/* 0; ENOENT: no such property; EPERM: it cannot be read, or not be written; EINVAL: not that value. */
int ctl_read(const char *name, uint64_t *value);
int ctl_write(const char *name, uint64_t value);

/* How the mode is changed: 0 or an errno value. Without it the mode can only be read. */
void ctl_on_mode(int (*change)(enum conf_mode mode));

#endif
