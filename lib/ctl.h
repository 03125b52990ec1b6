/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ctl - properties by name: what can be read and changed while the program runs.
 *
 * In the calling form of jemalloc's mallctl(3), with its errors, by name and by MIB; and as plain numbers
 * for MallocExtension. What they are is in one table, ctl_table.c. Statistics are read from a snapshot,
 * which is taken at the first read and by each write of ptreclaim.epoch; as plain numbers they are of the
 * moment.
 *
 * Any thread; not from a hook. Reading ptreclaim.stats.reclaimable costs a few system calls for each
 * region that was zapped in by others, the rest are cheap. errno is kept.
 */
#ifndef PTR_CTL_H
#define PTR_CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "conf.h"

#define CTL_PREFIX "ptreclaim."

/* First number of every MIB of ours: jemalloc's begin with the index of one of a dozen names. */
#define CTL_MIB_ROOT ((size_t)0x70747265)
/* Most numbers in a MIB. */
#define CTL_DEPTH 5

/* Does the name begin like one of ours, whether there is such a property or not? Inline, and most others
 * end at their first byte: every name that is jemalloc's comes by here. */
static inline bool ctl_is_ours(const char *name)
{
	return name[0] == 'p' && name[1] == 't' &&
	       !strncmp(&name[2], &CTL_PREFIX[2], sizeof(CTL_PREFIX) - 3);
}

static inline bool ctl_is_ours_mib(const size_t *mib, size_t miblen)
{
	return miblen && mib[0] == CTL_MIB_ROOT;
}

/*
 * mallctl(3), mallctlnametomib(3) and mallctlbymib(3) of our names: 0 or an errno value.
 *	ENOENT	no such property, or nothing is known of that arena or node
 *	EPERM	it cannot be read, or not be written
 *	EINVAL	a length that is not the type's (as much as fits is read), or a value out of range
 *	EAGAIN	another thread has held the snapshot for very long, or this is a signal handler and its
 *		thread holds it
 */
int ctl_byname(const char *name, void *oldp, size_t *oldlenp, void *newp, size_t newlen);
int ctl_nametomib(const char *name, size_t *mibp, size_t *miblenp);
int ctl_bymib(const size_t *mib, size_t miblen, void *oldp, size_t *oldlenp, void *newp,
	      size_t newlen);

/* The same as a number: booleans are 0 and 1, what has one of a few names is counted from 0. 0; ENOENT;
 * EPERM: it cannot be read (strings among them), or not be written; EINVAL: not that value. */
int ctl_read(const char *name, uint64_t *value);
int ctl_write(const char *name, uint64_t value);

/*
 * Where the configuration is that the process was started with, and the names of the allocators that are
 * served ("" until one is). Both have to stay. Limits that are written while nothing runs that they would
 * limit are put into the configuration, so that it starts with them.
 */
void ctl_describe(struct conf *c, const char *allocators);

/* For the fork handler of a child: it may have its parent's number, in a pid namespace of its own. */
void ctl_fork_child(void);

/* Who changes the mode in force: 0 or an errno value. Until then ptreclaim.mode cannot be written. */
void ctl_on_mode(int (*change)(enum conf_mode mode));

enum ctl_type {
	CTL_VOID, /* neither read nor written: the call does it */
	CTL_BOOL,
	CTL_UNSIGNED,
	CTL_SIZE,   /* size_t */
	CTL_SSIZE,  /* ssize_t */
	CTL_UINT64, /* uint64_t */
	CTL_STRING, /* const char *; stays as it is */
};

/* For those that list them. */
struct ctl_description {
	const char *name; /* with "<i>" where an index goes */
	enum ctl_type type;
	const char *type_name;
	const char *access; /* "r", "rw" or "-" */
	const char *unit;   /* "" where there is none */
	const char *help;
	bool numeric; /* ctl_read() or ctl_write() know it */
};

/* The i-th, from 0; false: there are no more. */
bool ctl_describe_property(size_t i, struct ctl_description *out);

#endif
