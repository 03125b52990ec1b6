# SPDX-License-Identifier: BSD-2-Clause
# Everything below the hooks, as one convenience library: the hooks, the command and the tests link it.
noinst_LTLIBRARIES += lib/libcore.la
lib_libcore_la_SOURCES = \
	lib/os.c lib/os.h \
	lib/stats.c lib/stats.h \
	lib/floor.c lib/floor.h \
	lib/conf.h
