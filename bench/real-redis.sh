# shellcheck shell=bash disable=SC2034,SC2154 # they are those of bench/real
# SPDX-License-Identifier: BSD-2-Clause
# real-redis.sh - redis-server: values of 20 KB written and overwritten by redis-benchmark, and nine
# of ten deleted; sourced by bench/real. Values of this script's own, each of its own text, are
# written in between and stay: they and the tenth that is left are the answers.
redis_keys=$((30000 * scale / 100))
redis_keys=$((redis_keys < 100 ? 100 : redis_keys))
redis_fixed=$((redis_keys / 10))
redis_rounds=4

redis_needs() {
	needs redis-server redis-server
	needs redis-cli redis-tools
	needs redis-benchmark redis-tools
}

redis_cli() {
	bounded redis-cli -s "$tmp/socket" "$@"
}

redis_start() {
	"${run_program[@]}" redis-server --port 0 --unixsocket "$tmp/socket" --dir "$tmp" --save '' \
		--appendonly no --daemonize no >"$tmp/log" 2>&1 </dev/null &
	server=$! pid=$!
	within 30 redis_ready
}

redis_ready() {
	[ "$(redis_cli ping </dev/null)" = PONG ]
}

# load REQUESTS COMMAND...: on random keys of all. The value is the same in every run.
redis_load() {
	bounded redis-benchmark -s "$tmp/socket" -c 10 -P 16 -r "$redis_keys" -n "$1" -d 20480 -q \
		-t "$2" >"$tmp/out" 2>&1 </dev/null &&
		grep -q 'requests per second' "$tmp/out" && ! grep -qi error "$tmp/out" && return 0
	say "redis: redis-benchmark failed: $(tail -n 1 "$tmp/out")"
	return 1
}

# Protocol on standard input; so many replies, and no error.
redis_pipe() {
	redis_cli --pipe >"$tmp/out" 2>&1 && grep -q "errors: 0, replies: $1\$" "$tmp/out" && return 0
	say "redis: a bulk request failed: $(tail -n 1 "$tmp/out")"
	return 1
}

redis_awk='
	function text(n,  s) { # 18,000 bytes and more
		s = sprintf("value %d of the bench; ", n)
		while (length(s) < 18000 + n % 7 * 1000) s = s s
		return substr(s, 1, 18000 + n % 7 * 1000)
	}
	function word(s) { printf "$%d\r\n%s\r\n", length(s), s }'

# fixed FROM TO: values that stay.
redis_write_fixed() {
	awk -v from="$1" -v to="$2" "$redis_awk"'
		BEGIN {
			for (n = from; n < to; n++) {
				printf "*3\r\n"
				word("SET"); word("fixed:" n); word(text(n))
			}
		}' | redis_pipe $(($2 - $1))
}

redis_delete() {
	awk -v keys="$redis_keys" "$redis_awk"'
		BEGIN {
			for (n = 0; n < keys; n++) if (n % 10) {
				printf "*2\r\n"
				word("DEL"); word(sprintf("key:%012d", n))
			}
		}' | redis_pipe $((redis_keys - (redis_keys + 9) / 10))
}

# Chance leaves some of the keys out: those that shall be there are written where they are not.
redis_complete() {
	redis_cli --raw get key:000000000000 </dev/null >"$tmp/value"
	if [ "$(wc -c <"$tmp/value")" -lt 20480 ]; then
		redis_load 1 set || return 1
		redis_cli --raw get "$(redis_cli --raw --scan --pattern 'key:*' </dev/null | head -n 1)" \
			</dev/null >"$tmp/value"
	fi
	awk -v keys="$redis_keys" -v file="$tmp/value" "$redis_awk"'
		BEGIN {
			getline value <file
			for (n = 0; n < keys; n += 10) {
				printf "*4\r\n"
				word("SET"); word(sprintf("key:%012d", n)); word(value); word("NX")
			}
		}' | redis_pipe $(((redis_keys + 9) / 10))
}

redis_work() {
	local round half=$((redis_keys / 2))
	for ((round = 0; round < redis_rounds; round++)); do
		redis_write_fixed $((redis_fixed * round / redis_rounds)) \
			$((redis_fixed * (round + 1) / redis_rounds)) || return 1
		timed $half redis_load $half set || return 1
	done
	timed $((half * 4)) redis_load $((half * 4)) set &&
		redis_load $half get && redis_complete && redis_delete
}

redis_tick() {
	[ "$(redis_cli strlen fixed:0 </dev/null)" = 18000 ]
}

redis_answers() {
	local wanted got
	wanted=$({
		awk -v keys="$redis_keys" -v fixed="$redis_fixed" -v file="$tmp/value" "$redis_awk"'
			BEGIN {
				getline value <file
				print fixed + int((keys + 9) / 10)
				for (n = 0; n < fixed; n++) print text(n)
				for (n = 0; n < keys; n += 10) print value
			}'
	} | sha256sum)
	got=$(awk -v keys="$redis_keys" -v fixed="$redis_fixed" '
		BEGIN {
			print "DBSIZE"
			for (n = 0; n < fixed; n++) print "GET fixed:" n
			for (n = 0; n < keys; n += 10) printf "GET key:%012d\n", n
		}' | redis_cli --raw | sha256sum)
	[ "$wanted" = "$got" ] || die 3 "redis: the values are not those that were written"
	echo "${got%% *}"
}

redis_end() {
	redis_cli shutdown nosave </dev/null >/dev/null 2>&1
}
