#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A program that does nothing is not woken: not once, after what it did has settled.
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"

needs jq
[ -x "$top/bench/idle" ] || skip_all "bench/idle is not built"

preloadable() {
	LD_PRELOAD=$1 true 2>&1 | cmp -s - /dev/null
}

# quiet WHAT NAME=VALUE...: on a busy machine settling may take longer than the program waits for it.
quiet() {
	local what=$1 try
	shift
	for try in 1 2 3; do
		stock env PTRECLAIM_CONF="$(conf_of "")" "$@" "$top/bench/idle" 4
		if [ "$status" -ne 0 ] || ! jq -e '.worker_threads == 1' "$tmp/out" >/dev/null; then
			fail "$what: status $status, or no worker"
			return
		fi
		jq -e '.wakeups == 0' "$tmp/out" >/dev/null && break
	done
	if [ "$(jq .wakeups "$tmp/out")" -eq 0 ]; then
		ok
	else
		fail "$what: woken in each of $try runs"
	fi
}

if preloadable libjemalloc.so.2; then
	for decay in 0 10000; do
		quiet "jemalloc, decay $decay" MALLOC_CONF="dirty_decay_ms:$decay,narenas:64" \
			LD_PRELOAD="libjemalloc.so.2:$lib"
	done
else
	skip "no libjemalloc.so.2"
fi
if preloadable libtcmalloc_minimal.so.4; then
	quiet "tcmalloc" TCMALLOC_AGGRESSIVE_DECOMMIT=1 LD_PRELOAD="$lib:libtcmalloc_minimal.so.4"
else
	skip "no libtcmalloc_minimal.so.4"
fi

finish
