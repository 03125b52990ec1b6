// SPDX-License-Identifier: BSD-2-Clause
/*
 * ops_file - holes, truncation and second mappings of shared memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "stress.h"

static off_t file_offset(const struct slot *s, size_t page)
{
	return (off_t)((s->kind == K_FILE ? page : page - s->first) * page_size);
}

static void emptied(struct worker *w, struct piece p, int result)
{
	log_event(w, 0, p.first, p.n, result);
	if (count(w->op, result))
		pages_set(p.first, p.n, P_ZERO);
	nap(w);
	if (!pick(w, 3))
		check_some(w, p.first, p.n);
}

void op_punch(struct worker *w, struct slot *s)
{
	struct piece p = pick_piece(w, s, s->n);
	int fd = s->kind == K_FILE ? arena_fd : s->fd, result;

	check_written(p.first, p.n);
	result = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, file_offset(s, p.first),
			   (off_t)(p.n * page_size));

	emptied(w, p, result ? -errno : 0);
}

void op_madv_remove(struct worker *w, struct slot *s)
{
	struct piece p = pick_piece(w, s, s->n);
	int result;

	check_written(p.first, p.n);
	result = madvise(addr(p.first), p.n * page_size, MADV_REMOVE);

	emptied(w, p, result ? -errno : 0);
}

void op_truncate(struct worker *w, struct slot *s)
{
	size_t keep = pick(w, s->n), gone = s->first + keep;
	int result;

	check_written(gone, s->n - keep);
	result = ftruncate(s->fd, file_offset(s, gone)) ? -errno : 0;
	log_event(w, 0, gone, s->n - keep, result);
	if (!count(w->op, result))
		return;
	nap(w);
	if (access_signal(addr(gone + pick(w, s->n - keep)), pick(w, 2)) != SIGBUS)
		fail_page(gone, "an access behind the end of the file gives no SIGBUS");
	need(!ftruncate(s->fd, (off_t)(s->n * page_size)), "ftruncate back");
	pages_set(gone, s->n - keep, P_ZERO);
	log_event(w, 1, gone, s->n - keep, 0);
	if (pick(w, 2))
		check_some(w, s->first, s->n);
}

/* The other mapping of the same pages, whose tables come and go on their own. */
void op_alias(struct worker *w, struct slot *s)
{
	struct piece p = pick_piece(w, s, 16);
	unsigned char *there = alias_base + (p.first - arena_file.first) * page_size;

	log_event(w, 0, p.first, p.n, 0);
	for (size_t i = 0; i < p.n; i++)
		check_at(there + i * page_size, p.first + i, "in the other mapping");
	if (pick(w, 2))
		count(w->op, madvise(there, p.n * page_size, MADV_DONTNEED) ? -errno : 0);
	else
		count(w->op, 0);
	if (supported)
		madvise(there, page_size, opts.advice);
}
