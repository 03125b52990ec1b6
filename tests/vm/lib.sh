# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# lib.sh - what the scripts that run in the guest kernels share; sourced, in the top of the tree.
#
# The guest's root is the host's file system, read-only; /tmp is the guest's own. PTR_KERNEL says what
# is expected of the kernel: 7.3, 7.3-stock, 6.12 or 6.12-stock, with -debug behind it or not. Without
# it a probe decides. PTR_BUILD: the build directory (build).
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
export LC_ALL=C
unset LD_PRELOAD PTRECLAIM_CONF MALLOC_CONF

build=${PTR_BUILD:-build}
[[ $build == /* ]] || build=$PWD/$build
# shellcheck disable=SC2034 # used by those who source this
lib=$build/hooks/.libs/libptreclaim.so
cmd=$build/tools/ptreclaim
kernel=${PTR_KERNEL:-}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

passed=0 failed=0

pass() {
	passed=$((passed + 1))
	echo "PASS: $*"
}

fail() {
	failed=$((failed + 1))
	echo "FAIL: $*"
}

skip_all() { # NAME REASON
	echo "SKIP: $1: $2"
	exit 77
}

# Is it a kernel with the series?
patched() {
	case $kernel in
	*stock*) return 1 ;;
	'') [ "$(auto_backend)" = pt_reclaim ] ;;
	*) return 0 ;;
	esac
}

auto_backend() {
	"$cmd" probe 2>/dev/null | awk '$1 == "backend:auto" { print $2 }'
}

# What the library has to choose here.
expected_backend() {
	case $kernel in
	7.3-stock*) echo dontneed ;;
	6.12-stock*) echo remap ;;
	'') auto_backend ;;
	*) echo pt_reclaim ;;
	esac
}

finish() {
	[ "$failed" -eq 0 ] || exit 1
	[ "$passed" -gt 0 ] || exit 77
	exit 0
}
