// SPDX-License-Identifier: BSD-2-Clause
/* conf - see conf.h: the defaults, the sources, the program's names and the rollout decision. */
#include "conf_internal.h"

#include <errno.h>
#include <stdlib.h>

#include "os.h"

/* The kernel shows no longer path. */
#define PATH_ROOM 4097

#define DELETED " (deleted)"

void conf_defaults(struct conf *c)
{
	*c = (struct conf){
		.mode = CONF_ON,
		.backend = CONF_BACKEND_AUTO,
		.batch_bytes = 32u << 20,
		.batch_ms = 100,
		.keep_bytes = 32u << 20,
		.sweep_ms = 1000,
		.rollout = CONF_BUCKETS,
		.kill_file = "/run/ptreclaim/disable",
		.stats_interval_ms = 10000,
		.rolled_out = true,
	};
}

static void complain(struct conf *c, const char *what, uint64_t n, const char *more,
		     void (*say)(const char *line))
{
	char line[CONF_LINE_MAX];
	struct export_buf b;

	c->errors++;
	export_init(&b, line, sizeof(line));
	export_str(&b, what);
	export_u64(&b, n);
	export_str(&b, more);
	if (say)
		say(line);
}

static void load_file(struct conf *c, void (*say)(const char *line))
{
	/* One byte more than we take, to see that there is more, and one for the NUL. */
	const size_t cap = CONF_FILE_MAX + 2;
	char *buf = os.map(cap);
	ssize_t got = buf ? os.read_file(CONF_FILE, buf, cap) : -ENOMEM;
	size_t len = got > 0 ? (size_t)got : 0;

	if (got < 0 && got != -ENOENT && got != -ENOTDIR)
		complain(c, CONF_FILE ": cannot be read, error ", (uint64_t)-got, "", say);
	if (len > CONF_FILE_MAX) {
		len = CONF_FILE_MAX;
		/* Half a pair may mean something else. */
		while (len && buf[len - 1] != '\n')
			len--;
		complain(c, CONF_FILE ": longer than ", CONF_FILE_MAX,
			 " bytes, the rest is skipped", say);
	}
	if (len)
		(void)conf_parse_file(c, CONF_FILE, buf, len, say);
	if (buf)
		(void)os.unmap(buf, cap);
}

/* What tells this host from others, "" if nothing does. */
static void host_id(char *out, size_t cap)
{
	static const char *const files[] = {
		"/etc/machine-id",
		"/var/lib/dbus/machine-id",
		"/proc/sys/kernel/hostname",
	};

	for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (os.read_file(files[i], out, cap) <= 0)
			continue;
		out[strcspn(out, " \t\r\n")] = '\0';
		/* What systemd and the kernel write while they do not know. */
		if (*out && strcmp(out, "uninitialized") && strcmp(out, "(none)"))
			return;
	}
	*out = '\0';
}

/* What stands behind the last '/', as much of it as fits. */
static void put_name(char out[CONF_NAME_MAX], const char *path, size_t n)
{
	const char *slash = memrchr(path, '/', n);
	struct export_buf b;

	export_init(&b, out, CONF_NAME_MAX);
	if (slash) {
		n -= (size_t)(slash + 1 - path);
		path = slash + 1;
	}
	export_put(&b, path, n);
}

/*
 * Both, since either may be the one that people know: an executable may be run through a link with
 * another name (Debian's redis-server is a link to redis-check-rdb), and argv[0] may be anything.
 */
static void find_names(struct conf *c, bool secure)
{
	const size_t mark = sizeof(DELETED) - 1;
	const char *invoked = secure ? "" : program_invocation_short_name;
	char path[PATH_ROOM];
	ssize_t got = os.read_link("/proc/self/exe", path, sizeof(path));
	size_t n = got > 0 ? (size_t)got : 0;

	/* The kernel's word on a file that was removed or replaced meanwhile. */
	if (n > mark && !memcmp(path + n - mark, DELETED, mark))
		n -= mark;
	put_name(c->program, path, n);
	put_name(c->started_as, invoked, strlen(invoked));
	if (!*c->program)
		memcpy(c->program, c->started_as, sizeof(c->program));
	if (!strcmp(c->program, c->started_as))
		*c->started_as = '\0';
}

static void decide_rollout(struct conf *c, void (*say)(const char *line))
{
	char id[256];

	if (*c->rollout_id)
		memcpy(id, c->rollout_id, sizeof(c->rollout_id));
	else
		host_id(id, sizeof(id));
	c->bucket = conf_bucket(id, c->rollout_salt);
	c->rolled_out = c->bucket < c->rollout;
	/* A note, no error: it matters only where hosts are told apart. */
	if (!*id && c->rollout && c->rollout < CONF_BUCKETS && say)
		say("rollout: no machine id and no host name, the bucket is that of an empty id");
}

static void put_bucket(struct export_buf *b, const struct conf *c, const char *is)
{
	export_str(b, "bucket ");
	export_u64(b, c->bucket);
	export_str(b, is);
	export_u64(b, c->rollout);
}

static void explain(struct conf *c)
{
	struct export_buf b;

	export_init(&b, c->reason, sizeof(c->reason));
	/* Where the mode is off anyway the rollout decides nothing. */
	if (c->mode != CONF_OFF && !c->rolled_out) {
		put_bucket(&b, c, " is out of rollout ");
		export_str(&b, ": rollout_others:");
		export_str(&b, conf_mode_name(c->rollout_others));
		return;
	}
	export_str(&b, "mode:");
	export_str(&b, conf_mode_name(c->mode));
	export_str(&b, c->mode_source ? " in " : " by default");
	if (c->mode_source)
		export_str(&b, c->mode_source);
	export_str(&b, *c->rule ? " " : "");
	export_str(&b, c->rule);
	if (c->mode == CONF_OFF)
		return;
	export_str(&b, ", ");
	if (c->rollout < CONF_BUCKETS)
		put_bucket(&b, c, " is within rollout ");
	else
		export_str(&b, "rollout 1000");
}

bool conf_load(struct conf *c, bool secure, void (*say)(const char *line))
{
	const char *env = secure ? NULL : secure_getenv(CONF_ENV);

	conf_defaults(c);
	find_names(c, secure);
	load_file(c, say);
	if (env)
		(void)conf_parse(c, CONF_ENV, env, strlen(env), say);
	decide_rollout(c, say);
	explain(c);
	return !(c->errors && c->abort_conf);
}

unsigned conf_bucket(const char *id, const char *salt)
{
	const uint64_t prime = 0x100000001b3;
	uint64_t h = 0xcbf29ce484222325;

	for (const char *s = salt; *s; s++)
		h = (h ^ (unsigned char)*s) * prime;
	h *= prime; /* the zero byte between the two */
	for (const char *s = id; *s; s++)
		h = (h ^ (unsigned char)*s) * prime;
	/* FNV's high bits lag behind for short inputs; murmur3's fmix64 spreads them. */
	h ^= h >> 33;
	h *= 0xff51afd7ed558ccd;
	h ^= h >> 33;
	h *= 0xc4ceb9fe1a85ec53;
	h ^= h >> 33;
	return (unsigned)(h % CONF_BUCKETS);
}

enum conf_mode conf_effective_mode(const struct conf *c)
{
	if (c->rolled_out || c->mode < c->rollout_others)
		return c->mode;
	return c->rollout_others;
}
