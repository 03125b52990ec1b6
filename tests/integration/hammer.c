// SPDX-License-Identifier: BSD-2-Clause
/*
 * hammer - threads that allocate, resize and free, and know every byte.
 *
 * Built twice: hammer, linked with jemalloc and using its own interface too; hammer-plain, linked
 * with no allocator, which has no -A, -B and -C.
 *
 *	-t N  threads		-n N  operations of each in a round	-b N  blocks of each
 *	-m N  largest block	-s N  seed				-k N  of 1000 blocks survive
 *	-A    arenas of its own, reset and destroyed
 *	-B    hooks of its own on every arena before the start; -C: the same after a round
 *	-F    NULL from malloc is no failure
 *	-L    mlockall		-M    use up the mappings first		-S    signals, all the time
 *	-O N  a thread changes libptreclaim's mode N times; rounds go on until it is through, and on is the last
 *	-I    a round for each line of stdin, answered by "round N"
 *	-W    at the end VmPTE has to come down to its floor; exit 4 if it does not
 *
 * Exit status 3: a byte was lost, or not zero where it has to be. 5: anything else went wrong.
 */
#include "hammer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pattern.h"

#define MAILBOXES 32
#define THREADS	  64

struct hammer_opts opts = {
	.threads = 1, .ops = 4000, .blocks = 300, .max = (size_t)2 << 20, .seed = 1, .keep = 5};

/* Blocks change hands through these, so that one thread frees what another allocated. */
static _Atomic(struct block *) mailbox[MAILBOXES];

struct worker {
	pthread_t thread;
	uint64_t state;
	struct block **blocks;
};

static struct worker workers[THREADS];

void check(bool ok, const char *what)
{
	if (ok)
		return;
	(void)fprintf(stderr, "hammer: failed: %s\n", what);
	_exit(5);
}

static bool got(const void *p)
{
	check(p || opts.may_fail, "out of memory");
	return p != NULL;
}

static void block_drop(struct block *b)
{
	if (!b)
		return;
	block_check(b, b->size, "at free");
	free(b->p);
	free(b);
}

static struct block *block_make(uint64_t *state)
{
	struct block *b = malloc(sizeof(*b));
	size_t size = random_size(state, opts.max);
	size_t align = (size_t)4096 << (next_random(state) >> 40) % 10;

	if (!got(b))
		return NULL;
	*b = (struct block){.size = size, .seed = next_random(state) >> 3};
	switch (next_random(state) >> 33 & 3) {
	case 0:
		b->p = calloc(1, size);
		if (b->p)
			zero_check(b->p, size, "calloc");
		break;
	case 1:
		/* Only now and then: alignment to whole regions is dear. */
		b->p = aligned_alloc(next_random(state) >> 40 & 7 ? 64 : align, size);
		break;
	default:
		b->p = malloc(size);
		break;
	}
	if (!got(b->p)) {
		free(b);
		return NULL;
	}
	block_fill(b);
	return b;
}

static void block_resize(struct block *b, uint64_t *state)
{
	size_t size = random_size(state, opts.max);
	bool zero = next_random(state) >> 40 & 1;
	unsigned char *p = zero ? resize_zero(b, size) : realloc(b->p, size);

	if (!got(p))
		return;
	b->p = p;
	block_check(b, size < b->size ? size : b->size, "after realloc");
	b->size = size;
	b->seed = next_random(state) >> 3;
	block_fill(b);
}

static void one_op(struct worker *w)
{
	uint64_t r = next_random(&w->state) >> 16;
	struct block **slot = &w->blocks[r % opts.blocks];

	if (!*slot) {
		*slot = block_make(&w->state);
	} else if (r >> 32 & 3) {
		block_drop(*slot);
		*slot = NULL;
	} else {
		block_resize(*slot, &w->state);
	}
	if (!(r >> 40 & 7))
		*slot = atomic_exchange(&mailbox[r >> 43 & (MAILBOXES - 1)], *slot);
}

