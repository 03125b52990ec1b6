// SPDX-License-Identifier: BSD-2-Clause
/*
 * wiper - has bundle clear memory that is shared, which no zap clears. Exit status 3: it did not;
 * 77: there is no bundle.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define BYTES ((size_t)1 << 20)

int main(void)
{
	void (*wipe)(void *addr, size_t len);
	unsigned char *p;

	*(void **)&wipe = dlsym(RTLD_DEFAULT, "bundle_wipe");
	if (!wipe)
		return 77;
	free(malloc(BYTES));
	p = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return 2;
	memset(p, 7, BYTES);
	wipe(p, BYTES);
	for (size_t i = 0; i < BYTES; i++)
		if (p[i])
			return 3;
	(void)puts("cleared");
	return 0;
}
