#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Every workload of churn runs clean on glibc's malloc and on jemalloc with the library, says all that
# it is to say in its JSON, and notices a broken zap, whichever way blocks are filled.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
churn=$top/bench/churn
badzap=$progs/.libs/badzap.so
needs "$churn" timeout
workloads=(churn fork arena cache shift soak)

# A second of each, where time ends it.
declare -A args=(
	[churn]="--ops 1500 --cycles 2"
	[fork]="--seconds 1 --forks 40"
	[arena]="--seconds 1"
	[cache]="--seconds 1"
	[shift]="--seconds 1 --shift-ms 250"
	[soak]="--seconds 1"
)
# Their own members, beside those of all.
declare -A own=(
	[churn]=""
	[fork]="forks forks_per_s fork_p50_ms fork_p99_ms fork_max_ms"
	[arena]="threads_made threads_made_per_s"
	[cache]="requests requests_per_s hit_ratio expiries"
	[shift]="dense_ops_per_s dense_first_ops_per_s dense_last_ops_per_s sparse_ops_per_s
		sparse_first_ops_per_s sparse_last_ops_per_s halves"
	[soak]="waste_slope_kb_per_min waste_slope_error_kb_per_min soak_waste_mean_kb soak_samples
		soak_minutes"
)
members="workload profile touch fill threads cycles ops_per_thread live_bytes seed arenas
	arenas_created ops checks grow_s churn_s shrink_s ops_per_s churn_ops_per_s ops_per_cpu_s
	malloc_p50_ns malloc_p99_ns malloc_p999_ns malloc_max_ns malloc_timed
	free_p50_ns free_p99_ns free_p999_ns free_max_ns free_timed timed_every clock_ns
	cpu_s user_s system_s minor_faults tlb_shootdowns peak_rss_kb rss_mean_kb sampled_rss_kb
	peak_vmpte_kb metadata_kb vmas_start vmas vmpte_kb floor_kb waste_kb target_kb trough_rss_kb
	fork_ms fork_cpu_ms troughs_within_target series troughs"

# What has to hold in each of them, in jq's words.
# shellcheck disable=SC2016 # jq's own variables
common='
	.workload == $w and .fill == $fill
	and .ops > 0 and .checks > 0 and .churn_ops_per_s > 0
	and .malloc_timed > 0 and .free_timed > 0
	and .malloc_p50_ns <= .malloc_p99_ns and .malloc_p99_ns <= .malloc_p999_ns
	and .malloc_p999_ns <= .malloc_max_ns
	and .free_p50_ns <= .free_p99_ns and .free_p99_ns <= .free_p999_ns
	and .free_p999_ns <= .free_max_ns
	and .rss_mean_kb > 0 and .rss_mean_kb <= .peak_rss_kb
	and (.tlb_shootdowns == null or .tlb_shootdowns >= 0)
	and (.series | length) > 0
	and ([.series[] | select((keys | sort) != ["floor_kb", "rss_kb", "t_ms", "vmpte_kb"])] == [])
	and ([.series[].t_ms] | . == sort)
	and ([.series[] | select(.floor_kb != null)] | length) > 0'
# Its variables are those of jq.
# shellcheck disable=SC2016
declare -A special=(
	[churn]='(.troughs | length) == 2'
	[fork]='.forks > 0 and .fork_p50_ms > 0 and .fork_p99_ms <= .fork_max_ms'
	[arena]='.threads_made >= .threads'
	[cache]='.requests > 0 and .hit_ratio > 0 and .hit_ratio < 1'
	[shift]='(.halves | length) == 4
		and (.touch as $t | [.halves[].touch == $t] == [true, false, true, false])
		and ([.halves[] | select((.quarters | add) != .ops)] == [])'
	[soak]='.soak_samples >= 3 and .waste_slope_error_kb_per_min >= 0
		and (.waste_slope_kb_per_min | type) == "number"'
)

