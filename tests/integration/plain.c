// SPDX-License-Identifier: BSD-2-Clause
/* plain - hammer without an allocator's own interface: see hammer.h. */
#include <stdlib.h>
#include <string.h>

#include "hammer.h"

/* No standard function does it, but large blocks from calloc() are what most is lost in. */
unsigned char *resize_zero(const struct block *b, size_t size)
{
	unsigned char *p = calloc(1, size);

	if (!p)
		return NULL;
	zero_check(p, size, "calloc");
	memcpy(p, b->p, size < b->size ? size : b->size);
	free(b->p);
	return p;
}

unsigned arena_count(void)
{
	return 0;
}

void arena_life(uint64_t *state)
{
	(void)state;
}

void hooks_install(void)
{
}

unsigned long hooks_called(void)
{
	return 0;
}
