#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# ptreclaim stat: live figures of a process, by whoever may trace it; whose page it is after fork and
# exec; how it ends; that no line is made of two states.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
needs phases hammer timeout jq
export MALLOC_CONF=dirty_decay_ms:0,narenas:2
unset PTRECLAIM_LIB

# start CONF [COMMAND...]: phases, to be told what to do; its pid in $pid. Without CONF on its own.
start() {
	local conf=$1
	shift
	coproc host {
		if [ -n "$conf" ]; then
			export LD_PRELOAD=$lib PTRECLAIM_CONF
			PTRECLAIM_CONF=$(conf_of "$conf")
		fi
		exec "${@:-$progs/phases}" 2>"$tmp/host.err"
	}
	exec {to}>&"${host[1]}" {from}<&"${host[0]}"
	# Only these: closing them has to be the end of its input.
	eval "exec ${host[1]}>&- ${host[0]}<&-"
	# shellcheck disable=SC2154 # set by coproc
	running=$host_PID
	answer ready && pid=$said
}
# answer WORD: the next line, its number in $said.
answer() {
	local word
	read -r -t 60 -u "$from" word said || {
		fail "no answer '$1'"
		return 1
	}
	[ "$word" = "$1" ] || fail "the answer is '$word', not '$1'"
}
tell() { # WORD ANSWER
	echo "$1" >&"$to"
	answer "$2"
}
stop() {
	exec {to}>&- {from}<&-
	wait "$running" 2>/dev/null
}
# shellcheck disable=SC2317 # at the end, by lib.sh
restore() {
	[ -z "${running:-}" ] || kill -9 "$running" 2>/dev/null
}
stat() {
	stock "$cmd" stat "$@"
}
# value NAME: of the first line of JSON on $tmp/out.
value() {
	head -n 1 "$tmp/out" | jq ".values.$1"
}
# becomes FILTER PID: the JSON of a process, within some seconds.
becomes() {
	local i
	for ((i = 0; i < 200; i++)); do
		stat --json "$2"
		[ "$status" -eq 0 ] && jq -e "$1" "$tmp/out" >/dev/null && return 0
		sleep 0.1
	done
	fail "process $2 does not become $1"
	return 1
}
# refused WHAT TEXT: the last stat gave no line but one error, with TEXT.
refused() {
	if [ "$status" -ne 1 ] || [ -s "$tmp/out" ] || [ "$(wc -l <"$tmp/err")" -ne 1 ] ||
		! grep -qF -- "$2" "$tmp/err"; then
		fail "$1: status $status, not one line with '$2'"
	else
		ok
	fi
}
# holds WHAT FILTER: of all lines of JSON on $tmp/out, as an array.
holds() {
	if jq -es "$2" "$tmp/out" >/dev/null 2>&1; then
		ok
	else
		fail "$1: not $2"
	fi
}

#
# What it is asked for.
#
for bad in "" "1 2" "-i 0 1" "-i x 1" "-i -1 1" "-i 1e3 1" "-i 99999999 1" "-n 0 1" "-n x 1" "-x 1"; do
	# shellcheck disable=SC2086 # words
	stat $bad
	if [ "$status" -eq 2 ] && [ ! -s "$tmp/out" ]; then ok; else fail "stat $bad: status $status"; fi
done
stat x
refused "no number" "not a process id"
stat 2147483647
refused "nobody" "no such process"

#
# A live one.
#
start mode:on
becomes '.values.mode == 2' "$pid" && ok
tell churn churned
becomes '.values.released > 0 and .values.deferred > 0' "$pid" && ok
jq -e '.pid == '"$pid"' and .tables == null and (.killed | not) and .mode == "on"' "$tmp/out" >/dev/null ||
	fail "JSON: $(cat "$tmp/out")"
jq -e '.allocator | startswith("jemalloc ")' "$tmp/out" >/dev/null || fail "JSON: no allocator"

