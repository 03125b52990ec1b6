# SPDX-License-Identifier: BSD-2-Clause
# For kernels with the advice, in a virtual machine: kernel-patch/check runs it there.
check_PROGRAMS += tests/stress/reclaim-stress
tests_stress_reclaim_stress_SOURCES = \
	tests/stress/stress.h \
	tests/stress/check.c \
	tests/stress/layout.c \
	tests/stress/main.c \
	tests/stress/ops_anon.c \
	tests/stress/ops_file.c \
	tests/stress/ops_gup.c \
	tests/stress/ops_kernel.c \
	tests/stress/ops_uffd.c \
	tests/stress/ops_uring.c \
	tests/stress/process.c \
	tests/stress/prod.c \
	tests/stress/reclaim.c \
	tests/stress/tune.c \
	tests/stress/uffd.c \
	tests/stress/util.c \
	tests/stress/worker.c
EXTRA_DIST += tests/stress/reclaim-stress.sh