# answers WHAT WORKLOAD FILL: of the JSON on $tmp/out.
answers() {
	local missing
	if ! have jq; then
		return
	fi
	# shellcheck disable=SC2086 # words on purpose
	missing=$(printf '%s\n' $members ${own[$2]} | sort | comm -13 <(jq -r 'keys[]' "$tmp/out" | sort) -)
	if [ -n "$missing" ]; then
		fail "$1: no member" "$missing"
	elif ! jq -e --arg w "$2" --arg fill "$3" "($common) and (${special[$2]})" "$tmp/out" >/dev/null; then
		fail "$1: a member is not what it should be"
	else
		ok
	fi
	# Readers that go by line find each member's first.
	[ "$(grep -c '^  "series": \[.*\],$' "$tmp/out")" = 1 ] || fail "$1: the series is not one line"
}

have jq || skip "jq is missing: the JSON is not verified"

small=(--json --threads 3 --live 24M --trough-ms 100)
for w in "${workloads[@]}"; do
	read -r -a more <<<"${args[$w]}"
	for fill in bytes pages; do
		stock "$churn" --workload "$w" "${more[@]}" "${small[@]}" --fill $fill
		verdict "glibc, $w, $fill" && answers "glibc, $w, $fill" "$w" $fill
	done
done

# Sizes are free to choose; so is who is alone.
for w in "${workloads[@]}"; do
	read -r -a more <<<"${args[$w]}"
	stock "$churn" --workload "$w" "${more[@]}" "${small[@]}" --threads 1 --profile small \
		--touch sparse --latency --series --verify-all
	verdict "glibc, $w, small" && answers "glibc, $w, small" "$w" bytes
done
stock "$churn" "${small[@]}" --seconds 1 --cycles 1 --latency
verdict "glibc, churn for a time"
if have jq && ! jq -e '.ops_per_thread == 0 and .timed_every == 1' "$tmp/out" >/dev/null; then
	fail "glibc, churn for a time: how long it was is not told"
fi

# refused ARGUMENT...: a mistake of the caller's.
refused() {
	stock "$churn" "$@"
	if [ "$status" -eq 2 ] && grep -q 'bad value' "$tmp/err"; then
		ok
	else
		fail "$*: exit status $status, not 2"
	fi
}
refused --workload nonesuch
refused --fill some
refused --seconds 0
refused --workload arena --ops 100
refused --workload soak --cycles 2

[ -x "$churn-jemalloc" ] || {
	skip "jemalloc is missing; glibc's malloc alone was tried"
	finish
}
decay=(env MALLOC_CONF=dirty_decay_ms:0)
for w in "${workloads[@]}"; do
	read -r -a more <<<"${args[$w]}"
	for fill in bytes pages; do
		name="jemalloc with the library, $w, $fill"
		under stats_print:true "${decay[@]}" "$churn-jemalloc" --workload "$w" "${more[@]}" \
			"${small[@]}" --fill $fill
		verdict "$name" || continue
		answers "$name" "$w" $fill
		expect "$name" released -gt 0
		expect "$name" failed -eq 0
	done
done

# notices WORKLOAD FILL HOW: what badzap does is found, and said where.
notices() {
	local more
	read -r -a more <<<"${args[$1]}"
	# Time is no matter: what is noticed ends the run.
	[ "$1" = churn ] || more=(--seconds 30 --shift-ms 500 --forks 40)
	stock env BADZAP="$3" LD_PRELOAD="$badzap" MALLOC_CONF=dirty_decay_ms:0 \
		"$churn-jemalloc" --workload "$1" "${more[@]}" "${small[@]}" --fill "$2"
	if [ "$status" -ne 3 ]; then
		fail "$1, $2, a zap that is $3: exit status $status, not 3"
	elif ! grep -q CORRUPT "$tmp/err"; then
		fail "$1, $2, a zap that is $3: it does not say where"
	else
		ok
	fi
}

for w in "${workloads[@]}"; do
	for how in wide none; do
		for fill in bytes pages; do
			notices "$w" $fill $how
		done
	done
done
# Children verify what they have, and their parent looks at how they end.
notices fork bytes child
finish
