# SPDX-License-Identifier: BSD-2-Clause
# Integration tests: real jemalloc programs under preload.
itests = \
	tests/integration/changing.sh \
	tests/integration/conf.sh \
	tests/integration/faults.sh \
	tests/integration/fleet.sh \
	tests/integration/fork.sh \
	tests/integration/hooks.sh \
	tests/integration/idle.sh \
	tests/integration/madvise.sh \
	tests/integration/observe.sh \
	tests/integration/matrix.sh \
	tests/integration/modes.sh \
	tests/integration/node.sh \
	tests/integration/off.sh \
	tests/integration/owner.sh \
	tests/integration/probes.sh \
	tests/integration/properties.sh \
	tests/integration/real.sh \
	tests/integration/redis.sh \
	tests/integration/rules.sh \
	tests/integration/stat.sh \
	tests/integration/stats-print.sh \
	tests/integration/system.sh \
	tests/integration/tune.sh \
	tests/integration/waste.sh
EXTRA_DIST += tests/integration/lib.sh tests/integration/killfile.sh \
	tests/integration/fleetlib.sh $(itests)

if !SANITIZED
hammer_sources = \
	tests/integration/hammer.c tests/integration/hammer.h \
	tests/integration/surround.c \
	tests/integration/pattern.c tests/integration/pattern.h

# On whatever allocator is preloaded.
check_PROGRAMS += tests/integration/hammer-plain
tests_integration_hammer_plain_SOURCES = $(hammer_sources) tests/integration/plain.c
tests_integration_hammer_plain_LDADD = lib/libcore.la

if HAVE_JEMALLOC
TESTS += $(itests)

check_PROGRAMS += tests/integration/hammer
tests_integration_hammer_SOURCES = $(hammer_sources) tests/integration/arenas.c
tests_integration_hammer_CFLAGS = $(AM_CFLAGS) $(JEMALLOC_CFLAGS)
tests_integration_hammer_LDADD = lib/libcore.la $(JEMALLOC_LIBS)

check_PROGRAMS += tests/integration/forker
tests_integration_forker_SOURCES = \
	tests/integration/forker.c \
	tests/integration/pattern.c tests/integration/pattern.h
tests_integration_forker_CFLAGS = $(AM_CFLAGS) $(JEMALLOC_CFLAGS)
tests_integration_forker_LDADD = lib/libcore.la $(JEMALLOC_LIBS)

check_PROGRAMS += tests/integration/looker
tests_integration_looker_SOURCES = tests/integration/looker.c
tests_integration_looker_CFLAGS = $(AM_CFLAGS) $(JEMALLOC_CFLAGS)
tests_integration_looker_LDADD = $(JEMALLOC_LIBS)

check_PROGRAMS += tests/integration/phases
tests_integration_phases_SOURCES = tests/integration/phases.c
tests_integration_phases_CFLAGS = $(AM_CFLAGS) $(JEMALLOC_CFLAGS)
tests_integration_phases_LDADD = $(JEMALLOC_LIBS)

check_PROGRAMS += tests/integration/teller
tests_integration_teller_SOURCES = tests/integration/teller.c
tests_integration_teller_CFLAGS = $(AM_CFLAGS) $(JEMALLOC_CFLAGS)
tests_integration_teller_LDADD = $(JEMALLOC_LIBS)

check_PROGRAMS += tests/integration/tuned
tests_integration_tuned_SOURCES = tests/integration/tuned.c
tests_integration_tuned_CFLAGS = $(AM_CFLAGS) $(JEMALLOC_CFLAGS)
tests_integration_tuned_LDADD = $(JEMALLOC_LIBS)

check_PROGRAMS += tests/integration/changing
tests_integration_changing_SOURCES = tests/integration/changing.c

check_PROGRAMS += tests/integration/owner
tests_integration_owner_SOURCES = tests/integration/owner.c
tests_integration_owner_CFLAGS = $(AM_CFLAGS) $(JEMALLOC_CFLAGS)
tests_integration_owner_LDADD = $(JEMALLOC_LIBS)

check_PROGRAMS += tests/integration/latehooks
tests_integration_latehooks_SOURCES = tests/integration/latehooks.c
tests_integration_latehooks_CFLAGS = $(AM_CFLAGS) $(JEMALLOC_CFLAGS)
tests_integration_latehooks_LDADD = $(JEMALLOC_LIBS)

check_PROGRAMS += tests/integration/apphooks
tests_integration_apphooks_SOURCES = \
	tests/integration/apphooks.c \
	tests/integration/pattern.c tests/integration/pattern.h
tests_integration_apphooks_CFLAGS = $(AM_CFLAGS) $(JEMALLOC_CFLAGS)
tests_integration_apphooks_LDADD = $(JEMALLOC_LIBS)

check_PROGRAMS += tests/integration/firstfree
tests_integration_firstfree_SOURCES = tests/integration/firstfree.c
tests_integration_firstfree_LDFLAGS = $(AM_LDFLAGS) -Wl,--no-as-needed
tests_integration_firstfree_LDADD = $(JEMALLOC_LIBS)

# With jemalloc, without it, and linked with the library.
check_PROGRAMS += tests/integration/asker tests/integration/asker-plain tests/integration/asker-linked
tests_integration_asker_SOURCES = tests/integration/asker.c
tests_integration_asker_LDFLAGS = $(AM_LDFLAGS) -Wl,--no-as-needed
tests_integration_asker_LDADD = $(JEMALLOC_LIBS)
tests_integration_asker_plain_SOURCES = tests/integration/asker.c
tests_integration_asker_linked_SOURCES = tests/integration/asker.c
tests_integration_asker_linked_CPPFLAGS = $(AM_CPPFLAGS) -DLINKED
tests_integration_asker_linked_LDADD = hooks/libptreclaim.la $(JEMALLOC_LIBS)
tests_integration_asker_linked_LDFLAGS = $(AM_LDFLAGS) -no-install -Wl,--no-as-needed

