// SPDX-License-Identifier: BSD-2-Clause
/*
 * gperftools_hooks - the interposed functions: tcmalloc's vocabulary into the five verbs.
 *
 * They run with tcmalloc's page heap locked, but for one look at the start whether memory can be
 * released, and memory for its own records: nothing here allocates or logs. What is said here of tcmalloc
 * holds for 2.10, 2.16 and 2.18.1: page_heap.cc and system-alloc.cc.
 */
#include "gperftools.h"

#include <stdatomic.h>
#include <string.h>

#include "ctl.h"
#include "engine.h"
#include "imports.h"
#include "madvise.h"
#include "os.h"
#include "stats.h"
#include "turns.h"

#define EXPORT __attribute__((visibility("default")))
#define TLS    __thread __attribute__((tls_model("initial-exec")))

/* Pages that are looked at by one call. */
#define LOOK_PAGES 512

/* X(member, C++ name, result, parameters): what of tcmalloc's is interposed. */
#define INTERPOSED(X)                                                                              \
	X(alloc, "_Z20TCMalloc_SystemAllocmPmm", void *, (size_t, size_t *, size_t))               \
	X(release, "_Z22TCMalloc_SystemReleasePvm", bool, (void *, size_t))                        \
	X(commit, "_Z21TCMalloc_SystemCommitPvm", void, (void *, size_t))                          \
	X(get_property, "_ZN22TCMallocImplementation18GetNumericPropertyEPKcPm", bool,             \
	  (void *, const char *, size_t *))                                                        \
	X(set_property, "_ZN22TCMallocImplementation18SetNumericPropertyEPKcm", bool,              \
	  (void *, const char *, size_t))                                                          \
	X(release_to_system, "_ZN22TCMallocImplementation15ReleaseToSystemEm", void,               \
	  (void *, size_t))

/* Ours, exported under tcmalloc's names. By those only others call them: loaded before us, tcmalloc's
 * own would be meant in here as well. */
