// SPDX-License-Identifier: BSD-2-Clause
/* plugin - a library that brings jemalloc along: for plughost. */
#include <jemalloc/jemalloc.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

__attribute__((visibility("default"))) bool plugin_work(void);

/* Some allocation through jemalloc's own names, whoever malloc is. */
bool plugin_work(void)
{
	unsigned narenas = 0;
	size_t len = sizeof(narenas);

	for (unsigned i = 0; i < 500; i++) {
		size_t size = (size_t)4096 << i % 10;
		unsigned char *p = mallocx(size, MALLOCX_ZERO);

		if (!p || p[0] || p[size - 1] || p[size / 2])
			return false;
		memset(p, 7, size);
		dallocx(p, 0);
	}
	return !mallctl("arenas.narenas", &narenas, &len, NULL, 0) && narenas > 0;
}
