#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A fleet in small: 50 processes with 50 machine IDs, watched by Debian's node_exporter and Prometheus
# with the rules of doc/fleet. Half of the hosts are on and half observe; then all are on, and the kill
# file appears.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=fleetlib.sh
. "$(dirname "$0")/fleetlib.sh"
needs hammer timeout prometheus promtool prometheus-node-exporter jq
LIMIT=180

kind=$(host_kind)
[ -n "$kind" ] || skip_all "no process can have a machine ID of its own here (unshare -m)"

# --- which host is in which bucket, by the documented hash

bucket web-01
[ "$bucket" = 356 ] || fail "the test computes bucket $bucket for web-01, not 356 as documented"
ids=() buckets=() want_on=0
for ((i = 0; i < hosts; i++)); do
	id=$(printf 'host %d' "$i" | md5sum)
	ids+=("${id%% *}")
	bucket "${id%% *}"
	buckets+=("$bucket")
	[ "$bucket" -ge 500 ] || want_on=$((want_on + 1))
done

stats="stats_file:$metrics/ptreclaim-%p.prom,kill_file:$tmp/kill"
# shellcheck disable=SC2317 # by hosts_start
if knows rollout_others:observe; then
	half() {
		echo "$stats,stats_interval_ms:500,mode:on,rollout:500,rollout_others:observe"
	}
else
	skip "this library knows no rollout_others: the test tells each host its mode"
	half() {
		if [ "${buckets[$1]}" -lt 500 ]; then
			echo "$stats,stats_interval_ms:500,mode:on,rollout:500"
		else
			echo "$stats,stats_interval_ms:500,mode:observe"
		fi
	}
fi
# shellcheck disable=SC2317 # by hosts_start
everywhere() {
	echo "$stats,stats_interval_ms:100,mode:on,rollout:1000"
}

# --- half of the fleet

watch_fleet
hosts_start half -t 1 -n 300 -b 100 -m 2097152
for i in 1 2 3; do
	round_all
done
until_true 60 rounds_done 4 || fail "not every host has done its rounds"
# shellcheck disable=SC2317 # by until_true
all_report() {
	[ "$(find "$metrics" -name '*.prom' | wc -l)" -ge "$1" ]
}
until_true 20 all_report "$want_on" || fail "not every host that is on writes statistics"
if until_true 5 all_report $hosts; then
	observing=$((hosts - want_on))
else
	observing=0
	skip "this library writes no statistics file in mode observe: no control cohort"
fi

