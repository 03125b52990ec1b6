// SPDX-License-Identifier: BSD-2-Clause
/*
 * tchammer - threads that allocate, resize and free by the plain C interface, and know every byte; with
 * what is tcmalloc's own around it.
 *
 *	-t N  threads		-n N  operations of each in a round	-b N  blocks of each
 *	-m N  largest block	-s N  seed				-k N  of 1000 blocks survive
 *	-r N  rounds, 2 unless told: each starts its threads anew
 *	-R    threads ask for MallocExtension_ReleaseFreeMemory and ReleaseToSystem now and then
 *	-V    MallocExtension_VerifyAllMemory after each round
 *	-F    NULL from malloc is no failure
 *	-L    mlockall		-M    use up the mappings first		-S    signals, all the time
 *	-C    threads are cancelled in the middle of a round
 *	-X    exit in the middle of a round, with a handler that allocates
 *	-I    a round for each line of stdin, answered by "round N"
 *	-W    at the end VmPTE has to come down to its floor; exit 4 if it does not
 *
 * Exit status 3: a byte was lost, or not zero where it has to be. 5: anything else went wrong.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hammer.h"
#include "pattern.h"
#include "tcext.h"

#define MAILBOXES 32
#define THREADS	  64

struct hammer_opts opts = {
	.threads = 1, .ops = 2000, .blocks = 200, .max = (size_t)4 << 20, .seed = 1, .keep = 5};
static unsigned rounds = 2;
static bool releases, verifies, cancels, exits;
static _Atomic bool stop;

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
	(void)fprintf(stderr, "tchammer: failed: %s\n", what);
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
	size_t size = 15 + random_size(state, opts.max - 15);
	size_t align = (size_t)64 << (next_random(state) >> 40) % 12;

	if (!got(b))
		return NULL;
	*b = (struct block){.size = size, .seed = next_random(state) >> 3};
	switch (next_random(state) >> 33 & 7) {
	case 0:
	case 1:
		b->p = calloc(1, size);
		if (b->p)
			zero_check(b->p, size, "calloc");
		break;
	case 2:
		b->p = aligned_alloc(align, (size + align - 1) & ~(align - 1));
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
	size_t size = 15 + random_size(state, opts.max - 15);
	unsigned char *p = realloc(b->p, size);

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
		struct block *b = *slot;

		*slot = NULL;
		block_drop(b);
	} else {
		block_resize(*slot, &w->state);
	}
	if (!(r >> 40 & 7))
		*slot = atomic_exchange(&mailbox[r >> 43 & (MAILBOXES - 1)], *slot);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	int state;

	/* The debug builds wait for locks in what can be cancelled, and keep them. */
	(void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	for (unsigned i = 0; (i < opts.ops || cancels || exits) && !atomic_load(&stop); i++) {
		one_op(w);
		if (cancels) {
			(void)pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state);
			pthread_testcancel();
			(void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
		}
		if (releases && i % 250 == 125)
			tcext_release_free_memory();
		if (releases && i % 50 == 25)
			tcext_release((size_t)1 << 20);
	}
	for (unsigned i = 0; i < opts.blocks; i++) {
		struct block *b = w->blocks[i];

		if (next_random(&w->state) % 1000 < opts.keep)
			continue;
		w->blocks[i] = NULL;
		block_drop(b);
	}
	return NULL;
}

static void at_exit(void)
{
	/* The others are still at it. */
	for (unsigned i = 0; i < 40; i++) {
		uint64_t state = i + 1;

		block_drop(block_make(&state));
	}
	(void)puts("at exit");
}

static void middle_of_round(void)
{
	(void)usleep(20000 + (useconds_t)(opts.seed * 7919 % 50000));
	if (exits) {
		check(!atexit(at_exit), "atexit");
		exit(0);
	}
	for (unsigned i = 0; cancels && i < opts.threads; i += 2)
		check(!pthread_cancel(workers[i].thread), "pthread_cancel");
	(void)usleep(20000);
	atomic_store(&stop, true);
}

static void run_round(void)
{
	atomic_store(&stop, false);
	for (unsigned i = 0; i < opts.threads; i++)
		check(!pthread_create(&workers[i].thread, NULL, work, &workers[i]),
		      "pthread_create");
	if (cancels || exits)
		middle_of_round();
	for (unsigned i = 0; i < opts.threads; i++)
		check(!pthread_join(workers[i].thread, NULL), "pthread_join");
	for (unsigned i = 0; i < MAILBOXES; i++)
		block_drop(atomic_exchange(&mailbox[i], NULL));
	check(!verifies || tcext_verify(), "VerifyAllMemory");
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

static void all_rounds(void)
{
	char line[64];

	for (unsigned n = 1; n <= rounds || opts.steps; n++) {
		if (opts.steps && n > 1) {
			(void)printf("round %u\n", n - 1);
			(void)fflush(stdout);
			if (!fgets(line, sizeof(line), stdin))
				break;
		}
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
		{'R', &releases},   {'V', &verifies},	  {'F', &opts.may_fail}, {'L', &opts.lock},
		{'M', &opts.full},  {'S', &opts.signals}, {'C', &cancels},	 {'X', &exits},
		{'I', &opts.steps}, {'W', &opts.waste},
	};
	static const struct {
		char option;
		unsigned *set;
	} numbers[] = {
		{'t', &opts.threads}, {'n', &opts.ops}, {'b', &opts.blocks},
		{'k', &opts.keep},    {'r', &rounds},
	};
	int c;

	while ((c = getopt(argc, argv, "t:n:b:m:s:k:r:RVFLMSCXIW")) != -1) {
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
	check(opts.threads && opts.threads <= THREADS && opts.blocks && opts.max > 15, "arguments");
}

int main(int argc, char **argv)
{
	parse(argc, argv);
	check(tcext_find(), "there is no tcmalloc");
	if (opts.lock)
		lock_everything();
	if (opts.full)
		fill_mappings();
	if (opts.signals)
		start_signals();
	make_workers();
	all_rounds();
	if (opts.waste && !waste_goes(0, "survivors"))
		return 4;
	drop_all();
	if (opts.waste && !waste_goes(0, "nothing"))
		return 4;
	(void)puts("intact");
	return 0;
}
