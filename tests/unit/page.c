// SPDX-License-Identifier: BSD-2-Clause
/*
 * The statistics page: its layout, that no reader ever sees half of a write, and whose it is after
 * fork. On real memory; the table of system calls is only listened in on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os.h"
#include "page.h"
#include "stats.h"

/* The page in force, as the system call gave it. */
static void *_Atomic mapped;
static unsigned pages_made;
static bool no_memory;
static void (*in_clock)(void);

static void *watched_shared_page(size_t len)
{
	void *p = no_memory ? NULL : os_linux.shared_page(len);

	if (p) {
		atomic_store(&mapped, p);
		pages_made++;
	}
	return p;
}

static uint64_t watched_clock(void)
{
	void (*fn)(void) = in_clock;

	in_clock = NULL;
	if (fn)
		fn();
	return os_linux.clock_ns();
}

static int setup(void **state)
{
	(void)state;
	os_init();
	os = os_linux;
	os.shared_page = watched_shared_page;
	os.clock_ns = watched_clock;
	no_memory = false;
	in_clock = NULL;
	return 0;
}

static int copy_words(void *arg, size_t off, void *to, size_t len)
{
	const _Atomic uint64_t *from = (const _Atomic uint64_t *)arg + off / 8;
	uint64_t *word = to;

	assert_int_equal(off % 8 + len % 8, 0);
	for (size_t i = 0; i < len / 8; i++)
		word[i] = atomic_load_explicit(&from[i], memory_order_relaxed);
	return 0;
}

static int read_page(struct page_image *image)
{
	return page_read(image, copy_words, atomic_load(&mapped));
}

static bool publish(uint64_t n)
{
	struct page_image draft;
	char name[32];

	page_draft(&draft);
	page_add_text(&draft, "mode", "on");
	for (unsigned i = 0; i < PAGE_VALUES; i++) {
		(void)snprintf(name, sizeof(name), "value %u", i);
		page_add_value(&draft, name, n);
	}
	return page_publish(&draft);
}

static uint64_t value_0(const struct page_image *image)
{
	uint64_t v = UINT64_MAX;

	assert_true(page_value(image, "value 0", &v));
	return v;
}

/* What other versions of the command rely on. */
static void test_layout(void **state)
{
	(void)state;
	assert_int_equal(offsetof(struct page_image, magic), 0);
	assert_int_equal(offsetof(struct page_image, layout), 8);
	assert_int_equal(offsetof(struct page_image, bytes), 16);
	assert_int_equal(offsetof(struct page_image, seq), 24);
	assert_int_equal(offsetof(struct page_image, pid), 32);
	assert_int_equal(offsetof(struct page_image, start_ticks), 40);
	assert_int_equal(offsetof(struct page_image, since_ns), 48);
	assert_int_equal(offsetof(struct page_image, written_ns), 56);
	assert_int_equal(offsetof(struct page_image, texts), 64);
	assert_int_equal(offsetof(struct page_image, values), 72);
	assert_int_equal(offsetof(struct page_image, text), 80);
	assert_int_equal(offsetof(struct page_image, value), 80 + 6 * 64);
	assert_int_equal(sizeof(struct page_text), 64);
	assert_int_equal(sizeof(struct page_value), 40);
	assert_true(sizeof(struct page_image) <= PAGE_BYTES);
	for (enum stat i = 0; i < STAT_COUNT; i++)
		assert_true(strlen(stats_name(i)) < sizeof(((struct page_value *)0)->name));
}

static void test_no_memory(void **state)
{
	(void)state;
	no_memory = true;
	assert_false(publish(1));
	assert_false(page_is_own());
	no_memory = false;
	assert_true(publish(1));
	assert_true(page_is_own());
}

