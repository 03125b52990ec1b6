// SPDX-License-Identifier: BSD-2-Clause
/* ctl_table - which properties there are, and how each is read and written: see ctl_internal.h. */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "backend.h"
#include "ctl_internal.h"
#include "policy.h"
#include "tune.h"
#include "worker.h"

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

static struct conf *_Atomic conf;
static const char *_Atomic allocators = "";
static int (*_Atomic change_mode)(enum conf_mode mode);

void ctl_describe(struct conf *c, const char *names)
{
	atomic_store(&conf, c);
	atomic_store(&allocators, names);
}

void ctl_on_mode(int (*change)(enum conf_mode mode))
{
	atomic_store(&change_mode, change);
}

/* --- state */

static const char *text_version(void)
{
	return PACKAGE_VERSION;
}

static const char *mode_label(unsigned n)
{
	return n <= CONF_ON ? conf_mode_name((enum conf_mode)n) : NULL;
}

static const char *backend_label(unsigned n)
{
	return n <= CONF_BACKEND_NONE ? conf_backend_name((enum conf_backend)n) : NULL;
}

static uint64_t get_mode(void)
{
	return engine_mode();
}

static bool may_write_mode(void)
{
	return atomic_load(&change_mode) != NULL;
}

static int write_mode(uint64_t mode)
{
	int (*change)(enum conf_mode) = atomic_load(&change_mode);

	if (!change)
		return EPERM;
	return mode <= CONF_ON ? change((enum conf_mode)mode) : EINVAL;
}

static uint64_t get_mode_in_force(void)
{
	return engine_mode_in_force();
}

static uint64_t get_killed(void)
{
	return engine_paused();
}

static uint64_t get_backend(void)
{
	return backend_kind();
}

static const char *text_allocator(void)
{
	return atomic_load(&allocators);
}

/* --- limits: those of the engine and the worker, or what they are to start with */

#define CONFIGURED(member)                                                                         \
	static bool configured_##member(uint64_t *value)                                           \
	{                                                                                          \
		struct conf *c = atomic_load(&conf);                                               \
                                                                                                   \
		if (c)                                                                             \
			*value = __atomic_load_n(&c->member, __ATOMIC_RELAXED);                    \
		return c != NULL;                                                                  \
	}                                                                                          \
                                                                                                   \
	static bool configure_##member(uint64_t value)                                             \
	{                                                                                          \
		struct conf *c = atomic_load(&conf);                                               \
                                                                                                   \
		if (c)                                                                             \
			__atomic_store_n(&c->member, value, __ATOMIC_RELAXED);                     \
		return c != NULL;                                                                  \
	}
CONFIGURED(batch_bytes)
CONFIGURED(batch_ms)
CONFIGURED(keep_bytes)
CONFIGURED(sweep_ms)

static uint64_t get_batch_bytes(void)
{
	uint64_t n;

	return !engine_started() && configured_batch_bytes(&n) ? n : engine_batch_bytes();
}

static int write_batch_bytes(uint64_t n)
{
	(void)configure_batch_bytes(n);
	engine_set_batch_bytes(n);
	return 0;
}

static uint64_t get_keep_bytes(void)
{
	uint64_t n;

	return !engine_started() && configured_keep_bytes(&n) ? n : engine_keep_bytes();
}

static int write_keep_bytes(uint64_t n)
{
	(void)configure_keep_bytes(n);
	engine_set_keep_bytes(n);
	return 0;
}

/* A period of 0: no worker was ever started. Set before that, it would take itself for a child's. */
static uint64_t get_batch_ms(void)
{
	uint64_t ms = worker_batch_ms();

	if (!ms)
		(void)configured_batch_ms(&ms);
	return ms;
}

static int write_batch_ms(uint64_t ms)
{
	if (!ms || ms > CONF_MS_MAX)
		return EINVAL;
	if (!configure_batch_ms(ms) || worker_batch_ms())
		(void)worker_set_batch_ms(ms);
	return 0;
}

static uint64_t get_sweep_ms(void)
{
	uint64_t ms = worker_sweep_ms();

	if (!ms)
		(void)configured_sweep_ms(&ms);
	return ms;
}

static const char *policy_label(unsigned n)
{
	return n <= CONF_POLICY_ZAP ? conf_policy_name((enum conf_policy)n) : NULL;
}

static uint64_t get_policy(void)
{
	return policy_kind();
}

static int write_policy(uint64_t kind)
{
	if (kind > POLICY_ZAP)
		return EINVAL;
	policy_set_kind((enum policy_kind)kind);
	return 0;
}

static uint64_t get_classes(void)
{
	return POLICY_CLASSES;
}

