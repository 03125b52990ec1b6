# SPDX-License-Identifier: BSD-2-Clause

# churn: that it runs clean, and that it would notice.
TESTS += tests/integration/churn-smoke.sh
EXTRA_DIST += tests/integration/churn-smoke.sh
check_LTLIBRARIES += tests/integration/badzap.la
tests_integration_badzap_la_SOURCES = tests/integration/badzap.c
tests_integration_badzap_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -rpath /nowhere
