// SPDX-License-Identifier: BSD-2-Clause
/* page - see page.h. */
#include "page.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "os.h"

#define SEQ_WORD (offsetof(struct page_image, seq) / sizeof(uint64_t))
#define TRIES	 1000 /* of a reader: a write takes less than a microsecond */

_Static_assert(sizeof(struct page_image) % sizeof(uint64_t) == 0, "it is copied by words");

/* Flags of this process, wiped on fork: has it a page of its own, is somebody writing? */
enum { OWN, WRITING, FLAGS };

static _Atomic uint32_t never_wiped[FLAGS];
static _Atomic(_Atomic uint32_t *) flags;
static _Atomic(_Atomic uint64_t *) page;
static uint64_t pid, start_ticks, since_ns; /* of whom the page is */

static _Atomic uint32_t *get_flags(void)
{
	_Atomic uint32_t *f = atomic_load(&flags), *none = NULL;

	if (f)
		return f;
	f = (_Atomic uint32_t *)os.wiped_on_fork();
	if (!f)
		f = never_wiped;
	if (atomic_compare_exchange_strong(&flags, &none, f))
		return f;
	if (f != never_wiped)
		(void)os.unmap((void *)(uintptr_t)f, os_page_size);
	return none;
}

void page_fork_child(void)
{
	for (unsigned i = 0; i < FLAGS; i++)
		atomic_store(&never_wiped[i], 0);
}

bool page_is_own(void)
{
	const _Atomic uint32_t *f = atomic_load(&flags);

	return f && atomic_load(&f[OWN]);
}

static size_t mapped_bytes(void)
{
	return os_page_size > PAGE_BYTES ? os_page_size : PAGE_BYTES;
}

static uint64_t own_start_ticks(void)
{
	char buf[1024], *p;

	if (os.read_file("/proc/self/stat", buf, sizeof(buf)) <= 0)
		return 0;
	/* The name may hold anything; the third field is behind its last parenthesis. */
	p = strrchr(buf, ')');
	for (unsigned field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	return p ? strtoull(p, NULL, 10) : 0;
}

/* A page for a process that has none: it starts out as zeroes, which no reader takes for one. */
static bool renew(void)
{
	void *old = atomic_load(&page), *new = os.shared_page(mapped_bytes());

	if (!new)
		return false;
	/* Asked once: a process that shares our address space shares the page, which stays ours. */
	pid = (uint64_t)os.getpid();
	start_ticks = own_start_ticks();
	since_ns = os.clock_ns();
	atomic_store(&page, new);
	if (old)
		(void)os.unmap(old, mapped_bytes());
	return true;
}

void page_draft(struct page_image *draft)
{
	*draft = (struct page_image){.magic = PAGE_MAGIC, .layout = PAGE_LAYOUT};
}

static void put(char *to, size_t cap, const char *from)
{
	size_t n = strnlen(from, cap - 1);

	memcpy(to, from, n);
	to[n] = '\0';
}

void page_add_text(struct page_image *draft, const char *name, const char *text)
{
	struct page_text *t;

	if (draft->texts == PAGE_TEXTS)
		return;
	t = &draft->text[draft->texts++];
	put(t->name, sizeof(t->name), name);
	put(t->text, sizeof(t->text), text ? text : "");
}

void page_add_value(struct page_image *draft, const char *name, uint64_t value)
{
	struct page_value *v;

	if (draft->values == PAGE_VALUES)
		return;
	v = &draft->value[draft->values++];
	put(v->name, sizeof(v->name), name);
	v->value = value;
}

static void write_out(_Atomic uint64_t *to, const struct page_image *draft)
{
	const uint64_t *from = (const uint64_t *)draft;
	uint64_t seq = atomic_load_explicit(&to[SEQ_WORD], memory_order_relaxed);

	atomic_store_explicit(&to[SEQ_WORD], seq + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	for (size_t i = 0; i < draft->bytes / sizeof(uint64_t); i++)
		if (i != SEQ_WORD)
			atomic_store_explicit(&to[i], from[i], memory_order_relaxed);
	atomic_store_explicit(&to[SEQ_WORD], seq + 2, memory_order_release);
}

bool page_publish(struct page_image *draft)
{
	_Atomic uint32_t *f = get_flags();
	bool there;

	if (atomic_exchange(&f[WRITING], 1))
		return false;
	there = atomic_load(&f[OWN]) || renew();
	if (there) {
		draft->bytes = offsetof(struct page_image, value) +
			       draft->values * sizeof(draft->value[0]);
		draft->pid = pid;
		draft->start_ticks = start_ticks;
		draft->since_ns = since_ns;
		draft->written_ns = os.clock_ns();
		write_out(atomic_load(&page), draft);
		atomic_store(&f[OWN], 1);
	}
	atomic_store(&f[WRITING], 0);
	return there;
}

/* Make what was read fit to be used. */
static void tame(struct page_image *image)
{
	if (image->texts > PAGE_TEXTS)
		image->texts = PAGE_TEXTS;
	if (image->values > PAGE_VALUES)
		image->values = PAGE_VALUES;
	for (unsigned i = 0; i < PAGE_TEXTS; i++) {
		image->text[i].name[sizeof(image->text[i].name) - 1] = '\0';
		image->text[i].text[sizeof(image->text[i].text) - 1] = '\0';
	}
	for (unsigned i = 0; i < PAGE_VALUES; i++)
		image->value[i].name[sizeof(image->value[i].name) - 1] = '\0';
}

int page_read(struct page_image *image, int (*copy)(void *arg, size_t off, void *to, size_t len),
	      void *arg)
{
	for (unsigned i = 0; i < TRIES; i++) {
		uint64_t before, after;
		int r = copy(arg, offsetof(struct page_image, seq), &before, sizeof(before));

		/* The copies may be another program's, so the fences are the strongest there are. */
		atomic_thread_fence(memory_order_seq_cst);
		if (!r)
			r = copy(arg, 0, image, sizeof(*image));
		atomic_thread_fence(memory_order_seq_cst);
		if (!r)
			r = copy(arg, offsetof(struct page_image, seq), &after, sizeof(after));
		if (r)
			return r;
		if (image->magic != PAGE_MAGIC)
			return -ENOMSG;
		if (before & 1 || before != after)
			continue;
		if (image->layout > PAGE_LAYOUT)
			return -EPROTONOSUPPORT;
		tame(image);
		return 0;
	}
	return -EAGAIN;
}

bool page_value(const struct page_image *image, const char *name, uint64_t *value)
{
	for (uint64_t i = 0; i < image->values; i++) {
		if (strcmp(image->value[i].name, name) != 0)
			continue;
		*value = image->value[i].value;
		return true;
	}
	return false;
}

const char *page_text(const struct page_image *image, const char *name)
{
	for (uint64_t i = 0; i < image->texts; i++)
		if (!strcmp(image->text[i].name, name))
			return image->text[i].text;
	return NULL;
}