counted() {
	until_true 30 is "sum(ptreclaim:process:info{mode=\"$1\"}) or vector(0)" "$2" ||
		fail "by the buckets $2 hosts are in mode $1, by Prometheus $(value \
			"sum(ptreclaim:process:info{mode=\"$1\"}) or vector(0)")"
}
counted on "$want_on" && ok
counted observe $observing && ok
echo "$want_on hosts on, $observing observe"

# What the cohorts waste has settled when what was pending is gone.
until_true 30 is 'sum(ptreclaim_pending_bytes)' 0 || fail "something stays pending"
cohort() { # METRIC MODE
	value "avg(ptreclaim:cohort:$1_bytes:avg{mode=\"$2\"})"
}
# shellcheck disable=SC2317 # by until_true
on_is_better() {
	local on observe
	on=$(cohort waste on) observe=$(cohort waste observe)
	[ -n "$on" ] && [ -n "$observe" ] && [ "$observe" -ge 16384 ] && [ $((on * 4)) -lt "$observe" ]
}
if [ $observing -gt 0 ]; then
	if until_true 30 on_is_better; then
		ok
	else
		fail "the cohort that is on is not far better"
	fi
	for mode in on observe; do
		echo "$mode: waste $(cohort waste $mode), floor $(cohort floor $mode) bytes a process"
	done
else
	until_true 30 is 'count(ptreclaim:process:waste_bytes < 65536)' "$want_on" ||
		fail "waste is not recorded"
	echo "on: waste $(cohort waste on), floor $(cohort floor on) bytes a process"
fi

# --- every query of the dashboard, and every rule

missing() { # EXPRESSION: metrics in it that no process has
	grep -o 'ptreclaim_[a-z0-9_]*' <<<"$1" | sort -u | while read -r name; do
		grep -qs "^${name}[{ ]" "$metrics"/*.prom || echo "$name"
	done
}

# A scrape that took too long on a busy machine leaves a gap.
# shellcheck disable=SC2317 # by until_true
has_data() {
	query "$1" && jq -e 'length > 0' "$tmp/answer" >/dev/null
}
queries=0
# shellcheck disable=SC2016 # Grafana's variables
while IFS= read -r expr; do
	queries=$((queries + 1))
	absent=$(missing "$expr")
	if ! query "$expr"; then
		fail "dashboard: Prometheus does not accept: $expr"
	elif [ -n "$absent" ]; then
		for name in $absent; do
			echo "$name" >>"$tmp/absent"
		done
	elif [[ $expr == *'mode="observe"'* ]] && [ $observing -eq 0 ]; then
		: # said above
	elif ! until_true 20 has_data "$expr"; then
		fail "dashboard: no data for: $expr"
	fi
done < <(jq -r '.panels[].targets[]?.expr' "$fleet/ptreclaim-dashboard.json" |
	sed -e 's/\$__rate_interval/10s/g' -e 's/\$[a-z]\{1,\}/.*/g')
[ $queries -ge 30 ] && ok
if [ -e "$tmp/absent" ]; then
	skip "dashboard: this library has no $(sort -u "$tmp/absent" | tr '\n' ' ')"
fi

rules=$(grep -c '^ *- \(alert\|record\):' "$fleet/alerts.yml" "$fleet/recording.yml" |
	awk -F : '{ n += $2 } END { print n }')
until_true 20 is 'sum(prometheus_rule_group_rules)' "$rules" || fail "Prometheus has not all $rules rules"
is 'count(prometheus_rule_evaluations_total > 0)' 3 || fail "a group of rules was not evaluated"
if is 'sum(prometheus_rule_evaluation_failures_total)' 0; then
	ok
else
	fail "rules fail to be evaluated: $(grep -o 'rule=.*' "$tmp/prometheus.log" | tail -n 3)"
fi
is 'max(node_textfile_scrape_error)' 0 || fail "node_exporter cannot read a file"
if grep -q 'error gathering metrics' "$tmp/node_exporter.log"; then
	fail "node_exporter: $(grep 'error gathering' "$tmp/node_exporter.log" | tail -n 1 | cut -c 1-300)"
fi
query 'ALERTS{alertstate="firing"}' && jq -r '.[] | "fires: \(.metric.alertname)"' "$tmp/answer"
echo "$queries queries of the dashboard, $rules rules"
hosts_stop

# --- all of the fleet, and the kill file

hosts_start everywhere -t 1 -n 20 -b 60 -m 100000
until_true 30 all_report $hosts || fail "with rollout:1000 not every host writes statistics"
counted on $hosts && ok
keep_busy 0.3

# watch_reports FILE: adds a line "pid written pending deferred released" for each process. The time is
# read after what the file says, so that it is never too early.
watch_reports() {
	{
		# shellcheck disable=SC2016 # awk's
		awk '/^ptreclaim_released_bytes_total/ { released = $2 }
			/^ptreclaim_deferred_bytes_total/ { deferred = $2 }
			/^ptreclaim_killed/ { killed = $2 }
			/^ptreclaim_pending_bytes/ { pending = $2 }
			/^# TYPE ptreclaim_hook_seconds/ {
				print FILENAME, pending, deferred, released, killed == "" ? "?" : killed
				killed = ""; nextfile
			}' "$metrics"/*.prom
		stat -c 'written %n %.9Y' "$metrics"/*.prom
	} 2>/dev/null | awk '$1 == "written" { print $2, $3, said[$2]; next }
		{ said[$1] = $2 " " $3 " " $4 " " $5 }' | sed 's/.*ptreclaim-\([0-9]*\)\.prom/\1/' >>"$1"
}

watch_reports "$tmp/before"
until_true 30 is "count(ptreclaim_deferred_bytes_total > 0)" $hosts || fail "not every host defers"
: >"$tmp/kill"
killed_at=$(stat -c %.9Y "$tmp/kill")

# judge: of each process the first report from which on nothing is pending and nothing more is deferred,
# as long as was watched; which report that is; and whether anything came by afterwards that would have
# been deferred. A line each: pid seconds report reports came-by.
# shellcheck disable=SC2317 # by until_true, among others
judge() {
	sort -k1,1n -k2,2n -s "$tmp/reports" | awk -v at="$killed_at" '
		function tell() {
			if (pid != "")
				print pid, (settled ? since - at : "never"), (settled ? nth : "-"), reports,
					(settled && released > released_then ? "yes" : "no")
		}
		NF < 5 { next }
		$1 != pid { tell(); pid = $1; settled = reports = 0; last = deferred = "" }
		$2 <= at { deferred = $4; next }
		{
			if ($2 != last) reports++
			last = $2
			calm = $3 == 0 && $6 != "0"
			if (!calm || (settled && $4 != deferred)) settled = 0
			if (calm && !settled) {
				settled = 1; since = $2; nth = reports; released_then = $5
			}
			deferred = $4; released = $5
		}
		END { tell() }'
}
# shellcheck disable=SC2317 # by until_true
# shellcheck disable=SC2317 # by until_true
watched_enough() {
	local i
	for ((i = 0; i < 10; i++)); do
		watch_reports "$tmp/reports"
		sleep 0.05
	done
	judge >"$tmp/judged"
	[ "$(awk '$4 >= 30 && $5 == "yes"' "$tmp/judged" | wc -l)" -eq "$hosts" ]
}
until_true 40 watched_enough || true
awk '$3 == "-" || $3 > 30 || $5 != "yes"' "$tmp/judged" >"$tmp/late"
if [ "$(wc -l <"$tmp/judged")" -ne $hosts ]; then
	fail "kill file: $(wc -l <"$tmp/judged") processes have reported, not $hosts"
elif [ -s "$tmp/late" ]; then
	sed 's/^/    /' "$tmp/late" | head -n 10
	fail "kill file: $(wc -l <"$tmp/late") processes do not behave as off by their 30th report"
else
	ok
fi
# A machine with much else to do delays reports as it delays what they tell.
sort -k2,2n "$tmp/judged" | awk -v took="$(awk -v at="$killed_at" '$2 > last { last = $2 }
		END { print last - at }' "$tmp/reports")" '{ s[NR] = $2; n += $4; if ($3 > nth) nth = $3 }
	END { printf "kill file: %d processes behave as off after %.2f s (median), %.2f s (at most), " \
		"by their report %d; a report came each %.2f s\n", NR, s[int((NR + 1) / 2)], s[NR], nth,
		took * NR / n }'
if [ -z "$(missing ptreclaim_killed)" ]; then
	until_true 20 is 'sum(ptreclaim_killed)' $hosts || fail "ptreclaim_killed does not say so"
	until_true 20 is 'count(ALERTS{alertname="PtreclaimKillFileForgotten"})' 1 ||
		fail "no alert is pending for the kill file"
else
	skip "this library has no ptreclaim_killed"
fi

# --- back on

watch_reports "$tmp/before2"
rm "$tmp/kill"
# shellcheck disable=SC2317 # by until_true
all_defer_again() {
	: >"$tmp/after"
	watch_reports "$tmp/after"
	[ "$(awk 'NF >= 5 && NR == FNR { was[$1] = $4; next } NF >= 5 && $4 > was[$1]' \
		"$tmp/before2" "$tmp/after" | wc -l)" -eq "$hosts" ]
}
if until_true 30 all_defer_again; then
	ok
else
	fail "kill file gone: not every process defers again"
fi
hosts_stop
[ $failed -eq 0 ] && ok
finish
