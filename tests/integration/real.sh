#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# bench/real on small amounts of work: each program answers with the library what it answers without,
# and is served; the JSON is complete; no server and no file stays behind.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
needs jq timeout setpriv
real=$(dirname "$0")/../../bench/real
[ -x "$cmd" ] || skip_all "$cmd is not built"

# Folders of its own, to see what is left in them.
mkdir "$tmp/left" "$tmp/bin" || exit 99
export TMPDIR=$tmp/left

run() { # ARGUMENT...
	stock "$real" --build "$top" --seconds 90 --scale 3 --settle 1 "$@" 9>&-
}

tidy() { # WHAT
	if [ -n "$(ls -A "$TMPDIR")" ]; then
		fail "$1: files stay behind: $(ls "$TMPDIR")"
		rm -rf "${TMPDIR:?}"/*
	fi
}

# --- what is asked for wrongly

usage() { # ARGUMENT...
	run "$@"
	if [ $status -eq 2 ] && [ "$(wc -l <"$tmp/err")" = 1 ] && [ ! -s "$tmp/out" ]; then
		ok
	else
		fail "real $*: exit status $status, not 2 and one line"
	fi
}
usage
usage nonesuch
usage redis http
usage --nonesuch redis
usage --scale 0 redis
usage --seconds x redis
usage --env 1=2 redis
usage --env

stock "$real" --list
[ "$(cut -d' ' -f1 "$tmp/out" | tr '\n' ' ')" = "redis http prolog " ] || fail "--list"

# Nothing but what is needed to notice that the program is missing.
for name in bash dirname mktemp rm jq setpriv; do
	ln -s "$(command -v $name)" "$tmp/bin/$name"
done
stock env PATH="$tmp/bin" "$real" --build "$top" redis
if [ $status -eq 77 ] && grep -q 'no redis-server here' "$tmp/err"; then
	ok
else
	fail "without redis-server: exit status $status, not 77"
fi
tidy "without redis-server"

# --- each program

complete() { # WORKLOAD
	jq -e --arg workload "$1" '
		.workload == $workload and (.answers | test("^[0-9a-f]{64}$"))
		and ([.[] | type] | all(. == "number" or . == "string"))
		and ([.ops_per_s, .seconds, .peak_rss_kb, .trough_rss_kb, .vmpte_kb, .floor_kb,
		      .minor_faults] | all(type == "number" and . > 0))
		and ([.cpu_s, .waste_kb] | all(type == "number" and . >= 0))
		and .peak_rss_kb >= .trough_rss_kb and .vmpte_kb - .floor_kb == .waste_kb
		' "$tmp/out" >/dev/null && [ "$(wc -l <"$tmp/out")" = 1 ]
}

# The bytes that were released to the library, in the process that had most.
served() {
	cat "$tmp"/metrics.* 2>/dev/null | awk '
		index($1, "ptreclaim_released_bytes_total") == 1 && $NF > most { most = $NF }
		END { print most + 0 }'
}

compare() { # WORKLOAD NAME=VALUE
	local right conf
	run --env "$2" "$1"
	if [ $status -eq 77 ]; then
		skip "$(tail -n 1 "$tmp/err")"
		return 1
	fi
	tidy "$1, stock"
	verdict "$1, stock" || return 1
	complete "$1" || fail "$1, stock: the JSON is not what it should be"
	right=$(jq -r .answers "$tmp/out")
	conf=$(conf_of "stats_file:$tmp/metrics.%p,stats_interval_ms:100")
	run --env "$2" --env "LD_PRELOAD=$lib" --env "PTRECLAIM_CONF=$conf" "$1"
	tidy "$1, ptreclaim"
	verdict "$1, ptreclaim" || return 1
	complete "$1" || fail "$1, ptreclaim: the JSON is not what it should be"
	[ "$(jq -r .answers "$tmp/out")" = "$right" ] || fail "$1: other answers than without us"
	[ "$(served)" -gt 1000000 ] || fail "$1: not served: $(served) bytes released"
	rm -f "$tmp"/metrics.*
}

compare redis MALLOC_CONF=dirty_decay_ms:0 && redis=yes
compare http MALLOC_CONF=dirty_decay_ms:0
compare prolog TCMALLOC_AGGRESSIVE_DECOMMIT=1

# --- what goes wrong

[ "${redis-}" = yes ] || finish

# A zap of live pages is noticed, if the server does not die of it before.
badzap=$progs/.libs/badzap.so
if [ -e "$badzap" ]; then
	run --env MALLOC_CONF=dirty_decay_ms:0 --env BADZAP=wide --env "LD_PRELOAD=$badzap" redis
	case $status in
	1 | 3) ok ;;
	*) fail "redis, zapped too widely: exit status $status" ;;
	esac
	tidy "redis, zapped too widely"
else
	skip "no badzap: lost bytes were not tried"
fi

# More work than the time allows.
stock "$real" --build "$top" --seconds 3 --scale 1000 redis 9>&-
if [ $status -eq 1 ]; then
	ok
else
	fail "redis, three seconds: exit status $status, not 1"
fi
tidy "redis, three seconds"

# It is ended, or killed: its server ends too.
answers() { # SOCKET
	[ "$(timeout 5 redis-cli -s "$1" ping 2>/dev/null </dev/null)" = PONG ]
}
for signal in TERM KILL; do
	"$real" --build "$top" --seconds 60 --settle 60 --scale 1 redis >"$tmp/out" 2>"$tmp/err" \
		</dev/null 9>&- &
	pid=$!
	socket=''
	for ((i = 0; i < 200; i++)); do
		socket=$(compgen -G "$TMPDIR/real-*/socket") && answers "$socket" && break
		sleep 0.1
	done
	kill -$signal $pid
	{ wait $pid; } 2>/dev/null
	if [ -z "$socket" ]; then
		fail "$signal: the server did not start"
		continue
	fi
	for ((i = 0; i < 200; i++)); do
		answers "$socket" || break
		sleep 0.1
	done
	if answers "$socket"; then
		fail "$signal: the server is still there"
	else
		ok
	fi
	[ $signal = KILL ] || tidy $signal
	rm -rf "${TMPDIR:?}"/*
done
finish
