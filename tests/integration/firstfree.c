// SPDX-License-Identifier: BSD-2-Clause
/*
 * firstfree - threads whose first call to the allocator is to free what another allocated.
 *
 * jemalloc frees for such a thread without making its state. Its stock merge hook makes that state
 * when called as a hook, which allocates, and that under the lock of the extents that are merged: a
 * thread that stands in its own way. Chained hooks must not call it.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCKS 64
#define SIZE   (96u << 10) /* not cached by a thread, so that it is merged at once */

static void *free_it(void *arg)
{
	free(arg);
	return NULL;
}

int main(void)
{
	unsigned char *p[BLOCKS];
	pthread_t thread;

	for (unsigned round = 0; round < 4; round++) {
		for (unsigned i = 0; i < BLOCKS; i++) {
			p[i] = malloc(SIZE);
			if (!p[i])
				return 5; /* NOLINT: the process ends */
			memset(p[i], (int)i + 1, SIZE);
		}
		for (unsigned i = 0; i < BLOCKS; i++) {
			if (p[i][0] != i + 1 || p[i][SIZE - 1] != i + 1)
				return 3;
			if (pthread_create(&thread, NULL, free_it, p[i]) ||
			    pthread_join(thread, NULL))
				return 5;
		}
	}
	(void)puts("intact");
	return 0;
}
