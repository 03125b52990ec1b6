// SPDX-License-Identifier: BSD-2-Clause
/* compare_report - the tables, the verdict, the JSON. */
#include <math.h>
#include <string.h>

#include "compare.h"

const struct metric_info metric_info[METRIC_COUNT] = {
#define X(id, member, unit, label) {member, unit, label},
	METRICS(X)
#undef X
};

const char *const allocator_name[ALLOCATORS] = {"jemalloc", "tcmalloc"};

static void setting_name(const struct config *c, char *buf, size_t cap)
{
	bool je = c->allocator == JEMALLOC;

	if (c->setting == SETTING_DEFAULT)
		snprintf(buf, cap, je ? "default decay" : "default release rate");
	else if (c->setting == SETTING_AGGRESSIVE)
		snprintf(buf, cap, "aggressive decommit");
	else
		snprintf(buf, cap, je ? "dirty_decay_ms:%d" : "release rate %d", c->setting);
}

void config_name(const struct config *c, char *buf, size_t cap)
{
	const char *allocator = allocator_name[c->allocator];
	char setting[40];

	setting_name(c, setting, sizeof(setting));
	if (c->pair)
		snprintf(buf, cap, "large free() + malloc() pair, %s %s", allocator, setting);
	else
		snprintf(buf, cap, "%s %s, %u thread%s, %s %s%s%s%s", c->profile, c->touch,
			 c->threads, c->threads > 1 ? "s" : "", allocator, setting,
			 c->background ? ", background_thread" : "", c->backend ? ", backend " : "",
			 c->backend ? c->backend : "");
}

static void print_value(double v, enum unit unit)
{
	if (isnan(v)) {
		printf(" %12s", "-");
		return;
	}
	switch (unit) {
	case UNIT_NUMBER:
		printf(" %12.0f", v);
		break;
	case UNIT_MB:
		printf(" %12.1f", v / 1024);
		break;
	case UNIT_MS:
	case UNIT_S:
		printf(" %12.2f", v);
		break;
	}
}

static bool known(const struct outcome *o, unsigned m)
{
	return metric_info[m].label &&
	       !(isnan(o->median[STOCK].v[m]) && isnan(o->median[OURS].v[m]));
}

static void print_row(const struct outcome *o, unsigned m)
{
	const struct metric_info *info = &metric_info[m];

	printf("  %-36s", info->label);
	print_value(o->median[STOCK].v[m], info->unit);
	print_value(o->median[OURS].v[m], info->unit);
	if (!isnan(o->ratio.v[m]))
		printf("  x %-6.3f  %.3f .. %.3f", o->ratio.v[m], o->ratio_min.v[m],
		       o->ratio_max.v[m]);
	putchar('\n');
}

void report_text(const struct outcome *o)
{
	char name[128];

	config_name(&o->config, name, sizeof(name));
	printf("%s (%u pair%s of runs)\n", name, o->repeats, o->repeats > 1 ? "s" : "");
	printf("  %-36s %12s %12s  %-8s  %s\n", "median", "stock", "ptreclaim", "ratio",
	       "least .. most of the pairs");
	for (unsigned m = 0; m < METRIC_COUNT; m++) {
		if (known(o, m))
			print_row(o, m);
	}
	if (o->calls_from)
		printf("  system calls: stock's counted by strace, ours by %s\n", o->calls_from);
	for (unsigned i = 0; i < o->targets; i++) {
		const struct target *t = &o->target[i];

		printf("  %-6s %-42s %10.3f, target %s %.3f", t->met ? "met" : "MISSED", t->name,
		       t->value, t->at_least ? ">=" : "<=", t->limit);
		if (!t->met)
			printf(", off by %.3f", fabs(t->value - t->limit));
		if (t->note[0])
			printf(" (%s)", t->note);
		putchar('\n');
	}
	putchar('\n');
	fflush(stdout);
}

static unsigned targets_met(const struct outcome *o, size_t n, unsigned *all)
{
	unsigned met = 0;

	*all = 0;
	for (size_t i = 0; i < n; i++) {
		for (unsigned t = 0; t < o[i].targets; t++)
			met += o[i].target[t].met;
		*all += o[i].targets;
	}
	return met;
}

