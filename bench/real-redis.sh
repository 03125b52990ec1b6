# shellcheck shell=bash disable=SC2034,SC2154 # they are those of bench/real
# SPDX-License-Identifier: BSD-2-Clause
# real-redis.sh - redis-server under redis-benchmark; sourced by bench/real. Values of 20 KB are set
# in ten generations, each of keys of its own: at random, six times as often as there are keys, so
# most replace one. Then nine generations of ten are deleted, the oldest first. Between generations
# some values are written that stay, each with a text of its own; with the youngest generation these
# are the answers. What is timed are the SETs of redis-benchmark, by its own clock.
redis_generations=10
redis_keys=$((3000 * scale / 100)) # of a generation
redis_keys=$((redis_keys < 20 ? 20 : redis_keys))
redis_fixed=$(((redis_keys + 99) / 100)) # that stay, of a generation

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

# bench REQUESTS WORD...: so often, with __rand_int__ a random key of a generation's. What its clock
# says of the rate goes to $redis_rate.
redis_bench() {
	if bounded redis-benchmark -s "$tmp/socket" -c 10 -P 16 -r "$redis_keys" -n "$1" -q "${@:2}" \
		>"$tmp/out" 2>&1 </dev/null; then
		redis_rate=$(tr '\r' '\n' <"$tmp/out" |
			sed -n 's/.*: \([0-9]*\)\.[0-9]* requests per second.*/\1/p' | tail -n 1)
		[ "${redis_rate:-0}" -gt 0 ] && ! grep -qi '^error' "$tmp/out" && return 0
	fi
	say "redis: redis-benchmark failed: $(tr "\r" "\n" <"$tmp/out" | tail -n 1)"
	return 1
}

# Protocol on standard input; so many replies, and no error.
redis_pipe() {
	redis_cli --pipe >"$tmp/out" 2>&1 && grep -q "errors: 0, replies: $1\$" "$tmp/out" && return 0
	say "redis: a bulk request failed: $(tail -n 1 "$tmp/out")"
	return 1
}

redis_awk() { # VARIABLE=VALUE... PROGRAM
	local variables=()
	while [ $# -gt 1 ]; do
		variables+=(-v "$1")
		shift
	done
	awk -v keys="$redis_keys" -v fixed="$redis_fixed" -v generations=$redis_generations \
		"${variables[@]}" '
		function text(what, size,  s) {
			s = what ", a value of the bench; "
			while (length(s) < size) s = s s
			return substr(s, 1, size)
		}
		function stays(n) { return text("fixed " n, 18000 + n % 7 * 1000) }
		function of(generation) { return text("generation " generation, 20480) }
		function key(generation, n) { return sprintf("g%d:%012d", generation, n) }
		function word(s) { printf "$%d\r\n%s\r\n", length(s), s }
		BEGIN {'"$1"'}'
}

redis_generation() { # G
	local generation=$1 count=$((redis_keys * 6)) value
	value=$(redis_awk g="$generation" 'printf "%s", of(g)')
	redis_awk g="$generation" '
		for (n = g * fixed; n < (g + 1) * fixed; n++) {
			printf "*3\r\n"
			word("SET"); word("fixed:" n); word(stays(n))
		}' | redis_pipe "$redis_fixed" || return 1
	redis_bench "$count" SET "g$generation:__rand_int__" "$value" || return 1
	ops=$((ops + count))
	usec=$((usec + count * 1000000 / redis_rate))
	redis_bench "$redis_keys" GET "g$generation:__rand_int__"
}

redis_work() {
	local g last=$((redis_generations - 1))
	for ((g = 0; g < redis_generations; g++)); do
		redis_generation $g || return 1
	done
	for ((g = 0; g < last; g++)); do
		redis_awk g=$g '
			for (n = 0; n < keys; n++) {
				printf "*2\r\n"
				word("DEL"); word(key(g, n))
			}' | redis_pipe "$redis_keys" || return 1
	done
	# Chance may have left keys of the last one out.
	redis_awk g=$last '
		for (n = 0; n < keys; n++) {
			printf "*4\r\n"
			word("SET"); word(key(g, n)); word(of(g)); word("NX")
		}' | redis_pipe "$redis_keys"
}

redis_tick() {
	[ "$(redis_cli strlen fixed:0 </dev/null)" = 18000 ]
}

redis_answers() {
	local wanted got
	wanted=$(redis_awk '
		print fixed * generations + keys
		for (n = 0; n < fixed * generations; n++) print stays(n)
		value = of(generations - 1)
		for (n = 0; n < keys; n++) print value' | sha256sum)
	got=$(redis_awk '
		print "DBSIZE"
		for (n = 0; n < fixed * generations; n++) print "GET fixed:" n
		for (n = 0; n < keys; n++) print "GET " key(generations - 1, n)' |
		redis_cli --raw | sha256sum)
	[ "$wanted" = "$got" ] || die 3 "redis: the values are not those that were written"
	echo "${got%% *}"
}

redis_end() {
	redis_cli shutdown nosave </dev/null >/dev/null 2>&1
}