static int read_cost(const struct ctl_property *p, const struct ctl_call *call, struct ctl_value *v)
{
	struct policy_costs c;
	uint32_t n;

	(void)call;
	policy_costs(&c);
	memcpy(&n, (const char *)&c + p->at, sizeof(n));
	v->n = n;
	return 0;
}

static int write_cost(size_t at, uint64_t ns)
{
	struct policy_costs c;
	uint32_t n = (uint32_t)ns;

	if (ns > UINT32_MAX)
		return EINVAL;
	policy_costs(&c);
	memcpy((char *)&c + at, &n, sizeof(n));
	policy_set_costs(&c);
	return 0;
}

#define X(member)                                                                                  \
	static int write_##member(uint64_t ns)                                                     \
	{                                                                                          \
		return write_cost(offsetof(struct policy_costs, member), ns);                      \
	}
X(fault)
X(populate)
X(zap)
X(zero)
X(call)
#undef X

static int read_class(const struct ctl_property *p, const struct ctl_call *call,
		      struct ctl_value *v)
{
	struct policy_class c;

	if (call->index >= POLICY_CLASSES || !policy_class((unsigned)call->index, &c))
		return ENOENT;
	memcpy(&v->n, (const char *)&c + p->at, sizeof(v->n));
	return 0;
}

static int write_sweep_ms(uint64_t ms)
{
	if (!ms || ms > CONF_MS_MAX)
		return EINVAL;
	if (!configure_sweep_ms(ms) || worker_sweep_ms())
		(void)worker_set_sweep_ms(ms);
	return 0;
}

static int write_flush(uint64_t value)
{
	(void)value;
	engine_flush();
	return 0;
}

/* --- statistics */

static int read_sample(const struct ctl_property *p, const struct ctl_call *call,
		       struct ctl_value *v)
{
	struct ctl_sample s;

	if (!call->live)
		return ctl_sample_read(p->at, &v->n);
	ctl_sample_take(&s);
	memcpy(&v->n, (const char *)&s + p->at, sizeof(v->n));
	return 0;
}

static uint64_t get_nodes(void)
{
	return node_count();
}

static int read_node(const struct ctl_property *p, const struct ctl_call *call, struct ctl_value *v)
{
	size_t at = p->at + call->index * sizeof(struct engine_node);
	struct ctl_sample s;

	if (call->index >= node_count())
		return ENOENT;
	if (!call->live)
		return ctl_sample_read(at, &v->n);
	ctl_sample_take_nodes(&s);
	memcpy(&v->n, (const char *)&s + at, sizeof(v->n));
	return 0;
}

static int read_epoch(const struct ctl_property *p, const struct ctl_call *call,
		      struct ctl_value *v)
{
	(void)call;
	return ctl_sample_read(p->at, &v->n);
}

static int write_epoch(uint64_t value)
{
	(void)value;
	return ctl_sample_refresh();
}

static int read_reclaimable(const struct ctl_property *p, const struct ctl_call *call,
			    struct ctl_value *v)
{
	(void)p;
	if (!call->live)
		return ctl_sample_reclaimable(&v->n);
	v->n = engine_reclaimable();
	return 0;
}

/* --- rollout */

static uint64_t get_bucket(void)
{
	const struct conf *c = atomic_load(&conf);

	return c ? c->bucket : 0;
}

static uint64_t get_permille(void)
{
	const struct conf *c = atomic_load(&conf);

	return c ? c->rollout : 0;
}

static uint64_t get_others(void)
{
	const struct conf *c = atomic_load(&conf);

	return c ? c->rollout_others : CONF_OFF;
}

#define TEXT(name, member)                                                                         \
	static const char *text_##name(void)                                                       \
	{                                                                                          \
		const struct conf *c = atomic_load(&conf);                                         \
                                                                                                   \
		return c ? c->member : "";                                                         \
	}
TEXT(salt, rollout_salt)
TEXT(id, rollout_id)
TEXT(program, program)
TEXT(rule, rule)
TEXT(rollout_reason, reason)

/* --- decay advice */

static const char *tune_label(unsigned n)
{
	return n <= CONF_TUNE_APPLY ? conf_tune_name((enum conf_tune)n) : NULL;
}

static uint64_t get_tune(void)
{
	return tune_mode();
}

static int write_tune(uint64_t mode)
{
	if (mode > CONF_TUNE_APPLY)
		return EINVAL;
	tune_set_mode((enum conf_tune)mode);
	return 0;
}

static uint64_t get_background(void)
{
	struct tune_process t;

	tune_process(&t);
	return t.background_thread;
}

