/* SPDX-License-Identifier: BSD-2-Clause */
/* pagemap - what /proc/PID/pagemap can be asked: shared by the floor's walk and by os.c. */
#ifndef PTR_PAGEMAP_H
#define PTR_PAGEMAP_H

#include <stdint.h>
#include <sys/ioctl.h> /* layers-ok: the number of a call, not a call */

/* PAGEMAP_SCAN of linux/fs.h (Linux >= 6.7), newer than many build hosts. */
#define SCAN_FILE    (1u << 2)
#define SCAN_PRESENT (1u << 3)
#define SCAN_SWAPPED (1u << 4)
#define SCAN_HUGE    (1u << 6)

struct scan_run {
	uint64_t start, end, categories;
};

struct scan_arg {
	/* cppcheck-suppress unusedStructMember */
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	/* cppcheck-suppress unusedStructMember */
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};

#define SCAN_IOCTL _IOWR('f', 16, struct scan_arg)

/* Bits of an entry of the file. */
#define PAGEMAP_PRESENT (1ull << 63)
#define PAGEMAP_SWAPPED (1ull << 62)

#endif