stat "$pid"
[ "$(wc -l <"$tmp/out")" -eq 3 ] || fail "one line and its header: $(wc -l <"$tmp/out") lines"
[ "$(awk 'NR == 3 { print $1, NF }' "$tmp/out")" = "on 10" ] || fail "not ten columns"
# Every figure about tables comes with its floor, and none without being asked for.
if grep -q VmPTE "$tmp/out"; then fail "VmPTE without its floor"; fi
stat -f -n 1 "$pid"
if awk 'NR == 3 && NF == 13 && $11 >= $12 && $12 > 0 { good = 1 } END { exit !good }' "$tmp/out"; then
	ok
else
	fail "no VmPTE, floor and waste with -f"
fi
stat -f --json "$pid"
holds "-f --json" '.[0].tables | .vmpte_kb >= .floor_kb and .floor_kb > 0'
stat -i 0.01 -n 45 "$pid"
[ "$(grep -c '^mode' "$tmp/out")" -eq 3 ] || fail "45 lines: not 3 headers"
[ "$(wc -l <"$tmp/out")" -eq 51 ] || fail "45 lines: $(wc -l <"$tmp/out")"

# It moves while one looks.
timeout "$LIMIT" "$cmd" stat --json -i 0.1 -n 30 "$pid" >"$tmp/lines" &
looker=$!
for ((i = 0; i < 10; i++)); do
	tell churn churned
	sleep 0.2
done
wait $looker || fail "stat -i 0.1 -n 30: status $?"
cp "$tmp/lines" "$tmp/out"
holds "30 lines" 'length == 30'
holds "moving" '[.[].values.released] | . == sort and (unique | length > 2)'
holds "interval" '.[1:] | all(.interval_s > 0)'

# On an interrupt it ends at once.
timeout -s INT -k 30 1 "$cmd" stat -i 3600 "$pid" >/dev/null 2>&1
status=$?
[ $status -eq 124 ] || fail "interrupted: status $status"
# And when nobody reads on.
[ "$(timeout "$LIMIT" "$cmd" stat -i 0.01 "$pid" | head -n 3 | wc -l)" -eq 3 ] || fail "into a pipe"

#
# Fork: a child counts its own; exec: the new program does.
#
stat --json "$pid"
before=$(value released)
tell fork child
child=$said
becomes '.values.deferred == 0' "$child" && ok
tell churn churned
becomes '.values.deferred > 0' "$child" && ok
stat --json "$pid"
if [ "$(value released)" = "$before" ]; then ok; else fail "the child counted on its parent's page"; fi
tell exit back
[ "$said" -eq 0 ] || fail "the child ended with $said"
stat "$child"
refused "a child that has ended" "no such process"

# A child behind libc's back has no thread that would write; it is not its parent's figures it shows.
tell raw child
child=$said
tell churn churned
stat "$child"
refused "a child by a bare system call" "is that of another one"
tell exit back
[ "$said" -eq 0 ] || fail "the child by a bare system call ended with $said"

timeout "$LIMIT" "$cmd" stat --json -i 0.05 "$pid" >"$tmp/lines" 2>"$tmp/err" &
looker=$!
tell churn churned
for ((i = 0; i < 100; i++)); do
	[ -s "$tmp/lines" ] && break
	sleep 0.1
done
tell exec ready
[ "$said" -eq "$pid" ] || fail "exec: another pid"
# What it found when it began is released; nothing but a churn is deferred.
becomes '.values.deferred == 0' "$pid" && ok
tell churn churned
becomes '.values.deferred > 0' "$pid" && ok
# SIGKILL: nothing is left, and who looks is told.
{ kill -9 "$running" && wait "$running"; } 2>/dev/null
wait $looker
status=$?
cp "$tmp/lines" "$tmp/out"
[ $status -eq 0 ] || fail "the process was killed: status $status"
grep -q "process $pid has ended" "$tmp/err" || fail "the process was killed: that is not said"
holds "exec" '[.[].values.deferred] | . != sort'
stop
stat "$pid"
refused "a killed one" "no such process"

