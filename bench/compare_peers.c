// SPDX-License-Identifier: BSD-2-Clause
/* compare_peers - who is compared: the allocators that are known by name, and local builds. */
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "compare_suites.h"

#define SUFFIX "+ptreclaim"

struct peer peers[MAX_PEERS];
unsigned peer_count;

static const struct known {
	const char *name, *allocator, *setting;
	unsigned group;
	const char *library; /* NULL: what the C library has */
	const char *var, *value;
	const char *conf; /* of ptreclaim, without which it is not there */
} known[] = {
	{"glibc", "glibc", "default", GROUP_GLIBC, NULL, NULL, NULL, NULL},
	{"jemalloc-0", "jemalloc", "decay 0", GROUP_JE_0, "libjemalloc.so.2", "MALLOC_CONF",
	 "dirty_decay_ms:0", NULL},
	{"jemalloc", "jemalloc", "default", GROUP_JE, "libjemalloc.so.2", NULL, NULL, NULL},
	{"jemalloc-thp", "jemalloc", "thp:always", GROUP_JE_OTHER, "libjemalloc.so.2",
	 "MALLOC_CONF", "thp:always", NULL},
	{"jemalloc-hpa", "jemalloc", "hpa:true", GROUP_JE_OTHER, "libjemalloc.so.2", "MALLOC_CONF",
	 "hpa:true", NULL},
	{"jemalloc-0-keep", "jemalloc", "decay 0, keep", GROUP_POLICY, "libjemalloc.so.2",
	 "MALLOC_CONF", "dirty_decay_ms:0", "policy:keep,keep_bytes:1T"},
	{"jemalloc-0-zap", "jemalloc", "decay 0, zap", GROUP_POLICY, "libjemalloc.so.2",
	 "MALLOC_CONF", "dirty_decay_ms:0", "policy:zap"},
	{"tcmalloc-aggressive", "tcmalloc", "aggressive", GROUP_TC_0, "libtcmalloc_minimal.so.4",
	 "TCMALLOC_AGGRESSIVE_DECOMMIT", "1", NULL},
	{"tcmalloc", "tcmalloc", "default", GROUP_TC, "libtcmalloc_minimal.so.4", NULL, NULL, NULL},
	{"mimalloc", "mimalloc", "default", GROUP_MI, "libmimalloc.so.2", NULL, NULL, NULL},
};

void peer_set(struct peer *p, const char *name, const char *value)
{
	if (p->var_count == MAX_VARS)
		options_bad("peer", "too many variables");
	char *var = p->vars[p->var_count++];

	if (snprintf(var, sizeof(p->vars[0]), "%s=%s", name, value) >= (int)sizeof(p->vars[0]))
		options_bad("variable", name);
}

static void peer_set_conf_and(struct peer *p, const char *key, const char *value)
{
	char buf[1024];

	if (!p->ours)
		return;
	snprintf(buf, sizeof(buf), "stats_print:true%s%s%s%s", value ? key : "", value ? value : "",
		 settings.conf ? "," : "", settings.conf ? settings.conf : "");
	peer_set(p, "PTRECLAIM_CONF", buf);
}

void peer_set_conf(struct peer *p, const char *backend)
{
	peer_set_conf_and(p, ",backend:", backend);
}

static void peer_preload(struct peer *p, const char *first, const char *second)
{
	if (snprintf(p->preload, sizeof(p->preload), "%s%s%s", first, second ? ":" : "",
		     second ? second : "") >= (int)sizeof(p->preload))
		options_bad("path", first);
}

/*
 * jemalloc is served wherever we stand. Of tcmalloc the library takes the place at its functions by
 * coming before it.
 */
static void peer_libraries(struct peer *p, const char *library, bool jemalloc)
{
	if (!p->ours)
		peer_preload(p, library, NULL);
	else if (jemalloc)
		peer_preload(p, library, settings.library);
	else
		peer_preload(p, settings.library, library);
}

void peer_of_config(const struct config *c, enum side side, struct peer *p)
{
	char buf[128], decay[64] = "";

	memset(p, 0, sizeof(*p));
	p->ours = side == OURS;
	peer_libraries(p, settings.allocator[c->allocator], c->allocator == JEMALLOC);
	snprintf(buf, sizeof(buf), "%d", c->setting);
	if (c->allocator == JEMALLOC) {
		if (c->setting != SETTING_DEFAULT)
			snprintf(decay, sizeof(decay), "dirty_decay_ms:%d,", c->setting);
		snprintf(buf, sizeof(buf), "%sbackground_thread:%s", decay,
			 c->background ? "true" : "false");
		peer_set(p, "MALLOC_CONF", buf);
	} else if (c->setting == SETTING_AGGRESSIVE) {
		peer_set(p, "TCMALLOC_AGGRESSIVE_DECOMMIT", "1");
	} else if (c->setting != SETTING_DEFAULT) {
		peer_set(p, "TCMALLOC_RELEASE_RATE", buf);
	}
	peer_set_conf(p, c->backend);
}

