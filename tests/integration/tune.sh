#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The decay advice on a real jemalloc: what it says, what it writes, and what it leaves alone.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
needs tuned hammer forker timeout
LIMIT=300

# begin CONF MALLOC_CONF: the program, under the library.
begin() {
	conf="kill_file:$tmp/kill${1:+,$1}"
	rm -f "$tmp/kill"
	coproc host {
		exec timeout -k 5 "$LIMIT" env MALLOC_CONF="narenas:1,$2" LD_PRELOAD="$lib" \
			PTRECLAIM_CONF="$conf" "$progs/tuned" 2>"$tmp/err"
	}
	# shellcheck disable=SC2154 # set by coproc
	pid=$host_PID
}

# tell LINE: its answer is in $answer.
tell() {
	answer=gone
	echo "$*" >&"${host[1]}"
	read -r -t "$LIMIT" -u "${host[0]}" answer || fail "$*: no answer"
}

# is WHAT NAME PATTERN
is() {
	tell get "$2"
	# shellcheck disable=SC2053 # a pattern
	if [[ $answer == $3 ]]; then
		ok
	else
		fail "$1: $2 is $answer, not $3"
	fi
}

# becomes WHAT NAME VALUE: within a minute; ~VALUE: anything else.
becomes() {
	tell await "$2" "$3"
	if [ "$answer" = "$3" ] || { [ "${3#\~}" != "$3" ] && [ "$answer" != "${3#\~}" ]; }; then
		ok
	else
		fail "$1: $2 stays $answer, not $3"
	fi
}

end() {
	local in=${host[1]}
	exec {in}>&-
	wait "$pid"
	status=$?
	verdict "$1"
}

# futexes: sleeps of the worker and wakes, up to now.
futexes() {
	tell set ptreclaim.epoch 1
	tell get ptreclaim.stats.sys_futex
}

# Off, as by default: counted, nothing looked at, nobody woken.
begin "" dirty_decay_ms:0
tell busy
tell sleep 5000
is "off" arena.0.dirty_decay_ms 0
is "off" ptreclaim.arena.0.purges '[1-9]*'
is "off" ptreclaim.arena.0.advised_dirty_decay_ms -2
is "off" ptreclaim.arena.0.reason '*tune is off*'
is "off" ptreclaim.tune.reason '*tune is off*'
tell quiet
# What the traffic woke it for comes to an end.
for ((i = 0; i < 20; i++)); do
	futexes
	before=$answer
	tell sleep 3000
	futexes
	[ "$answer" = "$before" ] && break
done
if [ "$answer" = "$before" ]; then
	ok
else
	fail "off: the worker of an idle program wakes: $before, $answer"
fi
# It can be turned on, and then it looks about once a second.
tell set ptreclaim.tune.mode advise
becomes "advise" ptreclaim.arena.0.advised_dirty_decay_ms 0
tell sleep 3000
futexes
if [ "$answer" -gt "$before" ]; then
	ok
else
	fail "advise: the worker does not wake"
fi
tell set ptreclaim.tune.mode off
end "off"

# Where there are many arenas their hooks come when they do; also once nobody looks for them any more
# before something is mapped.
for idle in 0 4000; do
	begin "" dirty_decay_ms:0,narenas:40
	tell sleep $idle
	tell busy
	# Which of them the thread gets is not told.
	for ((i = 0; i < 60; i++)); do
		tell sleep 500
		tell get ptreclaim.arena.$((i % 3 + 1)).purges
		[[ $answer == error* ]] || break
	done
	if [[ $answer == [1-9]* ]]; then
		ok
	else
		fail "late arenas after $idle ms: they have no hooks"
	fi
	end "late arenas after $idle ms"
done

# Advice alone changes nothing.
begin tune:advise dirty_decay_ms:0,muzzy_decay_ms:1000
becomes "advise" ptreclaim.arena.0.advised_muzzy_decay_ms 0
is "advise" ptreclaim.arena.0.reason '*MADV_FREE*page tables*'
tell set arena.0.muzzy_decay_ms 0
tell busy
becomes "advise" ptreclaim.arena.0.advised_dirty_decay_ms 10
is "advise" ptreclaim.arena.0.reason '*a longer decay spares*'
tell sleep 3000
is "advise" arena.0.dirty_decay_ms 0
is "advise" ptreclaim.arena.0.dirty_decay_ms 0
# An operator that takes the advice.
tell set arena.0.dirty_decay_ms 10
becomes "advice taken" ptreclaim.arena.0.dirty_decay_ms 10
# What is never purged stays so.
tell set arena.0.dirty_decay_ms -1
becomes "never" ptreclaim.arena.0.dirty_decay_ms -1
is "never" ptreclaim.arena.0.advised_dirty_decay_ms -1
is "never" ptreclaim.arena.0.reason '*-1*'
end "advise"

# Applied, undone by the kill file and by tune:off; somebody else's write stays.
begin tune:apply dirty_decay_ms:0,muzzy_decay_ms:1000
becomes "apply" arena.0.muzzy_decay_ms 0
tell busy
becomes "apply" arena.0.dirty_decay_ms "~0"
# An arena that the program made may be destroyed at any moment.
tell create
made=$answer
becomes "made by the program" "ptreclaim.arena.$made.reason" \
	"made by the program, and its to set: nothing is advised"
tell sleep 3000
is "made by the program" "arena.$made.muzzy_decay_ms" 1000
is "made by the program" "ptreclaim.arena.$made.muzzy_decay_ms" -2
: >"$tmp/kill"
becomes "kill file" arena.0.dirty_decay_ms 0
becomes "kill file" arena.0.muzzy_decay_ms 1000
tell sleep 3000
is "kill file" arena.0.dirty_decay_ms 0
is "kill file" arena.0.muzzy_decay_ms 1000
rm "$tmp/kill"
becomes "kill file gone" arena.0.muzzy_decay_ms 0
becomes "kill file gone" arena.0.dirty_decay_ms "~0"
tell set arena.0.dirty_decay_ms 777
becomes "somebody else's" ptreclaim.arena.0.advised_dirty_decay_ms 777
tell sleep 5000
is "somebody else's" arena.0.dirty_decay_ms 777
is "somebody else's" ptreclaim.arena.0.reason '*left alone*'
is "somebody else's" ptreclaim.arena.0.advised_dirty_decay_ms 777
tell set ptreclaim.tune.mode off
becomes "tune off" arena.0.muzzy_decay_ms 1000
is "tune off" arena.0.dirty_decay_ms 777
end "apply"

# Threads of jemalloc's, where an idle arena keeps what should have decayed.
begin tune:apply dirty_decay_ms:1000
is "threads" background_thread 0
tell leave
becomes "threads" background_thread 1
is "threads" ptreclaim.tune.reason '*'
tell set ptreclaim.tune.mode off
becomes "threads, tune off" background_thread 0
end "threads"
begin tune:apply dirty_decay_ms:1000,background_thread:false
becomes "no threads" ptreclaim.arena.0.dirty_decay_ms 1000
tell sleep 2000
is "no threads" ptreclaim.tune.reason '*turned off by name*'
end "no threads"

# No byte is lost while settings change, nor in children.
export MALLOC_CONF=narenas:4,dirty_decay_ms:0,muzzy_decay_ms:500
under tune:apply "$progs/hammer" -t 3 -n 4000
verdict "hammer, tune:apply"
under tune:apply "$progs/forker" fork 30
verdict "forker, tune:apply"
finish
