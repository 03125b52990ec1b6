// SPDX-License-Identifier: BSD-2-Clause
/* conf_value - see conf_internal.h: the keys, the types of their values, and why a value is none. */
#include "conf_internal.h"

#include "os.h"

#define BYTES_MAX (16ull << 40)

/* Room that a pid may need: a pattern that fits now must fit in every child. */
#define PID_DIGITS 10

enum type {
	TYPE_WORD, /* one of a list, stored as its place in it */
	TYPE_BYTES,
	TYPE_MS,
	TYPE_COUNT,
	TYPE_BOOL,
	TYPE_TEXT,
	TYPE_PATH,
	TYPE_PATTERN, /* a path with %p */
};

struct key {
	const char *name;
	enum type type;
	size_t offset;	   /* of the field in struct conf */
	uint64_t min, max; /* of a number; max: most bytes of a text, number of words */
	const char *const *words;
	const char *wanted; /* what to say where the value is none of them */
};

static const char *const mode_names[] = {
	[CONF_OFF] = "off",
	[CONF_OBSERVE] = "observe",
	[CONF_ON] = "on",
};

static const char *const backend_names[] = {
	[CONF_BACKEND_AUTO] = "auto",	      [CONF_BACKEND_PT_RECLAIM] = "pt_reclaim",
	[CONF_BACKEND_DONTNEED] = "dontneed", [CONF_BACKEND_REMAP] = "remap",
	[CONF_BACKEND_NONE] = "none",
};

static const char *const tune_names[] = {
	[CONF_TUNE_OFF] = "off",
	[CONF_TUNE_ADVISE] = "advise",
	[CONF_TUNE_APPLY] = "apply",
};

