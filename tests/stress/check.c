// SPDX-License-Identifier: BSD-2-Clause
/*
 * check - what pages hold, and what is said when they hold something else.
 *
 * Word i of a full page is key + i * STEP. The key names owner, page and a sequence number, so bytes
 * of another page, of an earlier life of this one, or zeroes, all differ and tell where they are from.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "stress.h"

#define STEP	  0x9e3779b97f4a7c15u
#define KSM_OWNER 0xffu
#define KSM_SORTS 3 /* different contents of mergeable pages */
#define LAST_OPS  40

static _Thread_local sigjmp_buf *volatile trap;

uint64_t new_key(struct worker *w, size_t page)
{
	return (uint64_t)(w->id + 1) << 56 | (uint64_t)(page & 0xffffff) << 32 | (uint32_t)++w->seq;
}

void fill_at(void *p, uint64_t key)
{
	uint64_t *word = p;

	for (size_t i = 0; i < page_words; i++)
		word[i] = key + i * STEP;
}

void page_write(struct worker *w, const struct slot *s, size_t page)
{
	uint64_t key = new_key(w, page);

	if (s->kind == K_KSM)
		key = (uint64_t)KSM_OWNER << 56 | (uint64_t)pick(w, KSM_SORTS);
	fill_at(addr(page), key);
	pages[page].key = key;
	pages[page].state = P_FULL;
}

uint64_t pagemap_entry(const void *p)
{
	uint64_t entry = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	off_t at = (off_t)((uintptr_t)p / page_size * sizeof(entry));

	if (fd < 0)
		return 0;
	if (pread(fd, &entry, sizeof(entry), at) != (ssize_t)sizeof(entry))
		entry = 0;
	close(fd);
	return entry;
}

static const char *kind_name(unsigned kind)
{
	static const char *const names[] = {"anon", "shm",  "private-shm", "private-file", "ksm",
					    "file", "uffd", "uffd-wp",	   "park"};

	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (kind == 1u << i)
			return names[i];
	}
	return "?";
}

static void say_history(size_t page)
{
	const struct slot *s = slot_of(page);
	const struct worker *w = &workers[s ? s->owner : 0];
	unsigned said = 0;
	uint64_t now = now_ns();

	if (!w->history)
		return;
	dprintf(STDERR_FILENO, "  the last of the owner's operations there, latest first:\n");
	for (uint64_t i = w->events; i && w->events - i < HISTORY && said < LAST_OPS; i--) {
		const struct event *e = &w->history[(i - 1) % HISTORY];

		if (page < e->first || page >= (size_t)e->first + e->n)
			continue;
		said++;
		dprintf(STDERR_FILENO, "    -%llu us %s/%u pages %u+%u -> %d\n",
			(unsigned long long)(now - e->when) / 1000, op_names[e->op], e->step,
			e->first, e->n, e->result);
	}
	if (!said)
		dprintf(STDERR_FILENO, "    none of the last %d\n", HISTORY);
}

/* The first to fail speaks; the others only end. */
static void claim(void)
{
	if (atomic_exchange(&shared->failed, true)) {
		for (;;)
			pause();
	}
}

void fail_page(size_t page, const char *format, ...)
{
	const struct slot *s = slot_of(page);
	const struct page *e = &pages[page];
	char text[512];
	va_list args;

	claim();
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	dprintf(STDERR_FILENO,
		"CORRUPT: process %d (%u), page %zu at %p: %s\n"
		"  expected: state %u key 0x%016llx flags %u; pagemap 0x%016llx\n",
		(int)getpid(), proc, page, (void *)addr(page), text, e->state,
		(unsigned long long)e->key, e->flags,
		(unsigned long long)pagemap_entry(addr(page)));
	if (s)
		dprintf(STDERR_FILENO, "  slot %zu+%zu (%s%s), owner %u, under way: %s\n", s->first,
			s->n, kind_name(s->kind), s->sealed ? ", sealed" : "", s->owner,
			op_names[workers[s->owner].op]);
	say_history(page);
	shared->said = true;
	_exit(1);
}

void fail(const char *format, ...)
{
	char text[512];
	va_list args;

	claim();
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	dprintf(STDERR_FILENO, "FAILED: process %d (%u): %s\n", (int)getpid(), proc, text);
	shared->said = true;
	_exit(1);
}

