// SPDX-License-Identifier: BSD-2-Clause
/* gperftools - find it, prove that its calls come by here: see gperftools.h. */
#include "gperftools.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "os.h"

/* The functions of tcmalloc that the proof and the start need, from the same library. */
static struct {
	const char *(*version)(int *, int *, const char **);
	void *(*malloc)(size_t);
	void (*free)(void *);
	void (*release_free_memory)(void);
	int (*get_property)(const char *, size_t *);
} api;

static bool resolve(void)
{
	*(void **)&api.version = dlsym(RTLD_DEFAULT, "tc_version");
	*(void **)&api.malloc = dlsym(RTLD_DEFAULT, "tc_malloc");
	*(void **)&api.free = dlsym(RTLD_DEFAULT, "tc_free");
	*(void **)&api.release_free_memory =
		dlsym(RTLD_DEFAULT, "MallocExtension_ReleaseFreeMemory");
	*(void **)&api.get_property = dlsym(RTLD_DEFAULT, "MallocExtension_GetNumericProperty");
	return api.version && api.malloc && api.free && api.release_free_memory && api.get_property;
}

bool gperftools_find(char *version, size_t cap)
{
	int major = 0, minor = 0;
	const char *patch = "";

	if (!resolve())
		return false;
	(void)api.version(&major, &minor, &patch);
	(void)snprintf(version, cap, "%d.%d%.16s", major, minor, patch ? patch : "");
	return true;
}

/* Does tcmalloc's own release release? Not with TCMALLOC_DISABLE_MEMORY_RELEASE, and not /dev/mem. */
static bool releases(void)
{
	void *page = os.map(os_page_size);
	bool yes;

	if (!page)
		return false;
	yes = gperftools_stock_release(page, os_page_size);
	(void)os.unmap(page, os_page_size);
	return yes;
}

#define PROOF_BLOCK ((size_t)512 << 10) /* more than tcmalloc's largest size class */
#define PROOF_TRIES 3

/*
 * Make tcmalloc release something, then take that back. All that is free is released beforehand, so
 * that no other memory can serve; a little less than the largest piece is asked for, since a debug build
 * adds to each block.
 */
static bool prove(void)
{
	size_t block = PROOF_BLOCK;
	bool proven = false;

	for (unsigned i = 0; i < PROOF_TRIES && !proven; i++, block *= 2) {
		size_t released;
		void *p;

		gperftools_watch(true);
		p = api.malloc(block);
		api.free(p);
		api.release_free_memory();
		released = gperftools_released();
		if (released < PROOF_BLOCK)
			continue;
		gperftools_watch(true);
		p = api.malloc(released - released / 8);
		proven = gperftools_committed();
		api.free(p);
	}
	gperftools_watch(false);
	return proven;
}

/* What it did before its calls came by here, for the heap limit. */
static void catch_up(void)
{
	const size_t *taken = dlsym(RTLD_DEFAULT, "TCMalloc_SystemTaken");
	size_t released = 0;

	(void)api.get_property("tcmalloc.pageheap_unmapped_bytes", &released);
	gperftools_catch_up(taken ? *taken : 0, released);
}

/* In MiB. Loaded before us it may be set up after us, and not have looked at its environment yet. */
static size_t heap_limit(void)
{
	const char *text = getenv("TCMALLOC_HEAP_LIMIT_MB");
	size_t limit = 0;

	if (api.get_property("tcmalloc.heap_limit_mb", &limit) && limit)
		return limit;
	return text ? strtoul(text, NULL, 10) : 0;
}

/* Does it give up at once what is freed? The environment is asked for the same reason, and read as it does. */
static bool gives_up_at_once(void)
{
	const char *text = getenv("TCMALLOC_AGGRESSIVE_DECOMMIT");
	size_t on = 0;

	if (api.get_property("tcmalloc.aggressive_memory_decommit", &on) && on)
		return true;
	return text && (!*text || strchr("tTyY1", *text));
}

const char *gperftools_install(void)
{
	bool proven;

	if (!gperftools_reached() || !gperftools_only_reached())
		return "its functions are hidden";
	if (!releases())
		return "it releases no memory, as it was told";
	proven = prove();
	/*
	 * Loaded before us, it calls its own functions, unless the slots it calls them through are
	 * changed; and it may not be set up so far as to release anything.
	 */
	if (!proven) {
		if (!gperftools_replace_slots((const void *)api.release_free_memory))
			return "its calls do not come by here";
		catch_up();
		proven = prove();
	}
	gperftools_limit(heap_limit());
	engine_expect_returns(gives_up_at_once());
	gperftools_serve(proven);
	return NULL;
}

const void *gperftools_served(void)
{
	return gperftools_serving() ? (const void *)api.release_free_memory : NULL;
}
