#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Switched off: by mode, by rollout, by the kill file while running.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
needs hammer looker timeout
LIMIT=60
looker=$progs/looker

# --- off from the start: not to be seen at all

# Where addresses do not change from run to run, mappings merge the same way.
fixed=()
if have setarch && setarch -R true 2>/dev/null; then
	fixed=(setarch -R)
fi

# Pages of the library, .bss included: what its mappings take, in kB.
if have readelf; then
	own_kb=$(readelf -lW "$lib" | awk '$1 == "LOAD" { print $3, $6 }' | while read -r at size; do
		echo $((((at % 4096 + size + 4095) / 4096) * 4))
	done | awk '{ sum += $1 } END { print sum }')
else
	own_kb=''
	skip "no readelf: how large the library is cannot be told"
fi

# How deep the stack was used is nobody's mapping.
shown() {
	sed 's/[0-9]* kB \[stack\]/[stack]/' "$1"
}

# same WHAT: as without preload? Nameless mappings that merge with the library's .bss may be missing
# from the list; what all take together is the library's, and some pages of the loader's.
same() {
	diff <(shown "$tmp/$1" | grep -v ' kB$'; shown "$tmp/$1" | grep ' kB ') \
		<(shown "$tmp/out" | grep -v ' kB$'; shown "$tmp/out" | grep ' kB ') >"$tmp/diff" ||
		return 1
	[ "$1" = maps ] || return 0
	awk -v own="${own_kb:-1000000}" '$1 ~ /^(nameless|all)$/ { n[$1, NR == FNR] = $2 }
		END {
			if (n["nameless", 0] > n["nameless", 1] + 16) print "nameless mappings"
			if (n["all", 0] > n["all", 1] + own + 16) print "more than the library"
		}' "$tmp/$1" "$tmp/out" >"$tmp/diff"
	[ ! -s "$tmp/diff" ]
}

for what in hooks threads maps; do
	stock "${fixed[@]}" "$looker" $what
	verdict "without preload: $what" || continue
	cp "$tmp/out" "$tmp/$what"
	for conf in mode:off rollout:0 mode:off,verbose:true,stats_print:true \
		mode:on,rollout:0,stats_file:"$tmp/stats"; do
		under "$conf" "${fixed[@]}" "$looker" $what
		verdict "$conf: $what" || continue
		if ! same $what; then
			cat "$tmp/diff" >>"$tmp/err"
			fail "$conf: other $what than without preload"
		fi
	done
	# What is looked at can be seen: with the library on it differs, but for the hooks, where
	# the program sees its own.
	under mode:on "${fixed[@]}" "$looker" $what
	case $what in
	hooks) same $what || fail "mode:on: the program sees our hooks" ;;
	*) ! same $what || fail "mode:on: the same $what" ;;
	esac
done
[ ! -e "$tmp/stats" ] || fail "rollout:0: statistics were written"

# --- observe: counts, changes nothing

under mode:observe "${fixed[@]}" "$looker" threads
same threads || fail "mode:observe: a thread"
MALLOC_CONF=dirty_decay_ms:0 under mode:observe,stats_print:true "$progs/hammer" -t 2 -n 500
verdict "mode:observe"
expect "mode:observe" released -gt 0
expect "mode:observe" deferred -eq 0
expect "mode:observe" zapped -eq 0

# --- the kill file, while the program runs

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

rm -f "$tmp/stats"
coproc host {
	exec env MALLOC_CONF=dirty_decay_ms:0,narenas:2 LD_PRELOAD="$lib" \
		PTRECLAIM_CONF="kill_file:$tmp/kill,stats_file:$tmp/stats,stats_interval_ms:100" \
		timeout -k 5 "$LIMIT" "$progs/hammer" -t 2 -n 200 -I 2>"$tmp/err"
}
# shellcheck disable=SC2154 # set by coproc
pid=$host_PID
read -r -t 30 -u "${host[0]}" || fail "the program does not start"
wait_for more_than deferred_bytes_total 0 || fail "nothing is deferred before the kill file"

: >"$tmp/kill"
wait_for none_pending || fail "kill file: $(metric pending_bytes) bytes stay pending"
sleep 1.2 # it is looked for every half second
before=$(metric deferred_bytes_total)
declined=$(metric declined_bytes_total)
round
round
wait_for more_than declined_bytes_total "${declined:-0}" || fail "kill file: nothing is declined"
sleep 0.3
[ "$(metric deferred_bytes_total)" = "$before" ] || fail "kill file: deferral goes on"
none_pending || fail "kill file: something is pending"

rm "$tmp/kill"
sleep 1.2
round
wait_for more_than deferred_bytes_total "${before:-0}" ||
	fail "kill file gone: nothing is deferred again"
in=${host[1]}
exec {in}>&-
wait "$pid"
status=$?
verdict "the program under the kill file"
finish
