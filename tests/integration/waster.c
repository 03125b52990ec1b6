// SPDX-License-Identifier: BSD-2-Clause
/*
 * waster N - have N page tables that map nothing, then say so on stdout and hold still until stdin
 * ends.
 */
#include "os.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
	char *p, c;

	os_init();
	p = os.map((n + 1) * os_region_size);
	if (!p)
		return 1;
	p += -(uintptr_t)p & (os_region_size - 1);
	(void)os.madvise(p, n * os_region_size, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < n; i++) {
		*(volatile char *)p = 1;
		if (os.madvise(p, os_page_size, MADV_DONTNEED))
			return 1;
		p += os_region_size;
	}
	(void)puts("ready");
	(void)fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	return 0;
}
