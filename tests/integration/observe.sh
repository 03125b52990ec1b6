#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What mode:observe predicts is what mode:on wins, within a tenth: page tables at the end of each trough
# of a churn, and zapping calls. The same churn is run without the library, under strace, observed, and
# served. Calls that are made when pages are taken back cannot be foreseen and are left out of both.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
churn=$top/bench/churn-jemalloc
[ -x "$churn" ] || skip_all "no bench/churn-jemalloc here"
needs jq strace timeout
[ -r /proc/self/pagemap ] || skip_all "/proc/self/pagemap cannot be read"
backend_works dontneed || backend_works pt_reclaim || skip_all "no backend that frees tables as it zaps"
LIMIT=200
stats="stats_print:true,stats_file:$tmp/stats,stats_interval_ms:100"

# sum NAME: over the troughs of the last churn.
sum() {
	jq "[.troughs[].$1] | add" "$tmp/out"
}

# near WHAT PREDICTED ACTUAL SLACK
near() {
	if [ -z "$2" ] || [ -z "$3" ] || [ "$3" -le 0 ]; then
		fail "$1: predicted '$2', won '$3'"
	elif [ $((10 * ($2 > $3 ? $2 - $3 : $3 - $2))) -gt $(($3 + 10 * $4)) ]; then
		fail "$1: predicted $2, won $3"
	else
		echo "$1: predicted $2, won $3"
		ok
	fi
}

export MALLOC_CONF=dirty_decay_ms:0
for what in mixed:dense mixed:sparse large:dense; do
	work=("$churn" --profile "${what%:*}" --touch "${what#*:}" --live 160M --ops 8000 --cycles 2
		--stats-file "$tmp/stats" --json)

	stock strace -f -c -o "$tmp/calls" -e trace=madvise "${work[@]}"
	verdict "$what, stock" || continue
	zaps=$(awk '$NF == "madvise" { print $4 }' "$tmp/calls")

	rm -f "$tmp/stats"
	under "mode:on,$stats" "${work[@]}"
	verdict "$what, on" || continue
	tables_on=$(sum vmpte_kb)
	calls_on=$(($(counter sys_madvise) + $(counter sys_process_madvise)))

	rm -f "$tmp/stats"
	under "mode:observe,$stats" "${work[@]}"
	verdict "$what, observe" || continue
	expect "$what, observe" deferred -eq 0
	expect "$what, observe" zapped -eq 0
	# A table more or less in either trough is the library's own.
	near "$what, kB of tables" "$(sum reclaimable_kb)" $(($(sum vmpte_kb) - tables_on)) 8
	near "$what, zapping calls" "$(counter predicted_spared_calls)" $((zaps - calls_on)) 0
done
finish
