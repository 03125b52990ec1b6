// SPDX-License-Identifier: BSD-2-Clause
/* compare_configs - the list of configurations, out of words or out of the sets that ship. */
#include <limits.h>
#include <string.h>

#include "compare.h"

struct config configs[MAX_CONFIGS];
size_t config_count;

static void config_add(struct config c)
{
	if (config_count == MAX_CONFIGS)
		options_bad("list", "too many configurations");
	configs[config_count++] = c;
}

/* The index of a word, which must be one of them. */
static unsigned one_of(const char *what, const char *word, const char *const *words, unsigned n)
{
	unsigned i = 0;

	while (i < n && strcmp(words[i], word) != 0)
		i++;
	if (i == n)
		options_bad(what, word);
	return i;
}

#define ONE_OF(what, word, words) one_of(what, word, words, sizeof(words) / sizeof((words)[0]))

static int setting_of(const char *what, const char *word)
{
	return !strcmp(word, "default") ? SETTING_DEFAULT
					: (int)options_number(what, word, INT_MAX);
}

static struct config config_of(const char *const word[LISTS])
{
	static const char *const profiles[] = {"mixed", "small", "large", "burst", "pair"};
	static const char *const touches[] = {"dense", "sparse"};
	static const char *const switches[] = {"off", "on"};
	static const char *const backends[] = {"auto", "dontneed", "remap", "none", "pt_reclaim"};
	struct config c = {.profile = word[PROFILE], .touch = word[TOUCH]};
	bool at_once = !strcmp(word[RELEASE], "aggressive");
	/* Words that do not matter for this allocator are looked at all the same. */
	const int setting[ALLOCATORS] = {
		[JEMALLOC] = setting_of("decay", word[DECAY]),
		[TCMALLOC] = at_once ? SETTING_AGGRESSIVE : setting_of("release", word[RELEASE]),
	};

	c.allocator = ONE_OF("allocator", word[ALLOCATOR], allocator_name);
	(void)ONE_OF("profile", word[PROFILE], profiles);
	(void)ONE_OF("touch", word[TOUCH], touches);
	c.pair = !strcmp(c.profile, "pair");
	c.threads = options_number("threads", word[THREADS], 256);
	c.setting = c.pair ? SETTING_DEFAULT : setting[c.allocator];
	c.background = ONE_OF("background", word[BACKGROUND], switches) && c.allocator == JEMALLOC;
	if (ONE_OF("backend", word[BACKEND], backends))
		c.backend = word[BACKEND];
	return c;
}

/*
 * Whether some list changes nothing for this one and is beyond its first word: small blocks are
 * touched whole either way, the pair knows no variants, and each allocator has settings of its own.
 */
static bool repeated(const struct config *c, const unsigned at[LISTS])
{
	bool je = c->allocator == JEMALLOC;

	if ((c->pair || !strcmp(c->profile, "small")) && at[TOUCH])
		return true;
	if (c->pair && at[THREADS])
		return true;
	return ((c->pair || !je) && (at[DECAY] || at[BACKGROUND])) ||
	       ((c->pair || je) && at[RELEASE]);
}

void configs_product(const struct list given[LISTS])
{
	static const char *const first[LISTS] = {
		[ALLOCATOR] = "jemalloc", [PROFILE] = "mixed", [TOUCH] = "dense",
		[THREADS] = "1",	  [DECAY] = "0",       [BACKGROUND] = "off",
		[RELEASE] = "aggressive", [BACKEND] = "auto",
	};
	unsigned at[LISTS] = {0};
	struct list list[LISTS];
	int i;

	for (i = 0; i < LISTS; i++)
		list[i] = given[i].n ? given[i] : (struct list){{first[i]}, 1};
	do {
		const char *word[LISTS];
		struct config c;

		for (i = 0; i < LISTS; i++)
			word[i] = list[i].word[at[i]];
		c = config_of(word);
		if (!repeated(&c, at))
			config_add(c);
		/* Count up, the last list fastest. */
		for (i = LISTS - 1; i >= 0 && ++at[i] == list[i].n; i--)
			at[i] = 0;
	} while (i >= 0);
}

static bool wanted(const struct list *allocators, enum allocator a)
{
	for (unsigned i = 0; i < allocators->n; i++) {
		if (ONE_OF("allocator", allocators->word[i], allocator_name) == a)
			return true;
	}
	if (allocators->n)
		return false;
	/* jemalloc is what it is about: without it the runs say so themselves. */
	if (a == JEMALLOC || run_preloadable(settings.allocator[a]))
		return true;
	fprintf(stderr, "compare: %s cannot be preloaded: %s is left out\n", settings.allocator[a],
		allocator_name[a]);
	return false;
}

#define CHURN(what, how, count, when, ...)                                                         \
	{                                                                                          \
		.profile = what, .touch = how, .threads = count, .setting = when, __VA_ARGS__      \
	}

void configs_quick(const struct list *allocators)
{
	static const struct config set[] = {
		CHURN("mixed", "dense", 1, 0),
		CHURN("mixed", "sparse", 1, 0),
		CHURN("mixed", "sparse", 8, 0),
		CHURN("small", "dense", 1, 0),
		CHURN("large", "dense", 1, 0),
		CHURN("burst", "dense", 8, 100, .background = true),
		CHURN("mixed", "dense", 1, SETTING_DEFAULT),
		CHURN("mixed", "sparse", 1, 0, .backend = "remap"),
		CHURN("pair", "dense", 0, SETTING_DEFAULT, .pair = true),
		CHURN("mixed", "dense", 1, SETTING_AGGRESSIVE, .allocator = TCMALLOC),
		CHURN("mixed", "sparse", 1, SETTING_AGGRESSIVE, .allocator = TCMALLOC),
		CHURN("large", "dense", 1, SETTING_AGGRESSIVE, .allocator = TCMALLOC),
		CHURN("burst", "dense", 8, SETTING_AGGRESSIVE, .allocator = TCMALLOC),
		CHURN("mixed", "dense", 1, 10, .allocator = TCMALLOC),
		CHURN("mixed", "dense", 1, SETTING_DEFAULT, .allocator = TCMALLOC),
	};
	const bool want[ALLOCATORS] = {wanted(allocators, JEMALLOC), wanted(allocators, TCMALLOC)};

	for (size_t i = 0; i < sizeof(set) / sizeof(set[0]); i++) {
		if (want[set[i].allocator])
			config_add(set[i]);
	}
}

void configs_full(const struct list *allocators)
{
	for (unsigned a = 0; a < ALLOCATORS; a++) {
		const struct list self = {{allocator_name[a]}, 1};
		/* What the allocator does not know has its default; pair's targets are jemalloc's. */
		const struct list every[LISTS] = {
			[ALLOCATOR] = self,
			[PROFILE] = {{"mixed", "small", "large", "burst", "pair"},
				     a == JEMALLOC ? 5 : 4},
			[TOUCH] = {{"dense", "sparse"}, 2},
			[THREADS] = {{"1", "8"}, 2},
			[DECAY] = {{"0", "100", "default"}, 3},
			[BACKGROUND] = {{"off", "on"}, 2},
			[RELEASE] = {{"aggressive", "10", "default"}, 3},
		};
		const struct list remap[LISTS] = {
			[ALLOCATOR] = self,
			[PROFILE] = {{"mixed", "burst"}, 2},
			[TOUCH] = {{"dense", "sparse"}, 2},
			[THREADS] = {{"1", "8"}, 2},
			[BACKEND] = {{"remap"}, 1},
		};

		if (!wanted(allocators, a))
			continue;
		configs_product(every);
		configs_product(remap);
	}
}
