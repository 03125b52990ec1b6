# SPDX-License-Identifier: BSD-2-Clause
# Measurements. They use the library's floor and os rooms, never its hooks: what is measured comes
# in by LD_PRELOAD.
noinst_PROGRAMS += bench/churn
bench_churn_SOURCES = \
	bench/churn.c bench/churn.h \
	bench/churn_options.c \
	bench/churn_gate.c \
	bench/churn_profile.c \
	bench/churn_check.c \
	bench/churn_block.c \
	bench/churn_worker.c \
	bench/churn_fork.c \
	bench/churn_arena.c \
	bench/churn_cache.c \
	bench/churn_shift.c \
	bench/churn_soak.c \
	bench/churn_sample.c \
	bench/churn_trough.c \
	bench/churn_report.c \
	bench/histogram.c bench/histogram.h \
	bench/slope.c bench/slope.h
bench_churn_LDADD = lib/libcore.la -lm

noinst_PROGRAMS += bench/pair
bench_pair_SOURCES = bench/pair.c

# What counting costs: the same on a library that does not count.
noinst_PROGRAMS += bench/hook-cost bench/hook-cost-bare
noinst_LTLIBRARIES += bench/libbare.la
bench_libbare_la_SOURCES = $(lib_libcore_la_SOURCES)
bench_libbare_la_CPPFLAGS = $(AM_CPPFLAGS) -DPTR_NO_STATS
bench_hook_cost_SOURCES = bench/hook_cost.c
bench_hook_cost_LDADD = lib/libcore.la
bench_hook_cost_bare_SOURCES = bench/hook_cost.c
bench_hook_cost_bare_LDADD = bench/libbare.la

# What each event of a hook takes, counted by callgrind.
noinst_PROGRAMS += bench/events
bench_events_SOURCES = bench/events.c bench/drive.c bench/drive.h
bench_events_LDADD = lib/libcore.la
EXTRA_DIST += bench/instructions

# On Google Benchmark. The shim is the only C++ here.
if HAVE_BENCHMARK
gbench_sources = bench/gbench.cc bench/gbench.h
noinst_PROGRAMS += bench/micro bench/hooks
bench_micro_SOURCES = \
	$(gbench_sources) \
	bench/drive.c bench/drive.h \
	bench/micro.c bench/micro.h \
	bench/micro_verbs.c \
	bench/micro_pairs.c \
	bench/micro_flush.c \
	bench/micro_backend.c \
	bench/micro_lookup.c \
	bench/micro_text.c
bench_micro_LDADD = lib/libcore.la $(BENCHMARK_LIBS)
bench_hooks_SOURCES = $(gbench_sources) bench/hooks.c
bench_hooks_LDADD = $(BENCHMARK_LIBS)
endif

noinst_PROGRAMS += bench/compare
bench_compare_SOURCES = \
	bench/compare.c bench/compare.h \
	bench/compare_options.c \
	bench/compare_configs.c \
	bench/compare_run.c \
	bench/compare_judge.c \
	bench/compare_report.c \
	$(compare_common) \
	bench/compare_peers.c \
	bench/compare_suites.c bench/compare_suites.h \
	bench/compare_goals.c \
	bench/compare_tables.c \
	bench/compare_results.c
# Where its scripts and results lie: it runs from the build tree.
bench_compare_CPPFLAGS = $(AM_CPPFLAGS) -DBENCH_SOURCE='"$(abs_top_srcdir)/bench"'
bench_compare_LDADD = -lm
# What its unit test looks at, too.
compare_common = \
	bench/compare_json.c bench/compare_json.h \
	bench/compare_stats.c

noinst_PROGRAMS += bench/idle
bench_idle_SOURCES = bench/idle.c

# The same with the allocator linked, as most services have it.
if HAVE_JEMALLOC
noinst_PROGRAMS += bench/churn-jemalloc
bench_churn_jemalloc_SOURCES = $(bench_churn_SOURCES)
bench_churn_jemalloc_LDADD = lib/libcore.la $(JEMALLOC_LIBS) -lm

noinst_PROGRAMS += bench/mallctl
bench_mallctl_SOURCES = bench/mallctl.c
bench_mallctl_LDADD = $(JEMALLOC_LIBS)
bench_mallctl_LDFLAGS = $(AM_LDFLAGS) -Wl,--no-as-needed
endif

# And with a jemalloc of its own whose names begin with priv_: no mallctl is to be found. It still reads
# MALLOC_CONF.
EXTRA_DIST += bench/churn_private.h
if HAVE_STATIC_JEMALLOC
noinst_PROGRAMS += bench/churn-private
bench_churn_private_SOURCES = $(bench_churn_SOURCES) bench/churn_private.h
bench_churn_private_CPPFLAGS = $(AM_CPPFLAGS) -include $(srcdir)/bench/churn_private.h
bench_churn_private_LDADD = lib/libcore.la bench/private-jemalloc.a -lm

bench/private-jemalloc.a: $(STATIC_JEMALLOC) Makefile
	$(AM_V_GEN)$(MKDIR_P) bench && \
	$(NM) -g -P $(STATIC_JEMALLOC) | \
		$(AWK) 'NF > 2 && $$2 ~ /[A-TW-Z]/ { print $$1, "priv_" $$1 }' | sort -u >$@.names && \
	$(OBJCOPY) --redefine-syms=$@.names $(STATIC_JEMALLOC) $@
CLEANFILES += bench/private-jemalloc.a bench/private-jemalloc.a.names
endif

# Where the time goes.
EXTRA_DIST += bench/profile

# What becomes of a file of results.
EXTRA_DIST += bench/report bench/report.jq bench/report.head.html bench/results.jq \
	scripts/readme-figures scripts/readme-figures.jq
# Real programs: scripts, run where they lie.
EXTRA_DIST += bench/real bench/real-redis.sh bench/real-http.sh bench/real-prolog.sh bench/real.pl

EXTRA_DIST += bench/README.md scripts/demo
