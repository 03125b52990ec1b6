# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# killfile.sh - the kill file comes and goes while a program runs; sourced behind lib.sh.
# shellcheck disable=SC2154,SC2034 # what lib.sh gives and reads

# metric NAME: of the file that is replaced again and again.
metric() {
	awk -v name="ptreclaim_$1" 'index($1, name) == 1 { print $NF; exit }' "$tmp/stats" 2>/dev/null
}
wait_for() { # COMMAND...: becomes true within some seconds
	local i
	for ((i = 0; i < 100; i++)); do
		"$@" && return 0
		sleep 0.1
	done
	return 1
}
round() {
	echo >&"${host[1]}"
	read -r -t 30 -u "${host[0]}" || fail "the program does not answer"
}
# shellcheck disable=SC2317 # by wait_for
more_than() { # NAME NUMBER
	local n
	n=$(metric "$1")
	[ -n "$n" ] && [ "$n" -gt "$2" ]
}
# shellcheck disable=SC2317 # by wait_for
none_pending() {
	[ "$(metric pending_bytes)" = 0 ]
}

# A round of the program, in which nothing is put off.
# shellcheck disable=SC2317 # by wait_for
nothing_deferred() {
	local n
	n=$(metric deferred_bytes_total)
	round
	sleep 0.3
	[ "$(metric deferred_bytes_total)" = "$n" ]
}

# shellcheck disable=SC2317 # by wait_for
deferred_again() {
	round
	more_than deferred_bytes_total "${before:-0}"
}

# kill_file_works NAME=VALUE... PROGRAM...: the program does a round for each line on its standard input.
kill_file_works() {
	local pid in before passed
	rm -f "$tmp/stats"
	coproc host {
		exec timeout -k 5 "$LIMIT" env \
			PTRECLAIM_CONF="kill_file:$tmp/kill,stats_file:$tmp/stats,stats_interval_ms:100" \
			"$@" 2>"$tmp/err"
	}
	# shellcheck disable=SC2154 # set by coproc
	pid=$host_PID
	read -r -t 30 -u "${host[0]}" || fail "the program does not start"
	wait_for more_than deferred_bytes_total 0 || fail "nothing is deferred before the kill file"

	: >"$tmp/kill"
	wait_for none_pending || fail "kill file: $(metric pending_bytes) bytes stay pending"
	# It is looked for every half second, or later on a machine with much else to do.
	wait_for nothing_deferred || fail "kill file: deferral goes on"
	before=$(metric deferred_bytes_total)
	passed=$(metric passed_bytes_total)
	round
	wait_for more_than passed_bytes_total "${passed:-0}" || fail "kill file: nothing is zapped at once"
	nothing_deferred || fail "kill file: deferral has begun again"
	none_pending || fail "kill file: something is pending"

	rm "$tmp/kill"
	wait_for deferred_again || fail "kill file gone: nothing is deferred again"
	in=${host[1]}
	exec {in}>&-
	wait "$pid"
	status=$?
	verdict "the program under the kill file"
}
