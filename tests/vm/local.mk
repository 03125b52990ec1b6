# SPDX-License-Identifier: BSD-2-Clause
# What runs in the guest kernels. Built here, started there: nothing of it is in TESTS, since what it
# asserts is what those kernels do. kernel-patch/guest-tests lists it.
check_PROGRAMS += \
	tests/vm/cost tests/vm/idle tests/vm/node tests/vm/one-gib tests/vm/remote tests/vm/sweep \
	tests/vm/thp tests/vm/zapped

check_LTLIBRARIES += tests/vm/libvm.la
tests_vm_libvm_la_SOURCES = tests/vm/vm.c tests/vm/vm.h
tests_vm_libvm_la_LIBADD = lib/libcore.la

tests_vm_idle_SOURCES = tests/vm/idle.c
tests_vm_idle_LDADD = tests/vm/libvm.la
tests_vm_node_SOURCES = tests/vm/node.c
tests_vm_node_LDADD = tests/vm/libvm.la
tests_vm_one_gib_SOURCES = tests/vm/one-gib.c
tests_vm_one_gib_LDADD = tests/vm/libvm.la
tests_vm_remote_SOURCES = tests/vm/remote.c
tests_vm_remote_LDADD = tests/vm/libvm.la
tests_vm_sweep_SOURCES = tests/vm/sweep.c
tests_vm_sweep_LDADD = tests/vm/libvm.la
tests_vm_thp_SOURCES = tests/vm/thp.c
tests_vm_thp_LDADD = tests/vm/libvm.la
tests_vm_cost_SOURCES = tests/vm/cost.c
tests_vm_cost_LDADD = tests/vm/libvm.la
tests_vm_zapped_SOURCES = tests/vm/zapped.c
tests_vm_zapped_LDADD = tests/vm/libvm.la

EXTRA_DIST += tests/vm/lib.sh tests/vm/churn.sh tests/vm/others.sh tests/vm/cost.sh tests/vm/cost-compare.sh \
	tests/vm/node.sh \
	tests/vm/mm-selftests.sh tests/vm/mm-compare.sh tests/vm/selftest.sh kernel-patch/selftests