static void test_what_is_written_is_read(void **state)
{
	static const char long_text[] = "a text that is longer than the 47 characters it may have";
	struct page_image draft, image;
	uint64_t v, before = os_linux.clock_ns();

	(void)state;
	page_draft(&draft);
	page_add_text(&draft, "allocator", long_text);
	page_add_text(&draft, "nothing", NULL);
	page_add_value(&draft, "pending", UINT64_MAX);
	page_add_value(&draft, "released", 0);
	assert_true(page_publish(&draft));
	assert_int_equal(read_page(&image), 0);
	assert_int_equal(image.pid, getpid());
	assert_int_equal(image.layout, PAGE_LAYOUT);
	assert_int_equal(image.bytes, offsetof(struct page_image, value) + 2 * 40);
	assert_true(image.written_ns >= before && image.written_ns >= image.since_ns);
	assert_true(image.start_ticks > 0);
	assert_int_equal(image.texts, 2);
	assert_int_equal(image.values, 2);
	assert_int_equal(strlen(page_text(&image, "allocator")), 47);
	assert_memory_equal(page_text(&image, "allocator"), long_text, 47);
	assert_string_equal(page_text(&image, "nothing"), "");
	assert_null(page_text(&image, "else"));
	assert_true(page_value(&image, "pending", &v));
	assert_int_equal(v, UINT64_MAX);
	assert_true(page_value(&image, "released", &v));
	assert_int_equal(v, 0);
	assert_false(page_value(&image, "allocator", &v));
}

static void test_too_much(void **state)
{
	struct page_image draft, image;

	(void)state;
	page_draft(&draft);
	for (unsigned i = 0; i < PAGE_VALUES + 5; i++) {
		page_add_text(&draft, "text", "x");
		page_add_value(&draft, "a name of more than 31 characters", i);
	}
	assert_true(page_publish(&draft));
	assert_int_equal(read_page(&image), 0);
	assert_int_equal(image.values, PAGE_VALUES);
	assert_int_equal(image.texts, PAGE_TEXTS);
	assert_int_equal(image.bytes, sizeof(image));
	assert_string_equal(image.value[3].name, "a name of more than 31 characte");
	assert_int_equal(image.value[PAGE_VALUES - 1].value, PAGE_VALUES - 1);
}

static void fill_foreign(struct page_image *image)
{
	memset(image, 0xff, sizeof(*image));
	image->magic = PAGE_MAGIC;
	image->layout = PAGE_LAYOUT;
	image->seq = 2;
}

/* What it reads was written by another program, whichever. */
static void test_strange_pages(void **state)
{
	static struct page_image strange, image;
	uint64_t v;

	(void)state;
	assert_int_equal(page_read(&image, copy_words, &strange), -ENOMSG);
	fill_foreign(&strange);
	strange.magic++;
	assert_int_equal(page_read(&image, copy_words, &strange), -ENOMSG);
	fill_foreign(&strange);
	strange.seq = 3;
	assert_int_equal(page_read(&image, copy_words, &strange), -EAGAIN);
	fill_foreign(&strange);
	strange.layout = PAGE_LAYOUT + 1;
	assert_int_equal(page_read(&image, copy_words, &strange), -EPROTONOSUPPORT);
	assert_int_equal(image.layout, PAGE_LAYOUT + 1);
	fill_foreign(&strange);
	assert_int_equal(page_read(&image, copy_words, &strange), 0);
	assert_int_equal(image.values, PAGE_VALUES);
	assert_int_equal(image.texts, PAGE_TEXTS);
	assert_int_equal(strlen(image.value[PAGE_VALUES - 1].name), 31);
	assert_int_equal(strlen(image.text[PAGE_TEXTS - 1].text), 47);
	assert_false(page_value(&image, "pending", &v));
}

static int copy_fails(void *arg, size_t off, void *to, size_t len)
{
	(void)off;
	memset(to, 0, len);
	return --*(int *)arg ? 0 : -ESRCH;
}

static void test_copy_fails(void **state)
{
	struct page_image image;

	(void)state;
	for (int at = 1; at <= 3; at++) {
		int left = at;

		assert_int_equal(page_read(&image, copy_fails, &left), -ESRCH);
	}
}

/*
 * One writer at a time, and none that waits.
 */
static bool second;

static void publish_second(void)
{
	second = publish(2);
}

static void test_one_writer(void **state)
{
	struct page_image image;

	(void)state;
	second = true;
	in_clock = publish_second;
	assert_true(publish(1));
	assert_false(second);
	assert_int_equal(read_page(&image), 0);
	assert_int_equal(value_0(&image), 1);
	assert_true(publish(3));
}

static _Atomic bool storm;
static _Atomic uint64_t written;

static void *write_on(void *arg)
{
	(void)arg;
	while (atomic_load(&storm)) {
		(void)publish(atomic_fetch_add(&written, 1));
		/* Most of the time somebody writes; now and then nobody does. */
		if (atomic_load(&written) % 64 == 0)
			(void)sched_yield();
	}
	return NULL;
}

