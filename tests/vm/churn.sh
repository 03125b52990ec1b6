#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# churn.sh - the library on this kernel: jemalloc at decay 0, churned, with the library preloaded. At
# each trough the waste is at most 5% of the floor + 64 kB, by the backend that this kernel has to give.
#
#   tests/vm/churn.sh [--long]
#
# A guest under emulation is some fifty times slower than a machine; the churn is as much smaller.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

churn=$build/bench/churn-jemalloc
[ -x "$churn" ] || skip_all churn "$churn is not built (jemalloc is missing)"
[ -e "$lib" ] || skip_all churn "the library is not built"
long=no
[ "${1:-}" != --long ] || long=yes

"$cmd" probe
backend=$(auto_backend) wanted=$(expected_backend)
if [ "$backend" = "$wanted" ]; then
	pass "probe: $backend"
else
	fail "probe: it picks $backend, not $wanted"
fi

# value NAME: of the result.
value() {
	sed -n "s/^  \"$1\": \([0-9.]*\),\$/\1/p" "$tmp/out"
}

# run NAME CONF ARGUMENT...: CONF "stock" is jemalloc alone. Sets $status.
run() {
	local name=$1 conf=$2
	shift 2
	local preload=("LD_PRELOAD=$lib" "PTRECLAIM_CONF=kill_file:$tmp/none,stats_print:true,$conf")
	[ "$conf" != stock ] || preload=()
	timeout -k 5 "${LIMIT:-300}" env MALLOC_CONF=dirty_decay_ms:0 "${preload[@]}" "$churn" --json \
		--cycles 2 "$@" >"$tmp/out" 2>"$tmp/err"
	status=$?
	case $status in
	0) ;;
	3) fail "$name: a byte was lost: $(head -n 1 "$tmp/err")" ;;
	*) fail "$name: exit status $status: $(tail -n 1 "$tmp/err")" ;;
	esac
	[ $status -eq 0 ] || return
	echo "$name: VmPTE $(value vmpte_kb) kB, floor $(value floor_kb) kB," \
		"waste $(value waste_kb) kB, peak VmPTE $(value peak_vmpte_kb) kB," \
		"VMAs $(value vmas_start) -> $(value vmas)," \
		"$(value minor_faults) faults, $(value checks) checks"
	sed -n 's/^ *{ *\("vmpte_kb".*"reached_ms": [-0-9]*\).*/  trough: \1/p' "$tmp/out" | tr -d '"'
}

# The library's own count of what it did.
counters() {
	awk '$1 ~ /^(backend|sys_|regions_|fallbacks|failed|declined|zapped|deferred)/ && $2 != "0" {
		printf "  %s %s", $1, ($3 ~ /^([KMGT]i)?B$/ ? $4 : $2) } END { print "" }' "$tmp/err"
}

# Every trough on its own: the last look of each, and nothing allowed for arenas.
within() { # NAME
	local bad
	bad=$(sed -n 's/.*"vmpte_kb": \([0-9]*\), "floor_kb": \([0-9]*\), "waste_kb": \([0-9]*\),.*/\1 \2 \3/p' \
		"$tmp/out" | awk '$3 > $2 / 20 + 64 { print NR ": " $3 " kB over " $2 }')
	if [ -n "$bad" ]; then
		fail "$1: waste at trough $bad"
	else
		pass "$1: waste $(value waste_kb) kB, floor $(value floor_kb) kB, $(value troughs_within_target) troughs"
	fi
}

# churned THREADS PROFILE TOUCH LIVE OPS: without the library, to see what it is about, and with it.
churned() {
	local name="$2 $3, $1 threads"
	local args=(--threads "$1" --profile "$2" --touch "$3" --live "$4" --ops "$5")
	run "jemalloc alone: $name" stock "${args[@]}"
	run "$name" backend:auto "${args[@]}"
	[ $status -eq 0 ] || return
	counters
	within "$name"
}

churned 2 mixed sparse 512M 3000
churned 1 burst sparse 512M 2000
churned 1 mixed dense 64M 500
if [ $long = yes ]; then
	churned 8 mixed sparse 2G 5000
	churned 8 large sparse 2G 3000
	churned 2 small dense 64M 50000
	churned 2 burst dense 256M 2000
fi

# The other backends that work here do no worse by their own lights; what they cost is to be compared.
for other in dontneed remap; do
	[ $other != "$backend" ] || continue
	"$cmd" probe | grep -q "^$other *yes" || continue
	name="mixed sparse, 2 threads, $other"
	run "$name" backend:$other --threads 2 --profile mixed --touch sparse --live 512M --ops 3000
	[ $status -ne 0 ] || counters
done
finish
