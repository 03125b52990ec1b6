# SPDX-License-Identifier: BSD-2-Clause
# Everything below the hooks, as one convenience library: the hooks, the command and the tests link it.
noinst_LTLIBRARIES += lib/libcore.la
lib_libcore_la_SOURCES = \
	lib/backend.c lib/backend.h \
	lib/batch.c lib/batch_flight.c lib/batch.h lib/batch_internal.h \
	lib/conf.c lib/conf_parse.c lib/conf_rule.c lib/conf_value.c lib/conf.h lib/conf_internal.h \
	lib/ctl.c lib/ctl_sample.c lib/ctl_table.c lib/ctl.h lib/ctl_internal.h \
	lib/engine.c lib/engine_mode.c lib/engine_reuse.c lib/engine_sample.c lib/engine.h lib/engine_internal.h \
	lib/export.c lib/export_buf.c lib/export_json.c lib/export.h lib/export_internal.h \
	lib/floor.c lib/floor.h \
	lib/gauge.h \
	lib/node.c lib/node.h \
	lib/os.c lib/os.h \
	lib/page.c lib/page.h \
	lib/pagemap.h \
	lib/policy.c lib/policy_belief.c lib/policy.h lib/policy_internal.h \
	lib/cost.c lib/cost.h \
	lib/pool.c lib/pool.h \
	lib/predict.c lib/predict.h \
	lib/pressure.c lib/pressure.h \
	lib/probes.h \
	lib/region.c lib/region_map.c lib/region.h \
	lib/stats.c lib/stats.h \
	lib/sweep.c lib/sweep.h \
	lib/tune.c lib/tune.h \
	lib/tune_count.c lib/tune_count.h \
	lib/tune_rule.c lib/tune_rule.h \
	lib/worker.c lib/worker.h
