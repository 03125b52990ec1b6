// SPDX-License-Identifier: BSD-2-Clause
/* bundle - a library that jemalloc is linked into, and that clears memory of its own: for wiper. */
#include <stddef.h>
#include <string.h>

__attribute__((visibility("default"))) void bundle_wipe(void *addr, size_t len);

void bundle_wipe(void *addr, size_t len)
{
	memset(addr, 0, len);
}
