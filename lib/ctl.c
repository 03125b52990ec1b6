// SPDX-License-Identifier: BSD-2-Clause
/* ctl - mallctl's calling form for the properties of the table: see ctl.h. */
#include "ctl.h"

#include <errno.h>
#include <sys/types.h>

#include "ctl_internal.h"
#include "tune.h"

#define INDEX "<i>"

/*
 * A walk along the components of a name. Properties that share those walked along stand together in the
 * table: [lo, hi). `off`: where the next component begins in their names. A component's number in a MIB is
 * the first property that has it there, so a leaf's is its own.
 */
struct walk {
	size_t lo, hi, off;
	size_t index; /* behind "<i>" */
	bool leaf;
};

#define WALK_START                                                                                 \
	{                                                                                          \
		.hi = ctl_property_count                                                           \
	}

static const char *component(const struct walk *w, size_t property, size_t *len)
{
	const char *c = ctl_properties[property].name + w->off;

	*len = strcspn(c, ".");
	return c;
}

static bool same(const char *a, size_t a_len, const char *b, size_t b_len)
{
	return a_len == b_len && !memcmp(a, b, a_len);
}

/* To the component that this property, which is one of [lo, hi), has next: it is the first that has it. */
static void walk_to(struct walk *w, size_t property)
{
	size_t len, next_len;
	const char *c = component(w, property, &len), *next;
	size_t end = property + 1;

	while (end < w->hi && (next = component(w, end, &next_len), same(c, len, next, next_len)))
		end++;
	w->lo = property;
	w->hi = end;
	w->off += len;
	w->leaf = !c[len];
	if (!w->leaf)
		w->off++;
}

static bool at_index(const struct walk *w)
{
	size_t len;
	const char *c = component(w, w->lo, &len);

	return same(c, len, INDEX, sizeof(INDEX) - 1);
}

static bool parse_index(const char *s, size_t len, size_t *index)
{
	size_t n = 0;

	if (!len)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		n = n * 10 + (size_t)(s[i] - '0');
		if (n >= TUNE_ARENAS)
			return false;
	}
	*index = n;
	return true;
}

/* By a component of a name; *number is that of the MIB. */
static bool walk_name(struct walk *w, const char *s, size_t len, size_t *number)
{
	if (w->leaf)
		return false;
	if (at_index(w)) {
		if (!parse_index(s, len, number))
			return false;
		w->index = *number;
		walk_to(w, w->lo);
		return true;
	}
	for (size_t i = w->lo; i < w->hi; i++) {
		size_t has_len;
		const char *has = component(w, i, &has_len);

		if (!same(has, has_len, s, len))
			continue;
		*number = i;
		walk_to(w, i);
		return true;
	}
	return false;
}

/* By a number of a MIB. */
static bool walk_number(struct walk *w, size_t number)
{
	size_t len, before_len;
	const char *c, *before;

	if (w->leaf)
		return false;
	if (at_index(w)) {
		if (number >= TUNE_ARENAS)
			return false;
		w->index = number;
		walk_to(w, w->lo);
		return true;
	}
	if (number < w->lo || number >= w->hi)
		return false;
	c = component(w, number, &len);
	if (number > w->lo) {
		before = component(w, number - 1, &before_len);
		if (same(c, len, before, before_len))
			return false;
	}
	walk_to(w, number);
	return true;
}

/* As far as the MIB has room, and not further, as mallctlnametomib() does it. */
static int walk_path(struct walk *w, const char *name, size_t *mib, size_t *miblen)
{
	const char *s = name;

	for (size_t i = 0; i < *miblen; i++) {
		size_t len = strcspn(s, ".");

		if (!i)
			mib[0] = CTL_MIB_ROOT;
		else if (!walk_name(w, s, len, &mib[i]))
			return ENOENT;
		if (!s[len]) {
			*miblen = i + 1;
			return 0;
		}
		/* It goes on, and there is nothing behind a property. */
		if (w->leaf)
			return ENOENT;
		s += len + 1;
	}
	return 0;
}

static const struct ctl_property *find(const char *name, struct ctl_call *call)
{
	struct walk w = WALK_START;
	size_t mib[CTL_DEPTH], depth = CTL_DEPTH;

	if (!name || !ctl_is_ours(name) || walk_path(&w, name, mib, &depth) || !w.leaf)
		return NULL;
	call->index = w.index;
	return &ctl_properties[w.lo];
}

static const struct ctl_property *find_mib(const size_t *mib, size_t miblen, struct ctl_call *call)
{
	struct walk w = WALK_START;

	if (!ctl_is_ours_mib(mib, miblen))
		return NULL;
	for (size_t i = 1; i < miblen; i++)
		if (!walk_number(&w, mib[i]))
			return NULL;
	if (!w.leaf)
		return NULL;
	call->index = w.index;
	return &ctl_properties[w.lo];
}

/* --- values */

union typed {
	bool b;
	unsigned u;
	size_t size;
	ssize_t ssize;
	uint64_t u64;
	const char *string;
};

static const struct {
	size_t size;
	const char *name;
} types[] = {
	[CTL_VOID] = {0, "void"},
	[CTL_BOOL] = {sizeof(bool), "bool"},
	[CTL_UNSIGNED] = {sizeof(unsigned), "unsigned"},
	[CTL_SIZE] = {sizeof(size_t), "size_t"},
	[CTL_SSIZE] = {sizeof(ssize_t), "ssize_t"},
	[CTL_UINT64] = {sizeof(uint64_t), "uint64_t"},
	[CTL_STRING] = {sizeof(const char *), "const char *"},
};

static bool readable(const struct ctl_property *p)
{
	return p->get || p->text || p->read;
}

