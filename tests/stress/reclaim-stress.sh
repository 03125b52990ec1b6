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

# One after the other: the guest has two processors. A little memory for each, and none that needs
# disks, other users or modules. Not those that make a sound kernel complain: madvise poisons pages,
# remap uses a deprecated call.
stressors=(
	"vm 1 --vm-bytes 64M --vm-method all" "mremap 1 --mremap-bytes 16M" "fork 1" "mincore 1"
	"vm-segv 1" "userfaultfd 1 --userfaultfd-bytes 8M" "brk 1" "munmap 1" "shm-sysv 1"
	"pagemove 1 --pagemove-bytes 8M" "vma 1" "mmapaddr 1" "mlock 1" "shm 1")

# In the background: "STATUS NAME" for each, until the file "over" is there.
run_stressors() {
	local words one known name slice=$((seconds / ${#stressors[@]} + 1))
	known=$("$stress_ng" --help 2>/dev/null)
	trap 'kill "$one" 2>/dev/null; exit 0' TERM
	for words in "${stressors[@]}"; do
		[ ! -e "$tmp/over" ] || break
		name=${words%% *}
		# Versions differ.
		grep -qE -- "--$name( |,|\$)" <<<"$known" || continue
		# shellcheck disable=SC2086 # words
		(cd "$tmp" && exec nice -n 10 "$stress_ng" --temp-path "$tmp" --timeout $slice --oomable \
			--no-rand-seed --$words) >"$tmp/ng.$name" 2>&1 </dev/null &
		one=$!
		wait $one
		echo "$? $name" >>"$tmp/ng"
	done
}

if [ ! -x "$program" ]; then
	say FAIL reclaim-stress "no program $program"
	exit 1
fi

: >"$tmp/ng"
if [ "$stress_ng" != no ] && command -v "$stress_ng" >/dev/null; then
	run_stressors &
	beside=$!
fi

# The program ends by itself, and sees to its own hangs; this is for the rest.
timeout -k 10 $((seconds + ${STRESS_HANG:-120} + 300)) "$program" --seconds "$seconds" \
	--seed "${STRESS_SEED:-1}" --workers "${STRESS_WORKERS:-4}" --procs "${STRESS_PROCS:-1}" \
	--hang "${STRESS_HANG:-120}" "${switches[@]}" \
	${STRESS_DIR:+--dir "$STRESS_DIR"} ${STRESS_REQUIRE:+--require "$STRESS_REQUIRE"} 2>&1 </dev/null | tee "$tmp/out" | grep --line-buffered -vE '^(PASS|SKIP|FAIL): '
status=${PIPESTATUS[0]}
case $status in
0) say PASS reclaim-stress ;;
77) say SKIP reclaim-stress "this kernel does not know the advice; the rest ran well" ;;
124 | 137) say FAIL reclaim-stress "had to be stopped" ;;
*) say FAIL reclaim-stress "exit status $status; $(grep -m 1 -E '^(CORRUPT|FAILED|HANG)|NEVER DONE|no page table was' "$tmp/out")" ;;
esac

if [ -z "$beside" ]; then
	say SKIP "stress-ng beside it" "no stress-ng"
	exit $failed
fi
[ $failed -eq 0 ] || exit 1 # and stop it
touch "$tmp/over"
for ((i = 0; i < seconds / ${#stressors[@]} + 120; i++)); do
	kill -0 "$beside" 2>/dev/null || break
	sleep 1
done
if kill -0 "$beside" 2>/dev/null; then
	say FAIL "stress-ng beside it" "still running two minutes after its time"
	exit 1
fi
beside=
while read -r status name; do
	# 3, 4: not for this kernel, or it lacked memory.
	case $status in
	0) echo "stress-ng $name: well" ;;
	3 | 4) echo "stress-ng $name: not here: $(tail -n 1 "$tmp/ng.$name" | cut -c 1-100)" ;;
	*)
		cut -c 1-160 "$tmp/ng.$name"
		say FAIL "stress-ng $name" "exit status $status"
		;;
	esac
done <"$tmp/ng"
echo "stress-ng: $(wc -l <"$tmp/ng") of ${#stressors[@]} had their turn"
if ! grep -q '^0 ' "$tmp/ng"; then
	say FAIL "stress-ng beside it" "none of its stressors ran"
elif [ $failed -eq 0 ]; then
	say PASS "stress-ng beside it"
fi
exit $failed
