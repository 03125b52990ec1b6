#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# others.sh - the library beside allocators that it does not serve: mimalloc, and a jemalloc that is
# linked in under a private prefix, both giving pages back at once. All it has of them is their madvise().
#
#   tests/vm/others.sh [--long]      writes PTR_SCRATCH/others.KERNEL (/tmp/scratch)
#
# Patched kernel: at the end of each trough of 2.5 s (more than sweep_ms, 1,000 by default, and a second
# for the sweep and the looking) the waste is at most 10% of the floor + 64 kB. So it is with tcmalloc,
# served by its hooks: 5% + 64 kB, after a second. Stock kernel: no call of ours that could destroy
# anything, and what is counted as reclaimable at a trough is within 5% of what the patched kernel of
# that line has won there (VmPTE of the same churn, as its run left it in PTR_SCRATCH).
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

private=$build/bench/churn-private
churn=$build/bench/churn
if [ ! -e "$lib" ] || [ ! -x "$churn" ]; then
	skip_all others "the library and bench/churn are not built"
fi
long=no
[ "${1:-}" != --long ] || long=yes
scratch=${PTR_SCRATCH:-/tmp/scratch}
[ -d "$scratch" ] || scratch=$tmp
name_of() {
	echo "$scratch/others.$1"
}
figures=$(name_of "${kernel:-$(uname -r)}")
# Figures are compared only if they are of the same programs.
stamp="# $(cat "$lib" "$churn" "$private" 2>/dev/null | cksum)"
echo "$stamp" >"$figures"
trough_ms=2500
patched || trough_ms=1000

preloadable() {
	[ -z "$(LD_PRELOAD=$1 "$(type -P true)" 2>&1)" ]
}

# run NAME TROUGH_MS PRELOAD COMMAND...: under the library. Sets $status. The same addresses each time.
run() {
	local name=$1 ms=$2 preload=$lib${3:+:$3}
	shift 3
	rm -f "$tmp/stats"
	timeout -k 5 "${LIMIT:-300}" env MALLOC_CONF=dirty_decay_ms:0 MIMALLOC_DECOMMIT_DELAY=0 \
		MIMALLOC_SEGMENT_DECOMMIT_DELAY=0 TCMALLOC_AGGRESSIVE_DECOMMIT=1 \
		LD_PRELOAD="$preload" \
		PTRECLAIM_CONF="kill_file:$tmp/none,stats_print:true,stats_file:$tmp/stats,stats_interval_ms:100" \
		setarch -R "$@" --json --trough-ms "$ms" --stats-file "$tmp/stats" >"$tmp/out" 2>"$tmp/err"
	status=$?
	case $status in
	0) ;;
	3) fail "$name: a byte was lost: $(head -n 1 "$tmp/err")" ;;
	*) fail "$name: exit status $status: $(tail -n 1 "$tmp/err")" ;;
	esac
	[ $status -eq 0 ] || return
	troughs | while read -r vmpte floor waste count; do
		echo "$name: VmPTE $vmpte kB, floor $floor kB, waste $waste kB, reclaimable $count kB"
	done
	counters
}

# Each trough's end: VmPTE, floor, waste, reclaimable; all in kB.
troughs() {
	sed -n 's/.*"vmpte_kb": \([0-9]*\), "floor_kb": \([0-9]*\), "waste_kb": \([0-9]*\),.*"reclaimable_kb": \(-*[0-9]*\) .*/\1 \2 \3 \4/p' \
		"$tmp/out"
}

# The library's own count of what it did: all, or one.
counters() {
	awk '$1 ~ /^(sys_|regions_|fallbacks|failed|declined|zapped|deferred)/ && $2 != "0" {
		printf "  %s %s", $1, ($3 ~ /^([KMGT]i)?B$/ ? $4 : $2) } END { print "" }' "$tmp/err"
}

counter() {
	awk -v name="$1" '$1 == name { print ($3 ~ /^([KMGT]i)?B$/ ? $4 : $2) }' "$tmp/err"
}

