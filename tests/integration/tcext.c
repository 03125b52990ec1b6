// SPDX-License-Identifier: BSD-2-Clause
/* tcext - see tcext.h. */
#include "tcext.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct {
	int (*get)(const char *, size_t *);
	int (*set)(const char *, size_t);
	void (*release_free_memory)(void);
	void (*release)(size_t);
	int (*verify)(void);
} api;

bool tcext_find(void)
{
	*(void **)&api.get = dlsym(RTLD_DEFAULT, "MallocExtension_GetNumericProperty");
	*(void **)&api.set = dlsym(RTLD_DEFAULT, "MallocExtension_SetNumericProperty");
	*(void **)&api.release_free_memory =
		dlsym(RTLD_DEFAULT, "MallocExtension_ReleaseFreeMemory");
	*(void **)&api.release = dlsym(RTLD_DEFAULT, "MallocExtension_ReleaseToSystem");
	*(void **)&api.verify = dlsym(RTLD_DEFAULT, "MallocExtension_VerifyAllMemory");
	return api.get && api.set && api.release_free_memory && api.release && api.verify;
}

static void need(bool found)
{
	if (found)
		return;
	(void)fputs("no tcmalloc in this process\n", stderr);
	_exit(5);
}

bool tcext_get(const char *name, size_t *value)
{
	need(api.get);
	return api.get(name, value);
}

bool tcext_set(const char *name, size_t value)
{
	need(api.set);
	return api.set(name, value);
}

void tcext_release_free_memory(void)
{
	need(api.release_free_memory);
	api.release_free_memory();
}

void tcext_release(size_t bytes)
{
	need(api.release);
	api.release(bytes);
}

bool tcext_verify(void)
{
	need(api.verify);
	return api.verify();
}

size_t rss_kb(void)
{
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	char text[4096];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		(void)close(fd);
	for (ssize_t i = 0; i + 6 < n; i++)
		if (text[i] == 'V' && text[i + 2] == 'R' && text[i + 3] == 'S' &&
		    text[i + 5] == ':') {
			text[n] = '\0';
			return strtoul(text + i + 6, NULL, 10);
		}
	need(false);
	return 0;
}
