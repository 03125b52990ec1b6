// SPDX-License-Identifier: BSD-2-Clause
/*
 * tcext - the properties as a C++ program reaches them, by MallocExtension. Compiled by its test, where
 * there is a C++ compiler. Exit status 0: as expected.
 */
#include <gperftools/malloc_extension.h>

#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

static int failed;

static void check(bool good, const char *what)
{
	if (good)
		return;
	std::fprintf(stderr, "tcext: failed: %s\n", what);
	failed = 5;
}

static void work()
{
	std::vector<std::string> texts;

	for (int i = 0; i < 400; i++)
		texts.push_back(std::string(100000 + i, static_cast<char>('a' + i % 26)));
	for (int i = 0; i < 400; i++)
		check(texts[i][i] == 'a' + i % 26 && texts[i].size() == 100000u + i, "a text");
}

int main()
{
	MallocExtension *e = MallocExtension::instance();
	size_t n = 4711, again = 0;

	check(e->SetNumericProperty("tcmalloc.aggressive_memory_decommit", 1), "aggressive");
	work();
	check(!e->GetNumericProperty("ptreclaim.nonesuch", &n) && n == 4711, "unknown");
	check(!e->SetNumericProperty("ptreclaim.nonesuch", 1), "unknown, set");
	check(!e->SetNumericProperty("ptreclaim.stats.released", 1), "read only");
	check(e->GetNumericProperty("ptreclaim.stats.released", &n) && n > 20000000, "released");
	check(e->SetNumericProperty("ptreclaim.batch_bytes", 5 << 20), "batch_bytes, set");
	check(e->GetNumericProperty("ptreclaim.batch_bytes", &n) && n == 5 << 20, "batch_bytes");
	check(e->SetNumericProperty("ptreclaim.flush", 1), "flush");
	check(e->GetNumericProperty("ptreclaim.stats.pending", &n) && n == 0, "pending");
	check(e->GetNumericProperty("generic.heap_size", &n) && n > 20000000, "generic.heap_size");
	work();
	e->ReleaseFreeMemory();
	check(e->GetNumericProperty("ptreclaim.stats.pending", &n) && n == 0, "ReleaseFreeMemory");
	e->ReleaseToSystem(1 << 20);
	check(e->GetNumericProperty("tcmalloc.pageheap_unmapped_bytes", &again) && again > 0,
	      "tcmalloc's own");
	/* NOLINTNEXTLINE */
	delete[] new (std::nothrow) char[3 << 20];
	if (!failed)
		std::puts("right");
	return failed;
}
