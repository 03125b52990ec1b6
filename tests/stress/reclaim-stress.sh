#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# reclaim-stress.sh - in a guest whose kernel has MADV_PT_RECLAIM: reclaim-stress, stress-ng beside it.
#
# In the environment: STRESS_SECONDS (180); STRESS_SEED (1); STRESS_WORKERS (4), in each of
# STRESS_PROCS (1) processes; STRESS_HANG (120), the seconds without progress that are a failure;
# STRESS_DIR, a folder on a disk, for files to map; STRESS_REQUIRE, operations, by commas, that must
# not be unavailable; STRESS_NG, a command, or "no"; STRESS_TUNE=no leaves the machine's switches as
# they are; RECLAIM_STRESS, the program, if it is not beside this script or in build/.
#
# It needs root, /proc, /sys and a writable /tmp; with debugfs the NUMA scanner is faster. Prints
# "PASS: name", "SKIP: name: reason" or "FAIL: name: reason". What the kernel logs is for the caller
# to read.
set -u

seconds=${STRESS_SECONDS:-180}
here=$(dirname "$0")
program=${RECLAIM_STRESS:-$here/reclaim-stress}
[ -x "$program" ] || program=$here/../../build/tests/stress/reclaim-stress
stress_ng=${STRESS_NG:-stress-ng}
tmp=$(mktemp -d) || exit 1
switches=(--tune --sysrq)
[ "${STRESS_TUNE:-yes}" = yes ] || switches=()
beside=
failed=0

# shellcheck disable=SC2317 # called by the trap
cleanup() {
	[ -z "$beside" ] || kill "$beside" 2>/dev/null
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

say() { # RESULT NAME [REASON]
	echo "$1: $2${3:+: $3}"
	[ "$1" != FAIL ] || failed=1
}

# A little memory for each, and none that needs disks, other users or modules. Those that a kernel is
# too small for say so and end; that fails nothing. Not those that make a sound kernel complain:
# madvise poisons pages, remap uses a deprecated call.
stressors() {
	local name one="--vm 1 --vm-bytes 48M --vm-method all --mremap 1 --mremap-bytes 16M --fork 1
		--userfaultfd 1 --userfaultfd-bytes 8M --brk 1 --brk-bytes 32M --munmap 1 --pagemove 1
		--pagemove-bytes 8M --vm-segv 1 --vma 1 --mincore 1 --shm-sysv 1 --shm-sysv-bytes 4M"
	local words=() known option
	known=$("$stress_ng" --help 2>/dev/null)
	# shellcheck disable=SC2086 # words
	set -- $one
	while [ $# -gt 0 ]; do
		option=$1
		name=${option#--}
		shift
		# Versions differ; -m may stand before the long name.
		if grep -qE -- "--$name( |,|\$)" <<<"$known"; then
			words+=("$option" "$1")
		fi
		shift
	done
	echo "${words[@]}"
}

if [ ! -x "$program" ]; then
	say FAIL reclaim-stress "no program $program"
	exit 1
fi

if [ "$stress_ng" != no ] && command -v "$stress_ng" >/dev/null; then
	# shellcheck disable=SC2046 # words
	(cd "$tmp" && exec nice -n 15 "$stress_ng" --temp-path "$tmp" --timeout "$seconds" --oomable \
		--metrics-brief --no-rand-seed $(stressors)) >"$tmp/ng" 2>&1 </dev/null &
	beside=$!
fi

# The program ends by itself, and sees to its own hangs; this is for the rest.
timeout -k 10 $((seconds + ${STRESS_HANG:-120} + 300)) "$program" --seconds "$seconds" \
	--seed "${STRESS_SEED:-1}" --workers "${STRESS_WORKERS:-4}" --procs "${STRESS_PROCS:-1}" \
	--hang "${STRESS_HANG:-120}" "${switches[@]}" \
	${STRESS_DIR:+--dir "$STRESS_DIR"} ${STRESS_REQUIRE:+--require "$STRESS_REQUIRE"} >"$tmp/out" 2>&1 </dev/null
status=$?
grep -vE '^(PASS|SKIP|FAIL): ' "$tmp/out"
case $status in
0) say PASS reclaim-stress ;;
77) say SKIP reclaim-stress "this kernel does not know the advice; the rest ran well" ;;
124 | 137) say FAIL reclaim-stress "had to be stopped" ;;
*) say FAIL reclaim-stress "exit status $status; $(grep -m 1 -E '^(CORRUPT|FAILED|HANG)|NEVER DONE|no page table was' "$tmp/out")" ;;
esac

if [ -n "$beside" ] && [ $failed -ne 0 ]; then
	exit 1 # and stop it
fi
if [ -z "$beside" ]; then
	say SKIP "stress-ng beside it" "no stress-ng"
	exit $failed
fi
for ((i = 0; i < 120; i++)); do
	kill -0 "$beside" 2>/dev/null || break
	sleep 1
done
if kill -0 "$beside" 2>/dev/null; then
	say FAIL "stress-ng beside it" "still running 120 s after its time"
	exit 1
fi
wait "$beside"
ng=$?
beside=
sed 's/^/stress-ng: /' "$tmp/ng" | cut -c 1-160
# 3, 4: some stressor is not for this kernel, or lacked memory. Data that were wrong are 2 and are
# said to have failed.
case $ng in
0 | 3 | 4) say PASS "stress-ng beside it" ;;
*)
	say FAIL "stress-ng beside it" "exit status $ng; $(grep -m 1 -iE 'fail' "$tmp/ng" | cut -c 1-160)"
	;;
esac
exit $failed
