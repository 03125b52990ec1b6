# SPDX-License-Identifier: BSD-2-Clause
lib_LTLIBRARIES += hooks/libptreclaim.la
include_HEADERS += lib/ptreclaim.h
hooks_libptreclaim_la_SOURCES = \
	hooks/gperftools.c hooks/gperftools_hooks.c hooks/gperftools.h \
	hooks/imports.c hooks/imports.h \
	hooks/turns.h \
	hooks/jemalloc.c hooks/jemalloc_ctl.c hooks/jemalloc_hooks.c hooks/jemalloc.h hooks/jemalloc_internal.h \
	hooks/jemalloc_tune.c hooks/jemalloc_tune.h \
	hooks/madvise.c hooks/madvise.h \
	hooks/preload.c hooks/preload.h \
	hooks/public.c \
	hooks/publish.c hooks/publish.h
hooks_libptreclaim_la_LIBADD = lib/libcore.la
# nodelete: jemalloc keeps our hooks for good, so the code must never go away.
# now: a hook must not be the first to call a function through the dynamic linker.
hooks_libptreclaim_la_LDFLAGS = $(AM_LDFLAGS) -version-info 0:0:0 \
	-Wl,-z,nodelete -Wl,-z,now -Wl,--no-undefined \
	-Wl,--version-script=$(top_srcdir)/hooks/libptreclaim.map
EXTRA_hooks_libptreclaim_la_DEPENDENCIES = $(top_srcdir)/hooks/libptreclaim.map
EXTRA_DIST += hooks/libptreclaim.map
