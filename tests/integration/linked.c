// SPDX-License-Identifier: BSD-2-Clause
/* linked - a program linked with the library: what remains of it when LD_PRELOAD does not count,
 * as in a setuid program. Says whether the kernel asks for caution. */
#include <jemalloc/jemalloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "ptreclaim.h"

int main(void)
{
	for (unsigned i = 0; i < 2000; i++) {
		size_t size = (size_t)4096 << i % 9;
		char *p = calloc(1, size);

		if (!p || p[0] || p[size / 2] || p[size - 1])
			return 3;
		memset(p, 1, size);
		free(p);
	}
	ptreclaim_flush();
	(void)printf("%s %s\n", getauxval(AT_SECURE) ? "secure" : "plain", ptreclaim_version());
	return 0;
}
