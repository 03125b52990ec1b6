/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * madvise - every other allocator, by the zaps that it makes through libc.
 *
 * madvise, process_madvise and syscall are interposed, each does what it was asked to do, and what was
 * zapped is noted: the adapter learns of pages given up and never of their reuse, so nothing is put
 * off and nothing destroyed on its word (see sweep.h). munmap, mremap and mmap are interposed so that
 * what leaves the address space is forgotten. Zaps by instructions of the program's own, or from within
 * libc, are not seen.
 */
#ifndef PTR_HOOKS_MADVISE_H
#define PTR_HOOKS_MADVISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Find the functions that stand behind ours, in every mode: at the start nobody else is in the loader,
 * and a call that came first could be from any thread, with any lock, or from a fork's child. */
void madvise_find(void);

/* Does any object of this process, other than libc and those that serve themselves, call madvise? Not
 * from a hook. `served`: addresses in objects that are served otherwise, ended by NULL. */
bool madvise_wanted(const void *const *served);

/*
 * Note zaps from now on. Where no worker runs, whoever zaps also sweeps, every sweep_ms. `first`, unless
 * NULL, is called before the first is noted, by who made it and with the locks that he holds.
 */
void madvise_install(uint64_t sweep_ms, void (*first)(void));

/* What this thread maps from now on; and whether all of [addr, addr + len) was mapped since by one
 * call, as private anonymous readable and writable memory and nothing more. Ends the watch. */
void mappings_watch(void);
bool mappings_seen(const void *addr, size_t len);

/*
 * Call fn once, the next time that memory without a file is mapped by a call of mmap(): in the thread that
 * did, with whatever locks it holds.
 */
void mappings_tell(void (*fn)(void));

#endif