static bool writable(const struct ctl_property *p)
{
	return p->write && (!p->may_write || p->may_write());
}

static int read_value(const struct ctl_property *p, const struct ctl_call *call,
		      struct ctl_value *v)
{
	if (p->read)
		return p->read(p, call, v);
	if (p->text)
		v->text = p->text();
	else
		v->n = p->get();
	return 0;
}

static int read_typed(const struct ctl_property *p, const struct ctl_call *call, union typed *out)
{
	struct ctl_value v = {0};
	int r = read_value(p, call, &v);

	if (r)
		return r;
	switch (p->type) {
	case CTL_VOID:
		break;
	case CTL_BOOL:
		out->b = v.n != 0;
		break;
	case CTL_UNSIGNED:
		out->u = (unsigned)v.n;
		break;
	case CTL_SIZE:
		out->size = (size_t)v.n;
		break;
	case CTL_SSIZE:
		out->ssize = (ssize_t)v.n;
		break;
	case CTL_UINT64:
		out->u64 = v.n;
		break;
	case CTL_STRING:
		out->string = p->labels ? p->labels((unsigned)v.n) : v.text;
		break;
	}
	return 0;
}

static int write_typed(const struct ctl_property *p, const void *newp, size_t newlen)
{
	union typed in = {0};

	if (newlen != types[p->type].size)
		return EINVAL;
	/* The caller's may not be aligned. */
	memcpy(&in, newp, newlen);
	if (p->type == CTL_UINT64)
		return p->write(in.u64);
	if (p->type == CTL_SIZE)
		return p->write(in.size);
	if (p->type != CTL_STRING || !p->labels || !in.string)
		return EINVAL;
	for (unsigned i = 0; p->labels(i); i++)
		if (!strcmp(p->labels(i), in.string))
			return p->write(i);
	return EINVAL;
}

/* Of the wrong length, as much as fits, and EINVAL. */
static int hand_out(const void *value, size_t size, void *oldp, size_t *oldlenp)
{
	size_t n = *oldlenp < size ? *oldlenp : size;
	int r = *oldlenp == size ? 0 : EINVAL;

	memcpy(oldp, value, n);
	*oldlenp = n;
	return r;
}

static int access_property(const struct ctl_property *p, const struct ctl_call *call, void *oldp,
			   size_t *oldlenp, void *newp, size_t newlen)
{
	union typed value = {0};
	bool reading = oldp && oldlenp;
	int r = 0;

	if (p->type == CTL_VOID)
		return oldp || oldlenp || newp || newlen ? EPERM : p->write(0);
	if ((newp || newlen) && !writable(p))
		return EPERM;
	if (newp && p->written_first)
		r = write_typed(p, newp, newlen);
	/* Asked for nothing, it is still said if there is no such thing. */
	if (!r && (reading || !newp))
		r = read_typed(p, call, &value);
	if (!r && reading)
		r = hand_out(&value, types[p->type].size, oldp, oldlenp);
	if (!r && newp && !p->written_first)
		r = write_typed(p, newp, newlen);
	return r;
}

static int answer(const struct ctl_property *p, const struct ctl_call *call, void *oldp,
		  size_t *oldlenp, void *newp, size_t newlen)
{
	int saved = errno, r;

	if (!p)
		return ENOENT;
	/* A child that never came to a hook reads its own figures all the same. */
	engine_after_fork();
	r = access_property(p, call, oldp, oldlenp, newp, newlen);
	errno = saved;
	return r;
}

int ctl_byname(const char *name, void *oldp, size_t *oldlenp, void *newp, size_t newlen)
{
	struct ctl_call call = {0};
	const struct ctl_property *p = find(name, &call);

	return answer(p, &call, oldp, oldlenp, newp, newlen);
}

int ctl_bymib(const size_t *mib, size_t miblen, void *oldp, size_t *oldlenp, void *newp,
	      size_t newlen)
{
	struct ctl_call call = {0};
	const struct ctl_property *p = find_mib(mib, miblen, &call);

	return answer(p, &call, oldp, oldlenp, newp, newlen);
}

int ctl_nametomib(const char *name, size_t *mibp, size_t *miblenp)
{
	struct walk w = WALK_START;

	return name && ctl_is_ours(name) ? walk_path(&w, name, mibp, miblenp) : ENOENT;
}

/* --- as numbers */

static bool numeric(const struct ctl_property *p)
{
	return p->type != CTL_STRING || p->labels;
}

int ctl_read(const char *name, uint64_t *value)
{
	struct ctl_call call = {.live = true};
	const struct ctl_property *p = find(name, &call);
	struct ctl_value v = {0};
	int r;

	if (!p)
		return ENOENT;
	if (!numeric(p) || !readable(p))
		return EPERM;
	engine_after_fork();
	r = read_value(p, &call, &v);
	if (!r)
		*value = v.n;
	return r;
}

int ctl_write(const char *name, uint64_t value)
{
	struct ctl_call call = {.live = true};
	const struct ctl_property *p = find(name, &call);

	if (!p)
		return ENOENT;
	if (!numeric(p) || !writable(p))
		return EPERM;
	engine_after_fork();
	return p->write(value);
}

bool ctl_describe_property(size_t i, struct ctl_description *out)
{
	const struct ctl_property *p = &ctl_properties[i];

	if (i >= ctl_property_count)
		return false;
	*out = (struct ctl_description){
		.name = p->name,
		.type = p->type,
		.type_name = types[p->type].name,
		.access = p->type == CTL_VOID ? "-"
			  : p->write	      ? "rw"
					      : "r",
		.unit = p->unit,
		.help = p->help,
		.numeric = numeric(p),
	};
	return true;
}