static uint64_t get_advised_background(void)
{
	struct tune_process t;

	tune_process(&t);
	return t.advised_background_thread;
}

static const char *text_tune_reason(void)
{
	struct tune_process t;

	tune_process(&t);
	return t.reason;
}

static uint64_t get_arenas(void)
{
	return tune_arenas();
}

static int read_arena(const struct ctl_property *p, const struct ctl_call *call,
		      struct ctl_value *v)
{
	struct tune_arena a;

	if (call->index >= tune_arenas() || !tune_arena((unsigned)call->index, &a))
		return ENOENT;
	if (p->type == CTL_STRING)
		v->text = a.reason;
	else
		memcpy(&v->n, (const char *)&a + p->at, sizeof(v->n));
	return 0;
}

/* --- the table: names that share a beginning stand together */

#define P(n, t, u, h)  .name = (n), .type = (t), .unit = (u), .help = (h)
#define SAMPLE(member) .read = read_sample, .at = offsetof(struct ctl_sample, member)
#define COST(member)                                                                               \
	.read = read_cost, .at = offsetof(struct policy_costs, member), .write = write_##member
#define CLASS(member) .read = read_class, .at = offsetof(struct policy_class, member)
#define NODE(member)  .read = read_node, .at = offsetof(struct ctl_sample, node[0].member)
#define ARENA(member) .read = read_arena, .at = offsetof(struct tune_arena, member)

