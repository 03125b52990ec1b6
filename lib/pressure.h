/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pressure - is memory short? A PSI trigger on the process's own cgroup where it has one, else on
 * the whole system. Without PSI the answer is always no, and that is no error.
 */
#ifndef PTR_PRESSURE_H
#define PTR_PRESSURE_H

#include <stdbool.h>

/* Arm a trigger. Not thread-safe. */
void pressure_init(void);
/* Give up the trigger, which a child shares with its parent, for one of our own. */
void pressure_renew(void);
bool pressure_armed(void);
/* Has it fired since the last call? One system call, never blocks. */
bool pressure_high(void);

#endif
