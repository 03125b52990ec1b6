# SPDX-License-Identifier: BSD-2-Clause
# Everything below the hooks, as one convenience library: the hooks, the command and the tests link it.
noinst_LTLIBRARIES += lib/libcore.la
lib_libcore_la_SOURCES = \
	lib/conf.c lib/conf_parse.c lib/conf.h \
	lib/export.c lib/export_buf.c lib/export.h \
	lib/floor.c lib/floor.h \
	lib/os.c lib/os.h \
	lib/stats.c lib/stats.h