within() { # NAME PERCENT
	local bad
	bad=$(troughs | awk -v percent="$2" \
		'$3 > $2 * percent / 100 + 64 { printf "%s%s: %s kB over %s", (n++ ? ", " : ""), NR, $3, $2 }')
	if [ -n "$bad" ]; then
		fail "$1: waste at trough $bad"
	else
		pass "$1: waste is at most $2% of the floor + 64 kB: $(troughs | awk '{
			printf "%s%s kB of %s", (NR > 1 ? ", " : ""), $3, $2 }')"
	fi
}

# Nothing destroyed, nothing put off: those are not ours to.
harmless() { # NAME
	local name bad=''
	for name in released deferred zapped sys_madvise_reuse sys_process_madvise_reuse sys_remap; do
		[ "$(counter $name)" = 0 ] || bad+=" $name $(counter $name)"
	done
	if patched; then
		[ "$(counter regions_swept)" -gt 0 ] || bad+=" regions_swept 0"
	else
		for name in sys_madvise sys_process_madvise regions_swept; do
			[ "$(counter $name)" = 0 ] || bad+=" $name $(counter $name)"
		done
	fi
	[ "$(counter zapped_by_others)" -gt 0 ] || bad+=" zapped_by_others 0"
	if [ -n "$bad" ]; then
		fail "$1: counted:$bad"
	else
		pass "$1: only $(patched && echo asked about || echo counted): $(counter regions_swept) regions swept"
	fi
}

# What was counted here against what was won there, trough by trough.
as_won() { # NAME
	local there
	there=$(name_of "${kernel/-stock/}")
	if [ ! -r "$there" ] || [ "$(head -n 1 "$there")" != "$stamp" ]; then
		echo "SKIP: $1: there are no figures of the patched kernel to compare with"
		return
	fi
	troughs | awk -v name="$1" -v there="$there" '
		BEGIN { while ((getline line < there) > 0)
			if (index(line, name "\t") == 1) { split(line, f, "\t"); won[f[2]] = f[3] } }
		{
			win = $1 - won[NR]
			off = $4 > win ? $4 - win : win - $4
			if (!(NR in won) || win <= 0 || off * 20 > win)
				bad = 1
			text = text sprintf("%s%s kB counted, %s kB won (VmPTE %s and %s)", (NR > 1 ? "; " : ""), $4,
				win, $1, won[NR])
		}
		END { print (bad || !NR ? "FAIL" : "PASS") ": " name ": would have won: " text; exit bad || !NR }'
	if [ "${PIPESTATUS[1]}" -eq 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

# churned NAME PRELOAD COMMAND...
churned() {
	local name=$1
	run "$name" $trough_ms "${@:2}"
	[ $status -eq 0 ] || return
	harmless "$name"
	if patched; then
		within "$name" 10
		troughs | awk -v name="$name" '{ print name "\t" NR "\t" $1 }' >>"$figures"
	else
		as_won "$name"
	fi
}

large=(--profile large --touch sparse --live 2G --ops 300)
mixed=(--profile mixed --touch sparse --live 256M --ops 600)
if [ ! -x "$private" ]; then
	echo "SKIP: private jemalloc: there is no static jemalloc, or no objcopy"
else
	churned "private jemalloc, mixed sparse" '' "$private" "${mixed[@]}"
	[ $long = no ] || churned "private jemalloc, large sparse" '' "$private" "${large[@]}"
	[ $long = no ] || churned "private jemalloc, mixed dense" '' "$private" --live 64M --ops 1000
fi
if ! preloadable libmimalloc.so.2; then
	echo "SKIP: mimalloc: libmimalloc.so.2 is missing (package libmimalloc2.0)"
else
	churned "mimalloc, large sparse" libmimalloc.so.2 "$churn" --no-aligned "${large[@]}"
	[ $long = no ] || churned "mimalloc, burst sparse" libmimalloc.so.2 "$churn" --no-aligned \
		--profile burst "${large[@]:2}"
fi
tcmalloc=libtcmalloc_minimal.so.4
if ! patched; then
	:
elif ! preloadable $tcmalloc; then
	echo "SKIP: tcmalloc: $tcmalloc is missing (package libtcmalloc-minimal4)"
else
	run "tcmalloc, mixed sparse" 1000 $tcmalloc "$churn" "${mixed[@]}"
	[ $status -ne 0 ] || within "tcmalloc, mixed sparse" 5
fi
finish
