# SPDX-License-Identifier: BSD-2-Clause
if HAVE_CMOCKA
check_PROGRAMS += tests/unit/t-conf tests/unit/t-export
TESTS += tests/unit/t-conf tests/unit/t-export tests/unit/promtool

tests_unit_t_conf_SOURCES = tests/unit/conf.c
tests_unit_t_conf_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_t_conf_LDADD = lib/libcore.la $(CMOCKA_LIBS)

tests_unit_t_export_SOURCES = tests/unit/export.c
tests_unit_t_export_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_t_export_LDADD = lib/libcore.la $(CMOCKA_LIBS)
endif

# Skips itself without clang.
TESTS += tests/fuzz/run

EXTRA_DIST += tests/unit/promtool
EXTRA_DIST += tests/fuzz/run tests/fuzz/conf.c tests/fuzz/conf.dict

# Needs clang; the number of runs and more go to libFuzzer by FUZZ_FLAGS.
fuzz-conf:
	$(srcdir)/tests/fuzz/run $(FUZZ_FLAGS)
.PHONY: fuzz-conf
