#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# cost.sh - count this kernel's instructions (see cost.c) and keep the figures for cost-compare.sh.
#
#   tests/vm/cost.sh       in a guest with -icount shift=0 and one CPU; writes
#                          PTR_SCRATCH/cost.KERNEL (/tmp/scratch)
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

[ -x "$build/tests/vm/cost" ] || skip_all cost "it is not built"
scratch=${PTR_SCRATCH:-/tmp/scratch}
[ -d "$scratch" ] || scratch=$tmp
out=$scratch/cost.${kernel:-$(uname -r)}

if ! "$build/tests/vm/cost" >"$out"; then
	cat "$out"
	fail "cost: exit status"
	finish
fi
cat "$out"
# A loop of two million instructions tells whether it is those that are counted.
if awk '$1 == "loop_of_2000000" { n = $2 } END { exit !(n >= 2000000 && n < 2100000) }' "$out"; then
	pass "cost: instructions are counted"
else
	rm -f "$out"
	skip_all cost "not instructions are counted here, but time: -icount shift=0 is missing"
fi
finish
