/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf - the configuration: "key:value,key:value" from three places, later ones win.
 *
 * Built-in defaults, /etc/ptreclaim.conf, PTRECLAIM_CONF. An unknown key or a bad value is named in
 * one line and skipped; with abort_conf:true in force at the end the caller is told to stop. The
 * parser allocates nothing and accepts input of any length.
 *
 * Pairs are separated by commas or newlines; blanks around pairs, keys and values do not count, nor
 * do empty pairs. A '#' where a pair could begin, or after a blank, comments out the rest of its
 * line. Where a key is given twice in one section the last valid pair counts.
 *
 * In the file a line "[PATTERN ...]" opens a section, which lasts to the next such line: its pairs
 * apply if a pattern matches the program, and are skipped without being looked at if none does, so
 * that a file for all programs of a host does not make each of them complain about the others'. A
 * pair may follow on the same line, after a blank. The file is read from top to bottom and the last
 * valid pair counts, in a section or not. PTRECLAIM_CONF has no sections.
 *
 * Not thread-safe: meant for start-up. conf_bucket() and the names are.
 */
#ifndef PTR_CONF_H
#define PTR_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONF_PATH_MAX 512
#define CONF_SALT_MAX 64
#define CONF_ID_MAX   128
#define CONF_NAME_MAX 64
#define CONF_FILE     "/etc/ptreclaim.conf"
#define CONF_ENV      "PTRECLAIM_CONF"

/* Longest period that a key in milliseconds may name; the shortest is 1. */
#define CONF_MS_MAX 3600000u

/* Rollout buckets: rollout is a share of them. */
#define CONF_BUCKETS 1000u
/* Most bytes of CONF_FILE that are read. */
#define CONF_FILE_MAX (64u * 1024)
/* No line of complaint is longer, its NUL included. */
#define CONF_LINE_MAX 256
/* Most lines of complaint about one source; one more line counts the rest. */
#define CONF_LINES_MAX 16
/* No reason is longer, its NUL included. */
#define CONF_REASON_MAX 160

enum conf_mode { CONF_OFF, CONF_OBSERVE, CONF_ON };

/* What becomes of the decay settings that the traffic calls for. */
enum conf_tune { CONF_TUNE_OFF, CONF_TUNE_ADVISE, CONF_TUNE_APPLY };

/* What becomes of pending pages that come back: as enum policy_kind. */
enum conf_policy { CONF_POLICY_LEARN, CONF_POLICY_KEEP, CONF_POLICY_ZAP };

enum conf_backend {
	CONF_BACKEND_AUTO,
	CONF_BACKEND_PT_RECLAIM,
	CONF_BACKEND_DONTNEED,
	CONF_BACKEND_REMAP,
	CONF_BACKEND_NONE,
};

struct conf {
	enum conf_mode mode;
	enum conf_backend backend;
	uint64_t batch_bytes; /* most bytes pending; 0: never defer */
	uint64_t batch_ms;    /* oldest a pending page may get */
	uint64_t keep_bytes;  /* most excess RSS that keeping may cause */
	uint64_t sweep_ms;    /* how often zapped regions are swept */
	uint64_t rollout;     /* share of hosts in which mode applies, per mille */
	char rollout_salt[CONF_SALT_MAX];
	char rollout_id[CONF_ID_MAX];  /* of this host; "" for its machine ID */
	enum conf_mode rollout_others; /* on hosts out of the rollout; never CONF_ON */
	enum conf_tune tune;
	enum conf_policy policy;
	char kill_file[CONF_PATH_MAX];
	bool stats_print;
	char stats_file[CONF_PATH_MAX];		/* "" for none; "%p" already replaced by the pid */
	char stats_file_pattern[CONF_PATH_MAX]; /* the same as it was given */
	uint64_t stats_interval_ms;
	bool verbose;
	bool abort_conf;

	/*
	 * Not keys: how the decision came about. Patterns are matched with both names, which are as the
	 * program has them: any bytes but '/'. What rule and reason show is printable ASCII.
	 */
	char program[CONF_NAME_MAX];	/* of the executable */
	char started_as[CONF_NAME_MAX]; /* in argv[0] if that is another, else "" */
	char rule[CONF_NAME_MAX];     /* section that the mode is from, "[redis-*]"; "" for none */
	const char *mode_source;      /* source that the mode is from; NULL for the default */
	char reason[CONF_REASON_MAX]; /* why conf_effective_mode() is what it is, one line */
	unsigned bucket;	      /* this host's rollout bucket, 0 to 999 */
	bool rolled_out;	      /* bucket < rollout */
	unsigned errors;	      /* complaints, those beyond CONF_LINES_MAX included */
};

/* The built-in defaults. */
void conf_defaults(struct conf *c);

/*
 * Apply one string of pairs to c. Complaints go through say(), one line each, without newline and
 * without the program's name, each naming the source, the line if text has several, and the
 * offending pair (shortened if long, unprintable bytes as '?'). say NULL: complaints are only
 * counted. source has to stay as long as c. Returns the number of complaints and adds it to c->errors.
 */
unsigned conf_parse(struct conf *c, const char *source, const char *text, size_t len,
		    void (*say)(const char *line));

/* The same for text with sections: those that match c->program or c->started_as apply. */
unsigned conf_parse_file(struct conf *c, const char *source, const char *text, size_t len,
			 void (*say)(const char *line));

/* Put the calling process's pid into stats_file again: for a child after fork. */
void conf_refresh_pid(struct conf *c);

/*
 * Defaults, then the file, then the environment, then the rollout decision and its reason. `secure`
 * (setuid and the like) ignores what the caller chose: the environment and argv[0]. Returns false if
 * there were complaints and abort_conf is on.
 */
bool conf_load(struct conf *c, bool secure, void (*say)(const char *line));

/*
 * Bucket of a host, 0 to 999: a function of its ID and the salt that never changes, so that other
 * tools can compute it. 64-bit FNV-1a (offset basis 0xcbf29ce484222325, prime 0x100000001b3) over the
 * bytes of the salt, one zero byte and the bytes of the ID; then murmur3's fmix64; then modulo 1000.
 * conf_load() takes as ID rollout_id if it is not empty, else the first word of /etc/machine-id, else
 * of /var/lib/dbus/machine-id, else the host name.
 */
unsigned conf_bucket(const char *id, const char *salt);

/* The mode that applies: mode where rolled out, elsewhere the lesser of mode and rollout_others. */
enum conf_mode conf_effective_mode(const struct conf *c);

const char *conf_mode_name(enum conf_mode m);
const char *conf_backend_name(enum conf_backend b);
const char *conf_tune_name(enum conf_tune t);
const char *conf_policy_name(enum conf_policy p);

#endif