static void *work(void *arg)
{
	struct worker *w = arg;

	for (unsigned i = 0; i < opts.ops; i++) {
		one_op(w);
		if (opts.arenas && i % 400 == 200)
			arena_life(&w->state);
	}
	for (unsigned i = 0; i < opts.blocks; i++) {
		if (next_random(&w->state) % 1000 < opts.keep)
			continue;
		block_drop(w->blocks[i]);
		w->blocks[i] = NULL;
	}
	return NULL;
}

static void run_round(void)
{
	for (unsigned i = 0; i < opts.threads; i++)
		check(!pthread_create(&workers[i].thread, NULL, work, &workers[i]),
		      "pthread_create");
	for (unsigned i = 0; i < opts.threads; i++)
		check(!pthread_join(workers[i].thread, NULL), "pthread_join");
	for (unsigned i = 0; i < MAILBOXES; i++)
		block_drop(atomic_exchange(&mailbox[i], NULL));
}

static void make_workers(void)
{
	for (unsigned i = 0; i < opts.threads; i++) {
		workers[i].state = (opts.seed * THREADS + i + 1) * UINT64_C(0x9e3779b97f4a7c15);
		workers[i].blocks = calloc(opts.blocks, sizeof(struct block *));
		check(workers[i].blocks != NULL, "out of memory at the start");
	}
}

static void drop_all(void)
{
	for (unsigned i = 0; i < opts.threads; i++)
		for (unsigned j = 0; j < opts.blocks; j++) {
			block_drop(workers[i].blocks[j]);
			workers[i].blocks[j] = NULL;
		}
}

static void rounds(void)
{
	char line[64];

	run_round();
	if (opts.hooks_after) {
		hooks_install();
		run_round();
	}
	/* A second one meets what the first left pending, kept and empty. */
	if (!opts.steps && !opts.hooks_after)
		run_round();
	while (opts.switches && !switches_done())
		run_round();
	for (unsigned n = 1; opts.steps; n++) {
		(void)printf("round %u\n", n);
		(void)fflush(stdout);
		if (!fgets(line, sizeof(line), stdin))
			break;
		run_round();
	}
}

static unsigned long number(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	check(*text && !*end, "a number among the arguments");
	return n;
}

static void parse(int argc, char **argv)
{
	static const struct {
		char option;
		bool *set;
	} flags[] = {
		{'A', &opts.arenas},   {'B', &opts.hooks_before}, {'C', &opts.hooks_after},
		{'F', &opts.may_fail}, {'L', &opts.lock},	  {'M', &opts.full},
		{'S', &opts.signals},  {'I', &opts.steps},	  {'W', &opts.waste},
	};
	static const struct {
		char option;
		unsigned *set;
	} numbers[] = {
		{'t', &opts.threads}, {'n', &opts.ops},	     {'b', &opts.blocks},
		{'k', &opts.keep},    {'O', &opts.switches},
	};
	int c;

	while ((c = getopt(argc, argv, "t:n:b:m:s:k:O:ABCFLMSIW")) != -1) {
		check(c != '?', "an option");
		for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
			if (c == flags[i].option)
				*flags[i].set = true;
		for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
			if (c == numbers[i].option)
				*numbers[i].set = (unsigned)number(optarg);
		if (c == 'm')
			opts.max = number(optarg);
		if (c == 's')
			opts.seed = number(optarg);
	}
	check(opts.threads && opts.threads <= THREADS && opts.blocks && opts.max, "arguments");
	check(!(opts.arenas || opts.hooks_before || opts.hooks_after) || arena_count(),
	      "an option, since there are no arenas");
}

int main(int argc, char **argv)
{
	unsigned arenas;

	parse(argc, argv);
	if (opts.lock)
		lock_everything();
	if (opts.full)
		fill_mappings();
	if (opts.signals)
		start_signals();
	if (opts.hooks_before)
		hooks_install();
	make_workers();
	if (opts.switches)
		start_switches(opts.switches);
	rounds();
	if (opts.hooks_before || opts.hooks_after)
		(void)printf("own hook called %lu times\n", hooks_called());
	arenas = arena_count();
	if (opts.waste && !waste_goes(arenas, "survivors"))
		return 4;
	drop_all();
	if (opts.waste && !waste_goes(arenas, "nothing"))
		return 4;
	(void)puts("intact");
	return 0;
}