static const char *const policy_names[] = {
	[CONF_POLICY_LEARN] = "learn",
	[CONF_POLICY_KEEP] = "keep",
	[CONF_POLICY_ZAP] = "zap",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A field of TYPE_WORD is written as an unsigned. */
#define IS_UNSIGNED(type) __builtin_types_compatible_p(type, unsigned)
_Static_assert(IS_UNSIGNED(enum conf_mode) && IS_UNSIGNED(enum conf_backend) &&
		       IS_UNSIGNED(enum conf_tune) && IS_UNSIGNED(enum conf_policy),
	       "an enum of other size or sign needs a type of its own");

#define KEY(field, type, ...)                                                                      \
	{                                                                                          \
#field, type, offsetof(struct conf, field), __VA_ARGS__                            \
	}
#define WORD(field, words, n, wanted) KEY(field, TYPE_WORD, 0, n, words, wanted)
#define NUMBER(field, type, min, max) KEY(field, type, min, max, NULL, NULL)
#define TEXT(field, size)	      KEY(field, TYPE_TEXT, 0, (size)-1, NULL, NULL)
#define OTHER(field, type)	      KEY(field, type, 0, 0, NULL, NULL)

static const struct key keys[] = {
	WORD(mode, mode_names, COUNT(mode_names), "mode is off, observe or on"),
	WORD(backend, backend_names, COUNT(backend_names),
	     "backend is auto, pt_reclaim, dontneed, remap or none"),
	NUMBER(batch_bytes, TYPE_BYTES, 0, BYTES_MAX),
	NUMBER(batch_ms, TYPE_MS, 1, CONF_MS_MAX),
	NUMBER(keep_bytes, TYPE_BYTES, 0, BYTES_MAX),
	NUMBER(sweep_ms, TYPE_MS, 1, CONF_MS_MAX),
	NUMBER(rollout, TYPE_COUNT, 0, CONF_BUCKETS),
	TEXT(rollout_salt, CONF_SALT_MAX),
	TEXT(rollout_id, CONF_ID_MAX),
	/* Its words are the first two modes. */
	WORD(rollout_others, mode_names, CONF_OBSERVE + 1, "rollout_others is off or observe"),
	WORD(tune, tune_names, COUNT(tune_names), "tune is off, advise or apply"),
	WORD(policy, policy_names, COUNT(policy_names), "policy is learn, keep or zap"),
	OTHER(kill_file, TYPE_PATH),
	OTHER(stats_print, TYPE_BOOL),
	OTHER(stats_file, TYPE_PATTERN),
	/* More often would be all that the flusher does. */
	NUMBER(stats_interval_ms, TYPE_MS, 10, CONF_MS_MAX),
	OTHER(verbose, TYPE_BOOL),
	OTHER(abort_conf, TYPE_BOOL),
};

_Static_assert(COUNT(keys) <= CONF_KEYS_MAX, "sets of keys have a bit for each");

unsigned conf_key_count(void)
{
	return COUNT(keys);
}

unsigned conf_key_find(struct span name)
{
	unsigned k = 0;

	while (k < COUNT(keys) && !span_is(name, keys[k].name))
		k++;
	return k;
}

static void put_limit(struct export_buf *b, enum type type, uint64_t v)
{
	static const char suffix[] = "KMGT";
	unsigned shift = 40;

	if (type != TYPE_BYTES || !v) {
		export_u64(b, v);
		return;
	}
	while (shift && (v & ((1ull << shift) - 1)))
		shift -= 10;
	export_u64(b, v >> shift);
	if (shift)
		export_put(b, &suffix[shift / 10 - 1], 1);
}

static void put_range(struct export_buf *b, const struct key *k)
{
	export_str(b, "out of range, ");
	export_str(b, k->name);
	export_str(b, " goes from ");
	put_limit(b, k->type, k->min);
	export_str(b, " to ");
	put_limit(b, k->type, k->max);
}

/*
 * Each returns NULL, or why the value is none; a field changes only on success.
 */
static const char *read_word(struct span v, const struct key *k, unsigned *out)
{
	unsigned i = 0;

	while (i < k->max && !span_is(v, k->words[i]))
		i++;
	if (i == k->max)
		return k->wanted;
	*out = i;
	return NULL;
}

static const char *read_bool(struct span v, bool *out)
{
	bool yes = span_is(v, "true");

	if (!yes && !span_is(v, "false"))
		return "neither true nor false";
	*out = yes;
	return NULL;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static unsigned suffix_shift(char c)
{
	switch (c) {
	case 'K':
	case 'k':
		return 10;
	case 'M':
	case 'm':
		return 20;
	case 'G':
	case 'g':
		return 30;
	case 'T':
	case 't':
		return 40;
	default:
		return 0;
	}
}

/* Whether v is a number at all; one that does not fit, or is negative, reads as not in_range. */
static bool read_number(struct span v, const struct key *k, uint64_t *out, bool *in_range)
{
	bool negative = v.n > 1 && v.s[0] == '-', overflow = false;
	unsigned shift = 0;
	uint64_t n = 0;

	if (negative) {
		v.s++;
		v.n--;
	}
	if (k->type == TYPE_BYTES && v.n > 1) {
		shift = suffix_shift(v.s[v.n - 1]);
		v.n -= shift ? 1 : 0;
	}
	if (!v.n)
		return false;
	for (size_t i = 0; i < v.n; i++) {
		if (!is_digit(v.s[i]))
			return false;
		overflow |= __builtin_mul_overflow(n, 10u, &n);
		overflow |= __builtin_add_overflow(n, (unsigned)(v.s[i] - '0'), &n);
	}
	overflow |= n > UINT64_MAX >> shift;
	n <<= shift;
	*in_range = !negative && !overflow && n >= k->min && n <= k->max;
	*out = n;
	return true;
}

static const char *read_text(struct span v, char *out)
{
	if (memchr(v.s, '\0', v.n))
		return "cannot hold a zero byte";
	memcpy(out, v.s, v.n);
	out[v.n] = '\0';
	return NULL;
}

static const char *read_path(struct span v, size_t cap, char *out)
{
	if (v.n && v.s[0] != '/')
		return "not an absolute path";
	if (v.n >= cap)
		return "path too long";
	if (memchr(v.s, '\0', v.n))
		return "a path cannot hold a zero byte";
	return read_text(v, out);
}

void conf_refresh_pid(struct conf *c)
{
	const char *from = c->stats_file_pattern;
	struct export_buf b;

	export_init(&b, c->stats_file, sizeof(c->stats_file));
	while (*from) {
		const char *p = strstr(from, "%p");

		if (!p) {
			export_str(&b, from);
			break;
		}
		export_put(&b, from, (size_t)(p - from));
		export_u64(&b, (uint64_t)os.getpid());
		from = p + 2;
	}
}

static const char *read_pattern(struct span v, struct conf *c)
{
	size_t need = v.n;

	for (size_t i = 0; i + 1 < v.n; i++) {
		if (v.s[i] != '%' || v.s[i + 1] != 'p')
			continue;
		need += PID_DIGITS - 2;
		i++;
	}
	if (need >= CONF_PATH_MAX)
		return "path too long";
	const char *why = read_path(v, CONF_PATH_MAX, c->stats_file_pattern);

	if (!why)
		conf_refresh_pid(c);
	return why;
}

static const char *not_a_number(enum type type)
{
	switch (type) {
	case TYPE_BYTES:
		return "not a number of bytes (digits, then K, M, G, T or nothing)";
	case TYPE_MS:
		return "not a whole number of milliseconds";
	default:
		return "not a whole number";
	}
}

bool conf_value_set(struct conf *c, unsigned key, struct span v, struct export_buf *why)
{
	const struct key *k = &keys[key];
	void *field = (char *)c + k->offset;
	const char *wrong = NULL;
	bool in_range = true;
	uint64_t n;

	switch (k->type) {
	case TYPE_WORD:
		wrong = read_word(v, k, field);
		break;
	case TYPE_BYTES:
	case TYPE_MS:
	case TYPE_COUNT:
		if (!read_number(v, k, &n, &in_range))
			wrong = not_a_number(k->type);
		else if (in_range)
			*(uint64_t *)field = n;
		break;
	case TYPE_BOOL:
		wrong = read_bool(v, field);
		break;
	case TYPE_TEXT:
		if (v.n > k->max) {
			export_str(why, "too long, at most ");
			export_u64(why, k->max);
			export_str(why, " bytes");
			return false;
		}
		wrong = read_text(v, field);
		break;
	case TYPE_PATH:
		wrong = read_path(v, CONF_PATH_MAX, field);
		break;
	case TYPE_PATTERN:
		wrong = read_pattern(v, c);
		break;
	}
	if (wrong)
		export_str(why, wrong);
	else if (!in_range)
		put_range(why, k);
	return !wrong && in_range;
}

const char *conf_mode_name(enum conf_mode m)
{
	return (unsigned)m < COUNT(mode_names) ? mode_names[m] : "?";
}

const char *conf_backend_name(enum conf_backend b)
{
	return (unsigned)b < COUNT(backend_names) ? backend_names[b] : "?";
}

const char *conf_tune_name(enum conf_tune t)
{
	return (unsigned)t < COUNT(tune_names) ? tune_names[t] : "?";
}

const char *conf_policy_name(enum conf_policy p)
{
	return (unsigned)p < COUNT(policy_names) ? policy_names[p] : "?";
}
