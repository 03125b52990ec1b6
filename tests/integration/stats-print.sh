#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# ptreclaim_stats_print() in a preloaded program: what its options do, the JSON against its schema,
# many threads at once.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
needs teller timeout jq
here=$(dirname "$0")
export MALLOC_CONF=dirty_decay_ms:0,narenas:2

# valid WHAT: $tmp/out, against the schema.
valid() {
	if ! /usr/bin/python3 -c 'import jsonschema' 2>/dev/null; then
		skip "$1 against the schema: no python3-jsonschema"
	elif /usr/bin/python3 "$here/../unit/validate.py" "$here/../../doc/ptreclaim-stats.schema.json" \
		<"$tmp/out" 2>"$tmp/breaches"; then
		ok
	else
		fail "$1: not as the schema says: $(head -n 3 "$tmp/breaches")"
	fi
}

# holds WHAT FILTER: of the JSON on $tmp/out.
holds() {
	if jq -e "$2" "$tmp/out" >/dev/null 2>&1; then
		ok
	else
		fail "$1: not $2"
	fi
}

for mode in on observe off; do
	under mode:$mode "$progs/teller" J
	verdict "mode $mode" || continue
	valid "mode $mode"
	holds "mode $mode" ".mode == \"$mode\" and .configured_mode == \"$mode\" and (.killed | not)"
	holds "mode $mode" '.tables.vmpte_kb >= .tables.floor_kb and .tables.floor_kb > 0'
	cmp -s "$tmp/err" "$tmp/out" || holds "mode $mode: standard error" '.pid > 0'
	jq -e .pid "$tmp/err" >/dev/null || fail "mode $mode: no JSON on standard error"
done
under mode:on "$progs/teller" J
holds "mode on" '.stats.released > 0 and .stats.deferred > 0 and .stats.deferred <= .stats.released'
holds "mode on" '.arenas | length > 0 and all(.purged_bytes >= .purged_whole_bytes)'
# Who is left out of the rollout can see it.
under mode:on,rollout:0 "$progs/teller" J
verdict "not rolled out"
valid "not rolled out"
holds "not rolled out" '.mode == "off" and .configured_mode == "on" and .rollout.permille == 0'

under mode:on "$progs/teller" Jf
verdict Jf
valid Jf
holds Jf '.tables == null and .hook_ns_log2 != null'
under mode:on "$progs/teller" xJfha
verdict Jfha
valid Jfha
holds Jfha '.tables == null and .hook_ns_log2 == null and .arenas == null'

under mode:on "$progs/teller" ""
verdict text
for line in 'ptreclaim [0-9.]*, process [0-9]*: mode on' '  VmPTE ' '  floor ' 'Time in hooks'; do
	grep -q "^$line" "$tmp/out" || fail "text: no line '$line'"
	grep -q "^$line" "$tmp/err" || fail "text to standard error: no line '$line'"
done
under mode:on "$progs/teller" fh
verdict "text, fh"
if grep -qE '^(  VmPTE|Time in hooks)' "$tmp/out"; then fail "text: f and h leave nothing out"; fi

under mode:on "$progs/teller" J 8
verdict "8 threads at once"
valid "8 threads at once"

finish