#define WRITERS 3

static void test_never_torn(void **state)
{
	unsigned good = 0, changed = 0;
	pthread_t t[WRITERS];
	uint64_t last = 0;
	/* Of what was written since the read before; there threads take turns, and seldom. */
	unsigned wanted = getenv("PTR_TEST_UNDER") ? 50 : 2000;

	(void)state;
	atomic_store(&storm, true);
	assert_true(publish(0));
	for (unsigned i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&t[i], NULL, write_on, NULL), 0);
	while (changed < wanted) {
		struct page_image image;

		/* No bound on luck, so -EAGAIN is fine; half of a write is not. */
		if (read_page(&image))
			continue;
		good++;
		assert_int_equal(image.seq % 2, 0);
		assert_int_equal(image.values, PAGE_VALUES);
		for (unsigned i = 0; i < PAGE_VALUES; i++)
			assert_int_equal(image.value[i].value, image.value[0].value);
		changed += image.value[0].value != last;
		last = image.value[0].value;
	}
	atomic_store(&storm, false);
	for (unsigned i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_join(t[i], NULL), 0);
	print_message("%u whole reads, %u of them new\n", good, changed);
}

/*
 * Fork. What the child finds is its exit status, as cmocka's assertions do not work there.
 */
static void *parents;

static int is_gone(const void *addr)
{
	unsigned char vec;

	return os_linux.mincore((void *)(uintptr_t)addr, os_page_size, &vec) == -ENOMEM;
}

static int child_main(void)
{
	struct page_image image;

	if (page_is_own())
		return 2;
	/* Until it writes, what it has names its parent. */
	if (read_page(&image) || image.pid != (uint64_t)getppid())
		return 3;
	if (!publish(1000) || !page_is_own() || atomic_load(&mapped) == parents)
		return 4;
	if (!is_gone(parents))
		return 5;
	if (read_page(&image) || image.pid != (uint64_t)getpid() || value_0(&image) != 1000)
		return 6;
	return publish(1001) && pages_made == 1 ? 0 : 7;
}

static int forked(void)
{
	int status;
	pid_t pid;

	parents = atomic_load(&mapped);
	pages_made = 0;
	(void)fflush(NULL);
	pid = fork();
	if (!pid)
		_exit(child_main());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_fork(void **state)
{
	struct page_image image;

	(void)state;
	assert_true(publish(7));
	assert_int_equal(forked(), 0);
	assert_ptr_equal(atomic_load(&mapped), parents);
	assert_int_equal(read_page(&image), 0);
	assert_int_equal(value_0(&image), 7);
	assert_int_equal(image.pid, getpid());
}

static int status_of_fork;

static void fork_now(void)
{
	status_of_fork = forked();
}

/* The child finds the writer's flag as it was, and nobody who would take it down. */
static void test_fork_amid_a_write(void **state)
{
	(void)state;
	status_of_fork = -1;
	in_clock = fork_now;
	assert_true(publish(8));
	assert_int_equal(status_of_fork, 0);
}

static int shares_memory(void *arg)
{
	return publish(*(uint64_t *)arg) ? 0 : 1;
}

/* A process in the same address space is no other. */
static void test_shared_memory(void **state)
{
	static char stack[65536] __attribute__((aligned(16)));
	struct page_image image;
	uint64_t n = 99;
	int status;
	pid_t pid;

	(void)state;
	/* valgrind makes a fork of it, and sanitizers cannot follow it. */
	if (getenv("PTR_TEST_UNDER"))
		skip();
	pages_made = 0;
	pid = clone(shares_memory, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, &n);
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(pages_made, 0);
	assert_int_equal(read_page(&image), 0);
	assert_int_equal(image.pid, getpid());
	assert_int_equal(value_0(&image), 99);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		T(test_layout),
		/* The first that writes. */
		T(test_no_memory),
		T(test_what_is_written_is_read),
		T(test_too_much),
		T(test_strange_pages),
		T(test_copy_fails),
		T(test_one_writer),
		T(test_never_torn),
		T(test_fork),
		T(test_fork_amid_a_write),
		T(test_shared_memory),
	};
#undef T
	return cmocka_run_group_tests(tests, NULL, NULL);
}
