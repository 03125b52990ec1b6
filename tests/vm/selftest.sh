#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# selftest.sh - the selftest of the series, tools/testing/selftests/mm/pt_reclaim, in a guest.
#
# PTR_SELFTESTS: the folder where kernel-patch/selftests has put it. Files that it maps are made on
# /tmp/disk, if there is one. A test that the selftest skips is named; any that fails is a failure.
#
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

program=${PTR_SELFTESTS:-}/mm/pt_reclaim
[ -x "$program" ] || skip_all selftest "'$program' was not built"
[ ! -d /tmp/disk ] || export TMPDIR=/tmp/disk
sysctl=/proc/sys/vm
echo 16 >$sysctl/nr_hugepages
echo 1 >$sysctl/unprivileged_userfaultfd

cd "$tmp" || exit 1
"$program" >"$tmp/log" 2>&1
status=$?
sed -n 's/^ok [0-9]* \(.*\) # SKIP \(.*\)/SKIP: \1: \2/p' "$tmp/log"
while read -r name; do
	fail "$name: $(grep -A20 -F "RUN           $name ..." "$tmp/log" | grep -m 1 Expected)"
done < <(sed -n 's/^not ok [0-9]* //p' "$tmp/log")
plan=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' "$tmp/log")
good=$(grep '^ok ' "$tmp/log" | grep -vc '# SKIP')
# All of it skipped is a kernel without the advice.
if [ "$good" -eq 0 ] && [ $status -eq 4 ] && ! patched; then
	skip_all selftest "this kernel has no MADV_PT_RECLAIM"
elif [ $status -ne 0 ] || [ "$(grep -cE '^(not )?ok ' "$tmp/log")" != "${plan:-0}" ]; then
	tail -n 20 "$tmp/log"
	fail "selftest: exit status $status, $good of ${plan:-?} passed"
else
	pass "selftest: $good of $plan passed, the others skipped"
fi
# A kernel that refuses whole kinds of mappings skips their tests: these are what ours do refuse.
case $kernel in
7.3 | 7.3-debug) most=4 ;;
6.12 | 6.12-debug) most=102 ;;
*) most=$plan ;;
esac
[ $((plan - good)) -le "$most" ] || fail "selftest: $((plan - good)) skipped, $most are known"
[ "$failed" -eq 0 ]
