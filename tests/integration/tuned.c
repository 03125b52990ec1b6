// SPDX-License-Identifier: BSD-2-Clause
/*
 * tuned - does to jemalloc what a line on its standard input says, and answers with one on its output.
 *
 *	busy			a thread takes 1 MiB, touches it and gives it back, again and again
 *	quiet			it ends
 *	leave			64 MiB are taken and given back, and nothing after that
 *	sleep MS
 *	get NAME		of mallctl; its type goes by its name
 *	set NAME VALUE
 *	create			an arena with muzzy decay of 1 s; 1 MiB of it is taken and given back: its index
 *	await NAME VALUE	until it is that, within a minute; a ~ before it: until it is not
 */
#include <jemalloc/jemalloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>

#define BLOCK	 ((size_t)1 << 20)
#define BLOCKS	 64
#define AWAIT_MS 60000
#define TICK_MS	 50

static _Atomic bool busy;

static void rest(long ms)
{
	struct timespec ts = {ms / 1000, ms % 1000 * 1000000};

	(void)nanosleep(&ts, NULL);
}

static void *work(void *arg)
{
	while (atomic_load(&busy)) {
		volatile char *p = malloc(BLOCK);

		/* Not a thing that a compiler may leave out. */
		for (size_t i = 0; p && i < BLOCK; i += 1024)
			p[i] = 1;
		free((void *)(uintptr_t)p);
	}
	return arg;
}

static void leave(void)
{
	void *p[BLOCKS];

	for (unsigned i = 0; i < BLOCKS; i++) {
		p[i] = malloc(BLOCK);
		if (p[i])
			memset(p[i], 1, BLOCK);
	}
	for (unsigned i = 0; i < BLOCKS; i++)
		free(p[i]);
}

static unsigned create(void)
{
	char name[64];
	ssize_t ms = 1000;
	unsigned arena = 0;
	size_t len = sizeof(arena);
	void *p;

	if (mallctl("arenas.create", &arena, &len, NULL, 0))
		return 0;
	(void)snprintf(name, sizeof(name), "arena.%u.muzzy_decay_ms", arena);
	(void)mallctl(name, NULL, NULL, &ms, sizeof(ms));
	ms = 0;
	(void)snprintf(name, sizeof(name), "arena.%u.dirty_decay_ms", arena);
	(void)mallctl(name, NULL, NULL, &ms, sizeof(ms));
	p = mallocx(BLOCK, MALLOCX_ARENA(arena) | MALLOCX_TCACHE_NONE);
	if (p)
		dallocx(p, MALLOCX_TCACHE_NONE);
	return arena;
}

static bool ends(const char *name, const char *with)
{
	size_t n = strlen(name), m = strlen(with);

	return n >= m && !strcmp(name + n - m, with);
}

static int get(const char *name, char *text, size_t cap)
{
	union {
		ssize_t ms;
		bool on;
		const char *string;
		uint64_t number;
	} v = {0};
	size_t len;
	int r;

	if (ends(name, "decay_ms")) {
		len = sizeof(v.ms);
		r = mallctl(name, &v.ms, &len, NULL, 0);
		(void)snprintf(text, cap, "%zd", v.ms);
	} else if (ends(name, "background_thread")) {
		len = sizeof(v.on);
		r = mallctl(name, &v.on, &len, NULL, 0);
		(void)snprintf(text, cap, "%d", v.on);
	} else if (ends(name, "reason") || ends(name, "mode")) {
		len = sizeof(v.string);
		r = mallctl(name, (void *)&v.string, &len, NULL, 0);
		(void)snprintf(text, cap, "%s", r ? "" : v.string);
	} else {
		len = sizeof(v.number);
		r = mallctl(name, &v.number, &len, NULL, 0);
		(void)snprintf(text, cap, "%llu", (unsigned long long)v.number);
	}
	if (r)
		(void)snprintf(text, cap, "error %d", r);
	return r;
}

static int set(const char *name, const char *value)
{
	ssize_t ms = strtol(value, NULL, 10);
	uint64_t number = strtoull(value, NULL, 10);
	bool on = number != 0;

	if (ends(name, "decay_ms"))
		return mallctl(name, NULL, NULL, &ms, sizeof(ms));
	if (ends(name, "background_thread"))
		return mallctl(name, NULL, NULL, &on, sizeof(on));
	if (ends(name, "mode"))
		return mallctl(name, NULL, NULL, (void *)&value, sizeof(value));
	return mallctl(name, NULL, NULL, &number, sizeof(number));
}

static void await(const char *name, const char *value, char *text, size_t cap)
{
	bool not = *value == '~';

	for (unsigned ms = 0; ms < AWAIT_MS; ms += TICK_MS) {
		if (!get(name, text, cap) && !strcmp(text, value + not ) != not )
			return;
		rest(TICK_MS);
	}
}

int main(void)
{
	char line[256], text[256];
	pthread_t thread = pthread_self();

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	while (fgets(line, sizeof(line), stdin)) {
		char verb[16] = "", name[128] = "", value[128] = "";

		(void)sscanf(line, "%15s %127s %127[^\n]", verb, name, value);
		(void)snprintf(text, sizeof(text), "ok");
		if (!strcmp(verb, "busy") && !atomic_exchange(&busy, true)) {
			if (pthread_create(&thread, NULL, work, NULL))
				return 1;
		} else if (!strcmp(verb, "quiet") && atomic_exchange(&busy, false)) {
			(void)pthread_join(thread, NULL);
		} else if (!strcmp(verb, "leave")) {
			leave();
		} else if (!strcmp(verb, "create")) {
			(void)snprintf(text, sizeof(text), "%u", create());
		} else if (!strcmp(verb, "sleep")) {
			rest(strtol(name, NULL, 10));
		} else if (!strcmp(verb, "get")) {
			(void)get(name, text, sizeof(text));
		} else if (!strcmp(verb, "set")) {
			(void)snprintf(text, sizeof(text), "%d", set(name, value));
		} else if (!strcmp(verb, "await")) {
			await(name, value, text, sizeof(text));
		} else {
			return 2;
		}
		(void)puts(text);
	}
	if (atomic_exchange(&busy, false))
		(void)pthread_join(thread, NULL);
	return 0;
}
