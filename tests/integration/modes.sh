#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The mode is changed a thousand times while eight threads churn: no byte is lost, and once it is on for
# good VmPTE is at its floor within a second. Likewise from mode off and observe, where the program was
# served by nobody at first; and on tcmalloc.
# shellcheck source=tclib.sh
. "$(dirname "$0")/tclib.sh"
needs hammer hammer-plain timeout
LIMIT=150
[ -r /proc/self/pagemap ] || skip_all "/proc/self/pagemap cannot be read"
export MALLOC_CONF=dirty_decay_ms:0

churn=("$progs/hammer" -t 8 -n 400 -b 150 -O 1000)

for backend in dontneed remap pt_reclaim; do
	if ! backend_works $backend; then
		skip "$backend does nothing on this kernel"
		continue
	fi
	under "backend:$backend,stats_print:true" "${churn[@]}" -W
	if [ "$status" = 4 ]; then
		fail "backend $backend: waste does not go"
		continue
	fi
	verdict "backend $backend" || continue
	grep '^left nothing' "$tmp/out" | sed "s/^left nothing/backend $backend, 1000 changes/"
	# It did come to all of it.
	expect "backend $backend" passed -gt 0
	expect "backend $backend" deferred -gt 0
	expect "backend $backend" regions_freed -gt 0
done

# Memory of before is in nobody's account; what came later is.
for mode in off observe rollout:0; do
	case $mode in
	rollout:0) conf=$mode ;;
	*) conf=mode:$mode ;;
	esac
	under "$conf,stats_print:true" "${churn[@]}"
	verdict "started with $conf" || continue
	expect "started with $conf" regions_freed -gt 0
done

# On tcmalloc: no byte is lost, and all of it is come to.
for build in "${plain_builds[@]}"; do
	if ! have_build "$build"; then
		skip "$(file_of "$build") cannot be preloaded"
		continue
	fi
	for conf in mode:on mode:observe mode:off; do
		tc_under "$build" "$conf,stats_print:true" TCMALLOC_AGGRESSIVE_DECOMMIT=1 \
			"$progs/hammer-plain" "${churn[@]:1}"
		verdict "$build, started with $conf" || continue
		expect "$build, started with $conf" deferred -gt 0
		expect "$build, started with $conf" passed -gt 0
	done
done

# Signals and limits meanwhile.
under "batch_bytes:1M,keep_bytes:0" "${churn[@]}" -S
verdict "signals"
under "" "${churn[@]}" -L -m 65536
verdict "locked memory"
finish
