#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# fork in all its forms, threads that end oddly, libraries that go away, signals all the time: no
# hang, no crash, no byte lost, and the flusher of every child does its work.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
needs forker hammer plughost timeout
LIMIT=90
export MALLOC_CONF=dirty_decay_ms:0
forks=${PTR_FORKS:-200}

# The children leave their counters where each is found by its pid.
mkdir "$tmp/stats"
children() { # WHAT COUNTER: some child that left by exit() counted it
	local name="ptreclaim_$2"
	if cat "$tmp"/stats/* | awk -v name="$name" 'index($1, name) == 1 && $NF > 0 { some = 1 }
		END { exit !some }'; then
		ok
	else
		fail "$1: no child counted $2"
	fi
	return 0
}

for conf in "" backend:remap batch_bytes:0 batch_bytes:1M,keep_bytes:0 mode:observe; do
	rm -f "$tmp"/stats/*
	case $conf in
	mode:observe) n=20 ;;
	"") n=$forks ;;
	*) n=$((forks / 4)) ;;
	esac
	under "$conf${conf:+,}stats_file:$tmp/stats/%p" "$progs/forker" fork "$n"
	name="fork from 8 busy threads ${conf:-by default}"
	verdict "$name" || continue
	rm -f "$tmp/stats/$(sed -n 's/^parent //p' "$tmp/out")"
	case $conf in
	"" | backend:remap)
		# Only where there is a flusher is anything put off.
		children "$name" deferred
		children "$name" zapped
		;;
	esac
	echo "$name, $n times: $SECONDS s"
done

under "" env MALLOC_CONF=dirty_decay_ms:0,background_thread:true "$progs/forker" fork $((forks / 4))
verdict "fork with jemalloc's background thread"
under "" "$progs/forker" vfork 50
verdict vfork
under "" "$progs/forker" raw 30
verdict "fork by the system call"
under "" "$progs/forker" mainexit
verdict "pthread_exit of main"
[ "$(cat "$tmp/out")" = intact ] || fail "pthread_exit of main: it did not say so"

# The daemon outlives the command that started it: it ends by itself, and says so before.
mkfifo "$tmp/pipe"
exec 4<>"$tmp/pipe"
under "" "$progs/forker" daemon 3>"$tmp/pipe" 4>&-
verdict "daemon, the part before"
if read -r -t 60 -u 4 line && [ "$line" = intact ]; then
	ok
else
	fail "daemon: nothing heard of it"
fi
exec 4>&-
echo "up to daemon: $SECONDS s"

# A library that brings jemalloc along after the start, and one that is closed at exit.
plugin=$progs/.libs/plugin.so
jemalloc=$(ldd "$plugin" 2>/dev/null | awk '/libjemalloc/ { print $3; exit }')
if [ -e "$plugin" ]; then
	under verbose:true "$progs/plughost" "$plugin"
	if [ "$status" = 77 ]; then
		skip "jemalloc cannot be loaded late: $(tail -n 1 "$tmp/err")"
	else
		verdict "jemalloc loaded late and closed at exit"
	fi
	PRELOAD=$jemalloc under stats_print:true "$progs/plughost" "$plugin"
	verdict "a plugin of jemalloc's, closed at exit" &&
		expect "a plugin of jemalloc's, closed at exit" deferred -gt 0
else
	skip "no plugin was built"
fi

# Signals 20,000 times a second, on another stack and on the threads' own.
for conf in "" batch_bytes:0 backend:remap; do
	under "$conf${conf:+,}stats_print:true" "$progs/hammer" -t 8 -n 1000 -S -A
	verdict "signals ${conf:-by default}" && expect "signals ${conf:-by default}" released -gt 0
done
finish