check_PROGRAMS += tests/integration/arena
tests_integration_arena_SOURCES = tests/integration/arena.c

# On whatever malloc is preloaded.
check_PROGRAMS += tests/integration/several
tests_integration_several_SOURCES = \
	tests/integration/several.c \
	tests/integration/pattern.c tests/integration/pattern.h

# Linked with the library, and found where it was built.
check_PROGRAMS += tests/integration/linked
tests_integration_linked_SOURCES = tests/integration/linked.c
tests_integration_linked_CFLAGS = $(AM_CFLAGS) $(JEMALLOC_CFLAGS)
tests_integration_linked_LDADD = hooks/libptreclaim.la $(JEMALLOC_LIBS)
tests_integration_linked_LDFLAGS = $(AM_LDFLAGS) -no-install

check_PROGRAMS += tests/integration/plughost
tests_integration_plughost_SOURCES = tests/integration/plughost.c
# A module, though not to be installed: that takes an rpath.
check_LTLIBRARIES += tests/integration/plugin.la
tests_integration_plugin_la_SOURCES = tests/integration/plugin.c
tests_integration_plugin_la_CFLAGS = $(AM_CFLAGS) $(JEMALLOC_CFLAGS)
tests_integration_plugin_la_LIBADD = $(JEMALLOC_LIBS)
tests_integration_plugin_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -rpath /nowhere

check_LTLIBRARIES += tests/integration/relay.la
tests_integration_relay_la_SOURCES = tests/integration/relay.c
tests_integration_relay_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -rpath /nowhere

check_PROGRAMS += tests/integration/wiper
tests_integration_wiper_SOURCES = tests/integration/wiper.c
if HAVE_STATIC_JEMALLOC
check_LTLIBRARIES += tests/integration/bundle.la
tests_integration_bundle_la_SOURCES = tests/integration/bundle.c
tests_integration_bundle_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -rpath /nowhere \
	-Wl,--whole-archive,$(STATIC_JEMALLOC),--no-whole-archive,-lstdc++,-lm
endif
endif
if HAVE_SECCOMP
check_PROGRAMS += tests/integration/refuse
tests_integration_refuse_SOURCES = tests/integration/refuse.c
tests_integration_refuse_CFLAGS = $(AM_CFLAGS) $(SECCOMP_CFLAGS)
tests_integration_refuse_LDADD = $(SECCOMP_LIBS)
endif
endif

# gperftools' tcmalloc: what is installed of it is preloaded, so these skip themselves without it.
tctests = \
	tests/integration/tcmalloc.sh \
	tests/integration/tcmalloc-faults.sh \
	tests/integration/tcmalloc-fork.sh \
	tests/integration/tcmalloc-limits.sh \
	tests/integration/tcmalloc-off.sh \
	tests/integration/tcmalloc-programs.sh \
	tests/integration/tcmalloc-properties.sh \
	tests/integration/tcmalloc-waste.sh
EXTRA_DIST += tests/integration/tclib.sh tests/integration/tcext.cc $(tctests)

if !SANITIZED
TESTS += $(tctests)

tchammer_sources = \
	tests/integration/tchammer.c tests/integration/hammer.h \
	tests/integration/surround.c \
	tests/integration/pattern.c tests/integration/pattern.h \
	tests/integration/tcext.c tests/integration/tcext.h
check_PROGRAMS += tests/integration/tchammer
tests_integration_tchammer_SOURCES = $(tchammer_sources)
tests_integration_tchammer_LDADD = lib/libcore.la

check_PROGRAMS += tests/integration/tcfork
tests_integration_tcfork_SOURCES = \
	tests/integration/tcfork.c \
	tests/integration/pattern.c tests/integration/pattern.h \
	tests/integration/tcext.c tests/integration/tcext.h
tests_integration_tcfork_LDADD = lib/libcore.la

check_PROGRAMS += tests/integration/tcprobe
tests_integration_tcprobe_SOURCES = \
	tests/integration/tcprobe.c \
	tests/integration/pattern.c tests/integration/pattern.h \
	tests/integration/tcext.c tests/integration/tcext.h

if HAVE_TCMALLOC
check_PROGRAMS += tests/integration/tchammer-linked
tests_integration_tchammer_linked_SOURCES = $(tchammer_sources)
tests_integration_tchammer_linked_CFLAGS = $(AM_CFLAGS) $(TCMALLOC_CFLAGS)
tests_integration_tchammer_linked_LDADD = lib/libcore.la $(TCMALLOC_LIBS)
# It calls nothing of tcmalloc's by name.
tests_integration_tchammer_linked_LDFLAGS = $(AM_LDFLAGS) -Wl,--no-as-needed
endif
endif

# The micro benches, how many instructions the hook path takes, and where the time goes; without Google
# Benchmark, valgrind or perf they skip themselves.
benchtests = \
	tests/integration/instructions.sh \
	tests/integration/micro.sh \
	tests/integration/profile.sh
EXTRA_DIST += $(benchtests)
if !SANITIZED
TESTS += $(benchtests)
if HAVE_BENCHMARK
check_PROGRAMS += tests/integration/gbench
tests_integration_gbench_SOURCES = tests/integration/gbench.c $(gbench_sources)
tests_integration_gbench_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/bench
tests_integration_gbench_LDADD = $(BENCHMARK_LIBS)
endif
endif