static struct peer *peer_new(const char *name, const char *suffix)
{
	if (peer_count == MAX_PEERS)
		options_bad("peer", "too many");
	struct peer *p = &peers[peer_count];

	memset(p, 0, sizeof(*p));
	if (snprintf(p->name, sizeof(p->name), "%s%s", name, suffix) >= (int)sizeof(p->name))
		options_bad("peer", name);
	if (peer_find(p->name))
		options_bad("peer, there are two", p->name);
	peer_count++;
	return p;
}

static const char *library_of(const struct known *k)
{
	if (!strcmp(k->allocator, "jemalloc"))
		return settings.allocator[JEMALLOC];
	if (!strcmp(k->allocator, "tcmalloc"))
		return settings.allocator[TCMALLOC];
	return k->library;
}

static void add_known(const struct known *k, bool ours)
{
	struct peer *p = peer_new(k->name, ours ? SUFFIX : "");

	p->allocator = k->allocator;
	p->setting = k->setting;
	p->group = k->group;
	p->ours = ours;
	if (k->library)
		peer_libraries(p, library_of(k), !strcmp(k->allocator, "jemalloc"));
	if (k->var)
		peer_set(p, k->var, k->value);
	peer_set_conf_and(p, ",", k->conf);
}

static bool listed(const struct list *names, const char *name)
{
	bool found = !names->n;

	for (unsigned i = 0; i < names->n && !found; i++)
		found = !strcmp(names->word[i], name);
	return found;
}

/* What follows the = of "NAME=TEXT", which ends the name. A bad one is the end of the process. */
static char *cut_at_equals(const char *what, char *text)
{
	char *value = text ? strchr(text, '=') : NULL;

	if (value && value != text) {
		*value = '\0';
		return value + 1;
	}
	options_bad(what, text ? text : "(empty)");
}

/* "NAME=LIBRARY[;VAR=VALUE]...", cut up in place. */
static void add_local(char *text)
{
	char *save = NULL, *name = strtok_r(text, ";", &save);
	const char *library = cut_at_equals("peer, NAME=LIBRARY[;VAR=VALUE]... is wanted", name);
	struct peer *p = peer_new(name, "");
	size_t len = strlen(p->name), suffix = strlen(SUFFIX);

	p->allocator = "local";
	p->setting = "local";
	p->group = GROUP_LOCAL;
	p->ours = len > suffix && !strcmp(p->name + len - suffix, SUFFIX);
	peer_libraries(p, library, false);
	for (char *var = strtok_r(NULL, ";", &save); var; var = strtok_r(NULL, ";", &save)) {
		p->setting = cut_at_equals("variable of a peer", var);
		peer_set(p, var, p->setting);
	}
	peer_set_conf(p, NULL);
}

/* One line for each library that is not there, however many peers it takes with it. */
static void drop_missing(void)
{
	unsigned n = 0;
	const char *said = "";

	for (unsigned i = 0; i < peer_count; i++) {
		struct peer *p = &peers[i];

		if (!p->preload[0] || run_preloadable(p->preload)) {
			if (n != i)
				peers[n] = *p;
			n++;
		} else if (strcmp(said, p->allocator) != 0) {
			said = p->allocator;
			fprintf(stderr, "compare: %s cannot be preloaded: %s is left out\n",
				p->preload, p->name);
		}
	}
	peer_count = n;
}

void peers_choose(const struct list *names, char *const *local, unsigned locals)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		char ours[64];

		snprintf(ours, sizeof(ours), "%s" SUFFIX, known[i].name);
		if (!known[i].conf && listed(names, known[i].name))
			add_known(&known[i], false);
		/* glibc's own calls are internal: nothing is there to be served. */
		if (known[i].library && listed(names, ours))
			add_known(&known[i], true);
	}
	for (unsigned i = 0; i < locals; i++)
		add_local(local[i]);
	for (unsigned i = 0; i < names->n; i++) {
		if (!peer_find(names->word[i]))
			options_bad("peer", names->word[i]);
	}
	drop_missing();
}

const struct peer *peer_find(const char *name)
{
	for (unsigned i = 0; i < peer_count; i++) {
		if (!strcmp(peers[i].name, name))
			return &peers[i];
	}
	return NULL;
}

const struct peer *peer_stock(const struct peer *p)
{
	char name[64];
	size_t len = strlen(p->name) - strlen(SUFFIX);

	if (!p->ours || strlen(p->name) <= strlen(SUFFIX))
		return NULL;
	snprintf(name, sizeof(name), "%.*s", (int)len, p->name);
	return peer_find(name);
}
