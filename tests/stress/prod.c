// SPDX-License-Identifier: BSD-2-Clause
/*
 * prod - a process that has the kernel walk everybody's page tables, as pressure would: the aging and
 * eviction of multi-generational LRU, idle page tracking, compaction.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <signal.h>
#include <unistd.h>

#include "stress.h"

#define LRU_GEN	  "/sys/kernel/debug/lru_gen"
#define PAGE_IDLE "/sys/kernel/mm/page_idle/bitmap"

struct generations {
	unsigned long memcg, node, min, max;
	bool valid;
};

/* "+": make a new generation, looking at all page tables; "-": evict some of the oldest. */
static void age_and_evict(struct worker *w, const struct generations *g)
{
	char text[128];

	if (!g->valid)
		return;
	if (pick(w, 3)) {
		(void)snprintf(text, sizeof(text), "+ %lu %lu %lu 1 1", g->memcg, g->node, g->max);
		count(OP_lru_gen_age, write_file(LRU_GEN, text));
	} else {
		(void)snprintf(text, sizeof(text), "- %lu %lu %lu 100 256", g->memcg, g->node,
			       g->min);
		count(OP_lru_gen_evict, write_file(LRU_GEN, text));
	}
}

/* Lines are "memcg ID PATH", "node ID" and, for each generation, "NUMBER AGE ANON FILE". */
static void lru_gen(struct worker *w)
{
	struct generations g = {0}, found[16];
	size_t n = 0;
	char line[256], *end;
	FILE *file = fopen(LRU_GEN, "re");

	if (!file) {
		count(OP_lru_gen_age, -errno);
		count(OP_lru_gen_evict, -errno);
		return;
	}
	while (fgets(line, sizeof(line), file)) {
		const char *text = line + strspn(line, " ");

		if (!strncmp(text, "memcg", 5) || !strncmp(text, "node", 4)) {
			if (g.valid && n < 16)
				found[n++] = g;
			g.valid = false;
			if (*text == 'm')
				g.memcg = strtoul(text + 5, NULL, 10);
			else
				g.node = strtoul(text + 4, NULL, 10);
			continue;
		}
		g.max = strtoul(text, &end, 10);
		if (end == text)
			continue;
		if (!g.valid)
			g.min = g.max;
		g.valid = true;
	}
	if (g.valid && n < 16)
		found[n++] = g;
	(void)fclose(file);
	for (size_t i = 0; i < n; i++)
		age_and_evict(w, &found[i]);
}

/* Each bit of the bitmap takes a walk to wherever the page is mapped. */
static void page_idle(void)
{
	static uint64_t ones[512];
	int fd = open(PAGE_IDLE, O_WRONLY | O_CLOEXEC);
	off_t at = 0;
	ssize_t n;

	if (fd < 0) {
		count(OP_page_idle, -errno);
		return;
	}
	memset(ones, 0xff, sizeof(ones));
	while (!shared->stop && (n = pwrite(fd, ones, sizeof(ones), at)) > 0)
		at += n;
	count(OP_page_idle, at ? 0 : -EIO);
	close(fd);
}

void prod_process(void)
{
	struct worker w = {.rng = opts.seed + 4242};
	uint64_t last = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (bool first = true; !shared->stop; first = false) {
		lru_gen(&w);
		if (first || pick(&w, 32) == 0)
			page_idle();
		if (first || pick(&w, 16) == 0)
			count(OP_compact_memory, write_file("/proc/sys/vm/compact_memory", "1"));
		pace(&last, 0, 100, 2000);
	}
	_exit(0);
}
