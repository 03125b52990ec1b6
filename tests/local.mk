# SPDX-License-Identifier: BSD-2-Clause

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
