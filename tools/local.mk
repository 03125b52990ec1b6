# SPDX-License-Identifier: BSD-2-Clause
bin_PROGRAMS += tools/ptreclaim
tools_ptreclaim_SOURCES = \
	tools/main.c tools/cmd.h \
	tools/run.c \
	tools/floor.c tools/scan.c tools/report.c tools/report.h \
	tools/probe.c \
	tools/stat.c tools/remote.c tools/remote.h \
	tools/json.c tools/json.h
tools_ptreclaim_CPPFLAGS = $(AM_CPPFLAGS) -DPTR_LIBDIR='"$(libdir)"'
tools_ptreclaim_LDADD = lib/libcore.la