#
# Not there.
#
start ""
stat "$pid"
refused "without the library" "libptreclaim is not in this process"
stop
start mode:off
stat "$pid"
refused "mode off" "keeps no statistics page"
stop
start "" "$progs/phases" newer
stat "$pid"
refused "a page to come" "newer than this command"
stop

# Each takes a thousand looks: the reader is not to be kept busy.
start "" "$progs/phases" torn
stat "$pid"
refused "pages that are always being written" "is always being written"
stop

# Files of no size: the page is none.
start mode:on bash -c "ulimit -f 0; exec $progs/phases"
tell churn churned
becomes '.values.released > 0' "$pid" && ok
stop

#
# Other users.
#
if [ "$(id -u)" -ne 0 ] || ! have setpriv; then
	skip "other users: not root, or no setpriv"
else
	# What they may execute.
	chmod 755 "$tmp"
	mkdir -m 755 "$tmp/open"
	cp "$cmd" "$progs/phases" "$tmp/open/"
	cp "$(readlink -f "$lib")" "$tmp/open/libptreclaim.so"
	nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)
	start mode:on
	stock "${nobody[@]}" "$tmp/open/ptreclaim" stat "$pid"
	refused "another user" "not allowed to look"
	stock "${nobody[@]}" --inh-caps +sys_ptrace --ambient-caps +sys_ptrace \
		"$tmp/open/ptreclaim" stat --json "$pid"
	if [ "$status" -eq 0 ]; then
		holds "another user with the right to ptrace" ".[0].pid == $pid"
	else
		fail "another user with the right to ptrace: status $status"
	fi
	stop
	start mode:on env LD_PRELOAD="$tmp/open/libptreclaim.so" "${nobody[@]}" "$tmp/open/phases"
	stock "${nobody[@]}" "$tmp/open/ptreclaim" stat --json "$pid"
	if [ "$status" -eq 0 ]; then
		holds "the same user" ".[0].pid == $pid"
	elif [ "$(cat /proc/sys/kernel/yama/ptrace_scope 2>/dev/null || echo 0)" -gt 0 ]; then
		skip "the same user: Yama forbids it"
	else
		fail "the same user: status $status"
	fi
	stop
fi

# In a namespace of its own it knows itself by another number.
if unshare -pf true 2>/dev/null; then
	start mode:on unshare -pf "$progs/phases"
	tell churn churned
	inner=$(pgrep -P "$running" -x phases)
	[ "$pid" -eq 1 ] || fail "a pid namespace: not 1"
	becomes ".pid == ${inner:-0} and .values.released > 0" "${inner:-0}" && ok
	stop
else
	skip "pid namespaces: no right to make one"
fi

#
# Many threads, and one who looks all the time.
#
under_storm() {
	LD_PRELOAD=$lib PTRECLAIM_CONF=$(conf_of mode:on) \
		timeout "$LIMIT" "$progs/hammer" -t 8 -n 4000000 >"$tmp/hammer" 2>&1 &
	storm=$!
	for ((i = 0; i < 100; i++)); do
		pid=$(pgrep -P $storm -x hammer)
		[ -n "$pid" ] && stat "$pid" && [ "$status" -eq 0 ] && break
		sleep 0.1
	done
	stat --json -i 0.01 -n 300 "${pid:-0}"
	kill "$storm"
	wait "$storm" 2>/dev/null
}
under_storm
[ "$status" -eq 0 ] || fail "under a storm: status $status"
holds "under a storm: lines" 'length == 300'
holds "under a storm: written meanwhile" '[.[].writes] | unique | length > 3'
# Causes are never missing where their effects are seen.
holds "under a storm: releases" 'all(.[].values; .deferred + .declined + .passed <= .released)'
holds "under a storm: zaps" 'all(.[].values; .zapped <= .released and .cancelled <= .released)'
# shellcheck disable=SC2016 # jq's own variables
holds "under a storm: growing" '[.[].values | [.released, .zapped, .cancelled]] |
	. as $all | all(range(1; length); . as $i | all(range(3); $all[$i][.] >= $all[$i - 1][.]))'
finish
