# SPDX-License-Identifier: BSD-2-Clause
# What leaves the tree: the list of symbols, make install, packages, and programs that use them.
ptests = \
	tests/packages/deb.sh \
	tests/packages/install.sh \
	tests/packages/linked.sh \
	tests/packages/symbols.sh
EXTRA_DIST += tests/packages/lib.sh tests/packages/client.cc hooks/libptreclaim.symbols $(ptests)

if !SANITIZED
TESTS += $(ptests)

# Built outside the tree by the tests; here for the compilers' warnings.
if HAVE_JEMALLOC
check_PROGRAMS += tests/packages/client
tests_packages_client_SOURCES = tests/packages/client.c
tests_packages_client_CFLAGS = $(AM_CFLAGS) $(JEMALLOC_CFLAGS)
tests_packages_client_LDADD = hooks/libptreclaim.la $(JEMALLOC_LIBS)
tests_packages_client_LDFLAGS = $(AM_LDFLAGS) -no-install
else
EXTRA_DIST += tests/packages/client.c
endif
else
EXTRA_DIST += tests/packages/client.c
endif