static _Noreturn void wrong(size_t page, size_t i, uint64_t seen, uint64_t wanted,
			    const char *where)
{
	uint64_t key = seen - i * STEP;

	fail_page(page,
		  "%s: word %zu is 0x%016llx instead of 0x%016llx "
		  "(as a pattern: owner %llu page %llu sequence %llu)",
		  where, i, (unsigned long long)seen, (unsigned long long)wanted,
		  (unsigned long long)(key >> 56) - 1, (unsigned long long)(key >> 32) & 0xffffff,
		  (unsigned long long)key & 0xffffffff);
}

static void check_maybe(const volatile uint64_t *word, size_t page, const char *where)
{
	uint64_t key = pages[page].key;
	bool gone = false;

	/* It may go while it is read, but not come back. */
	for (size_t i = 0; i < page_words; i++) {
		uint64_t seen = word[i], full = key + i * STEP;

		if (!gone && seen != full)
			gone = true;
		if (gone && seen)
			wrong(page, i, seen, 0, where);
	}
}

void check_at(const void *p, size_t page, const char *where)
{
	const volatile uint64_t *word = p;
	const uint64_t *below = (const void *)(base_copy + base_index(page) * page_size);
	uint64_t key = pages[page].key;

	switch (pages[page].state) {
	case P_ZERO:
		for (size_t i = 0; i < page_words; i++) {
			uint64_t seen = word[i];

			if (seen)
				wrong(page, i, seen, 0, where);
		}
		break;
	case P_FULL:
		for (size_t i = 0; i < page_words; i++) {
			uint64_t seen = word[i];

			if (seen != key + i * STEP)
				wrong(page, i, seen, key + i * STEP, where);
		}
		break;
	case P_MAYBE:
		check_maybe(word, page, where);
		break;
	default:
		for (size_t i = 0; i < page_words; i++) {
			uint64_t seen = word[i];

			if (seen != below[i])
				wrong(page, i, seen, below[i], where);
		}
		break;
	}
}

void check_page(size_t page)
{
	/* To look at a missing page would fill it. */
	if (!(pages[page].flags & PF_MISSING))
		check_at(addr(page), page, "in place");
}

void check_pages(size_t first, size_t n)
{
	for (size_t i = first; i < first + n; i++)
		check_page(i);
}

/* Only some of many: looking brings tables back. */
void check_some(struct worker *w, size_t first, size_t n)
{
	if (n <= 2) {
		check_pages(first, n);
		return;
	}
	for (size_t i = 0; i < 4; i++)
		check_page(first + pick(w, n));
}

/* All that is there, before it goes: looking at what was written brings nothing back. */
void check_written(size_t first, size_t n)
{
	for (size_t i = first, left = 64; i < first + n && left; i++) {
		if (pages[i].state == P_FULL) {
			check_page(i);
			left--;
		}
	}
}

void log_event(struct worker *w, unsigned step, size_t first, size_t n, long result)
{
	w->history[w->events++ % HISTORY] = (struct event){
		.when = now_ns(),
		.first = (uint32_t)first,
		.n = (uint32_t)n,
		.result = (int32_t)result,
		.op = (uint16_t)w->op,
		.step = (uint16_t)step,
	};
}

static void on_fault(int sig, siginfo_t *info, void *context)
{
	uintptr_t at = (uintptr_t)info->si_addr, start = (uintptr_t)base;

	(void)context;
	if (trap)
		siglongjmp(*trap, sig);
	if (at >= start && at < start + total_pages * page_size)
		fail_page((at - start) / page_size, "signal %d, code %d", sig, info->si_code);
	fail("signal %d, code %d at %p", sig, info->si_code, info->si_addr);
}

void catch_signals(void)
{
	struct sigaction sa = {.sa_flags = SA_SIGINFO | SA_NODEFER};

	sa.sa_sigaction = on_fault;
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
}

/* The signal that an access gives, or 0. */
int access_signal(const volatile unsigned char *p, bool write)
{
	sigjmp_buf env;
	int sig = sigsetjmp(env, 1);

	if (!sig) {
		trap = &env;
		if (write)
			*(volatile unsigned char *)(uintptr_t)p = 1;
		else
			(void)*p;
	}
	trap = NULL;
	return sig;
}
