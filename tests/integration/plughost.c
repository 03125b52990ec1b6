// SPDX-License-Identifier: BSD-2-Clause
/* plughost FILE - load a plugin that brings jemalloc along, and close it on the way out. Exit
 * status 77: it cannot be loaded. */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static void *plugin;

static void close_it(void)
{
	(void)dlclose(plugin);
}

int main(int argc, char **argv)
{
	bool (*work)(void);

	if (argc != 2)
		return 2;
	plugin = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
	if (!plugin) {
		(void)fprintf(stderr, "%s\n", dlerror());
		return 77;
	}
	*(void **)&work = dlsym(plugin, "plugin_work");
	if (!work || !work() || atexit(close_it))
		return 5;
	(void)puts("intact");
	return 0;
}