static void summary(const struct outcome *o)
{
	char name[128];

	config_name(&o->config, name, sizeof(name));
	printf("%s:", name);
	if (o->config.pair)
		printf(" 256 KiB x %.3f of stock's time",
		       o->targets > 1 ? o->target[1].value : o->ratio.v[M_PAIR_256K]);
	else
		printf(" wasted page tables %.0f -> %.0f kB, operations per second x %.2f"
		       " (per CPU second x %.2f), fork() x %.2f",
		       o->median[STOCK].v[M_WASTE], o->median[OURS].v[M_WASTE], o->ratio.v[M_OPS],
		       o->ratio.v[M_OPS_CPU], o->ratio.v[M_FORK]);
	putchar('\n');
}

void report_verdict(const struct outcome *o, size_t n)
{
	unsigned all, met = targets_met(o, n, &all);

	for (size_t i = 0; i < n; i++)
		summary(&o[i]);
	printf("verdict: %u of %u targets met over %zu configuration%s\n", met, all, n,
	       n == 1 ? "" : "s");
}

/* JSON has no NAN. */
static void json_number(const char *name, double v, const char *after)
{
	if (isnan(v))
		printf("\"%s\": null%s", name, after);
	else
		printf("\"%s\": %.6g%s", name, v, after);
}

static const char *metric_name(unsigned m)
{
	switch (m) {
	case M_ZAPS:
		return "zap_calls";
	case M_COMMIT_ZAPS:
		return "reuse_zap_calls";
	case M_CALLS:
		return "library_calls";
	default:
		return metric_info[m].member;
	}
}

/* What is at its default is null. */
static void json_setting(const struct config *c)
{
	double value = NAN;

	if (c->setting >= 0)
		value = c->setting;
	printf("    ");
	if (c->allocator == TCMALLOC) {
		json_number("release_rate", value, ",\n");
		printf("    \"aggressive_decommit\": %s,\n",
		       c->setting == SETTING_AGGRESSIVE ? "true" : "false");
	} else {
		json_number("dirty_decay_ms", value, ",\n");
		printf("    \"background_thread\": %s,\n", c->background ? "true" : "false");
	}
}

static void json_config(const struct config *c)
{
	char name[128];

	config_name(c, name, sizeof(name));
	printf("    \"name\": \"%s\",\n    \"program\": \"%s\",\n    \"allocator\": \"%s\",\n",
	       name, c->pair ? "pair" : "churn", allocator_name[c->allocator]);
	if (c->pair)
		return;
	printf("    \"profile\": \"%s\",\n    \"touch\": \"%s\",\n    \"threads\": %u,\n",
	       c->profile, c->touch, c->threads);
	json_setting(c);
	printf("    \"backend\": \"%s\",\n", c->backend ? c->backend : "auto");
}

static void json_outcome(const struct outcome *o, bool last)
{
	const char *comma = "";

	printf("  {\n    \"repeats\": %u,\n", o->repeats);
	json_config(&o->config);
	printf("    \"metrics\": {");
	for (unsigned m = 0; m < METRIC_COUNT; m++) {
		if (!known(o, m))
			continue;
		printf("%s\n      \"%s\": { ", comma, metric_name(m));
		json_number("stock", o->median[STOCK].v[m], ", ");
		json_number("ptreclaim", o->median[OURS].v[m], ", ");
		json_number("ratio", o->ratio.v[m], ", ");
		json_number("ratio_min", o->ratio_min.v[m], ", ");
		json_number("ratio_max", o->ratio_max.v[m], " }");
		comma = ",";
	}
	printf("\n    },\n    \"targets\": [");
	for (unsigned i = 0; i < o->targets; i++) {
		const struct target *t = &o->target[i];

		printf("%s\n      { \"name\": \"%s\", ", i ? "," : "", t->name);
		json_number("value", t->value, ", ");
		json_number(t->at_least ? "at_least" : "at_most", t->limit, ", ");
		printf("\"met\": %s, \"note\": \"%s\" }", t->met ? "true" : "false", t->note);
	}
	printf("\n    ]\n  }%s\n", last ? "" : ",");
}

void report_json(const struct settings *s, const struct outcome *o, size_t n)
{
	unsigned all, met = targets_met(o, n, &all);

	printf("{\n\"targets_met\": %u,\n\"targets\": %u,\n", met, all);
	printf("\"cycles\": %u,\n\"configurations\": [\n", s->cycles);
	for (size_t i = 0; i < n; i++)
		json_outcome(&o[i], i + 1 == n);
	printf("]\n}\n");
}
