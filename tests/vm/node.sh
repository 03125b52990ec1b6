#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# node.sh - several NUMA nodes: the engine on them (node.c), then the library preloaded into a program on
# jemalloc, with libnuma and without. One processor of each node is enough.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

program=$build/tests/vm/node churn=$build/bench/churn-jemalloc
[ -x "$program" ] || skip_all node "$program is not built"
nodes=$(cat /sys/devices/system/node/has_cpu 2>/dev/null)
[[ $nodes == *[-,]* ]] || skip_all node "one node"

# It says of each part what became of it.
for how in "" confined; do
	on=()
	[ -z "$how" ] || on=(taskset -c "$(cat /sys/devices/system/node/node0/cpulist)")
	# shellcheck disable=SC2086 # none or one
	timeout 250 "${on[@]}" "$program" $how
	case $? in
	0) passed=$((passed + 1)) ;;
	124) fail "node $how: took too long" ;;
	*) failed=$((failed + 1)) ;;
	esac
done

if [ ! -x "$churn" ]; then
	echo "SKIP: node, preloaded: $churn is not built (jemalloc is missing)"
	finish
fi

# metric NAME: its values added up.
metric() {
	awk -v name="$1" '$1 ~ "^" name "({|$)" { sum += $2 } END { printf "%.0f\n", sum }' "$tmp/metrics"
}

# churned CONF [NAME=VALUE]...: sets $status.
churned() {
	timeout 120 env MALLOC_CONF=dirty_decay_ms:0 "${@:2}" LD_PRELOAD="$lib" \
		PTRECLAIM_CONF="kill_file:$tmp/none,stats_file:$tmp/metrics,verbose:true,$1" \
		"$churn" --json --threads 2 --profile mixed --touch sparse --live 128M --ops 500 --cycles 1 \
		>"$tmp/out" 2>"$tmp/err"
	status=$?
	[ $status -eq 0 ] || fail "churn, $1: exit status $status: $(tail -n 1 "$tmp/err")"
	[ $status -eq 0 ]
}

if churned mode:on; then
	zapped=$(metric ptreclaim_zapped_bytes_total) pending=$(metric ptreclaim_pending_bytes)
	by_node=$(metric ptreclaim_node_zapped_bytes_total)
	grep -E '^ptreclaim_node_' "$tmp/metrics"
	# The worker may have gone on between the two.
	if [ "$by_node" -ge "$zapped" ] && [ "$by_node" -le $((zapped + pending)) ] && [ "$zapped" -gt 0 ]; then
		pass "node, preloaded: $zapped bytes zapped, as many as by node"
	else
		fail "node, preloaded: $zapped bytes zapped, by node $by_node, $pending pending"
	fi
	if grep -q 'share one queue' "$tmp/err"; then
		fail "node, preloaded: $(grep 'share one queue' "$tmp/err")"
	else
		pass "node, preloaded: nodes are told apart"
	fi
fi

# A libnuma that cannot be loaded is none.
mkdir "$tmp/lib" && : >"$tmp/lib/libnuma.so.1"
if churned mode:on "LD_LIBRARY_PATH=$tmp/lib"; then
	if grep -q 'all NUMA nodes share one queue: libnuma is not to be had' "$tmp/err" &&
		! grep -q '^ptreclaim_node_' "$tmp/metrics" && [ "$(metric ptreclaim_zapped_bytes_total)" -gt 0 ]; then
		pass "node, no libnuma: one queue, and a word of it"
	else
		fail "node, no libnuma: $(head -n 1 "$tmp/err")"
	fi
fi

loaded() { # CONF
	LD_PRELOAD="$lib:libjemalloc.so.2" PTRECLAIM_CONF="$1" sed -n /libnuma/p /proc/self/maps >"$tmp/maps"
	[ -s "$tmp/maps" ]
}
if loaded mode:on && ! loaded mode:off; then
	pass "node: libnuma is loaded, but not with mode:off"
else
	fail "node: libnuma is not loaded, or with mode:off as well"
fi
finish
