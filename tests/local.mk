# SPDX-License-Identifier: BSD-2-Clause
include tests/integration/local.mk
include tests/versions/local.mk
include tests/vm/local.mk
include tests/stress/local.mk
include tests/packages/local.mk

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/t-conf tests/unit/t-conf-load tests/unit/t-conf-rules tests/unit/t-export
TESTS += \
	tests/unit/t-conf tests/unit/t-conf-load tests/unit/t-conf-rules \
	tests/unit/t-export tests/unit/promtool tests/unit/schema

conf_fixture = tests/unit/conf_fixture.c tests/unit/conf_fixture.h
tests_unit_t_conf_SOURCES = tests/unit/conf.c $(conf_fixture)
tests_unit_t_conf_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_t_conf_LDADD = lib/libcore.la $(CMOCKA_LIBS)
tests_unit_t_conf_load_SOURCES = tests/unit/conf_load.c $(conf_fixture)
tests_unit_t_conf_load_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_t_conf_load_LDADD = lib/libcore.la $(CMOCKA_LIBS)
tests_unit_t_conf_rules_SOURCES = tests/unit/conf_rules.c $(conf_fixture)
tests_unit_t_conf_rules_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_t_conf_rules_LDADD = lib/libcore.la $(CMOCKA_LIBS)

tests_unit_t_export_SOURCES = \
	tests/unit/export.c tests/unit/export_json.c tests/unit/export_nodes.c tests/unit/export_test.h
tests_unit_t_export_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_t_export_LDADD = lib/libcore.la $(CMOCKA_LIBS)
endif

# Skips itself without clang.
TESTS += tests/fuzz/run

EXTRA_DIST += tests/unit/promtool tests/unit/schema tests/unit/validate.py
EXTRA_DIST += \
	tests/fuzz/run \
	tests/fuzz/conf.c tests/fuzz/conf.dict tests/fuzz/conf_check.h \
	tests/fuzz/rules.c tests/fuzz/rules.dict \
	tests/fuzz/ctl.c tests/fuzz/ctl.dict

# Needs clang; names of fuzzers, the number of runs and more by FUZZ_FLAGS.
fuzz:
	$(srcdir)/tests/fuzz/run $(FUZZ_FLAGS)
.PHONY: fuzz

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/t-floor
TESTS += tests/unit/t-floor
tests_unit_t_floor_SOURCES = tests/unit/floor.c
tests_unit_t_floor_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_t_floor_LDADD = lib/libcore.la $(CMOCKA_LIBS)
endif

# A sanitizer's run-time library has to come first in a process, so it cannot be preloaded with ours.
EXTRA_DIST += tests/integration/command.sh
if !SANITIZED
check_PROGRAMS += tests/integration/waster
tests_integration_waster_SOURCES = tests/integration/waster.c
tests_integration_waster_LDADD = lib/libcore.la
TESTS += tests/integration/command.sh
endif

# The man page of properties against the table.
check_PROGRAMS += tests/unit/ctl-list
tests_unit_ctl_list_SOURCES = tests/unit/ctl-list.c
tests_unit_ctl_list_LDADD = lib/libcore.la
TESTS += tests/unit/propdoc.sh
EXTRA_DIST += tests/unit/propdoc.sh

# What the benches count with.
if HAVE_CMOCKA
check_PROGRAMS += tests/unit/t-histogram tests/unit/t-slope
TESTS += tests/unit/t-histogram tests/unit/t-slope
tests_unit_t_histogram_SOURCES = tests/unit/histogram.c bench/histogram.c bench/histogram.h
tests_unit_t_histogram_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/bench $(CMOCKA_CFLAGS)
tests_unit_t_histogram_LDADD = $(CMOCKA_LIBS)
tests_unit_t_slope_SOURCES = tests/unit/slope.c bench/slope.c bench/slope.h
tests_unit_t_slope_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/bench $(CMOCKA_CFLAGS)
tests_unit_t_slope_LDADD = $(CMOCKA_LIBS) -lm
endif

# The engine on a fake kernel that owns the truth about every page.
if HAVE_CMOCKA
check_LTLIBRARIES += tests/unit/libfixture.la
tests_unit_libfixture_la_SOURCES = \
	tests/unit/engine_fixture.c tests/unit/engine_fixture.h \
	tests/unit/fake_os.c tests/unit/fake_os.h
tests_unit_libfixture_la_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_libfixture_la_LIBADD = lib/libcore.la $(CMOCKA_LIBS)

engine_tests = \
	tests/unit/t-backend \
	tests/unit/t-ctl \
	tests/unit/t-engine \
	tests/unit/t-epoch \
	tests/unit/t-imports \
	tests/unit/t-limits \
	tests/unit/t-model \
	tests/unit/t-modes \
	tests/unit/t-node \
	tests/unit/t-nearby \
	tests/unit/t-page \
	tests/unit/t-policy \
	tests/unit/t-pool \
	tests/unit/t-populate \
	tests/unit/t-properties \
	tests/unit/t-refused \
	tests/unit/t-reuse \
	tests/unit/t-sample \
	tests/unit/t-sweep \
	tests/unit/t-trust \
	tests/unit/t-tune \
	tests/unit/t-tune-rules \
	tests/unit/t-worker