#define X(member, name, result, parameters)                                                        \
	typedef result member##_fn parameters;                                                     \
	static member##_fn our_##member;                                                           \
	EXPORT extern member##_fn exported_##member __asm__(name)                                  \
		__attribute__((alias("our_" #member)));
INTERPOSED(X)
#undef X

static struct {
	/* tcmalloc's own. */
#define X(member, name, result, parameters) member##_fn *_Atomic member;
	INTERPOSED(X)
#undef X
	_Atomic bool serving;	   /* releases may be put off */
	_Atomic uint64_t taken;	   /* bytes from the system, ever */
	_Atomic uint64_t released; /* of these, bytes now released */
	_Atomic uint64_t limit;	   /* TCMALLOC_HEAP_LIMIT_MB in bytes; 0: none */
} tc;

/*
 * The code of the tcmalloc that is served. What is proven holds for its calls: another one in this process
 * may be as old as 2.1, which takes back without a commit, and so may whoever else calls a function
 * that is exported.
 */
static struct {
	uintptr_t start, end;
} only;

static bool in_served(const void *caller)
{
	return (uintptr_t)caller >= only.start && (uintptr_t)caller < only.end;
}

/* What the proof has seen, while one is made. */
static struct {
	_Atomic bool making;
	_Atomic bool enough;	 /* serve as soon as both were seen */
	_Atomic size_t released; /* the largest that was released */
	_Atomic bool committed;
} proof;

/*
 * Memory that this thread has just got from the system. If the next that the page heap does is to
 * release it, that is most likely aggressive decommit, and nobody has touched it; but it may be a block
 * that was used and freed in between.
 */
static TLS struct {
	void *addr;
	size_t len;
} fresh;

/*
 * tcmalloc's own of a name. Without the dynamic linker's lookup, which may allocate: the first who asks
 * may be the first allocation of the process, with the page heap locked.
 */
#define CHAIN(member, name)                                                                        \
	static member##_fn *chain_##member(void)                                                   \
	{                                                                                          \
		member##_fn *fn = atomic_load_explicit(&tc.member, memory_order_relaxed);          \
                                                                                                   \
		if (__builtin_expect(!fn, 0)) {                                                    \
			*(void **)&fn = imports_find(name, (const void *)our_##member);            \
			atomic_store(&tc.member, fn);                                              \
		}                                                                                  \
		return fn;                                                                         \
	}
#define X(member, name, result, parameters) CHAIN(member, name)
INTERPOSED(X)
#undef X

/* At the page heap's lock. */
static struct turns turns;

static bool serving(void)
{
	return atomic_load_explicit(&tc.serving, memory_order_relaxed);
}

/*
 * A heap limit is about resident memory: what was released does not count. What of that is pending is
 * resident all the same, so it is flushed when limit and heap come that close.
 */
static void keep_within_limit(void)
{
	uint64_t limit = atomic_load_explicit(&tc.limit, memory_order_relaxed), taken, pending;

	if (!limit)
		return;
	taken = atomic_load_explicit(&tc.taken, memory_order_relaxed) -
		atomic_load_explicit(&tc.released, memory_order_relaxed);
	pending = engine_pending_most();
	if (taken + pending > limit)
		engine_trim(taken + pending - limit);
}

/*
 * Fresh memory. What the page heap does not use at once it may use later without a word, so nothing is
 * known of these pages; only that they are ordinary memory, which the `remap` backend has to know. brk
 * memory is not: it is one mapping whose end moves, and it stays as it is.
 */
static void *our_alloc(size_t size, size_t *actual_size, size_t alignment)
{
	alloc_fn *chain = chain_alloc();
	size_t actual = size;
	bool ordinary;
	void *p;

	if (!chain)
		return NULL;
	mappings_watch();
	p = chain(size, &actual, alignment);
	ordinary = mappings_seen(p, actual);
	if (actual_size)
		*actual_size = actual;
	fresh.addr = p;
	fresh.len = p ? actual : 0;
	if (!p)
		return NULL;
	atomic_fetch_add_explicit(&tc.taken, actual, memory_order_relaxed);
	if (serving() && ordinary)
		(void)engine_own(p, actual);
	if (serving())
		keep_within_limit();
	/* It is not actual's address that comes back. */
	/* cppcheck-suppress returnDanglingLifetime */
	return p;
}

static bool any_resident(uintptr_t addr, uintptr_t end)
{
	unsigned char resident[LOOK_PAGES];

	while (addr < end) {
		size_t n = (end - addr) >> os_page_shift;

		if (n > LOOK_PAGES)
			n = LOOK_PAGES;
		stats_add(STAT_SYS_MINCORE, 1);
		if (os.mincore((void *)addr, n << os_page_shift, resident) ||
		    memchr(resident, 1, n))
			return true;
		addr += n << os_page_shift;
	}
	return false;
}

static bool defer(void *start, size_t length, bool fresh_from_system)
{
	/* Pages of the system may be larger than tcmalloc's: those that lie wholly inside. */
	uintptr_t first = ((uintptr_t)start + os_page_size - 1) & ~(os_page_size - 1);
	uintptr_t end = ((uintptr_t)start + length) & ~(os_page_size - 1);

	if (first >= end)
		return false;
	if (fresh_from_system && !any_resident(first, end) &&
	    engine_map((void *)first, end - first, false))
		return true;
	return engine_release((void *)first, end - first);
}

static bool our_release(void *start, size_t length)
{
	bool just_got = start == fresh.addr && length == fresh.len;
	bool theirs = in_served(__builtin_return_address(0));
	release_fn *chain;
	bool done;

	fresh.addr = NULL;
	done = serving() && theirs && defer(start, length, just_got);
	if (!done) {
		chain = chain_release();
		done = chain && chain(start, length);
	}
	if (!done)
		return false;
	atomic_fetch_add_explicit(&tc.released, length, memory_order_relaxed);
	if (serving())
		keep_within_limit();
	if (__builtin_expect(atomic_load_explicit(&proof.making, memory_order_relaxed), 0) &&
	    theirs && length > atomic_load(&proof.released))
		atomic_store(&proof.released, length);
	return true;
}

static void prove_commit(void)
{
	atomic_store(&proof.committed, true);
	if (!atomic_load(&proof.enough) || !atomic_load(&proof.released))
		return;
	atomic_store(&proof.making, false);
	atomic_store(&tc.serving, true);
}

static void our_commit(void *start, size_t length)
{
	bool theirs = in_served(__builtin_return_address(0));
	uintptr_t first = (uintptr_t)start & ~(os_page_size - 1);
	uintptr_t end = ((uintptr_t)start + length + os_page_size - 1) & ~(os_page_size - 1);
	enum engine_reuse r = ENGINE_STRANGERS;
	commit_fn *chain;
	unsigned how;

	fresh.addr = NULL;
	/*
	 * A commit cannot be refused, so a zap in flight has to land first: it is of the flusher, who
	 * does not hold the page heap's lock, and of BATCH_FLIGHT_BYTES at most.
	 */
	if (serving()) {
		how = turns_take(&turns) ? ENGINE_SHARED : 0;
		do
			r = engine_reuse((void *)first, end - first, how);
		while (r == ENGINE_BUSY);
	}
	if (r == ENGINE_STRANGERS) {
		chain = chain_commit();
		if (chain)
			chain(start, length);
	}
	atomic_fetch_sub_explicit(&tc.released, length, memory_order_relaxed);
	if (serving())
		keep_within_limit();
	if (__builtin_expect(atomic_load_explicit(&proof.making, memory_order_relaxed), 0) &&
	    theirs)
		prove_commit();
}

/*
 * MallocExtension, for callers in C and in C++: both come through the table of virtual functions, whose
 * entries the dynamic linker fills by these names.
 */
static bool our_get_property(void *self, const char *name, size_t *value)
{
	get_property_fn *chain;
	uint64_t n;

	if (name && value && ctl_is_ours(name)) {
		if (ctl_read(name, &n))
			return false;
		*value = (size_t)n;
		return true;
	}
	chain = chain_get_property();
	return chain && chain(self, name, value);
}

static void set_limit(size_t mb)
{
	atomic_store(&tc.limit, (uint64_t)mb << 20);
	if (serving())
		keep_within_limit();
}

static bool our_set_property(void *self, const char *name, size_t value)
{
	set_property_fn *chain;
	bool done;

	if (name && ctl_is_ours(name))
		return !ctl_write(name, value);
	chain = chain_set_property();
	done = chain && chain(self, name, value);
	if (done && name && !strcmp(name, "tcmalloc.heap_limit_mb"))
		set_limit(value);
	if (done && name && !strcmp(name, "tcmalloc.aggressive_memory_decommit"))
		engine_expect_returns(value != 0);
	return done;
}

/* MallocExtension_ReleaseFreeMemory() ends here too: who asks for it wants it done on return. */
static void our_release_to_system(void *self, size_t bytes)
{
	release_to_system_fn *chain = chain_release_to_system();

	if (chain)
		chain(self, bytes);
	if (serving())
		engine_flush();
}

bool gperftools_serving(void)
{
	return serving();
}

bool gperftools_reached(void)
{
	return chain_alloc() && chain_release() && chain_commit();
}

bool gperftools_only_reached(void)
{
	return imports_span((const void *)chain_release(), &only.start, &only.end);
}

bool gperftools_stock_release(void *start, size_t length)
{
	release_fn *chain = chain_release();

	return chain && chain(start, length);
}

void gperftools_watch(bool on)
{
	atomic_store(&proof.released, 0);
	atomic_store(&proof.committed, false);
	atomic_store(&proof.making, on);
}

size_t gperftools_released(void)
{
	return atomic_load(&proof.released);
}

bool gperftools_committed(void)
{
	return atomic_load(&proof.committed);
}

bool gperftools_replace_slots(const void *inside)
{
	bool commit =
		imports_replace("_Z21TCMalloc_SystemCommitPvm", inside, (void (*)(void))our_commit);
	bool release = imports_replace("_Z22TCMalloc_SystemReleasePvm", inside,
				       (void (*)(void))our_release);

	(void)imports_replace("_Z20TCMalloc_SystemAllocmPmm", inside, (void (*)(void))our_alloc);
	return commit && release;
}

void gperftools_catch_up(size_t taken, size_t released)
{
	/* Preloaded behind us it has been counted from the start. */
	if (atomic_load(&tc.taken))
		return;
	atomic_store(&tc.taken, taken);
	atomic_store(&tc.released, released);
}

void gperftools_limit(size_t limit_mb)
{
	set_limit(limit_mb);
}

void gperftools_serve(bool proven)
{
	if (proven) {
		atomic_store(&tc.serving, true);
		return;
	}
	gperftools_watch(true);
	atomic_store(&proof.enough, true);
}
