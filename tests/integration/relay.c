// SPDX-License-Identifier: BSD-2-Clause
/* relay - a library that stands in for mallctl alone, and hands on to whoever is behind it. */
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>

typedef int mallctl_fn(const char *name, void *oldp, size_t *oldlenp, void *newp, size_t newlen);

__attribute__((visibility("default"))) mallctl_fn mallctl;

int mallctl(const char *name, void *oldp, size_t *oldlenp, void *newp, size_t newlen)
{
	mallctl_fn *behind;

	*(void **)&behind = dlsym(RTLD_NEXT, "mallctl");
	return behind ? behind(name, oldp, oldlenp, newp, newlen) : ENOENT;
}
