#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Debian's redis-server on its own jemalloc: values written, deleted, saved by a fork, read back.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
needs redis-server redis-cli timeout awk
LIMIT=60
server=$(command -v redis-server)
ldd "$server" | grep -q libjemalloc || skip_all "this redis-server has no shared jemalloc"

SMALL=3000 LARGE=3000
pid='' port=0
# shellcheck disable=SC2317 # on any way out
restore() { # only the server this test started, and only while it is this shell's child
	[ -z "$pid" ] || kill "$pid" 2>/dev/null
	pid=''
}

cli() {
	timeout 30 redis-cli -h 127.0.0.1 -p "$port" "$@" </dev/null
}

start() { # [NAME=VALUE...]
	local tries i
	for ((tries = 0; tries < 10; tries++)); do
		port=$((20000 + RANDOM % 20000))
		env "$@" "$server" --bind 127.0.0.1 --port $port --dir "$tmp" --save '' \
			--appendonly no --daemonize no --enable-debug-command no \
			--dbfilename dump.rdb >"$tmp/server" 2>"$tmp/err" </dev/null &
		pid=$!
		for ((i = 0; i < 100; i++)); do
			kill -0 $pid 2>/dev/null || break
			[ "$(cli ping 2>/dev/null)" = PONG ] && return 0
			sleep 0.1
		done
		wait $pid
		pid=''
	done
	return 1
}

# Value n is made of its number: of 700 bytes, or of 20,000.
write_values() {
	awk -v small=$SMALL -v large=$LARGE '
		function text(n, size,  s) {
			s = sprintf("%d:", n)
			while (length(s) < size) s = s s
			return substr(s, 1, size)
		}
		function set(key, v) {
			printf "*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n", length(key), key,
				length(v), v
		}
		BEGIN {
			for (n = 0; n < small || n < large; n++) {
				if (n < small) set("s" n, text(n, 700))
				if (n < large) set("l" n, text(n, 20000))
			}
		}' | timeout "$LIMIT" redis-cli -h 127.0.0.1 -p "$port" --pipe >"$tmp/out" 2>&1
	grep -q "errors: 0, replies: $((SMALL + LARGE))" "$tmp/out"
}

# All but every tenth is deleted.
delete_values() {
	awk -v small=$SMALL -v large=$LARGE 'BEGIN {
			for (n = 0; n < small || n < large; n++) {
				if (n % 10 == 0) continue
				if (n < small) print "DEL s" n
				if (n < large) print "DEL l" n
			}
		}' | timeout "$LIMIT" redis-cli -h 127.0.0.1 -p "$port" >"$tmp/out" 2>&1
	[ "$(grep -c '^1$' "$tmp/out")" -eq $(((SMALL + LARGE) * 9 / 10)) ]
}

# Those that stayed, byte by byte.
survivors() {
	awk -v small=$SMALL -v large=$LARGE 'BEGIN {
			for (n = 0; n < small || n < large; n += 10) {
				if (n < small) print "GET s" n
				if (n < large) print "GET l" n
			}
		}' | timeout "$LIMIT" redis-cli -h 127.0.0.1 -p "$port" --raw 2>&1 |
		awk -v small=$SMALL -v large=$LARGE '
		function right(line, n, size,  s) {
			s = sprintf("%d:", n)
			while (length(s) < size) s = s s
			return line == substr(s, 1, size)
		}
		{
			n = int((NR - 1) / 2) * 10
			if (!right($0, n, NR % 2 ? 700 : 20000)) { print "wrong: value", n; bad = 1 }
		}
		END { exit bad || NR != (small + large) / 10 }' >"$tmp/out"
}

waste() {
	local i w
	for ((i = 0; i < 20; i++)); do
		w=$("$cmd" floor $pid | awk 'NR == 2 { print $NF }')
		sleep 0.1
	done
	echo "${w:-unknown}"
}

# A run of the same work: its waste, after deletion and after FLUSHALL, goes to $wastes.
run() { # WHAT [NAME=VALUE...]
	local name=$1 i deleted
	shift
	start "$@" || {
		fail "$name: the server does not start"
		return 1
	}
	for ((i = 0; i < 2; i++)); do
		write_values || fail "$name: writing"
		delete_values || fail "$name: deleting"
		survivors || fail "$name: survivors differ"
	done
	deleted=$(waste)
	rm -f "$tmp/dump.rdb"
	[ "$(cli bgsave)" = "Background saving started" ] || fail "$name: BGSAVE"
	for ((i = 0; i < 200; i++)); do
		cli info persistence | grep -q 'rdb_bgsave_in_progress:0' && break
		sleep 0.1
	done
	cli info persistence | grep -q 'rdb_last_bgsave_status:ok' || fail "$name: BGSAVE failed"
	[ -s "$tmp/dump.rdb" ] || fail "$name: BGSAVE wrote nothing"
	survivors || fail "$name: survivors differ after BGSAVE"
	[ "$(cli dbsize)" = $(((SMALL + LARGE) / 10)) ] || fail "$name: another number of values"
	[ "$(cli flushall)" = OK ] || fail "$name: FLUSHALL"
	cli memory purge >/dev/null
	wastes="$deleted $(waste)"
	echo "$name: waste $deleted kB after deletion, ${wastes#* } kB after FLUSHALL"
	cli shutdown nosave >/dev/null 2>&1
	wait $pid
	status=$?
	pid=''
	verdict "$name"
}

for malloc in dirty_decay_ms:0 ""; do
	run "stock, '$malloc'" MALLOC_CONF=$malloc || continue
	before=$wastes
	for conf in "" backend:remap; do
		name="ptreclaim ${conf:-by default}, '$malloc'"
		run "$name" MALLOC_CONF=$malloc LD_PRELOAD="$lib" \
			PTRECLAIM_CONF="$(conf_of "$conf${conf:+,}stats_print:true")" || continue
		expect "$name" mapped -gt 0
		[ -z "$malloc" ] || expect "$name" deferred -gt 0
		# Within what the tables of a few regions make.
		for i in 1 2; do
			[ "$(cut -d' ' -f$i <<<"$wastes")" -le $(($(cut -d' ' -f$i <<<"$before") + 64)) ] ||
				fail "$name: more waste ($wastes kB) than stock ($before kB)"
		done
	done
done
finish
