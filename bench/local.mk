# SPDX-License-Identifier: BSD-2-Clause
# Measurements. They use the library's floor and os rooms, never its hooks: what is measured comes
# in by LD_PRELOAD.
noinst_PROGRAMS += bench/churn
bench_churn_SOURCES = \
	bench/churn.c bench/churn.h \
	bench/churn_profile.c \
	bench/churn_check.c \
	bench/churn_worker.c \
	bench/churn_trough.c \
	bench/churn_report.c
bench_churn_LDADD = lib/libcore.la

noinst_PROGRAMS += bench/pair
bench_pair_SOURCES = bench/pair.c

noinst_PROGRAMS += bench/compare
bench_compare_SOURCES = \
	bench/compare.c bench/compare.h \
	bench/compare_options.c \
	bench/compare_configs.c \
	bench/compare_run.c \
	bench/compare_judge.c \
	bench/compare_report.c
bench_compare_LDADD = -lm

# The same with the allocator linked, as most services have it.
if HAVE_JEMALLOC
noinst_PROGRAMS += bench/churn-jemalloc
bench_churn_jemalloc_SOURCES = $(bench_churn_SOURCES)
bench_churn_jemalloc_LDADD = lib/libcore.la $(JEMALLOC_LIBS)
endif

EXTRA_DIST += bench/README.md scripts/demo
