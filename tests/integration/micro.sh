#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The micro benches run, and the shim under them passes on what it promises. No figure is judged.
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"

bench=$top/bench/micro
[ -x "$bench" ] || skip_all "bench/micro is not built: no Google Benchmark here"
[ -x "$progs/gbench" ] || skip_all "no gbench here"
have jq || skip_all "no jq here"

# that WHAT FILTER: true of the report of the last program.
that() {
	if jq -e "$2" "$tmp/out" >/dev/null 2>&1; then
		ok
	else
		fail "$1"
	fi
}

# ends STATUS WHAT
ends() {
	if [ "$status" -eq "$1" ]; then
		ok
	else
		fail "$2 ends with status $status"
	fi
}

# --- the shim ----------------------------------------------------------------------------------

stock "$progs/gbench" --benchmark_format=json --benchmark_filter='^(plain|threads|refill|range)'
verdict "the shim"
run='.benchmarks[] | select(.name | startswith'
that "context" '.context.who == "gbench"'
that "arguments and their names" '[.benchmarks[].name | select(startswith("plain"))] ==
	["plain/a:1/b:2/iterations:1000", "plain/a:40/b:2/iterations:1000"]'
that "arguments arrive" "[$run(\"plain\")) | .sum] == [3, 42]"
that "iterations" "all($run(\"plain\")); .loops == 1000 and .iterations == 1000)"
that "counters by iteration" "all($run(\"plain\")); .per_iteration == 5)"
that "items" "all($run(\"plain\")); .items_per_second > 0)"
that "labels and units" "all($run(\"plain\")); .label == \"a word\" and .time_unit == \"us\")"
that "threads" "[$run(\"threads\")) | .threads_seen] == [1, 2, 4]"
that "their numbers" "[$run(\"threads\")) | .numbers] == [0, 1, 6]"
that "their count" "[$run(\"threads\")) | .told] == [1, 2, 4]"
that "setup before, teardown after" "all($run(\"threads\")); has(\"error_message\") | not)"
that "rates by thread" "all($run(\"threads\"));
	(.rate / .threads_seen - .rate_per_thread | fabs) < .rate_per_thread / 100)"
that "rounds" "$run(\"refill\")) | .refills == 16 and .wrong == 0"
that "ranges, left out with a reason" "[$run(\"range\")) | .error_message] ==
	[\"SKIP: not here\", \"SKIP: not here\", \"SKIP: not here\"]"

stock "$progs/gbench" --benchmark_format=json --benchmark_filter='^fail'
ends 1 "a run that fails"
that "a failure says what" '.benchmarks[0].error_message == "on purpose"'

stock "$progs/gbench" --bogus
ends 2 "an unknown argument"

# --- the benches -------------------------------------------------------------------------------

# What takes no memory to speak of, of each room.
filter='^(verb/[a-z_]*/pages:8$|pair/.*/pages:16/.*threads:[12]$|flush/.*:8$|backend/|lookup/(hit|nowhere)$|conf/|ctl/)'
stock "$bench" --benchmark_min_time=0.01 --benchmark_format=json --benchmark_filter="$filter"
verdict "bench/micro"
that "bench/micro: benches of every room" '[.benchmarks[].name | sub("/.*"; "")] | unique ==
	["backend", "conf", "ctl", "flush", "lookup", "pair", "verb"]'
that "bench/micro: errors" 'all(.benchmarks[];
	(.error_occurred | not) or (.error_message | startswith("SKIP: ")))'
that "bench/micro: times" 'all(.benchmarks[]; .error_occurred or (.real_time > 0 and .iterations > 0))'
that "bench/micro: threads" '[.benchmarks[] | select(.name | startswith("pair/apart")) | .threads] ==
	[1, 2]'
that "bench/micro: the backend in the context" '.context.backend | length > 0'

# hooks PRELOAD: bench/hooks with that in front.
hooks() {
	stock env LD_PRELOAD="$1" MALLOC_CONF=dirty_decay_ms:0 PTRECLAIM_CONF="$(conf_of)" \
		"$top/bench/hooks" --benchmark_min_time=0.01 --benchmark_format=json \
		--benchmark_filter='kib:64/'
	verdict "bench/hooks under '$1'"
}

hooks ""
that "bench/hooks: no jemalloc" "[$run(\"hooks/copied\")) | .error_message] | unique ==
	[\"SKIP: no jemalloc is loaded\"]"
if LD_PRELOAD=libjemalloc.so.2 "$top/bench/hooks" --benchmark_list_tests 2>&1 | grep -q 'cannot be preloaded'; then
	skip "bench/hooks on jemalloc: libjemalloc.so.2 cannot be preloaded"
else
	hooks libjemalloc.so.2
	that "bench/hooks: every block is an extent event" 'all(.benchmarks[];
		.purges > 0.9 and .purges < 1.1)'
	hooks "libjemalloc.so.2:$lib"
	that "bench/hooks: the same with ptreclaim" "all($run(\"hooks/block\"));
		.purges > 0.9 and .purges < 1.1)"
	that "bench/hooks: ptreclaim in the context" '.context.ptreclaim == "loaded"'
fi
finish
