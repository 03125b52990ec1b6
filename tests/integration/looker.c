// SPDX-License-Identifier: BSD-2-Clause
/*
 * looker WHAT - what is to be seen of the library from within a program.
 *
 *	hooks    the extent hooks of arena 0, each as file+offset
 *	threads  how many there are
 *	maps     the mappings, without those of libptreclaim.so and without addresses; the nameless
 *	         ones in one line, since neighbours merge
 */
#include <dlfcn.h>
#include <dirent.h>
#include <jemalloc/jemalloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void say_function(const char *name, void *p)
{
	const char *file;
	Dl_info where;

	if (!p || !dladdr(p, &where)) {
		(void)printf("%s %s\n", name, p ? "unknown" : "NULL");
		return;
	}
	file = strrchr(where.dli_fname, '/');
	(void)printf("%s %s+%#lx\n", name, file ? file + 1 : where.dli_fname,
		     (unsigned long)((char *)p - (char *)where.dli_fbase));
}

static int say_hooks(void)
{
	extent_hooks_t *h = NULL;
	size_t len = sizeof(void *);

	if (mallctl("arena.0.extent_hooks", &h, &len, NULL, 0) || !h)
		return 1;
	say_function("hooks", (void *)h);
	say_function("alloc", *(void **)&h->alloc);
	say_function("dalloc", *(void **)&h->dalloc);
	say_function("commit", *(void **)&h->commit);
	say_function("decommit", *(void **)&h->decommit);
	say_function("purge_forced", *(void **)&h->purge_forced);
	say_function("split", *(void **)&h->split);
	say_function("merge", *(void **)&h->merge);
	return 0;
}

static int say_threads(void)
{
	DIR *d = opendir("/proc/self/task");
	unsigned n = 0;

	for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d))
		n += e->d_name[0] != '.';
	(void)printf("%u\n", n);
	return d ? closedir(d) : 1;
}

/* The library's .bss is the nameless mapping right behind its last named one. */
static int say_maps(void)
{
	char line[4096], last[32] = "";
	unsigned long nameless_kb = 0, all_kb = 0;
	FILE *f = fopen("/proc/self/maps", "re");

	if (!f)
		return 1;
	while (fgets(line, sizeof(line), f)) {
		char *dash = strchr(line, '-'), *perms = strchr(line, ' ');
		unsigned long size;
		bool ours, nameless;
		char start[32];

		if (!dash || !perms)
			return 1;
		(void)snprintf(start, sizeof(start), "%.*s", (int)(dash - line), line);
		nameless = !strchr(line, '/') && !strchr(line, '[');
		ours = strstr(line, "libptreclaim.so") || (nameless && !strcmp(start, last));
		(void)snprintf(last, sizeof(last), "%.*s", ours ? (int)(perms - dash - 1) : 0,
			       dash + 1);
		size = strtoul(dash + 1, NULL, 16) - strtoul(line, NULL, 16);
		all_kb += size >> 10;
		if (ours)
			continue;
		if (nameless)
			nameless_kb += size >> 10;
		else
			(void)printf("%.4s %8lu kB%s", perms + 1, size >> 10, strrchr(perms, ' '));
	}
	(void)printf("nameless %lu kB\nall %lu kB\n", nameless_kb, all_kb);
	return fclose(f);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	/* jemalloc is at work. */
	free(malloc(100000));
	if (!strcmp(what, "hooks"))
		return say_hooks();
	if (!strcmp(what, "threads"))
		return say_threads();
	return strcmp(what, "maps") ? 2 : say_maps();
}