check_PROGRAMS += $(engine_tests)
TESTS += $(engine_tests)
tests_unit_t_backend_SOURCES = tests/unit/backend.c
tests_unit_t_backend_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_t_backend_LDADD = tests/unit/libfixture.la
tests_unit_t_ctl_SOURCES = tests/unit/ctl.c
tests_unit_t_ctl_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_t_ctl_LDADD = tests/unit/libfixture.la
tests_unit_t_epoch_SOURCES = tests/unit/epoch.c tests/unit/ctl_fixture.h
tests_unit_t_epoch_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_t_epoch_LDADD = tests/unit/libfixture.la
tests_unit_t_properties_SOURCES = tests/unit/properties.c tests/unit/ctl_fixture.h
tests_unit_t_properties_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_t_properties_LDADD = tests/unit/libfixture.la
tests_unit_t_limits_SOURCES = tests/unit/limits.c
tests_unit_t_limits_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_t_limits_LDADD = tests/unit/libfixture.la
tests_unit_t_imports_SOURCES = tests/unit/imports.c hooks/imports.c hooks/imports.h
tests_unit_t_imports_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/hooks $(CMOCKA_CFLAGS)
tests_unit_t_imports_LDADD = $(CMOCKA_LIBS)
tests_unit_t_engine_SOURCES = tests/unit/engine.c
tests_unit_t_engine_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_t_engine_LDADD = tests/unit/libfixture.la
tests_unit_t_model_SOURCES = tests/unit/model.c
tests_unit_t_model_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_t_model_LDADD = tests/unit/libfixture.la
tests_unit_t_modes_SOURCES = tests/unit/modes.c
tests_unit_t_modes_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_t_modes_LDADD = tests/unit/libfixture.la
tests_unit_t_node_SOURCES = tests/unit/node.c
tests_unit_t_node_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_t_node_LDADD = tests/unit/libfixture.la
tests_unit_t_nearby_SOURCES = tests/unit/nearby.c
tests_unit_t_nearby_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_t_nearby_LDADD = tests/unit/libfixture.la
tests_unit_t_page_SOURCES = tests/unit/page.c
tests_unit_t_page_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_t_page_LDADD = tests/unit/libfixture.la
tests_unit_t_pool_SOURCES = tests/unit/pool.c
tests_unit_t_pool_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_t_pool_LDADD = tests/unit/libfixture.la
tests_unit_t_populate_SOURCES = tests/unit/populate.c
tests_unit_t_populate_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_t_populate_LDADD = tests/unit/libfixture.la
tests_unit_t_policy_SOURCES = tests/unit/policy.c
tests_unit_t_policy_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_t_policy_LDADD = tests/unit/libfixture.la
tests_unit_t_sample_SOURCES = tests/unit/sample.c tests/unit/owners.h
tests_unit_t_sample_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_t_sample_LDADD = tests/unit/libfixture.la

tests_unit_t_trust_SOURCES = tests/unit/trust.c tests/unit/owners.h
tests_unit_t_trust_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_t_trust_LDADD = tests/unit/libfixture.la
tests_unit_t_reuse_SOURCES = tests/unit/reuse.c
tests_unit_t_reuse_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_t_reuse_LDADD = tests/unit/libfixture.la
tests_unit_t_refused_SOURCES = tests/unit/refused.c
tests_unit_t_refused_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_t_refused_LDADD = tests/unit/libfixture.la
tests_unit_t_sweep_SOURCES = tests/unit/sweep.c
tests_unit_t_sweep_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_t_sweep_LDADD = tests/unit/libfixture.la
tests_unit_t_tune_SOURCES = tests/unit/tune.c
tests_unit_t_tune_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_t_tune_LDADD = tests/unit/libfixture.la
tests_unit_t_tune_rules_SOURCES = tests/unit/tune_rules.c
tests_unit_t_tune_rules_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_t_tune_rules_LDADD = tests/unit/libfixture.la
tests_unit_t_worker_SOURCES = tests/unit/worker.c
tests_unit_t_worker_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_t_worker_LDADD = tests/unit/libfixture.la
endif

# compare: what it makes of runs, and suites in small.
EXTRA_DIST += tests/integration/compare.sh
if !SANITIZED
TESTS += tests/integration/compare.sh
endif
if HAVE_CMOCKA
check_PROGRAMS += tests/unit/t-compare
TESTS += tests/unit/t-compare
tests_unit_t_compare_SOURCES = tests/unit/compare.c bench/compare.h $(compare_common)
tests_unit_t_compare_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir) $(CMOCKA_CFLAGS)
tests_unit_t_compare_LDADD = -lm $(CMOCKA_LIBS)
endif

# churn: that it runs clean, and that it would notice.
TESTS += tests/integration/churn-smoke.sh
EXTRA_DIST += tests/integration/churn-smoke.sh
if !SANITIZED
TESTS += tests/integration/churn-workloads.sh
endif
EXTRA_DIST += tests/integration/churn-workloads.sh
check_LTLIBRARIES += tests/integration/badzap.la
tests_integration_badzap_la_SOURCES = tests/integration/badzap.c
tests_integration_badzap_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -rpath /nowhere

# The objects of a sanitized build call its run-time library.
EXTRA_DIST += tests/unit/hookpath
if !SANITIZED
TESTS += tests/unit/hookpath
endif

# The fleet material: each skips itself without its tools.
fleet_tests = \
	tests/fleet/dashboard tests/fleet/kubernetes tests/fleet/rules tests/fleet/systemd
EXTRA_DIST += $(fleet_tests)
if !SANITIZED
TESTS += $(fleet_tests)
endif

CLEANFILES += tests/integration/lock

# What needs nothing but cmocka, and builds nothing else: for building packages.
unit_tests = $(filter tests/unit/t-%,$(TESTS))
check-unit: $(unit_tests)
	$(MAKE) $(AM_MAKEFLAGS) check-TESTS check_PROGRAMS= check_LTLIBRARIES= TESTS="$(unit_tests)"
.PHONY: check-unit
