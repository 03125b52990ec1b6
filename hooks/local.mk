# SPDX-License-Identifier: BSD-2-Clause
lib_LTLIBRARIES += hooks/libptreclaim.la
hooks_libptreclaim_la_SOURCES = hooks/preload.c
hooks_libptreclaim_la_LIBADD = lib/libcore.la
# nodelete: jemalloc keeps our hooks for good, so the code must never go away.
hooks_libptreclaim_la_LDFLAGS = $(AM_LDFLAGS) -version-info 0:0:0 -Wl,-z,nodelete -Wl,-z,now