const struct ctl_property ctl_properties[] = {
	{P("version", CTL_STRING, "", "version of the library"), .text = text_version},
	{P("mode", CTL_STRING, "", "off, observe or on"), .get = get_mode, .labels = mode_label,
	 .write = write_mode, .may_write = may_write_mode},
	{P("mode_in_force", CTL_STRING, "", "the same, and off while the kill file exists"),
	 .get = get_mode_in_force, .labels = mode_label},
	{P("killed", CTL_BOOL, "", "does the kill file exist"), .get = get_killed},
	{P("backend", CTL_STRING, "", "how a table is freed"), .get = get_backend,
	 .labels = backend_label},
	{P("allocator", CTL_STRING, "", "which allocators are served"), .text = text_allocator},
	{P("batch_bytes", CTL_SIZE, "bytes", "most that may be pending"), .get = get_batch_bytes,
	 .write = write_batch_bytes},
	{P("batch_ms", CTL_UINT64, "ms", "oldest that a pending page may get"), .get = get_batch_ms,
	 .write = write_batch_ms},
	{P("keep_bytes", CTL_SIZE, "bytes", "most resident memory that keeping may add"),
	 .get = get_keep_bytes, .write = write_keep_bytes},
	{P("sweep_ms", CTL_UINT64, "ms", "how often what others zapped is swept"),
	 .get = get_sweep_ms, .write = write_sweep_ms},
	{P("flush", CTL_VOID, "", "flush what is pending"), .write = write_flush},
	{P("epoch", CTL_UINT64, "", "number of the snapshot; a write takes the next"),
	 .read = read_epoch, .at = offsetof(struct ctl_sample, epoch), .write = write_epoch,
	 .written_first = true},

#define X(id, name, kind, help)                                                                    \
	{P("stats." name, CTL_UINT64, kind, help), SAMPLE(stats.counter[id])},
	STATS_COUNTERS(X)
#undef X
		{P("stats.pending", CTL_SIZE, "bytes", "pages that are pending"),
		 SAMPLE(state.pending_bytes)},
	{P("stats.kept_now", CTL_SIZE, "bytes", "pages that are kept"), SAMPLE(state.kept_bytes)},
	{P("stats.own", CTL_SIZE, "bytes", "memory of the library's own"), SAMPLE(state.own_bytes)},
	{P("stats.reclaimable", CTL_SIZE, "bytes", "tables that MADV_PT_RECLAIM would free"),
	 .read = read_reclaimable},
	{P("stats.nodes", CTL_UNSIGNED, "", "how many nodes are told apart"), .get = get_nodes},
	{P("stats.node.<i>.pending", CTL_SIZE, "bytes", "pages that are pending"),
	 NODE(pending_bytes)},
	{P("stats.node.<i>.zapped", CTL_UINT64, "bytes", "pages zapped by a flush"),
	 NODE(zapped_bytes)},
	{P("stats.node.<i>.flushes", CTL_UINT64, "flushes", "flushes of its queue"), NODE(flushes)},
	{P("stats.node.<i>.own", CTL_SIZE, "bytes", "memory of the library's own"),
	 NODE(own_bytes)},

	{P("predicted.tables", CTL_SIZE, "bytes", "observing: tables that 'on' would have freed"),
	 .get = engine_predicted_tables},
	{P("predicted.spared_calls", CTL_UINT64, "calls", "observing: zaps that 'on' would spare"),
	 SAMPLE(stats.counter[STAT_PREDICTED_SPARED])},

	{P("policy.kind", CTL_STRING, "", "learn, keep or zap"), .get = get_policy,
	 .labels = policy_label, .write = write_policy},
	{P("policy.fault_ns", CTL_UINT64, "ns", "cost of a page fault"), COST(fault)},
	{P("policy.populate_ns", CTL_UINT64, "ns", "of the same page populated with others"),
	 COST(populate)},
	{P("policy.zap_ns", CTL_UINT64, "ns", "of zapping a page"), COST(zap)},
	{P("policy.zero_ns", CTL_UINT64, "ns", "of zeroing a page that is there"), COST(zero)},
	{P("policy.call_ns", CTL_UINT64, "ns", "of a system call without its pages"), COST(call)},
	{P("policy.excess", CTL_SIZE, "bytes", "kept or populated and not to be touched"),
	 .get = policy_excess_bytes},
	{P("policy.classes", CTL_UNSIGNED, "", "size classes"), .get = get_classes},
	{P("policy.class.<i>.pages", CTL_UINT64, "pages", "smallest range of it"), CLASS(pages)},
	{P("policy.class.<i>.samples", CTL_UINT64, "events", "releases looked at"), CLASS(samples)},
	{P("policy.class.<i>.touched", CTL_UINT64, "per mille", "share that most owners touch"),
	 CLASS(touched)},
	{P("policy.class.<i>.kept", CTL_UINT64, "per mille", "share that is kept"), CLASS(kept)},
	{P("policy.class.<i>.populated", CTL_UINT64, "per mille", "share that is populated"),
	 CLASS(populated)},

	{P("rollout.bucket", CTL_UNSIGNED, "", "of this host, 0 to 999"), .get = get_bucket},
	{P("rollout.permille", CTL_UNSIGNED, "per mille",
	   "share of hosts in which the mode applies"),
	 .get = get_permille},
	{P("rollout.salt", CTL_STRING, "", "with which the bucket was computed"),
	 .text = text_salt},
	{P("rollout.id", CTL_STRING, "", "the same; empty: the host's machine ID"),
	 .text = text_id},
	{P("rollout.others", CTL_STRING, "", "mode on hosts out of the rollout"), .get = get_others,
	 .labels = mode_label},
	{P("rollout.program", CTL_STRING, "", "name that sections are matched with"),
	 .text = text_program},
	{P("rollout.rule", CTL_STRING, "", "section that the mode is from"), .text = text_rule},
	{P("rollout.reason", CTL_STRING, "", "why the process was started in its mode"),
	 .text = text_rollout_reason},

	{P("tune.mode", CTL_STRING, "", "off, advise or apply"), .get = get_tune,
	 .labels = tune_label, .write = write_tune},
	{P("tune.background_thread", CTL_BOOL, "", "in force"), .get = get_background},
	{P("tune.advised_background_thread", CTL_BOOL, "", "what the traffic calls for"),
	 .get = get_advised_background},
	{P("tune.reason", CTL_STRING, "", "why"), .text = text_tune_reason},

	{P("arenas", CTL_UNSIGNED, "", "one more than the highest that anything is known of"),
	 .get = get_arenas},
	{P("arena.<i>.purges", CTL_UINT64, "calls", "purges"), ARENA(purges)},
	{P("arena.<i>.purged", CTL_UINT64, "bytes", "what they gave up"), ARENA(purged)},
	{P("arena.<i>.purged_whole", CTL_UINT64, "bytes", "of these, in regions that one covered"),
	 ARENA(purged_whole)},
	{P("arena.<i>.taken_back", CTL_UINT64, "bytes", "what was taken back"), ARENA(taken_back)},
	{P("arena.<i>.dirty_decay_ms", CTL_SSIZE, "ms", "in force"), ARENA(dirty_decay_ms)},
	{P("arena.<i>.muzzy_decay_ms", CTL_SSIZE, "ms", "in force"), ARENA(muzzy_decay_ms)},
	{P("arena.<i>.advised_dirty_decay_ms", CTL_SSIZE, "ms", "what the traffic calls for"),
	 ARENA(advised_dirty_ms)},
	{P("arena.<i>.advised_muzzy_decay_ms", CTL_SSIZE, "ms", "what the traffic calls for"),
	 ARENA(advised_muzzy_ms)},
	{P("arena.<i>.reason", CTL_STRING, "", "why"), .read = read_arena},
};

const size_t ctl_property_count = sizeof(ctl_properties) / sizeof(ctl_properties[0]);
