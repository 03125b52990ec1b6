// SPDX-License-Identifier: BSD-2-Clause
/*
 * ops_uffd - userfaultfd from the side of the memory's owner.
 */
#include <errno.h>
#include <string.h>

#include "stress.h"

static bool missing(size_t page)
{
	return pages[page].flags & PF_MISSING;
}

static void filled(size_t page, uint8_t state, uint64_t key)
{
	pages[page].key = key;
	pages[page].state = state;
	pages[page].flags &= (uint8_t)~PF_MISSING;
}

/* A fault, which the monitor answers with what the table says. */
void op_uffd_touch(struct worker *w, struct slot *s)
{
	struct piece p = pick_piece(w, s, 8);

	for (size_t i = p.first; i < p.first + p.n; i++) {
		if (!missing(i)) {
			check_page(i);
			page_write(w, s, i);
			continue;
		}
		if (pick(w, 4)) {
			pages[i].key = new_key(w, i);
			pages[i].state = P_FULL;
		} else {
			pages[i].state = P_ZERO;
		}
		log_event(w, 0, i, 1, 0);
		check_at(addr(i), i, "after a missing fault");
		if (missing(i))
			fail_page(i, "a missing page was filled by nobody");
		count(w->op, 0);
	}
}

/* Ahead of any fault, as a migration does. */
void op_uffd_copy(struct worker *w, struct slot *s)
{
	struct piece p = pick_piece(w, s, 16);

	for (size_t i = p.first; i < p.first + p.n; i++) {
		uint64_t key = new_key(w, i);
		bool was_missing = missing(i);
		int result;

		fill_at(w->buf, key);
		result = uffd_copy(i, w->buf);
		log_event(w, 0, i, 1, result);
		if (!was_missing && result == -EEXIST)
			continue;
		if (!was_missing)
			fail_page(i, "UFFDIO_COPY over a page: %s", strerror(-result));
		if (!count(w->op, result))
			fail_page(i, "UFFDIO_COPY to a page that was never filled: %s",
				  strerror(-result));
		filled(i, P_FULL, key);
		check_page(i);
	}
}

void op_uffd_zeropage(struct worker *w, struct slot *s)
{
	struct piece p = pick_piece(w, s, 8);

	for (size_t i = p.first; i < p.first + p.n; i++) {
		int result;

		if (!missing(i))
			continue;
		result = uffd_zero(i);
		log_event(w, 0, i, 1, result);
		if (!count(w->op, result))
			fail_page(i, "UFFDIO_ZEROPAGE to a page that was never filled: %s",
				  strerror(-result));
		filled(i, P_ZERO, 0);
		check_page(i);
	}
}

/* To a missing page, and its source is missing afterwards. */
static bool move(struct worker *w, size_t from, size_t to)
{
	int result = uffd_move(to, addr(from));

	log_event(w, 0, from, 1, result);
	log_event(w, 1, to, 1, result);
	if (!count(w->op, result)) {
		/* EBUSY: pinned, or shared with a child. The others would be lies. */
		if (result == -EEXIST)
			fail_page(to, "UFFDIO_MOVE: EEXIST on a page that was never filled");
		if (result == -ENOENT)
			fail_page(from, "UFFDIO_MOVE does not find a page that was filled");
		return false;
	}
	filled(to, pages[from].state, pages[from].key);
	pages[from].flags |= PF_MISSING;
	pages[from].state = P_ZERO;
	if (pick(w, 2))
		check_page(to);
	return true;
}

void op_uffd_move(struct worker *w, struct slot *s)
{
	size_t from = s->first, to, steps = 2 + pick(w, 6);
	size_t start = pick(w, slot_count);

	/* A page of this slot that has contents, or gets some, and a missing one of another slot. */
	while (from < s->first + s->n && (missing(from) || pages[from].state != P_FULL))
		from++;
	if (from == s->first + s->n) {
		from = s->first;
		if (!missing(from))
			return;
		op_uffd_copy(w, &(struct slot){.first = from, .n = 1, .kind = K_UFFD});
	}
	for (size_t i = 0; i < slot_count && steps; i++) {
		struct slot *other = &slots[(start + i) % slot_count];

		if (other->kind != K_UFFD || other->owner != w->id)
			continue;
		to = other->first + pick(w, other->n);
		if (to == from || !missing(to))
			continue;
		other->dirty = true;
		steps--;
		if (!move(w, from, to))
			return;
		from = to;
	}
}

void op_wp_write(struct worker *w, struct slot *s)
{
	struct piece p = pick_piece(w, s, 16);

	for (size_t i = p.first; i < p.first + p.n; i++) {
		bool was = pages[i].flags & PF_WP;

		check_page(i);
		log_event(w, was, i, 1, 0);
		page_write(w, s, i);
		if (pages[i].flags & PF_WP)
			fail_page(i, "a write to a protected page that nobody was told of");
		check_page(i);
	}
	count(w->op, 0);
}

static void protect(struct worker *w, const struct slot *s, bool on)
{
	struct piece p = pick_piece(w, s, s->n);
	int result = uffd_wp(p.first, p.n, on);

	log_event(w, 0, p.first, p.n, result);
	if (!count(w->op, result))
		return;
	for (size_t i = p.first; i < p.first + p.n; i++) {
		if (on)
			pages[i].flags |= PF_WP;
		else
			pages[i].flags &= (uint8_t)~PF_WP;
	}
	nap(w);
	if (pick(w, 2))
		check_some(w, p.first, p.n);
}

void op_wp_set(struct worker *w, struct slot *s)
{
	protect(w, s, true);
}

void op_wp_clear(struct worker *w, struct slot *s)
{
	protect(w, s, false);
}
